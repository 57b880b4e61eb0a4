"""Ties stories into topics: sagas remembered from the last days, and stories that are near each other today. Pure.

    history of items | learn sagas | match with yesterday's topics                        rebuild, once a day
    changed stories  | attach to a saga | else average linkage among the rest | related   link, after every round

A topic is a saga, not a newspaper section: groups that do not hang together from day to day show no name, their stories only
point at one to three related ones. Ids are stable: a rebuilt saga takes the id of the topic whose profile it resembles most.
Does not assign items to stories, reads no store and no clock.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import count, islice
from typing import Any

import numpy as np

from aggregator.model import Item, Topic
from aggregator.stories.company import NO_TOPIC, Company, Numbers, follow_company
from aggregator.stories.history import History, Reader, spellings, words_by_item
from aggregator.stories.label import surface_forms, topic_label
from aggregator.stories.linkage import WORDS, average_linkage, pair_similarity
from aggregator.stories.related import Related, find_related
from aggregator.stories.sagas import Floats, SagaParams, UnitSpace, centres, learn_sagas, numbered, profile_of, scale_rows, units_of
from aggregator.stories.settle import Shape, settle
from aggregator.stories.text import ItemWords
from aggregator.stories.view import StoryView, TopicChanges


@dataclass(frozen=True, slots=True)
class TopicParams:
    """Cuts, all on cosines. Set on 26-27 December 2023 (tests/stories/test_topics.py pins what they reach)."""

    history_items: int = 30_000
    """At most so many of the newest items are learned from."""
    least_history: int = 500
    least_news: float = 0.15
    """Share of items that are new since the last learning, below which nothing is learned again."""
    sagas: SagaParams = field(default_factory=SagaParams)
    attach: float = 0.8
    """Nearness (words + projection, 0-2) that a saga asks of a story when its own items have closeness 1."""
    own_share: float = 1.0
    """How much more or less it asks for each unit of closeness more or less."""
    closest: float = 1.3
    """Closeness above it asks no more."""
    attach_words: float = 0.08
    """Least nearness in words alone."""
    hold: float = 0.18
    """Average similarity to the saga's other active stories below which a story goes elsewhere, if it finds a topic of its own."""
    least_hold: float = 0.1
    """Average similarity below which it goes in any case."""
    link: float = 0.38
    """Average similarity (half words, half projection) that stories of one topic without a saga keep."""
    least_words: float = 0.08
    """Least average cosine of words in such a topic: below it next to no group was a saga (deaths, crimes, best-of lists)."""
    names: float = 0.9
    """What the three strongest names of such a topic weigh together, against its strongest unit of any kind. Below it the topic is
    one of the paper's sections, as a rule: murders, gadgets, the weather, best-of lists."""
    nameless_words: float = 0.25
    """As `least_words` below that weight: of such groups next to none was a saga unless its stories say nearly the same."""
    link_words: float = 0.12
    """As `link` where the history is too small for a projection: words alone."""
    related: Related = field(default_factory=Related)
    shape: Shape = field(default_factory=Shape)
    company: Company = field(default_factory=Company)
    match: float = 0.5
    """Cosine of profiles from which a rebuilt saga is yesterday's topic."""
    relink_share: float = 0.05
    """When more than this share of the active stories changed, all are linked anew; fewer are put where they fit."""
    keep_days: int = 7
    """A topic without a new story for so long is forgotten at the next learning; the store keeps it."""


@dataclass(slots=True)
class _State:
    """What the linker knows of one topic while it runs."""

    topic: Topic
    saga: bool
    """Whether its profile was learned from history (then stories attach to it), or comes from today's stories alone."""
    members: frozenset[int] = frozenset()


LEADING_UNITS = 8
_ARCHIVE = 200
"""Changed stories in one round from which the next round may learn again, so that what was read is kept for it. Where fewer come
the next learning is a day away, and memory that follows the history instead of the window would be for nothing."""


