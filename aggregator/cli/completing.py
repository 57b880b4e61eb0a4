"""What the shell offers behind TAB: names of feeds, tags, ids of stories, topics and items with their titles.

Whatever goes wrong offers nothing: a shell that waits for TAB is no place for an error.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import click
from click.shell_completion import CompletionItem

from aggregator.text import one_line, shorten

if TYPE_CHECKING:
    from aggregator.app import App

MOST = 50
Pairs = Iterator[tuple[str, str]]
"""(what is typed, what it means)."""
Completer = Callable[[click.Context, click.Parameter, str], list[CompletionItem]]


def _offering(find: Callable[[App], Pairs]) -> Completer:
    def complete(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        found: list[CompletionItem] = []
        with contextlib.suppress(Exception), _app(ctx) as app:
            taken = ctx.params.get(param.name or "") or ()
            for value, text in find(app):
                if value.startswith(incomplete) and value not in map(str, taken if isinstance(taken, tuple) else ()):
                    found.append(CompletionItem(value, help=shorten(one_line(text), 60) or None))
        return found

    return complete


@contextlib.contextmanager
def _app(ctx: click.Context) -> Iterator[App]:
    """The App that the words before the cursor ask for: the command itself does not run, so no session is there."""
    from aggregator.app import App

    given = ctx.find_root().params
    with App.from_options(config=given.get("config"), database=given.get("database"), now=given.get("now")) as app:
        yield app


def _feeds(app: App) -> Pairs:
    return ((feed.name, feed.title or feed.url) for feed in app.feed_list.load())


def _tags(app: App) -> Pairs:
    return ((tag, "") for tag in sorted({tag for feed in app.feed_list.load() for tag in feed.tags}))


def _stories(app: App) -> Pairs:
    return ((str(story.id), story.title) for story in app.store.stories.stories(limit=MOST))


def _topics(app: App) -> Pairs:
    return ((str(topic.id), topic.label) for topic in app.store.stories.topics(limit=MOST))


def _items(app: App) -> Pairs:
    for story in app.store.stories.stories(limit=10):
        for item in app.store.stories.story(story.id).items:
            yield str(item.id), item.title


complete_feeds, complete_tags = _offering(_feeds), _offering(_tags)
complete_stories, complete_topics, complete_items = _offering(_stories), _offering(_topics), _offering(_items)
