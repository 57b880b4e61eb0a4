"""Runs an engine over an archive in memory, as the daemon would have, and scores it against labels. Pure.

    streams | items | sort by published, link | up to the last labelled item | engine | memberships as they are then | scores

`story`, `topic` and `id` in the streams are ignored: an archive that holds the labels gives nothing away.
"""

from __future__ import annotations

import json
from bisect import bisect_right
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from aggregator.errors import UsageError
from aggregator.model import Item, JsonObject, Story, StoryChanges
from aggregator.ports import Organiser
from aggregator.stories.scores import Labelled, first_related_accuracy, score
from aggregator.stories.view import follow

MakeItem = Callable[[JsonObject], Item]
"""Normalises one line of an archive, as `items import` does."""
MakeEngine = Callable[[Callable[[datetime, datetime], Sequence[tuple[Item, int]]]], Organiser]
"""Builds the engine; it is handed what it may ask for the history of topics."""

CHUNK = 2000
"""Items handed over at once: as many as the daemon writes in one transaction. Chunks of 50 to 2,000 score the same."""


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the input as it was assigned; `link` byte for byte as it stood there. `topic` None = none."""

    link: str
    story: int
    topic: int | None


@dataclass(frozen=True, slots=True)
class Evaluation:
    """`scores` by name; `assigned` has one row for each line of the streams, in their order."""

    scores: Mapping[str, float]
    assigned: tuple[Row, ...]

    def to_tsv(self) -> str:
        """link TAB story TAB topic, one line each, "-" for no topic."""
        return "".join(f"{row.link}\t{row.story}\t{'-' if row.topic is None else row.topic}\n" for row in self.assigned)


def read_lines(lines: Iterable[str], name: str) -> list[JsonObject]:
    """JSON objects, one a line; empty lines are skipped. Raises UsageError naming file and line."""
    rows = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError as error:
            raise UsageError(f"{name}, line {number}: this is no JSON ({error}); the file must hold one JSON object a line") from None
        if not isinstance(row, dict):
            raise UsageError(f"{name}, line {number}: this is no JSON object; the file must hold one JSON object a line")
        rows.append(row)
    return rows


def read_gold(rows: Sequence[JsonObject], name: str) -> list[JsonObject]:
    """The labelled lines: those with a "story" (null = alone). Raises UsageError when there are none."""
    found = [row for row in rows if "story" in row and row.get("link")]
    if not found:
        raise UsageError(f"{name} holds no labels: each line needs “link”, “story” and “topic” (null = alone, none)")
    return found


def evaluate(
    streams: Sequence[JsonObject],
    gold: Sequence[JsonObject],
    *,
    make_item: MakeItem,
    make_engine: MakeEngine,
    timer: Callable[[], float],
    warm_up: bool = True,
) -> Evaluation:
    """Group the lines of all streams and score the labelled ones (of several labels for one link the first counts).

    Without `warm_up` the engine sees the labelled items alone. `timer` returns seconds; `items_per_second` is measured from raw
    lines to decisions, topics included. Items after the last labelled one are in a story of their own, unseen.
    """
    labels = {str(row["link"]): row for row in reversed(gold)}
    started = timer()
    items = _items(streams, make_item)
    seen = _seen(items, labels, warm_up)
    if not seen:
        raise UsageError("none of the labelled items is in the stream; the links of both files must be the same, byte for byte")
    archive = _Archive()
    engine = make_engine(archive.history)
    for start in range(0, len(seen), CHUNK):
        archive.note(seen[start : start + CHUNK], engine.add(seen[start : start + CHUNK]))
    seconds = timer() - started
    assigned = archive.rows(streams, items)
    return Evaluation(_scores(labels, assigned, archive, len(seen) / seconds if seconds > 0 else 0.0), assigned)


def _items(streams: Sequence[JsonObject], make_item: MakeItem) -> dict[str, Item]:
    """Items by link, numbered by line; a link that comes twice is one item."""
    items: dict[str, Item] = {}
    for number, row in enumerate(streams, 1):
        link = str(row.get("link") or f"\0line {number}")
        if link not in items:
            unlabelled = {key: value for key, value in row.items() if key not in ("story", "topic", "id")}
            items[link] = replace(make_item(unlabelled), id=number)
    return items


def _seen(items: Mapping[str, Item], labels: Mapping[str, JsonObject], warm_up: bool) -> list[Item]:
    ordered = sorted(items.items(), key=lambda pair: (pair[1].published_at, pair[0]))
    if not warm_up:
        return [item for link, item in ordered if link in labels]
    last = max((place for place, (link, _) in enumerate(ordered) if link in labels), default=-1)
    return [item for _, item in ordered[: last + 1]]


@dataclass(slots=True)
class _Archive:
    """What a store would have kept."""

    items: list[Item] = field(default_factory=list)
    times: list[datetime] = field(default_factory=list)
    story_of: dict[int, int] = field(default_factory=dict)
    moved: dict[int, int] = field(default_factory=dict)
    stories: dict[int, Story] = field(default_factory=dict)
    moved_topics: dict[int, int] = field(default_factory=dict)

    def note(self, items: Sequence[Item], changes: StoryChanges) -> None:
        self.items += items
        self.times += [item.published_at for item in items]
        self.story_of.update({membership.item_id: membership.story_id for membership in changes.memberships})
        self.moved.update(changes.merged)
        self.stories.update({story.id: story for story in changes.stories})
        self.moved_topics.update(changes.merged_topics)

    def history(self, from_at: datetime, to_at: datetime) -> list[tuple[Item, int]]:
        part = slice(bisect_right(self.times, from_at), bisect_right(self.times, to_at))
        return [(item, self.story(item.id)) for item in self.items[part]]

    def story(self, item: int) -> int:
        return follow(self.moved, self.story_of[item])

    def topic(self, story: int) -> int | None:
        found = self.stories.get(story)
        return follow(self.moved_topics, found.topic_id) if found is not None and found.topic_id is not None else None

    def rows(self, streams: Sequence[JsonObject], items: Mapping[str, Item]) -> tuple[Row, ...]:
        free = max(self.story_of.values(), default=0) + 1
        own: dict[int, int] = {}
        rows = []
        for number, row in enumerate(streams, 1):
            item = items[str(row.get("link") or f"\0line {number}")]
            if item.id not in self.story_of:
                story, topic = own.setdefault(item.id, free + len(own)), None
            else:
                story = self.story(item.id)
                topic = self.topic(story)
            rows.append(Row(str(row.get("link") or ""), story, topic))
        return tuple(rows)


def _scores(labels: Mapping[str, JsonObject], assigned: Sequence[Row], archive: _Archive, speed: float) -> dict[str, float]:
    found = {row.link: row for row in assigned}
    items = []
    for number, (link, label) in enumerate(labels.items()):
        row = found.get(link)
        items.append(
            Labelled(
                gold_story=label["story"] or ("alone", number),
                gold_topic=label.get("topic") or None,
                found_story=row.story if row is not None else ("missing", number),
                found_topic=row.topic if row is not None else None,
            )
        )
    out = score(items)
    out["missing"] = sum(link not in found for link in labels)
    # a story that was merged since is where its redirect leads
    told = {story: record.related[0] for story, record in archive.stories.items() if record.related}
    first: dict[Hashable, Hashable] = {story: follow(archive.moved, other) for story, other in told.items()}
    out["first_related_accuracy"] = round(first_related_accuracy(items, first), 4)
    out["items_per_second"] = round(speed, 1)
    return out
