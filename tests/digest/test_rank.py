"""Which story stands higher, and whether the parts say why."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aggregator.digest.rank import Candidate, DigestParams, Ranked, base_parts, rank
from tests.digest.sample import PERIOD, at

PARAMS = DigestParams()


def candidate(key: int, *hours: float, **given: object) -> Candidate:
    arrivals = tuple(at(hour) for hour in hours)
    facts: dict[str, object] = {
        "earlier": 0,
        "last_at": max(arrivals),
        "weight": 1.0,
        "publisher": f"p{key}",
        "words": frozenset({f"w{key}"}),
    }
    return Candidate(key=key, arrivals=arrivals, **{**facts, "alone": len(hours) == 1, **given})  # type: ignore[arg-type]


def order(*candidates: Candidate) -> list[int]:
    return [each.key for each in rank(candidates, PERIOD.from_at, PERIOD.to_at, PARAMS)]


@pytest.mark.parametrize(
    ("why", "first", "second"),
    [
        ("more publishers tell it", candidate(2, 10, 11, 12), candidate(1, 10, 12)),
        ("it is fresher", candidate(2, 20, 21), candidate(1, 2, 3)),
        ("it grows", candidate(2, 11, 13, 14, 15), candidate(1, 1, 2, 3, 15)),
        ("its feed weighs more", candidate(2, 10, 11, weight=2.0), candidate(1, 10, 11)),
        ("its topic is followed", candidate(2, 10, followed=True), candidate(1, 10, 11)),
        ("it has a word that the reader wants more of", candidate(2, 10, 11, boosted=True), candidate(1, 10, 11, 12)),
        ("several tell it", candidate(2, 2, 3), candidate(1, 23)),
        ("a lone item of an important feed beats one of the others", candidate(2, 10, weight=2.0), candidate(1, 10, 11)),
        ("publishers of today count more than yesterday's", candidate(2, 10, 11, 12), candidate(1, 12, earlier=5, alone=False)),
        ("at a tie the later one", candidate(2, 10.001), candidate(1, 10)),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_story_stands_higher_because(why: str, first: Candidate, second: Candidate) -> None:
    assert order(second, first) == [first.key, second.key], why


def test_a_saga_does_not_flood_the_digest() -> None:
    saga = [candidate(key, 10, 11, 12, 13, topic=1, words=frozenset({"siege", "front", f"w{key}"})) for key in range(1, 8)]
    others = [candidate(key, 10, 11, 12) for key in (11, 12)]
    assert set(order(*saga, *others)[:4]) & {11, 12}


def test_a_publisher_who_tells_much_alone_does_not_flood_the_digest() -> None:
    flood = [candidate(key, 20, publisher="loud") for key in range(1, 10)]
    quiet = candidate(20, 5, publisher="quiet")
    assert order(*flood, quiet).index(20) <= 2


def test_a_story_in_the_same_words_as_a_better_one_makes_room_for_another() -> None:
    twin = frozenset({"dam", "flood", "valley"})
    assert order(candidate(1, 10, 11, 12, words=twin), candidate(2, 10, 11, 12, words=twin), candidate(3, 9, 10, 11)) == [1, 3, 2]


def test_the_parts_add_up_to_the_rank() -> None:
    candidates = [candidate(key, *range(1, 2 + key % 4), topic=key % 2 or None, weight=1 + key % 3) for key in range(1, 20)]
    for each in rank(candidates, PERIOD.from_at, PERIOD.to_at, PARAMS):
        assert each.rank == pytest.approx(sum(each.parts.values()))
        assert "publishers" in each.parts


def test_growth_is_held_within_bounds() -> None:
    late = base_parts(candidate(1, *(20 + k / 10 for k in range(30))), PERIOD.from_at, PERIOD.to_at, PARAMS)
    early = base_parts(candidate(1, *(1 + k / 10 for k in range(30))), PERIOD.from_at, PERIOD.to_at, PARAMS)
    assert late["growth"] == pytest.approx(2 * PARAMS.growth)
    assert early["growth"] == pytest.approx(-2 * PARAMS.growth)


def greedy(candidates: list[Candidate], params: DigestParams) -> list[int]:
    """The definition, picked the slow way: renew all penalties before each pick."""
    left, picked = list(candidates), []  # type: tuple[list[Candidate], list[Candidate]]
    while left:
        scored = [(_last(picked, each, params), each) for each in left]
        best = min(scored, key=lambda pair: (-pair[0].rank, -pair[1].last_at.timestamp(), pair[1].key))[1]
        picked.append(best)
        left.remove(best)
    return [each.key for each in picked]


def _last(picked: list[Candidate], one: Candidate, params: DigestParams) -> Ranked:
    from aggregator.digest.rank import _Picking

    everyone = [*picked, one]
    picking = _Picking([base_parts(each, PERIOD.from_at, PERIOD.to_at, params) for each in everyone], everyone, params)
    for i in range(len(picked)):
        picking._pick(i)
    # by the definition, pair by pair
    shared = (len(one.words & other.words) / (len(one.words) * len(other.words)) ** 0.5 for other in picked if one.words and other.words)
    assert picking.likeness[-1] == pytest.approx(max(shared, default=0.0))
    return picking._ranked(len(picked))


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.lists(st.floats(0.1, 23.9), min_size=1, max_size=4),
            st.sampled_from([None, 1, 2]),
            st.sampled_from("ab"),
            st.frozensets(st.sampled_from("uvwxyz"), max_size=4),
        ),
        min_size=1,
        max_size=9,
    )
)
def test_the_quick_way_of_picking_gives_the_same_order_as_the_slow_one(
    drawn: list[tuple[list[float], int | None, str, frozenset[str]]],
) -> None:
    candidates = [
        candidate(key, *hours, topic=topic, publisher=publisher, words=words) for key, (hours, topic, publisher, words) in enumerate(drawn)
    ]
    assert order(*candidates) == greedy(candidates, PARAMS)


def test_beyond_the_diverse_slots_everything_is_still_there_once() -> None:
    candidates = [candidate(key, 10 + key / 100) for key in range(250)]
    assert sorted(order(*candidates)) == list(range(250))


def test_an_empty_period_has_no_order() -> None:
    assert rank([], PERIOD.from_at, PERIOD.from_at + timedelta(0), PARAMS) == []
