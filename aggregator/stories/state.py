"""What the engine holds of each active story. Plain data; the decisions are in assign.py and repair.py."""

from __future__ import annotations

from array import array
from dataclasses import dataclass, field, replace
from sys import intern

from aggregator.model import Item, Membership, Story
from aggregator.stories.copies import publisher_key
from aggregator.stories.kernels import Floats
from aggregator.stories.text import ItemWords, read_item
from aggregator.stories.view import StoryView, by_time


@dataclass(slots=True)
class Entry:
    """An item on the shelf: its words and why it is where it is. The item comes without its texts (`to_entry`)."""

    item: Item
    words: ItemWords
    at_seconds: float
    publisher: str = ""
    """Key of the independent publisher (copies.publisher_key)."""
    told: Membership | None = None
    """The membership without `nearest` and `terms`, which are wanted again only when the item changes its story: as pairs they are
    thirty small objects, a third of all that the engine holds."""
    _words: tuple[str, ...] = ()
    _figures: array[float] | None = None

    @property
    def membership(self) -> Membership | None:
        told, figures = self.told, self._figures
        if told is None or figures is None:
            return told
        pairs = len(figures) - len(self._words)
        nearest = tuple((int(figures[place]), figures[place + 1]) for place in range(0, pairs, 2))
        return replace(told, nearest=nearest, terms=tuple(zip(self._words, figures[pairs:], strict=True)))

    @membership.setter
    def membership(self, said: Membership) -> None:
        self.told = replace(said, rule=intern(said.rule), nearest=(), terms=())
        self._words = tuple(intern(word) for word, _ in said.terms)
        figures = [figure for pair in said.nearest for figure in pair] + [share for _, share in said.terms]
        self._figures = array("d", figures) if figures else None


def to_entry(item: Item, membership: Membership | None = None) -> Entry:
    """An item with its words. Of the item itself stays what orders, names and tells it apart: the store has its texts."""
    held = Item(
        key="",
        title=item.title,
        link=item.link,
        canonical_link=None,
        summary="",
        published_at=item.published_at,
        content_hash=item.content_hash,
        id=item.id,
        feed=intern(item.feed),
        publisher=intern(item.publisher),
    )
    entry = Entry(held, read_item(item), item.published_at.timestamp(), intern(publisher_key(item)))
    if membership is not None:
        entry.membership = membership
    return entry


@dataclass(frozen=True, slots=True)
class Likenesses:
    """The likeness of all pairs of some items (by id), as a symmetric matrix."""

    items: tuple[int, ...]
    matrix: Floats


@dataclass(slots=True)
class StoryState:
    """An active story. `alive` counts the members that are still compared (published within the window)."""

    id: int
    language: str
    entries: list[Entry] = field(default_factory=list)
    alive: int = 0
    last_seconds: float = float("-inf")
    record: Story | None = None
    """As it was last told to the store; None until then."""
    related: tuple[int, ...] = ()
    topic_id: int | None = None
    checked: int = 0
    """How many members were alive when it was last asked whether this is one event."""
    sisters: set[int] = field(default_factory=set)
    """Stories that were cut off this one, or it off them."""
    likenesses: Likenesses | None = None
    """What was compared for the last look at whether this is one event."""
    _view: StoryView | None = None

    def add(self, entry: Entry) -> None:
        self.entries.append(entry)
        self.last_seconds = max(self.last_seconds, entry.at_seconds)
        self._view = None

    def settle_language(self) -> None:
        """A story that a person made of two languages goes on in the one it was told in; members in others are kept, not compared."""
        told = self.record.language if self.record is not None else None
        if told is not None and told != self.language and any(entry.words.language == told for entry in self.entries):
            self.language = told

    def absorb(self, other: StoryState) -> None:
        """Take over the members of a story that was merged into this one."""
        self.entries += other.entries
        self.entries.sort(key=lambda entry: by_time(entry.item))
        self.alive += other.alive
        self.sisters = (self.sisters | other.sisters) - {self.id, other.id}
        self.last_seconds = max(self.last_seconds, other.last_seconds)
        self._view = None

    def hand_over(self, entries: list[Entry], other: StoryState) -> None:
        """Give some members (all alive) to another story; none stays when two stories are about to change places."""
        moved = {id(entry) for entry in entries}
        self.entries = [entry for entry in self.entries if id(entry) not in moved]
        self.alive -= len(entries)
        self.last_seconds = max((entry.at_seconds for entry in self.entries), default=0.0)
        self._view = None
        for entry in entries:
            other.add(entry)
        other.alive += len(entries)

    def view(self) -> StoryView:
        """Items oldest first; made once after each change."""
        if self._view is None:
            entries = sorted(self.entries, key=lambda entry: by_time(entry.item))
            self._view = StoryView(self.id, tuple(entry.item for entry in entries), tuple(entry.words for entry in entries))
        return self._view
