"""What a reader is shown of a day: as much as was asked for, what is new, what is followed, and nothing twice or in floods."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aggregator.digest import layout
from aggregator.digest.interests import Filters, Interests, Search, to_search
from aggregator.digest.reading import reading_seconds, spell_minutes
from aggregator.digest.render import render
from aggregator.model import Coverage, Digest, Media, Topic
from aggregator.patterns import all_of, any_of, problem_of
from tests.digest.sample import FEEDS, PERIOD, STATES, TOPICS, caravan, coverage, day, item, select, visit

NAMES = tuple(FEEDS)


def choose(coverages: list[Coverage], **given: object) -> Digest:
    return select(coverages, TOPICS, FEEDS, STATES, PERIOD, **given)  # type: ignore[arg-type]


def ids(digest: Digest) -> list[int]:
    return [shown.story.id for shown in digest.stories]


def told_by(id: int, count: int, *, topic: int | None = None, title: str = "", hour: float = 10) -> Coverage:
    """A story of `count` publishers about something of its own, in twenty words."""
    words = title or f"Event{id} happens in place{id}"
    items = tuple(item(id * 100 + n, NAMES[n], hour + n / 10, f"{words} says{n}", summary=f"Word{id} " * 20) for n in range(count))
    return coverage(id, items, title=words, brief=f"Word{id} " * 20, topic=topic, keywords=(f"event{id}", f"place{id}"))


# --- reading time ------------------------------------------------------------------------------------------------------


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 12), st.integers(1, 60))
def test_a_digest_never_takes_longer_than_asked_for_unless_it_is_one_story(minutes: int, stories: int) -> None:
    digest = choose([told_by(n, 1 + n % 4) for n in range(1, stories + 1)], filters=Filters(limit=0, minutes=minutes))
    assert digest.stories
    assert digest.seconds <= minutes * 60 or len(digest.stories) == 1


def test_more_time_shows_more_and_the_best_first() -> None:
    stories = [told_by(n, 1 + n % 6) for n in range(1, 60)]
    one, five = (choose(stories, filters=Filters(limit=0, minutes=minutes)) for minutes in (1, 5))
    assert len(one.stories) < len(five.stories) < 59
    assert ids(five)[: len(one.stories) - 1] == ids(one)[:-1]
    assert one.counts == five.counts


def test_a_story_longer_than_the_time_is_shown_all_the_same() -> None:
    long = coverage(1, (item(1, "courier", 3, "A"), item(2, "north", 4, "B")), brief="word " * 400)
    assert ids(choose([long], filters=Filters(minutes=1))) == [1]


def test_reading_time_counts_words_and_characters_of_scripts_without_spaces() -> None:
    assert reading_seconds("word " * 238) == pytest.approx(60)
    assert 30 < reading_seconds("新" * 400) < 60
    assert (spell_minutes(5), spell_minutes(290)) == ("1 min", "5 min")


# --- what is new -------------------------------------------------------------------------------------------------------


def test_a_story_told_before_says_who_came_and_what_they_say() -> None:
    """The rule that the issue gives as an example: a ban that was reported on the day before, and paused today."""
    ban = coverage(9, (*(item(n, NAMES[n], 20, f"Import ban on the Tock watch begins, part {n}", day=26) for n in range(2)),
        item(3, "plains", 9, "Court pauses the import ban on the Tock watch"), item(4, "capital", 10, "Tock watch: ban paused by court"),
        item(5, "north", 11, "Tock watch ban begins: what it means"), item(6, "courier", 12, "Appeal court pauses watch ban")))  # fmt: skip
    shown = choose([ban]).stories[0]
    assert (shown.new, shown.gained) == (False, 3)
    assert layout.news(shown) == "+3 publishers, now: Appeal court pauses watch ban"
    for format in ("terminal", "plain", "markdown", "html", "atom"):
        assert "+3 publishers, now: Appeal court pauses watch ban" in render(choose([ban]), format)


def test_news_of_one_item_needs_two_words_that_nobody_had() -> None:
    assert choose([caravan()]).stories[0].latest == ""
    found = coverage(
        9, (item(1, "courier", 20, "Dam breaks above the valley", day=26), item(2, "north", 3, "Valley dam: engineer arrested"))
    )
    assert choose([found]).stories[0].latest == "Valley dam: engineer arrested"


def test_a_new_story_says_nothing_of_the_kind() -> None:
    shown = choose([visit()]).stories[0]
    assert (shown.new, shown.gained, shown.latest, layout.news(shown)) == (True, 0, "", "")


def test_a_publisher_who_tells_it_again_is_no_new_one_and_the_same_headline_is_no_news() -> None:
    again = coverage(
        9, (item(1, "courier", 20, "Dam breaks above the valley", day=26), item(2, "courier", 3, "Dam breaks above the valley"))
    )
    shown = choose([again]).stories[0]
    assert (shown.new, shown.gained, shown.latest) == (False, 0, "")


def test_explain_names_the_ids_that_follow_and_mute_take() -> None:
    assert "story 1 of topic 7, rank " in render(choose(day()), "plain", explain=True)
    assert "story 5, rank " in render(choose(day()), "plain", explain=True)


# --- interests ---------------------------------------------------------------------------------------------------------


def test_a_followed_story_stands_high_and_says_so() -> None:
    digest = choose(day(), interests=Interests(followed_stories=frozenset({8})))
    assert ids(choose(day())).index(8) > 3 > ids(digest).index(8)
    told = next(each for section in layout.sections(digest) for each in section.stories if each.id == 8)
    assert "followed" in told.facts, "and it is told in full although nobody else tells it"


def test_a_muted_story_is_gone_and_a_followed_one_outlives_the_mute_of_its_topic() -> None:
    assert 1 not in ids(choose(day(), interests=Interests(muted_stories=frozenset({1}))))
    left = choose(day(), interests=Interests(muted_topics=frozenset({7}), followed_stories=frozenset({2})))
    assert {1, 2, 3} & set(ids(left)) == {2}


def test_words_lift_stories_everywhere_or_of_one_feed() -> None:
    assert ids(choose(day(), interests=Interests(boosted_words=("/kernel|scheduler/",)))).index(8) < 4
    feeds = FEEDS | {"tech": replace(FEEDS["tech"], boost=("kernel",)), "courier": replace(FEEDS["courier"], boost=("faster scheduler",))}
    parts = {shown.story.id: shown.parts for shown in select(day(), TOPICS, feeds, STATES, PERIOD).stories}
    assert [id for id, part in parts.items() if "boost" in part] == [8], "the other feed's words lift its own items alone"


def test_a_starred_item_is_never_muted_and_can_be_asked_for() -> None:
    interests = Interests(starred_items=frozenset({801}), muted_words=("kernel",))
    assert 8 in ids(choose(day(), interests=interests))
    assert ids(choose(day(), interests=interests, filters=Filters(starred=True))) == [8]


def test_languages_are_those_of_the_feed_list_then_of_the_item() -> None:
    feeds = FEEDS | {"sierra": replace(FEEDS["sierra"], language="es-MX")}
    spanish = coverage(9, (item(1, "sierra", 3, "El gobierno anuncia un plan"),))
    english = coverage(10, (replace(item(2, "courier", 4, "A plan is announced"), language="en-GB"),))
    found = {code: ids(select([spanish, english], {}, feeds, STATES, PERIOD, filters=Filters(languages=(code,)))) for code in ("es", "en")}
    assert found == {"es": [9], "en": [10]}


def test_a_search_shows_what_matches_it_alone() -> None:
    assert ids(choose(day(), filters=Filters(match='blinken "lópez obrador"'))) == [1]
    assert ids(choose(day(), filters=Filters(match="caravan -tapachula"))) == [2], "one item of the period has to match"
    assert ids(choose(day(), filters=Filters(match="nothing like this"))) == []


def test_a_saved_search_is_a_section_and_brings_in_what_the_limit_left_out() -> None:
    search = Search("Ports and kernels", "/kernel|נמל/")
    digest = choose(day(), filters=Filters(limit=6), interests=Interests(searches=(search,)))
    first = layout.sections(digest)[0]
    assert first.title == "Ports and kernels"
    assert {told.id for told in (*first.stories, *first.also)} == {7, 8}
    assert len(digest.stories) == 6
    assert json.loads(render(digest, "json"))["searches"] == [{"name": search.name, "query": search.query, "stories": [8, 7]}]
    assert [told.id for section in layout.sections(digest) for told in (*section.stories, *section.also)].count(8) == 1


def test_a_search_without_a_title_is_its_own() -> None:
    assert to_search("Border: migrants border") == Search("Border", "migrants border")
    assert to_search("rust https://x.example") == Search("rust https://x.example", "rust https://x.example")
    assert to_search("python") == Search("python", "python")


# --- patterns ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "text", "found"),
    [
        ("border", "At the Border.", True),
        ("border", "borderline", False),
        ('"mexico city"', "In Mexico City today", True),
        ('"mexico city"', "Mexico, a city", False),
        ("mexico city", "A city in Mexico", True),
        ("/migrants?/ -sport", "A migrant arrives", True),
        ("/migrants?/ -sport", "A migrant in sport", False),
        ("c++", "C++ and Rust", True),
        ("/a b|c d/", "x c d y", True),
        ("/[/", "a [ b", True),
        ("-sport", "anything", False),
        ("", "anything", False),
    ],
)
def test_a_search_means_all_of_its_terms(query: str, text: str, found: bool) -> None:
    assert all_of(query)(text) is found


def test_any_pattern_will_do_and_broken_ones_are_told() -> None:
    assert any_of(("x", "two words"))("here are Two Words")
    assert not any_of(("", " "))("anything")
    assert problem_of("/[/") == "is no regular expression (unterminated character set at position 0)"
    assert (problem_of("a [ b"), problem_of(" ")) == (None, "is empty")


# --- sections and slots ------------------------------------------------------------------------------------------------


def test_a_shown_topic_is_completed_by_lines_of_it_within_the_limit() -> None:
    saga = [told_by(n, 6 - n, topic=7) for n in range(1, 5)]  # five to two publishers
    others = [told_by(n, 5) for n in range(11, 50)]
    assert not [shown for shown in choose([*saga, *others], filters=Filters(limit=20)).stories if shown.as_line]
    digest = choose([*saga, *others], filters=Filters(limit=30))
    assert len(digest.stories) == 30
    lines = [shown.story.id for shown in digest.stories if shown.as_line]
    assert set(lines) <= {1, 2, 3, 4}
    assert 1 <= len(lines) <= 2
    section = next(section for section in layout.sections(digest) if section.title == TOPICS[7].label)
    assert {told.id for told in section.also} == set(lines)
    assert " more · last " in section.also[0].line


def test_what_stands_in_the_first_third_comes_before_the_topics() -> None:
    topics = {n: Topic(n, f"Saga {n}") for n in (1, 2)}
    coverages = [told_by(1, 8), told_by(2, 7, topic=1), told_by(3, 7, topic=1), told_by(4, 6), told_by(5, 6)]
    coverages += [told_by(n, 2) for n in range(6, 13)]
    digest = select(coverages, topics, FEEDS, STATES, PERIOD)
    titles = [section.title for section in layout.sections(digest)]
    assert titles[0] == layout.TOP
    assert set(titles) == {layout.TOP, "Saga 1", layout.MORE}


def test_one_publisher_who_is_alone_fills_no_more_than_a_share_unless_nobody_else_is_there() -> None:
    flood = [coverage(n, (item(n * 10, "tech", 20, f"Thing{n} was measured anew"),)) for n in range(1, 40)]
    others = [coverage(n, (item(n * 10, NAMES[n % 5], 3, f"Matter{n} was settled there"),)) for n in range(50, 80)]
    shown = choose([*flood, *others], filters=Filters(limit=18)).stories
    assert sum(one.items[0].feed == "tech" for one in shown) <= 3
    assert len(choose(flood, filters=Filters(limit=18)).stories) == 18


def test_two_desks_of_one_site_are_linked_once() -> None:
    pieces = (
        item(1, "courier", 3, "A", link="https://www.paper.example/world/1"),
        item(2, "north", 4, "B", link="https://paper.example/us/2"),
        item(3, "plains", 5, "C", link="https://other.example/3"),
    )
    told = layout.sections(choose([coverage(9, pieces)]))[0].stories[0]
    sites = {layout._site(link) for link in (told.best, *told.others)}
    assert sites == {"paper.example", "other.example"}
    assert len(told.others) == 1
    assert told.story.sources == 3


def test_only_what_a_reader_takes_for_related_is_called_so() -> None:
    far = "Irish member of European Parliament speaks out"
    near = "Blinken and López Obrador met before"
    one = replace(visit(), story=replace(visit().story, related=(90, 91)))
    told = layout.sections(choose([one], titles={90: far, 91: near}))[0].stories[0]
    assert told.related == ((None, near),)


def test_many_failing_feeds_are_cut_short_on_the_terminal_and_told_in_full_elsewhere() -> None:
    states = {name: replace(STATES["broken"], name=name) for name in (f"feed-{n:02}" for n in range(25))}
    feeds = {name: replace(FEEDS["broken"], name=name) for name in states}
    digest = select(day(), TOPICS, feeds, states, PERIOD)
    assert "and 15 more; aggregator feeds status says more." in render(digest, "terminal")
    assert render(digest, "plain").count("the server answers 503") == 25


def test_several_recordings_of_one_item_are_told_apart() -> None:
    videos = tuple(Media(f"https://x.example/{n}.mp4", "video/mp4", 30 + n) for n in range(3))
    single = (Media("https://x.example/9.mp3", "audio/mpeg", 60),)
    digest = choose([coverage(9, (item(1, "courier", 3, "Envoys arrive", media=videos), item(2, "north", 4, "Talk", media=single)))])
    assert [line.title for line in layout.media_lines(digest.media)] == ["Talk", *(f"Envoys arrive ({n} of 3)" for n in (1, 2, 3))]
