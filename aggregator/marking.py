"""What the reader follows, mutes and stars, and what that makes of a digest. Pure but for the stores that come in.

    id | follow its redirects | is it there? | one mark for each target

A mark keeps its id when stories or topics merge: the redirects are followed when it is read, so that it holds for what the id
leads to now. What is pruned, or was taken out, is left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from aggregator.digest.interests import Interests, to_search
from aggregator.errors import NotFoundError
from aggregator.model import Clock, Mark
from aggregator.ports import ItemStore, MarkStore, StoryStore


@dataclass(frozen=True, slots=True)
class Marked:
    """A mark with the title of what it stands on now."""

    mark: Mark
    title: str


@dataclass(frozen=True)
class Marking:
    """The verbs by which people mark."""

    stories: StoryStore
    items: ItemStore
    marks: MarkStore
    clock: Clock

    def follow(self, kind: str, target_id: int) -> Marked:
        """A topic or a story. Raises NotFoundError."""
        return self._mark(kind, target_id, "follow")

    def mute(self, kind: str, target_id: int) -> Marked:
        return self._mark(kind, target_id, "mute")

    def star(self, item_id: int) -> Marked:
        """An item. Raises NotFoundError."""
        return self._mark("item", item_id, "star")

    def take_off(self, kind: str, target_id: int) -> Marked:
        """Forget the mark. Raises NotFoundError when there is none."""
        for found in self.list(kind):
            if target_id in (found.mark.target_id, self._now(kind, found.mark.target_id)):
                self.marks.remove(kind, found.mark.target_id)
                return found
        raise NotFoundError(f"{kind} {target_id} carries no mark; `aggregator {_GROUPS[kind]} marked` lists those that do")

    def list(self, kind: str, stance: str | None = None) -> list[Marked]:
        """The marks on topics, stories or items, newest first; what is no longer there is left out."""
        wanted = [mark for mark in self.marks.all() if mark.kind == kind and stance in (None, mark.stance)]
        found = [(mark, self._title(kind, mark.target_id)) for mark in wanted]
        return [Marked(mark, title) for mark, title in found if title is not None]

    def interests(self, muted: Sequence[str] = (), boosted: Sequence[str] = (), searches: Sequence[str] = ()) -> Interests:
        """All marks as a digest uses them, with the reader's words."""
        ids: dict[tuple[str, str], set[int]] = {}
        for mark in reversed(self.marks.all()):  # oldest first: of two marks that lead to one story the newer counts
            target = self._now(mark.kind, mark.target_id)
            if target is not None:
                for (kind, _), there in ids.items():
                    if kind == mark.kind:
                        there.discard(target)
                ids.setdefault((mark.kind, mark.stance), set()).add(target)

        def marked(kind: str, stance: str) -> frozenset[int]:
            return frozenset(ids.get((kind, stance), ()))

        return Interests(
            muted_topics=marked("topic", "mute"),
            followed_topics=marked("topic", "follow"),
            muted_stories=marked("story", "mute"),
            followed_stories=marked("story", "follow"),
            starred_items=marked("item", "star"),
            muted_words=tuple(muted),
            boosted_words=tuple(boosted),
            searches=tuple(to_search(text) for text in searches),
        )

    def _mark(self, kind: str, target_id: int, stance: str) -> Marked:
        target = self._now(kind, target_id)
        title = None if target is None else self._title(kind, target)
        if target is None or title is None:
            raise NotFoundError(f"there is no {kind} {target_id}")
        mark = Mark(kind, target, stance, self.clock())  # type: ignore[arg-type]
        self.marks.save(mark)
        return Marked(mark, title)

    def _now(self, kind: str, target_id: int) -> int | None:
        """What the id leads to today; None when it leads nowhere."""
        try:
            if kind == "item":
                return target_id if self.items.get([target_id]) else None
            return self.stories.resolve_topic(target_id) if kind == "topic" else self.stories.resolve(target_id)
        except NotFoundError:
            return None

    def _title(self, kind: str, target_id: int) -> str | None:
        target = self._now(kind, target_id)
        if target is None:
            return None
        if kind == "item":
            return self.items.get([target])[0].title
        return self.stories.topic(target)[0].label if kind == "topic" else self.stories.titles([target])[target]


_GROUPS = {"topic": "topics", "story": "stories", "item": "items"}
