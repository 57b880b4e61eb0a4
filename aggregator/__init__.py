"""A self-hosted news aggregator that groups feed items into stories and stories into topics."""

__version__ = "0.1.0"
