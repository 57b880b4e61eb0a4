"""Small items for the tests of the stories act."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from aggregator.model import Item, StoryChanges
from aggregator.stories.view import follow

START = datetime(2023, 12, 27, 6, 0, tzinfo=UTC)


def item(
    number: int,
    title: str,
    summary: str = "",
    *,
    minutes: float | None = None,
    feed: str | None = None,
    language: str = "en",
    link: str | None = None,
) -> Item:
    """Item `number`, published so many minutes after the start (default: ten times its number), from a feed of its own."""
    feed = feed or f"feed-{number}"
    link = link or f"https://{feed}.example/{number}"
    return Item(
        key=f"l:{link}",
        title=title,
        link=link,
        canonical_link=link,
        summary=summary,
        published_at=START + timedelta(minutes=10 * number if minutes is None else minutes),
        content_hash=str(number),
        id=number,
        feed=feed,
        publisher=feed.title(),
        language=language,
    )


QUAKE = (
    (
        "Strong earthquake hits Lisbon",
        "An earthquake of magnitude 6.1 shook Lisbon on Wednesday, bringing down chimneys in the Alfama district.",
    ),
    (
        "Earthquake shakes Lisbon, chimneys fall in Alfama",
        "A 6.1 magnitude earthquake struck the Portuguese capital Lisbon; chimneys came down in Alfama.",
    ),
    (
        "Lisbon earthquake: Alfama residents sleep outdoors",
        "After the magnitude 6.1 earthquake in Lisbon residents of Alfama spent the night outdoors.",
    ),
)
BAKERY = (
    ("Vienna bakery wins world pastry cup", "A family bakery from Vienna won the world pastry cup in Lyon with a poppy seed strudel."),
    (
        "World pastry cup goes to Vienna bakery for poppy seed strudel",
        "The family bakery beat nineteen teams at the world pastry cup in Lyon.",
    ),
)
COMET = (
    "Amateur finds comet with a garden telescope",
    "A retired teacher in Tasmania discovered a comet with a telescope she ground herself.",
)
RATES = ("Central bank of Norway holds rates", "Norges Bank left its key policy rate unchanged at 4.5 percent, citing weak demand.")


def assigned_stories(changes: Iterable[StoryChanges]) -> dict[int, int]:
    """Item id -> story id after several rounds of changes, redirects followed."""
    story_of: dict[int, int] = {}
    for change in changes:
        story_of.update({membership.item_id: membership.story_id for membership in change.memberships})
        moved = dict(change.merged)
        if moved:
            story_of = {item: follow(moved, story) for item, story in story_of.items()}
    return story_of