class TopicLinker:
    """The topics of one engine, each language by itself: a projection of two languages at once separates little else.

    One writer; the same calls in the same order give the same topics.
    """

    def __init__(self, params: TopicParams) -> None:
        self.params = params
        self._ids = count(1)
        self._known: tuple[Topic, ...] = ()
        self._reader = Reader(2 * params.history_items)
        self._due: Sequence[tuple[Item, int]] | None = None
        self._linkers: dict[str, _LanguageLinker] = {}

    def restore(self, topics: Sequence[Topic], next_id: int) -> None:
        """Take over the topics that the store kept; call `rebuild` next to have a projection again."""
        self._ids, self._known, self._linkers = count(next_id), _strongest_first(topics), {}

    def rebuild(self, history: Sequence[tuple[Item, int]], at: datetime) -> TopicChanges:
        """Take the history (items with their story ids) to learn sagas from; the next `link` learns and judges all stories anew.

        Put off until then, because an archive's round may cross many days: it pays once. Learning takes about 4 s for 25,000
        items, most of it to read those whose words no active story holds.
        """
        self._due = sorted(history, key=lambda pair: (pair[0].published_at, pair[0].id))[-self.params.history_items :]
        return TopicChanges()

    def link(self, changed: Sequence[StoryView], active: Sequence[StoryView], at: datetime) -> TopicChanges:
        """Put the changed stories under topics and find their related stories, among the active ones.

        `topic_of` and `related` speak of the changed stories and of those whose topic or neighbours changed with them.
        """
        due = self._history([*active, *changed])
        if len(changed) < _ARCHIVE:
            self._reader.forget()
        of_changed, of_active = _by_language(changed), _by_language(active)
        found = [
            self._linker(language).link(of_changed.get(language, []), of_active.get(language, []), at, due.pop(language, None))
            for language in sorted({*of_changed, *of_active, *due})
            if language in of_changed or language in due
        ]
        return TopicChanges(
            topics=tuple(topic for changes in found for topic in changes.topics),
            merged=tuple(pair for changes in found for pair in changes.merged),
            topic_of={story: topic for changes in found for story, topic in changes.topic_of.items()},
            related={story: others for changes in found for story, others in changes.related.items()},
        )

    def _linker(self, language: str) -> _LanguageLinker:
        if language not in self._linkers:
            self._linkers[language] = _LanguageLinker(self.params, self._known, self._ids)
        return self._linkers[language]

    def _history(self, views: Sequence[StoryView]) -> dict[str, History]:
        due, self._due = self._due, None
        return self._reader.read(due, words_by_item(views)) if due else {}


def _by_language(views: Sequence[StoryView]) -> dict[str, list[StoryView]]:
    found: dict[str, list[StoryView]] = {}
    for view in views:
        found.setdefault(view.words[0].language if view.words else "", []).append(view)
    return found


