"""Small records for the store's tests."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from aggregator.model import Feed, FeedState, Ingested, Item, Membership, Polled, Story, StoryChanges, Topic
from aggregator.store.opening import Store

NOW = datetime(2023, 12, 27, 12, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)


def item(key: str, title: str = "", *, link: str | None = "", at: datetime = NOW, **more: Any) -> Item:
    """An item whose texts follow from its key; link="" makes one from the key."""
    link = f"https://news.example/{key}" if link == "" else link
    title = title or f"Title of {key}"
    fields: dict[str, Any] = {"summary": f"Summary of {key}", "content_hash": f"hash of {title}", "canonical_link": link, "arrived_at": NOW}
    return Item(key=key, title=title, link=link, published_at=at, **(fields | more))


def subscribe(store: Store, *names: str, now: datetime = NOW) -> dict[str, FeedState]:
    store.feeds.sync([Feed(name, f"https://{name}.example/feed") for name in names], now)
    return store.feeds.states()


def poll(store: Store, feed: str, items: Sequence[Item], *, now: datetime = NOW) -> Ingested:
    """Store one poll of a feed; made when it has no row yet."""
    states = store.feeds.states()
    if feed not in states:
        subscribed = [Feed(each.name, each.url) for each in states.values() if each.subscribed]
        store.feeds.sync([*subscribed, Feed(feed, f"https://{feed}.example/feed")], now)
    return store.items.ingest([Polled(store.feeds.state(feed), f"The {feed.title()}", tuple(items))], now)[0]


def keep(store: Store, state: FeedState) -> None:
    """Store a poll that changed nothing but the feed's state."""
    store.items.ingest([Polled(state)], NOW)


def story(id: int, *, topic: int | None = None, at: datetime = NOW, first: datetime | None = None, **more: Any) -> Story:
    return Story(id, f"Story {id}", first_published_at=first or at, last_published_at=at, topic_id=topic, **more)


def group(store: Store, *groups: Sequence[int], first_story: int = 1, topic: int | None = None) -> None:
    """Put items into stories, numbered from `first_story`; times and counts follow from the items."""
    stories, members = [], []
    for number, ids in enumerate(groups, first_story):
        times = sorted(each.published_at for each in store.items.get(ids))
        stories.append(story(number, topic=topic, first=times[0], at=times[-1], item_count=len(ids), sources=len(ids)))
        members += [Membership(id_, number) for id_ in ids]
    topics = (Topic(topic, f"Topic {topic}", last_published_at=NOW, story_count=len(groups)),) if topic else ()
    store.stories.apply(StoryChanges(tuple(members), tuple(stories), topics=topics), NOW)


def seen(store: Store, ids: list[int]) -> dict[int, datetime | None]:
    """When each was last attempted."""
    at = {state.id: state.last_attempt_at for state in store.feeds.states().values()}
    return {id_: at[id_] for id_ in ids}
