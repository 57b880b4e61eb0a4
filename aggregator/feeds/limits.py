"""How much of one document is read; the rest is cut off. Contains no business logic."""

from __future__ import annotations

MOST_ITEMS = 2_000
LONGEST_TITLE = 1_000
"""Characters, as LONGEST_SUMMARY (plain text; markup has markup.LONGEST_HTML)."""
LONGEST_SUMMARY = 20_000
LONGEST_GUID = 2_000
MOST_MEDIA = 50
MOST_NAMES = 50
"""Authors or categories of one item."""

TEXT_AFTER = "Other text stands after the feed in the document; it was skipped."


def too_many_items(count: int) -> str | None:
    """The sentence about a document with more items than are read."""
    if count <= MOST_ITEMS:
        return None
    return f"The document has {count:,} items; only the first {MOST_ITEMS:,} were read."
