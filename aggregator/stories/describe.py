"""What a story is called and about: headline, brief and keywords of a view. Pure."""

from __future__ import annotations

from aggregator.stories.brief import brief
from aggregator.stories.engine import Description
from aggregator.stories.label import headline, keywords
from aggregator.stories.view import StoryView


def describe(view: StoryView) -> Description:
    """All three from the story's own items."""
    return Description(headline(view), brief(view), keywords(view))
