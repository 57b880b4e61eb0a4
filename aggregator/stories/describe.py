"""What a story is called and about: headline, brief and keywords of a view. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from aggregator.model import Item, Membership, Story
from aggregator.stories.brief import brief
from aggregator.stories.copies import count_sources, publisher_key
from aggregator.stories.engine import Description
from aggregator.stories.label import headline, keywords
from aggregator.stories.text import read_item
from aggregator.stories.view import StoryView, by_time


def describe(view: StoryView) -> Description:
    """All three from the story's own items."""
    return Description(headline(view), brief(view), keywords(view))


def describe_members(
    story_id: int, members: Sequence[tuple[Item, Membership]], *, topic_id: int | None = None, related: Sequence[int] = ()
) -> Story:
    """The record of a story with these members (at least one), as the engine would tell it."""
    ordered = sorted(members, key=lambda pair: by_time(pair[0]))
    words = tuple(read_item(item) for item, _ in ordered)
    said = describe(StoryView(story_id, tuple(item for item, _ in ordered), words))
    return Story(
        id=story_id,
        title=said.title,
        first_published_at=ordered[0][0].published_at,
        last_published_at=ordered[-1][0].published_at,
        brief=said.brief,
        keywords=said.keywords,
        language=words[0].language or None,
        topic_id=topic_id,
        item_count=len(ordered),
        sources=count_sources((publisher_key(item), membership.copy_of) for item, membership in ordered),
        related=tuple(related),
    )
