"""A digest as JSON, version 1: keys are added, never changed or taken away. Pure."""

from __future__ import annotations

import json

from aggregator.digest.layout import safe_link
from aggregator.digest.period import written
from aggregator.model import Digest, DigestMedia, DigestStory, FailedFeed, Item, JsonObject, Media
from aggregator.text import one_line
from aggregator.times import iso


def to_json(digest: Digest, *, explain: bool = False) -> str:
    """The document as text; `explain` adds `rank` and `parts` to each story."""
    return json.dumps(to_object(digest, explain=explain), ensure_ascii=False, indent=2) + "\n"


def to_object(digest: Digest, *, explain: bool = False) -> JsonObject:
    """The same as plain dicts and lists. Moments are ISO 8601 in UTC with Z; ids are numbers."""
    period = digest.period
    return {
        "version": 1,
        "period": {"from": iso(written(period.from_at)), "to": iso(written(period.to_at)), "zone": period.zone},
        "counts": {key: digest.counts.get(key, 0) for key in ("feeds", "items", "stories")},
        "topics": [{"id": topic.id, "label": one_line(topic.label), "stories": list(topic.story_ids)} for topic in digest.topics],
        "stories": [_story(story, digest, explain) for story in digest.stories],
        "media": [_digest_media(one) for one in digest.media],
        "failed_feeds": [_failed(feed) for feed in digest.failed_feeds],
        "searches": [
            {"name": one_line(search.name), "query": search.query, "stories": list(search.story_ids)} for search in digest.searches
        ],
        "reading_seconds": round(digest.seconds),
    }


def _story(shown: DigestStory, digest: Digest, explain: bool) -> JsonObject:
    story = shown.story
    found: JsonObject = {
        "id": story.id,
        "title": one_line(story.title),
        "brief": one_line(story.brief),
        "topic": story.topic_id,
        "first_published": iso(story.first_published_at),
        "last_published": iso(story.last_published_at),
        "sources": shown.sources,
        "items": [_item(item, score) | {"new": _is_new(item, digest)} for item, score in zip(shown.items, shown.scores, strict=True)],
        "keywords": [one_line(keyword) for keyword in story.keywords],
        "related": list(story.related),
        "new": shown.new,
        "phase": shown.phase,
        "gained": shown.gained,
        "latest": one_line(shown.latest),
        "followed": shown.followed,
        "starred": shown.starred,
        "as_line": shown.as_line,
    }
    if explain:
        found["rank"] = round(shown.rank, 4)
        found["parts"] = {name: round(value, 4) for name, value in shown.parts.items()}
    return found


def _is_new(item: Item, digest: Digest) -> bool:
    """Whether this very digest offers it: of a digest of what is new, no other one of that name does."""
    if digest.up_to_item:
        return (digest.after_item or 0) < item.id <= digest.up_to_item
    return digest.period.from_at < item.published_at <= digest.period.to_at


def _item(item: Item, score: float) -> JsonObject:
    return {
        "id": item.id,
        "title": one_line(item.title),
        "link": item.link if safe_link(item.link) else None,
        "feed": item.feed,
        "publisher": one_line(item.publisher),
        "published": iso(item.published_at),
        "score": round(score, 4),
        "media": [_media(media) for media in item.media],
    }


def _media(media: Media) -> JsonObject:
    return {"type": one_line(media.type), "url": one_line(media.url), "seconds": media.seconds}


def _digest_media(one: DigestMedia) -> JsonObject:
    return {
        **_media(one.media),
        "title": one_line(one.media.title or one.item.title),
        "host": one_line(one.media.host) if one.media.host else None,
        "item": one.item.id,
        "feed": one.item.feed,
    }


def _failed(feed: FailedFeed) -> JsonObject:
    return {"name": one_line(feed.name), "error": one_line(feed.error), "since": iso(feed.since_at) if feed.since_at else None}
