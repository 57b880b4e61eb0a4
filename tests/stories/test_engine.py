"""The engine on small hand-made days: what joins, what stays apart, what is mended, what a restart and a window change."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial

import numpy as np
import pytest

from aggregator.model import Item, Membership, Story, StoryChanges, Topic
from aggregator.stories.compare import Comparer
from aggregator.stories.engine import Description, StoryEngine, StoryParams, _Outcome, _Round
from aggregator.stories.measure import Likeness
from aggregator.stories.repair import Merge, StoryPairs
from aggregator.stories.shelf import Shelf
from aggregator.stories.state import to_entry
from aggregator.stories.tables import load_tables
from aggregator.stories.view import StoryView, TopicChanges
from tests.stories.make import BAKERY, COMET, QUAKE, RATES, START, assigned_stories, item

TABLES = load_tables()


def day(*told: tuple[str, str], **more: object) -> list[Item]:
    return [item(number, title, summary, **more) for number, (title, summary) in enumerate(told, 1)]  # type: ignore[arg-type]


def grouped(items: Sequence[Item], params: StoryParams | None = None) -> tuple[StoryEngine, StoryChanges]:
    engine = StoryEngine(params or StoryParams(), TABLES)
    return engine, engine.add(items)


def groups(changes: StoryChanges) -> list[list[int]]:
    by_story: dict[int, list[int]] = {}
    for number, story in sorted(assigned_stories([changes]).items()):
        by_story.setdefault(story, []).append(number)
    return sorted(by_story.values())


def of(changes: StoryChanges, number: int) -> Membership:
    return {membership.item_id: membership for membership in changes.memberships}[number]


MIXED = (QUAKE[0], BAKERY[0], COMET, QUAKE[1], RATES, BAKERY[1], QUAKE[2])


def test_reports_of_one_event_become_one_story_and_the_rest_stays_alone() -> None:
    _, changes = grouped(day(*MIXED))
    assert groups(changes) == [[1, 4, 7], [2, 6], [3], [5]]


def test_the_order_in_which_items_are_handed_over_does_not_matter() -> None:
    _, forward = grouped(day(*MIXED))
    _, backward = grouped(day(*MIXED)[::-1])
    assert forward == backward


@pytest.mark.parametrize("batch", [1, 3, 50])
def test_the_size_of_the_batches_does_not_matter_on_a_clear_day(batch: int) -> None:
    _, changes = grouped(day(*MIXED), StoryParams(batch=batch))
    assert groups(changes) == [[1, 4, 7], [2, 6], [3], [5]]


def test_a_membership_says_why() -> None:
    _, changes = grouped(day(*MIXED))
    first, second = of(changes, 1), of(changes, 4)
    assert (first.rule, first.nearest) == ("new", ())
    assert second.rule == "join"
    assert second.score >= second.threshold == StoryParams().join
    assert second.nearest[0][0] == 1
    words = [word for word, _ in second.terms]
    assert "Lisbon" in words
    assert "the" not in words
    assert sum(share for _, share in second.terms) <= 1.001
    assert [share for _, share in second.terms] == sorted((share for _, share in second.terms), reverse=True)


def test_story_ids_follow_the_first_free_one_and_stories_tell_their_span() -> None:
    engine = StoryEngine(StoryParams(), TABLES)
    engine.restore([], [], [], 41, 1)
    changes = engine.add(day(*MIXED))
    stories = {story.id: story for story in changes.stories}
    assert sorted(stories) == [41, 42, 43, 44]
    quake = stories[of(changes, 1).story_id]
    assert (quake.item_count, quake.sources, quake.language) == (3, 3, "en")
    assert (quake.first_published_at, quake.last_published_at) == (START + timedelta(minutes=10), START + timedelta(minutes=70))


def test_a_round_up_stays_alone_and_draws_nobody() -> None:
    briefing = ("Morning briefing: Lisbon earthquake", QUAKE[0][1])
    _, changes = grouped(day(briefing, QUAKE[0], briefing))
    assert groups(changes) == [[1], [2], [3]]
    assert of(changes, 1).rule == "round-up"


def test_the_same_words_in_another_language_are_another_story() -> None:
    items = [item(1, *QUAKE[0]), item(2, *QUAKE[0], language="pl"), item(3, *QUAKE[0], language="xx")]
    assert groups(grouped(items)[1]) == [[1], [2], [3]]


def test_an_unknown_language_is_grouped_without_stems() -> None:
    items = [
        item(1, "Zemětřesení zasáhlo Lisabon", language="cs-x"),
        item(2, "Zemětřesení zasáhlo Lisabon dnes", language="cs-x"),
        item(3, "Pekárna vyhrála", language="cs-x"),
    ]
    assert groups(grouped(items)[1]) == [[1, 2], [3]]


def test_items_of_one_feed_must_be_more_alike() -> None:
    apart = [item(1, *QUAKE[0]), item(2, *QUAKE[2])]
    together = [item(1, *QUAKE[0], feed="one"), item(2, *QUAKE[2], feed="one")]
    assert of(grouped(together)[1], 2).score == pytest.approx(0.7 * of(grouped(apart)[1], 2).score, rel=1e-3)


@pytest.mark.parametrize(("hours", "feed", "together"), [(24, "harbour", False), (2, "harbour", True), (24, "other", True)])
def test_a_feed_that_repeats_a_headline_another_day_runs_a_series(hours: int, feed: str, together: bool) -> None:
    told = ("Tide tables for {}, {} May", "High water at the harbour of Port Ness and at Cape Rudd, morning and evening.")
    first = item(1, told[0].format("Tuesday", 14), told[1], feed="harbour")
    second = item(2, told[0].format("Wednesday", 15), told[1], feed=feed, minutes=10 + 60 * hours)
    assert (len(groups(grouped([first, second])[1])) == 1) is together


def test_the_further_apart_two_items_were_published_the_less_alike_they_are() -> None:
    soon, late = (grouped([item(1, *QUAKE[0]), item(2, *QUAKE[2], minutes=minutes)])[1] for minutes in (10, 10 + 36 * 60))
    assert of(late, 2).score == pytest.approx(of(soon, 2).score * (1 - 0.15 / 2), rel=1e-3)


def test_one_shared_rare_word_is_weaker_evidence_than_several() -> None:
    shelf = Shelf(None, Likeness())
    told = ["Operation Quillon White", "Let it Quillon", "Harbour fire Veresk night", "Night Veresk harbour blaze"]
    rows = shelf.add([to_entry(item(n, title)) for n, title in enumerate(told, 1)], [1, 2, 3, 4])
    one, several = (shelf.measure.shared_words(np.array([row]), np.array([row + 1])) for row in (rows[0], rows[2]))
    assert one.number.tolist() == [[pytest.approx(1)]]
    assert several.number.tolist() == [[pytest.approx(3, abs=0.2)]]


@pytest.mark.parametrize(("language", "asked"), [("en", 0.23), ("pl", 0.1748), ("sk", 0.1748), ("tlh", 0.23)])
def test_languages_of_many_forms_ask_for_less(language: str, asked: float) -> None:
    _, changes = grouped([item(1, *QUAKE[0], language=language), item(2, *BAKERY[0], language=language)])
    assert {membership.threshold for membership in changes.memberships} == {asked}


def test_an_event_is_forgotten_after_the_window() -> None:
    items = [item(1, *QUAKE[0]), item(2, *QUAKE[0], minutes=10 + 3 * 1440 + 1)]
    assert groups(grouped(items)[1]) == [[1], [2]]
    wide = StoryParams(likeness=Likeness(window_seconds=4 * 86_400))
    assert groups(grouped(items, wide)[1]) == [[1, 2]]


def test_a_story_goes_on_as_long_as_items_come_within_the_window_of_each_other() -> None:
    items = [item(1, *QUAKE[0]), item(2, *QUAKE[1], minutes=2 * 1440), item(3, *QUAKE[0], minutes=4 * 1440)]
    assert groups(grouped(items)[1]) == [[1, 2, 3]]


def test_an_old_item_that_comes_late_joins_the_past_not_the_present() -> None:
    engine, first = grouped([item(1, *QUAKE[0], minutes=20 * 1440)])
    late = engine.add([item(2, *QUAKE[1], minutes=0), item(3, *QUAKE[2], minutes=5)])
    assert groups(late) == [[2, 3]]
    assert not {of(late, 2).story_id} & {of(first, 1).story_id}


def test_nothing_of_the_window_is_kept_when_it_has_passed() -> None:
    engine, _ = grouped(day(*MIXED))
    later = [item(100 + n, f"Word{n} other{n}", minutes=10 * 1440 + 10 * n) for n in range(1500)]
    engine.add(later)
    shelf = engine._shelves["en"]
    # 432 items of three days, and at most a batch and the dead rows that are not worth a clearing yet
    assert shelf.count <= 432 + 50 + 256
    assert "lisbon" not in shelf.word_space.numbers
    assert shelf.word_space.window.documents <= 432 + 50
    assert len(engine._states) <= 432 + 50 * 21
    assert not {state.id for state in engine._states.values()} & {1, 2, 3, 4}


def test_a_near_copy_is_marked_and_counts_as_no_publisher_of_its_own() -> None:
    wire = "An earthquake of magnitude 6.1 shook the Portuguese capital on Wednesday, officials said, bringing down old chimneys."
    items = [item(1, "Earthquake hits Lisbon", wire), item(2, "Lisbon struck by earthquake", wire + " More soon."), item(3, *QUAKE[1])]
    _, changes = grouped(items)
    assert (of(changes, 2).rule, of(changes, 2).copy_of, of(changes, 3).copy_of) == ("copy", 1, None)
    assert changes.stories[0].sources == 2


def test_a_copy_of_a_copy_points_to_the_original() -> None:
    wire = "An earthquake of magnitude 6.1 shook the Portuguese capital on Wednesday, officials said, bringing down old chimneys."
    _, changes = grouped([item(n, f"Lisbon earthquake {n}", wire) for n in (1, 2, 3)])
    assert [of(changes, n).copy_of for n in (1, 2, 3)] == [None, 1, 1]


def test_two_feeds_of_one_house_count_once() -> None:
    items = [
        item(1, *QUAKE[0], link="https://www.bbc.co.uk/1", feed="bbc-world"),
        item(2, *QUAKE[1], link="https://news.bbc.co.uk/2", feed="bbc-uk"),
    ]
    assert grouped(items)[1].stories[0].sources == 1


def test_html_is_not_kept_in_memory() -> None:
    engine, _ = grouped([replace(item(1, *QUAKE[0]), content_html="<p>" * 1000, summary_html="<p>")])
    assert all(not entry.item.content_html and not entry.item.summary_html for state in engine._states.values() for entry in state.entries)


def test_stories_that_turn_out_to_be_one_are_merged_and_the_old_id_redirects() -> None:
    strict = StoryParams(join=0.9, merge=0.2)
    engine = StoryEngine(StoryParams(join=0.9, merge=0.9), TABLES)
    first = engine.add([item(1, *QUAKE[0]), item(2, *QUAKE[1])])
    assert groups(first) == [[1], [2]]
    engine.params = strict
    engine._pairs["en"].threshold = 0.2
    second = engine.add([item(3, *QUAKE[1], minutes=30)])
    old = {of(first, 1).story_id, of(first, 2).story_id}
    assert {gone for gone, _ in second.merged} < old
    assert len({target for _, target in second.merged}) == 1
    assert {membership.rule for membership in second.memberships if membership.item_id != 3} == {"repair"}
    told = {story.id for story in second.stories}
    assert not told & {gone for gone, _ in second.merged}


@pytest.mark.parametrize(("sizes", "merged"), [((1, 4), [(2, 1, 0.2)]), ((1, 8), []), ((2, 8), [(2, 1, 0.2)])])
def test_a_crowded_story_asks_more_of_a_single_item(sizes: tuple[int, int], merged: list[tuple[int, int, float]]) -> None:
    one, other = sizes
    # half of .3 and half of .2: between what merging and what the crowd asks
    params, total = StoryParams(join=0.26, crowd=0.04, crowded=8), 0.2 * one * other
    of_crowd = partial(params.of_crowd, "en")
    pairs = StoryPairs(0.2, {1: one, 2: other}.__getitem__, lambda _, others: [(total, 0.3) for _ in others], of_crowd=of_crowd)
    told: list[tuple[int, int, float]] = []
    pairs.joined(2, {1: (0.2 * one, 0.3)})
    pairs.merges(lambda merge: told.append((merge.kept, merge.gone, merge.asked)))
    assert told == merged


def test_the_third_item_of_a_crowded_story_must_be_more_like_it() -> None:
    items = [item(n, *QUAKE[n - 1], minutes=10 * n) for n in (1, 2, 3)]
    assert groups(grouped(items)[1]) == [[1, 2, 3]]
    crowded = StoryParams(crowd=0.7, crowded=2)
    _, changes = grouped(items, crowded)
    assert groups(changes) == [[1, 2], [3]]
    assert of(changes, 3).threshold == 0.93
    assert Comparer(crowded, TABLES, items).fit(3, of(changes, 1).story_id, [1, 2]).threshold == 0.93


def test_the_larger_story_keeps_its_id_in_a_merge() -> None:
    engine = StoryEngine(StoryParams(join=0.235, merge=0.9), TABLES)
    first = engine.add([item(1, *BAKERY[0]), item(2, *QUAKE[0]), item(3, *QUAKE[1])])
    large = of(first, 2).story_id
    assert of(first, 3).story_id == large
    pairs = engine._pairs["en"]
    pairs.threshold = 0.0
    pairs.joined(of(first, 1).story_id, {large: (0.5, 0.5)})
    told: list[tuple[int, int]] = []
    pairs.merges(lambda merge: told.append((merge.kept, merge.gone)))
    assert told == [(large, of(first, 1).story_id)]


def test_pair_sums_kept_up_one_by_one_equal_a_rebuild() -> None:
    words = [f"{a}{b}" for a in ("bor", "kal", "mun", "tir", "sel") for b in ("dan", "fex", "gol", "hup", "jim", "lov")]
    luck = random.Random(7)
    items = [item(n, " ".join(luck.sample(words[luck.randrange(3) * 8 :][:14], 6)), " ".join(luck.sample(words, 8))) for n in range(1, 161)]
    # every member of a story that some member ties to an item is looked at, so that sums over neighbours are sums over all
    engine, changes = grouped(items, StoryParams(join=0.7, merge=0.65, batch=4, likeness=Likeness(candidate=0.0, promising=0.0)))
    known = engine._pairs["en"].known()
    assert len(known) > 20
    assert "repair" in {membership.rule for membership in changes.memberships}
    for (one, other), pair in known.items():
        total, maximum = engine._cohesion("en").sums(one, [other])[0]
        assert pair.total == pytest.approx(total, abs=1e-3)
        assert pair.maximum == pytest.approx(maximum, abs=1e-4)


def saga(number: int, kind: str, minutes: float) -> Item:
    """Two events of one saga: a march that has been under way for days, and a visit that mentions it."""
    march = (
        "Marchers walk north along the coast road",
        f"Thousands of marchers walked along the coast road towards Salterno, sleeping in schools. Day {number}.",
    )
    visit = (
        "Minister Arvo Lind visits Salterno for talks",
        f"Foreign minister Arvo Lind met president Okoro in Salterno for talks as marchers head north. Note {number}.",
    )
    title, summary = march if kind == "march" else visit
    return item(number, f"{title} {number}", summary, minutes=minutes)


def test_two_events_that_one_item_tied_together_are_cut_apart_again() -> None:
    bridge = item(
        50,
        "Marchers walk north as minister Arvo Lind visits Salterno for talks",
        "Thousands of marchers walked along the coast road while minister Arvo Lind met president Okoro in Salterno.",
        minutes=2900,
    )
    items = [saga(n, "march", 60 * n) for n in range(1, 8)] + [bridge] + [saga(n, "visit", 2900 + 10 * (n - 20)) for n in range(21, 28)]
    loose = StoryParams(join=0.12, merge=0.12)
    _, changes = grouped(items, loose)
    story_of = assigned_stories([changes])
    marches, visits = {story_of[n] for n in range(1, 8)}, {story_of[n] for n in range(21, 28)}
    assert len(marches) == len(visits) == 1
    assert marches != visits
    assert "split" in {membership.rule for membership in changes.memberships}


def test_the_larger_part_keeps_the_id_when_a_story_is_cut() -> None:
    few, many = range(1, 5), range(21, 31)
    first = [saga(n, "march", 60 * n) for n in few]
    bridge = item(
        50,
        "Marchers walk north as minister Arvo Lind visits Salterno for talks",
        "Thousands of marchers walked along the coast road while minister Arvo Lind met president Okoro in Salterno.",
        minutes=2900,
    )
    _, changes = grouped([*first, bridge, *(saga(n, "visit", 2900 + 10 * (n - 20)) for n in many)], StoryParams(join=0.12, merge=0.12))
    story_of = assigned_stories([changes])
    assert {story_of[n] for n in few} != {story_of[n] for n in many}
    assert {story_of[n] for n in many} == {min(story_of.values())}


class FakeLinker:
    """Puts every story into topic 7 and remembers what it was asked."""

    def __init__(self) -> None:
        self.rebuilt: list[tuple[list[int], datetime]] = []
        self.linked: list[tuple[list[int], list[int]]] = []
        self.restored: tuple[int, int] | None = None

    def restore(self, topics: Sequence[Topic], next_id: int) -> None:
        self.restored = (len(topics), next_id)

    def rebuild(self, history: Sequence[tuple[Item, int]], at: datetime) -> TopicChanges:
        self.rebuilt.append(([item.id for item, _ in history], at))
        return TopicChanges()

    def link(self, changed: Sequence[StoryView], active: Sequence[StoryView], at: datetime) -> TopicChanges:
        self.linked.append(([view.id for view in changed], [view.id for view in active]))
        return TopicChanges((Topic(7, "Quakes"),), (), {view.id: 7 for view in changed}, {view.id: (99,) for view in changed})


def test_changed_stories_are_described_and_linked_once_a_call() -> None:
    linker = FakeLinker()
    engine = StoryEngine(
        StoryParams(), TABLES, topics=linker, describe=lambda view: Description(f"{len(view.items)} items", "brief", ("key",))
    )
    engine.add([item(1, *QUAKE[0]), item(2, *COMET)])
    changes = engine.add([item(3, *QUAKE[1])])
    assert linker.linked == [([1, 2], [1, 2]), ([1], [1, 2])]
    assert [(s.title, s.brief, s.keywords, s.topic_id, s.related) for s in changes.stories] == [("2 items", "brief", ("key",), 7, (99,))]
    assert [topic.id for topic in changes.topics] == [7]


def test_topics_are_rebuilt_when_the_items_enter_a_new_day_with_what_this_call_brought() -> None:
    linker = FakeLinker()
    kept = [(item(90, *COMET, minutes=-1440), 5)]
    engine = StoryEngine(StoryParams(batch=1), TABLES, topics=linker, history=lambda start, end: kept)
    engine.add([item(1, *QUAKE[0]), item(2, *QUAKE[1]), item(3, *QUAKE[2], minutes=1440)])
    assert [ids for ids, _ in linker.rebuilt] == [[90, 1, 2]]


def test_a_merged_story_leads_to_the_one_that_is_left_when_a_story_between_them_was_never_told() -> None:
    engine = StoryEngine(StoryParams(), TABLES)
    engine.add([item(1, *QUAKE[0])])
    current, outcome = _Round(), _Outcome()
    engine._organise([item(2, *COMET)], current, outcome)
    engine._organise([item(3, *RATES)], current, outcome)
    engine._merge(Merge(kept=2, gone=1, score=0.5, asked=0.22), current, outcome)
    engine._merge(Merge(kept=3, gone=2, score=0.5, asked=0.22), current, outcome)
    assert outcome.merged == [(1, 3)]
    assert {membership.story_id for membership in current.memberships.values()} == {3}


def test_a_batch_across_midnight_rebuilds_the_topics_once() -> None:
    linker = FakeLinker()
    engine = StoryEngine(StoryParams(), TABLES, topics=linker)
    before_midnight = 17.9 * 60  # START is six in the morning
    engine.add([item(1, *QUAKE[0])])
    engine.add([item(2, *QUAKE[1], minutes=before_midnight), item(3, *COMET, minutes=before_midnight + 15)])
    engine.add([item(4, *RATES, minutes=before_midnight + 30)])
    assert len(linker.rebuilt) == 1


def halves() -> tuple[list[Item], list[Item]]:
    items = day(*(MIXED * 6))
    return items[:21], items[21:]


def test_a_restarted_engine_goes_on_as_the_one_that_never_stopped() -> None:
    before, after = halves()
    engine, first = grouped(before)
    second = engine.add(after)
    restarted = StoryEngine(StoryParams(), TABLES)
    members = [(one, of(first, one.id)) for one in before]
    restarted.restore(members, first.stories, [], 1 + max(story.id for story in first.stories), 1)
    again = restarted.add(after)
    assert assigned_stories([again]) == assigned_stories([second])
    assert [replace(story, sources=0) for story in again.stories] == [replace(story, sources=0) for story in second.stories]


def test_a_restored_story_that_does_not_change_is_not_told_again() -> None:
    _, first = grouped(day(QUAKE[0], COMET))
    restarted = StoryEngine(StoryParams(), TABLES)
    restarted.restore([(one, of(first, one.id)) for one in day(QUAKE[0], COMET)], first.stories, [], 3, 1)
    changes = restarted.add([item(3, *QUAKE[1])])
    assert [story.id for story in changes.stories] == [of(first, 1).story_id]


def test_no_items_change_nothing() -> None:
    assert StoryEngine(StoryParams(), TABLES).add([]) == StoryChanges()


def test_odd_items_are_grouped_like_any_other() -> None:
    odd = [
        item(1, ""),
        item(2, "", ""),
        item(3, "…", "!!!"),
        item(4, "日本で地震", language="ja"),
        replace(item(5, "x"), link=None, canonical_link=None),
    ]
    assert len(groups(grouped(odd)[1])) == 5


def test_settings_become_parameters() -> None:
    params = StoryParams.of(window_seconds=60, join=0.3, merge=0.2, same_feed=0.5, batch=7, topic_history_seconds=86_400)
    assert (params.join, params.merge, params.batch, params.topic_history) == (0.3, 0.2, 7, timedelta(days=1))
    assert (params.likeness.window_seconds, params.likeness.same_feed) == (60, 0.5)


def test_a_story_record_survives_the_trip_through_the_store() -> None:
    engine = StoryEngine(StoryParams(), TABLES, topics=FakeLinker())
    engine.restore(
        [(item(1, *COMET), Membership(1, 8))], [Story(8, "Comet", START, START, topic_id=7, related=(3,))], [Topic(7, "x")], 9, 8
    )
    changes = engine.add([item(2, *COMET)])
    assert of(changes, 2).story_id == 8
    assert changes.stories[0].topic_id == 7
    assert np.isfinite(of(changes, 2).score)
