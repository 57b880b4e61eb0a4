"""The web pages and the API of `aggregator serve`: an optional face over App, beside the command line. Decides nothing."""