class _LanguageLinker:
    """The topics of one language."""

    def __init__(self, params: TopicParams, topics: Sequence[Topic], ids: Iterator[int]) -> None:
        self.params = params
        self._new_ids = ids
        self._topics: dict[int, _State] = {}
        self._leading: dict[str, tuple[int, ...]] = {}
        for topic in topics:
            self._keep(_State(topic, saga=topic.threshold > 0))
        self._seen = np.zeros(0, dtype=np.int64)
        self._space: UnitSpace | None = None
        self._learned = False
        self._views: dict[int, StoryView] = {}
        self._topic_of: dict[int, int | None] = {}
        self._ids: list[int] = []
        self._read_now: set[int] = set()
        self._let_gone: dict[int, int] = {}
        self._profiles: dict[frozenset[int], dict[str, float]] = {}
        self._matrix: Any = None
        self._soft: Floats | None = None
        self._sizes: Floats | None = None
        self._centres: tuple[list[int], Any, Floats] | None = None

    # --- once a day --------------------------------------------------------------------------------------------------

    def _learn(self, history: History, active: Sequence[StoryView], at: datetime) -> list[Topic]:
        """Learn sagas; returns the topics that were made or changed. Too little history, or hardly any news in it: nothing."""
        marks, size = history.marks(), len(history.items)
        if size < self.params.least_history or int(np.isin(marks, self._seen, invert=True).sum()) < self.params.least_news * size:
            return []
        self._seen = marks
        self._space = UnitSpace(self.params.sagas.directions, self.params.sagas.rarity_power).fit(history.story_documents())
        self._learned = True
        self._forget_vectors()
        oldest = at - timedelta(days=self.params.keep_days)
        living = {topic for topic in self._topic_of.values() if topic is not None}
        self._topics = {
            topic_id: _State(state.topic, saga=False)
            for topic_id, state in self._topics.items()
            if topic_id in living or state.topic.last_published_at is None or state.topic.last_published_at >= oldest
        }
        self._leading = {}
        for state in self._topics.values():
            self._keep(state)
        taken: set[int] = set()
        known = words_by_item(active)
        days, feeds = [item.published_at.toordinal() for item in history.items], [item.feed for item in history.items]
        for saga in learn_sagas(history.documents(), days, feeds, self._space, self.params.sagas):
            topic_id = self._resembling(saga.profile, taken)
            taken.add(topic_id)
            members = [history.items[i] for i in saga.members]
            topic = self._describe(topic_id, saga.profile, spellings(members, known))
            times = [item.published_at for item in members]
            topic = replace(
                topic,
                threshold=round(self._threshold(saga.closeness), 4),
                first_published_at=min(times + _known(topic.first_published_at)),
                last_published_at=max(times + _known(topic.last_published_at)),
                story_count=max(topic.story_count, len({history.stories[i] for i in saga.members})),
            )
            self._keep(_State(topic, saga=True))
        return [self._topics[topic_id].topic for topic_id in taken]

    def _threshold(self, closeness: float) -> float:
        return self.params.attach + self.params.own_share * (min(closeness, self.params.closest) - 1)

    def _keep(self, state: _State) -> None:
        """Take a topic in, and note it under the strongest units of its profile."""
        self._topics[state.topic.id] = state
        for unit in islice(state.topic.profile, LEADING_UNITS):
            noted = self._leading.get(unit, ())
            if state.topic.id not in noted:
                self._leading[unit] = (*noted, state.topic.id)

    def _resembling(self, profile: Mapping[str, float], taken: set[int]) -> int:
        """The id of the known topic that the profile continues, or a new one."""
        # profiles that share none of their strongest units are never alike enough; comparing all took most of a round
        near = {topic_id for unit in islice(profile, LEADING_UNITS) for topic_id in self._leading.get(unit, ())}
        scores = [(likeness(profile, self._topics[i].topic.profile), -i) for i in near if i not in taken and i in self._topics]
        best, negative = max(scores, default=(0.0, 0))
        return -negative if best >= self.params.match else next(self._new_ids)

    def _describe(self, topic_id: int, profile: Mapping[str, float], texts: Sequence[ItemWords]) -> Topic:
        known = self._topics.get(topic_id)
        forms = surface_forms(profile, texts)
        label, keywords = topic_label(profile, forms)
        if known is None:
            return Topic(topic_id, label, keywords, profile=profile)
        # a name that people have learned stays while most of its words are still the saga's
        old = known.topic.label.casefold().split(", ")
        if sum(word in {keyword.casefold() for keyword in keywords} for word in old) >= 2:
            label = known.topic.label
        return replace(known.topic, label=label, keywords=keywords, profile=profile)

    # --- after every round -------------------------------------------------------------------------------------------

    def link(self, changed: Sequence[StoryView], active: Sequence[StoryView], at: datetime, history: History | None) -> TopicChanges:
        learned = self._learn(history, active, at) if history is not None else []
        before = dict(self._topic_of)
        everything = not self._ids
        self._take_in(changed, active)
        if not self._ids:
            return TopicChanges(topics=tuple(learned))
        places = {story_id: row for row, story_id in enumerate(self._ids)}
        rows = [places[view.id] for view in changed if view.id in places]
        rows = sorted({*rows, *(row for row, story_id in enumerate(self._ids) if everything or story_id not in before)})
        self._attach(rows)
        merged = self._gather(rows)
        self._take_back()
        self._follow(range(len(self._ids)) if self._all_anew(rows) else rows)
        judged = {self._ids[row] for row in rows} | {i for i, topic in self._topic_of.items() if before.get(i) != topic}
        touched = {self._topic_of.get(i) for i in judged} | {before.get(i) for i in judged} | {topic.id for topic in learned}
        order = sorted(judged, key=lambda i: places[i])
        return TopicChanges(
            topics=self._updated(touched),
            merged=tuple(merged),
            topic_of={i: self._topic_of.get(i) for i in order},
            related=self._related([places[i] for i in order]),
        )

    def _take_in(self, changed: Sequence[StoryView], active: Sequence[StoryView]) -> None:
        """Keep one vector a story; a story without one, or one that changed, is read."""
        views = {view.id: view for view in active} | {view.id: view for view in changed}
        if self._space is None or (not self._learned and len(views) >= 2 * self._space.documents_):
            # no history yet: what is there now must do, read anew each time it has doubled
            now = numbered(words for view in views.values() for words in view.words)
            self._space = UnitSpace(self.params.sagas.directions).fit(now, least=2)
            self._space.documents_ = max(self._space.documents_, len(views))
            self._forget_vectors()
        stale = {view.id for view in changed} | {i for i in views if i not in self._views}
        self._topic_of = {i: topic for i, topic in self._topic_of.items() if i in views}
        kept = [row for row, i in enumerate(self._ids) if i in views and i not in stale]
        new = [view for i, view in views.items() if i in stale or i not in self._views]
        self._read_now = {view.id for view in new}
        # profiles of groups that stayed as they were are half of a round's work
        self._profiles = {
            members: profile
            for members, profile in self._profiles.items()
            if members <= views.keys() and members.isdisjoint(self._read_now)
        }
        matrix, soft = self._vectors(new)
        if kept and self._matrix is not None and self._soft is not None:
            from scipy.sparse import vstack

            matrix, soft = vstack([self._matrix[kept], matrix], format="csr"), np.vstack([self._soft[kept], soft])
        self._ids = [self._ids[row] for row in kept] + [view.id for view in new]
        self._matrix, self._soft, self._views = matrix, soft, views

    def _forget_vectors(self) -> None:
        """Vectors of another space are of no use; which story was under which topic is."""
        self._ids, self._matrix, self._soft, self._views = [], None, None, {}
        self._centres = None

    def _vectors(self, views: Sequence[StoryView]) -> tuple[Any, Floats]:
        """Centroids of the stories' items, in words and projected. Rows of length 1."""
        from scipy.sparse import csr_matrix

        assert self._space is not None
        items = self._space.vectors(units_of(words) for view in views for words in view.words)
        counts = [len(view.words) for view in views]
        owner = np.repeat(range(len(views)), counts)
        sums = csr_matrix((np.ones(len(owner), dtype=np.float32), (owner, range(len(owner)))), shape=(len(views), len(owner)))
        matrix = scale_rows((sums @ items).tocsr())
        return matrix, self._space.soft(matrix)

    def _attach(self, rows: Sequence[int]) -> None:
        """Give each row the saga whose centre it is nearest to, if near enough; None else (the linkage may still find one)."""
        ids, words, soft = self._saga_centres()
        for row in rows:
            self._topic_of.setdefault(self._ids[row], None)
        if not ids or not rows or self._soft is None:
            return
        in_words = np.asarray((self._matrix[list(rows)] @ words.T).toarray())
        near = in_words + self._soft[list(rows)] @ soft.T
        asked = np.array([self._topics[i].topic.threshold for i in ids])
        near[(near < asked) | (in_words < self.params.attach_words)] = -1
        best = near.argmax(axis=1)
        for place, row in enumerate(rows):
            topic_id = ids[int(best[place])] if near[place, best[place]] > 0 else None
            current = self._topic_of[self._ids[row]]
            if topic_id is not None or (current is not None and self._topics[current].saga):
                self._topic_of[self._ids[row]] = topic_id
        for topic_id in sorted({ids[int(k)] for place, k in enumerate(best) if near[place, k] > 0}):
            self._let_go(topic_id)

    def _let_go(self, topic_id: int) -> None:
        """Let what is not near a saga's other active stories on average look for another topic, like the side shows of a war."""
        rows = [row for row, story_id in enumerate(self._ids) if self._topic_of.get(story_id) == topic_id]
        share = 1.0 if self._projected() else 0.25
        for _ in range(3):
            if len(rows) < 3:
                return
            words, soft = self._matrix[rows], self._soft_rows(rows)
            near = WORDS * (np.asarray(words @ np.asarray(words.sum(axis=0)).ravel()) - 1)
            if soft.shape[1]:
                near = near + (1 - WORDS) * (soft @ soft.sum(axis=0) - 1)
            near = near / (len(rows) - 1)
            held = near >= share * self.params.hold
            for place in np.flatnonzero(~held):
                story_id = self._ids[rows[place]]
                self._topic_of[story_id] = None
                if near[place] >= share * self.params.least_hold:
                    self._let_gone[story_id] = topic_id
            if held.all():
                return
            rows = [row for row, stays in zip(rows, held, strict=True) if stays]

    def _take_back(self) -> None:
        """What a saga let go and no other topic took stays with it."""
        for story_id, topic_id in self._let_gone.items():
            if self._topic_of.get(story_id) is None:
                self._topic_of[story_id] = topic_id
        self._let_gone = {}

    def _saga_centres(self) -> tuple[list[int], Any, Floats]:
        if self._centres is None:
            assert self._space is not None
            ids = [i for i, state in self._topics.items() if state.saga]
            if not ids:
                return [], None, np.zeros((0, 0), dtype=np.float32)
            words = centres([self._topics[i].topic.profile for i in ids], self._space)
            self._centres = ids, words, self._space.soft(words)
        return self._centres

    def _gather(self, rows: Sequence[int]) -> list[tuple[int, int]]:
        """Average linkage of the stories that no saga took. Returns merged topic ids."""
        loose = [row for row in range(len(self._ids)) if not self._in_saga(row)]
        self._topic_of.update({self._ids[row]: None for row in loose if self._is_round_up(row)})
        free = [row for row in loose if self._matrix.indptr[row] < self._matrix.indptr[row + 1] and not self._is_round_up(row)]
        if not self._all_anew(rows):
            news = set(rows)
            return self._name_groups([self._beside(group) for group in self._fit_in([row for row in free if row in news], free)], [])
        groups = average_linkage(self._matrix[free], self._soft_rows(free), self._cut())
        found = [rows for group in groups if self._share_words(rows := [free[k] for k in group])]
        return self._name_groups([rows for rows in self._settle(found) if self._names_someone(rows)], free)

    def _is_round_up(self, row: int) -> bool:
        """Whether a story goes to the saga that it is about, or nowhere: with others like it it would make a section of the paper."""
        return all(words.round_up for words in self._views[self._ids[row]].words)

    def _all_anew(self, rows: Sequence[int]) -> bool:
        return len(rows) > max(4, self.params.relink_share * len(self._ids))

    def _follow(self, rows: Sequence[int]) -> None:
        """Single stories go where their nearest are (company.py); without a projection there is no saga to go to."""
        sagas = {topic_id for topic_id, state in self._topics.items() if state.saga}
        if sagas and self._soft is not None:
            moved = follow_company(rows, self._topics_by_row(), sagas, self._matrix, self._soft, self.params.company)
            self._topic_of.update({self._ids[row]: None if topic_id == NO_TOPIC else topic_id for row, topic_id in moved.items()})

    def _topics_by_row(self) -> Numbers:
        return np.array([NO_TOPIC if (topic := self._topic_of.get(i)) is None else topic for i in self._ids], dtype=np.int64)

    def _beside(self, group: list[int]) -> list[int]:
        """A new group with the stories of the topic whose profile is like its own, if there is one."""
        if self._topic_of[self._ids[group[0]]] in self._topics:
            return group
        profile = self._profile(group)
        living = {topic for topic in self._topic_of.values() if topic in self._topics and not self._topics[topic].saga}
        best, negative = max(((likeness(profile, self._topics[topic].topic.profile), -topic) for topic in living), default=(0.0, 0))
        if best < self.params.shape.side_words:
            return group
        return [row for row, story_id in enumerate(self._ids) if self._topic_of.get(story_id) == -negative] + group

    def _settle(self, found: Sequence[list[int]]) -> list[list[int]]:
        """Join what are sides of one saga, and take apart what is several. Returns the groups that are under no saga."""
        groups = dict(enumerate(found, -len(found)))
        for row, story_id in enumerate(self._ids):
            if self._in_saga(row):
                groups.setdefault(self._topic_of[story_id] or 0, []).append(row)
        in_sagas = [row for topic_id, rows in groups.items() if topic_id >= 0 for row in rows]
        of_saga, left = settle(groups, self._matrix, self._soft_rows(range(len(self._ids))), self.params.shape)
        self._topic_of.update({self._ids[row]: None for row in in_sagas})
        self._topic_of.update({self._ids[row]: saga for saga, rows in of_saga.items() for row in rows})
        return left

    def _share_words(self, rows: Sequence[int]) -> bool:
        """Whether the average cosine of words between these stories is that of a saga."""
        return self._words_in_common(self._total(rows), len(rows)) >= min(self.params.least_words, self._cut())

    def _names_someone(self, rows: Sequence[int]) -> bool:
        """Whether these stories are about someone or somewhere, or else are three or more that say nearly the same."""
        assert self._space is not None
        total = self._total(rows)
        named = self._space.weight_of_names(total) >= self.params.names
        return named or (len(rows) > 2 and self._words_in_common(total, len(rows)) >= self.params.nameless_words)

    def _total(self, rows: Sequence[int]) -> Any:
        return np.asarray(self._matrix[list(rows)].sum(axis=0)).ravel()

    @staticmethod
    def _words_in_common(total: Any, stories: int) -> float:
        """Average cosine of words between stories whose vectors have that sum."""
        return (float(total @ total) - stories) / max(stories * (stories - 1), 1)

    def _in_saga(self, row: int) -> bool:
        topic_id = self._topic_of.get(self._ids[row])
        return topic_id is not None and topic_id in self._topics and self._topics[topic_id].saga

    def _cut(self) -> float:
        return self.params.link if self._projected() else self.params.link_words

    def _projected(self) -> bool:
        return self._soft is not None and self._soft.shape[1] > 0

    def _soft_rows(self, rows: Sequence[int]) -> Floats:
        assert self._soft is not None
        return self._soft[list(rows)]

    def _fit_in(self, new: Sequence[int], free: Sequence[int]) -> list[list[int]]:
        """Where each of a few changed stories fits: the group, or the lone story, that it is nearest to on average."""
        touched: dict[int, list[int]] = {}
        for row in new:
            self._topic_of[self._ids[row]] = None
        if len(free) < 2 or not new:
            return []
        places = np.array(free)
        near = pair_similarity(self._matrix[list(new)], self._soft_rows(new), self._matrix[list(free)], self._soft_rows(free))
        # a lone story is a group of its own, under a negative key
        keys = np.array([-1 - row if (topic := self._topic_of.get(self._ids[row])) is None else topic for row in free])
        for scores, row in zip(near, new, strict=True):
            others = places != row
            found, of = np.unique(keys[others], return_inverse=True)
            means = np.bincount(of, weights=scores[others]) / np.bincount(of)
            best = int(means.argmax())
            group = [*places[others & (keys == found[best])].tolist(), row]
            there = found[best] >= 0
            if means[best] >= self._cut() and self._share_words(group) and (there or self._names_someone(group)):
                topic_id = int(found[best]) if there else next(self._new_ids)
                for member in group:
                    self._topic_of[self._ids[member]] = topic_id
                keys[np.isin(places, group)] = topic_id
                touched[topic_id] = group
        return list(touched.values())

    def _name_groups(self, groups: Sequence[Sequence[int]], cleared: Sequence[int]) -> list[tuple[int, int]]:
        """Give each group of stories an id: that of the topic most of its stories had, else of a like profile, else a new one."""
        before = {row: self._topic_of.get(self._ids[row]) for row in range(len(self._ids))}
        for row in cleared:
            self._topic_of[self._ids[row]] = None
        taken = {i for i, state in self._topics.items() if state.saga}
        heirs: dict[int, int] = {}
        for group in sorted(groups, key=lambda rows: (-len(rows), rows[0])):
            had = [topic for row in group if (topic := before[row]) is not None]
            votes = sorted({topic: had.count(topic) for topic in had if topic not in taken}.items(), key=lambda vote: (-vote[1], vote[0]))
            members = frozenset(self._ids[row] for row in group)
            known = self._topics.get(votes[0][0]) if votes else None
            # most groups stay as they were from round to round: naming them anew was half of the time
            if known is not None and known.members == members and not members & self._read_now:
                topic_id = known.topic.id
            else:
                topic_id = self._name(group, members, votes[0][0] if votes else None, taken)
            taken.add(topic_id)
            for row in group:
                self._topic_of[self._ids[row]] = topic_id
            heirs.update({topic: topic_id for topic, _ in votes[1:]})
        living = {topic for topic in self._topic_of.values() if topic is not None} | {i for i, state in self._topics.items() if state.saga}
        merged = [(old, new) for old, new in sorted(heirs.items()) if old not in living and old in self._topics]
        for old, _ in merged:
            del self._topics[old]
        return merged

    def _name(self, group: Sequence[int], members: frozenset[int], topic_id: int | None, taken: set[int]) -> int:
        """Make or renew the topic of a group of stories."""
        profile = self._profile(group)
        topic_id = self._resembling(profile, taken) if topic_id is None else topic_id
        texts = [words for row in group for words in self._views[self._ids[row]].words][:30]
        self._keep(_State(replace(self._describe(topic_id, profile, texts), threshold=0.0), saga=False, members=members))
        return topic_id

    def _profile(self, rows: Sequence[int]) -> dict[str, float]:
        assert self._space is not None
        members = frozenset(self._ids[row] for row in rows)
        if members not in self._profiles:
            centre = np.asarray(self._matrix[list(rows)].sum(axis=0)).ravel()
            self._profiles[members] = profile_of(centre, self._space.names_)
        return self._profiles[members]

    def _updated(self, ids: set[int | None]) -> tuple[Topic, ...]:
        """The topics with their counts and times as of now."""
        members: dict[int, list[StoryView]] = {}
        for story_id, topic_id in self._topic_of.items():
            if topic_id is not None:
                members.setdefault(topic_id, []).append(self._views[story_id])
        result = []
        for topic_id in sorted(i for i in ids if i is not None and i in self._topics):
            state = self._topics[topic_id]
            views = members.get(topic_id, [])
            times = [item.published_at for view in views for item in view.items]
            topic = replace(
                state.topic,
                story_count=max(len(views), state.topic.story_count if state.saga else 0),
                first_published_at=min(times + _known(state.topic.first_published_at), default=None),
                last_published_at=max(times + _known(state.topic.last_published_at), default=None),
            )
            state.topic = topic
            result.append(topic)
        return tuple(result)

    def _related(self, rows: Sequence[int]) -> dict[int, tuple[int, ...]]:
        found = find_related(rows, self._topics_by_row(), self._matrix, self._soft_rows(range(len(self._ids))), self.params.related)
        return {self._ids[row]: tuple(self._ids[other] for other in others) for row, others in found.items()}


def _strongest_first(topics: Sequence[Topic]) -> tuple[Topic, ...]:
    """The topics with their profiles in order of weight, whatever the order the store gave."""
    # one object for each unit and each weight, however many topics have it: as the store gives them a week's topics take 9 MB
    one: dict[Any, Any] = {}
    keep = one.setdefault
    ordered = ((topic, sorted(topic.profile.items(), key=lambda unit: (-unit[1], unit[0]))) for topic in topics)
    return tuple(replace(topic, profile={keep(unit, unit): keep(weight, weight) for unit, weight in units}) for topic, units in ordered)


def _known(moment: datetime | None) -> list[datetime]:
    return [] if moment is None else [moment]


def likeness(one: Mapping[str, float], other: Mapping[str, float]) -> float:
    """Cosine of two profiles, 0 to 1."""
    if not one or not other:
        return 0.0
    # in a fixed order: a sum over a set would depend on how strings are hashed
    dot = sum(one[unit] * other[unit] for unit in one if unit in other)
    lengths = sum([w * w for w in one.values()]) * sum([w * w for w in other.values()])
    return float(dot / lengths**0.5) if lengths else 0.0
