"""Stories follow their nearest ones into a saga and out of it."""

from __future__ import annotations

import numpy as np
import pytest

from aggregator.stories.company import NO_TOPIC, Company, Numbers, follow_company
from tests.stories.test_settle import stories

COMPANY = Company(nearest=4, stays=2, follows=3, least=0.15, saga=4)
WAR, CUP = 3, 8
SAGAS = {WAR, CUP}


def follow(topics: list[int], rows: list[int] | None = None, company: Company = COMPANY, sagas: set[int] = SAGAS) -> dict[int, int]:
    """Six stories of a war, then six of a cup, with these topics."""
    words, soft = stories((1, 0.1), (0.1, 1), each=6)
    return follow_company(rows if rows is not None else list(range(12)), np.array(topics), sagas, words, soft, company)


def test_a_story_without_a_topic_follows_its_nearest_into_their_saga() -> None:
    assert follow([WAR] * 5 + [NO_TOPIC] + [CUP] * 6) == {5: WAR}


def test_a_story_among_strangers_goes_where_its_nearest_are() -> None:
    assert follow([WAR] * 6 + [CUP] * 5 + [WAR]) == {11: CUP}


def test_a_story_among_strangers_that_are_under_no_saga_has_no_topic() -> None:
    assert follow([WAR] * 6 + [NO_TOPIC] * 5 + [WAR]) == {11: NO_TOPIC}


def test_who_belongs_where_it_is_stays() -> None:
    assert follow([WAR] * 6 + [CUP] * 6) == {}


def test_only_the_rows_asked_for_go() -> None:
    topics = [WAR] * 5 + [NO_TOPIC] + [CUP] * 5 + [NO_TOPIC]
    assert follow(topics, [11]) == {11: CUP}
    assert follow(topics, []) == {}


def test_a_group_that_is_no_saga_draws_nobody_and_a_small_saga_keeps_all() -> None:
    assert follow([WAR] * 5 + [NO_TOPIC] + [CUP] * 6, sagas={CUP}) == {}
    few = [NO_TOPIC] * 3 + [WAR] * 3 + [CUP] * 5 + [WAR]
    assert 11 in follow(few)
    assert 11 not in follow(few, company=Company(nearest=4, stays=2, follows=3, least=0.15, saga=5))


def test_what_is_not_alike_is_no_company() -> None:
    topics = [WAR] * 5 + [NO_TOPIC] + [CUP] * 6
    assert follow(topics, company=Company(nearest=4, stays=2, follows=3, least=0.99, saga=20)) == {}


@pytest.mark.parametrize("count", [1, 2])
def test_with_fewer_stories_than_are_asked_nobody_follows(count: int) -> None:
    words, soft = stories((1, 0.1), each=count)
    topics: Numbers = np.array([NO_TOPIC, WAR][:count])
    assert follow_company(list(range(count)), topics, SAGAS, words, soft, COMPANY) == {}
