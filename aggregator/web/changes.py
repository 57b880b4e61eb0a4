"""What the forms change: corrections and their undoing, marks, the feed list. Each ends on the page that shows what came of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from aggregator.errors import UsageError
from aggregator.feeds.feedlist import checked_feed, value_from_text
from aggregator.model import Feed
from aggregator.subscribing import with_scheme
from aggregator.web.asked import Answer, Asked, Goto, Page, with_done

if TYPE_CHECKING:
    from collections.abc import Callable

    from aggregator.app import App
    from aggregator.marking import Marking

EDITED = ("title", "tags", "interval", "language", "weight")
"""The keys of a feed that its page changes; addresses, logins and leave for private hosts stay with the file's owner."""


# --- stories -----------------------------------------------------------------------------------------------------------


def split(app: App, asked: Asked) -> Answer:
    if not asked["items"]:
        raise UsageError("tick the items that belong to another event, then split them off")
    app.correcting().split(asked["id"], asked["items"])
    return Goto(with_done(f"/stories/{asked['id']}", "split"))


def move(app: App, asked: Asked) -> Answer:
    if not asked["items"] or asked["to"] is None:
        raise UsageError("tick the items, and name the story where they belong by its number")
    app.correcting().move(asked["items"], asked["to"])
    return Goto(with_done(f"/stories/{asked['to']}", "move"))


def merge(app: App, asked: Asked) -> Answer:
    if asked["other"] is None:
        raise UsageError("name the other story by its number")
    app.correcting().merge([asked["id"], asked["other"]])
    return Goto(with_done(f"/stories/{asked['id']}", "merge"))


def undo(app: App, asked: Asked) -> Answer:
    app.correcting().undo(asked["verb"], asked["stories"], asked["items"])
    return Goto(with_done(asked["back"], "undo"))


def corrections(app: App, asked: Asked) -> Answer:
    found = app.store.corrections.all()[::-1]
    titles = app.store.stories.titles(sorted({story for each in found for story in each.story_ids}))
    return Page("corrections", "Corrections", {"corrections": found, "titles": titles})


# --- marks -------------------------------------------------------------------------------------------------------------


def mark(app: App, asked: Asked) -> Answer:
    put_mark(app.marking, asked["kind"], asked["id"], asked["stance"])
    return Goto(with_done(asked["back"], asked["stance"]))


def put_mark(marking: Marking, kind: str, id_: int, stance: str) -> None:
    """Follow, mute or unmark a topic or a story, star or unstar an item. Raises UsageError, NotFoundError."""
    verbs: dict[str, Callable[[], Any]] = (
        {"star": lambda: marking.star(id_), "unstar": lambda: marking.take_off("item", id_)}
        if kind == "item"
        else {
            "follow": lambda: marking.follow(kind, id_),
            "mute": lambda: marking.mute(kind, id_),
            "unmark": lambda: marking.take_off(kind, id_),
        }
    )
    if stance not in verbs:
        raise UsageError(f"{kind}s take {', '.join(verbs)}")
    verbs[stance]()


def star(app: App, asked: Asked) -> Answer:
    app.marking.star(asked["id"])
    return Goto(with_done(asked["back"], "star"))


def unstar(app: App, asked: Asked) -> Answer:
    app.marking.take_off("item", asked["id"])
    return Goto(with_done(asked["back"], "unstar"))


# --- the feed list -----------------------------------------------------------------------------------------------------


def draft(asked: Asked) -> Feed:
    """The feed that is asked for. It never has leave for private addresses: that is given in feeds.toml alone."""
    values: dict[str, Any] = {"name": asked["name"], "title": asked["title"], "tags": _tags(asked["tags"])}
    return checked_feed({"url": with_scheme(asked["url"]), **{key: value for key, value in values.items() if value}})


def _tags(text: str) -> list[str]:
    return [tag for tag in (part.strip() for part in (text or "").split(",")) if tag]


def preview(app: App, asked: Asked) -> Answer:
    """What a feed would bring; nothing is stored."""
    return Page("preview", "A new feed", {"added": app.add_feed(draft(asked), dry_run=True)})


def add(app: App, asked: Asked) -> Answer:
    added = app.add_feed(draft(asked))
    return Goto(f"/feeds/one?{urlencode({'name': added.feed.name, 'done': 'added'})}")


def switch(app: App, asked: Asked) -> Answer:
    if asked["on"]:
        app.feed_list.enable(asked["name"])
    else:
        app.feed_list.disable(asked["name"])
    app.subscribed()
    return Goto(with_done(asked["back"], "enabled" if asked["on"] else "disabled"))


def edit(app: App, asked: Asked) -> Answer:
    changes = {key: value_from_text(key, asked[key]) if asked[key] else None for key in EDITED}
    app.feed_list.set(asked["name"], changes)
    app.subscribed()
    return Goto(f"/feeds/one?{urlencode({'name': asked['name'], 'done': 'saved'})}")


def take_in(app: App, asked: Asked) -> Answer:
    """An OPML document, or a list of addresses. What is new is added; nothing is polled yet."""
    if not asked.upload:
        raise UsageError("choose a file first: an OPML document, or a list with one address a line")
    result = app.import_feeds(asked.upload, source="the file", tags=_tags(asked["tags"]))
    app.subscribed()
    return Page("imported", "Import", {"result": result})
