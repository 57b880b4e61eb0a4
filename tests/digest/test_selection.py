"""What gets into a digest: which items, which stories, in which section, counted how."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from aggregator.digest.interests import Filters, Interests
from aggregator.digest.period import new_period
from aggregator.digest.telling import title_words
from aggregator.model import Coverage, Digest, Feed, Media
from tests.digest.sample import FEEDS, PERIOD, STATES, TOPICS, at, coverage, day, item, select, state, visit


def choose(coverages: list[Coverage], **given: object) -> Digest:
    return select(coverages, TOPICS, FEEDS, STATES, PERIOD, **given)  # type: ignore[arg-type]


def ids(digest: Digest) -> list[int]:
    return [shown.story.id for shown in digest.stories]


def test_counts_are_taken_before_the_limit_and_of_the_period_alone() -> None:
    digest = choose(day(), filters=Filters(limit=2))
    assert len(digest.stories) == 2
    assert digest.counts == {"feeds": 10, "items": 18, "stories": 8}


def test_the_day_of_the_sample_is_in_the_order_a_reader_expects() -> None:
    found = ids(choose(day()))
    assert found[:2] == [1, 4]
    assert set(found[-4:]) == {3, 6, 7, 8}, "lone items stand behind what several publishers tell"


def test_sources_are_independent_publishers() -> None:
    shown = choose([visit()]).stories[0]
    assert shown.sources == 5
    assert shown.story.sources == 5
    assert len(shown.items) == 6


def test_a_copy_of_an_item_that_is_not_there_counts_once_for_all_who_copied_it() -> None:
    items = (item(1, "courier", 3, "A"), item(2, "north", 4, "A"), item(3, "plains", 5, "B"))
    assert choose([coverage(9, items, copies={1: 77, 2: 77})]).stories[0].sources == 2


def test_a_circle_of_copies_ends() -> None:
    items = (item(1, "courier", 3, "A"), item(2, "north", 4, "A"))
    assert choose([coverage(9, items, copies={1: 2, 2: 1})]).stories[0].sources in (1, 2)


def test_two_feeds_of_one_publisher_count_once() -> None:
    feeds = {name: Feed(name, "https://x.example/", title="One House") for name in ("courier", "north")}
    found = coverage(9, (item(1, "courier", 3, "A"), item(2, "north", 4, "B")))
    digest = select([found], {}, feeds, STATES, PERIOD)
    assert digest.stories[0].sources == 1
    assert digest.counts["feeds"] == 2


def test_the_publisher_is_the_title_in_the_feed_list_else_the_feeds_own() -> None:
    items = choose(day()).stories[0].items
    names = {each.feed: each.publisher for each in items}
    assert names["plains"] == "The Plains Dispatch"
    assert names["north"] == "Northern Post"


def test_the_best_item_is_of_the_best_weighted_feed_and_of_the_period() -> None:
    feeds = {**FEEDS, "sierra": replace(FEEDS["sierra"], weight=2.0)}
    digest = select([visit()], TOPICS, feeds, STATES, PERIOD)
    assert digest.stories[0].items[0].feed == "sierra"
    old = coverage(9, (item(1, "sierra", 20, "Old", day=25), item(2, "courier", 7, "New")))
    assert select([old], TOPICS, feeds, STATES, PERIOD).stories[0].items[0].id == 2


def test_an_item_without_a_link_is_not_the_best_one() -> None:
    found = coverage(
        9, (item(1, "courier", 3, "Bridge closed", link=None), item(2, "north", 4, "The bridge is closed")), title="Bridge closed"
    )
    assert choose([found]).stories[0].items[0].id == 2


def test_the_headline_itself_is_the_best_link_among_equals() -> None:
    shown = choose([visit()]).stories[0]
    assert shown.items[0].title == shown.story.title


def test_scores_belong_to_their_items() -> None:
    shown = choose([visit()]).stories[0]
    scores = dict(zip((each.id for each in shown.items), shown.scores, strict=True))
    assert scores == {101: 0.0, 102: 0.5, 103: 0.5, 104: 0.5, 105: 0.5, 106: 0.5}


def test_nothing_later_than_the_period_is_seen() -> None:
    later = item(999, "north", 3, "Only tomorrow", day=28)
    story = visit()
    grown = replace(story, items=(*story.items, later), story=replace(story.story, title="Only tomorrow", item_count=7))
    shown = choose([grown]).stories[0]
    assert 999 not in {each.id for each in shown.items}
    assert shown.story.last_published_at == at(22)
    assert shown.story.title != "Only tomorrow"


def test_a_story_without_an_item_in_the_period_is_left_out() -> None:
    assert choose([coverage(9, (item(1, "courier", 3, "Old", day=25),))]).stories == ()


def test_the_start_of_a_period_is_outside_and_its_end_inside() -> None:
    period = replace(PERIOD, from_at=at(4), to_at=at(9))
    digest = select([visit()], TOPICS, FEEDS, STATES, period)
    assert digest.counts["items"] == 1
    assert {one.id for one in digest.stories[0].items} == {101, 102}
    assert digest.stories[0].new is False


def test_new_means_that_it_began_in_the_period() -> None:
    flags = {shown.story.id: shown.new for shown in choose(day()).stories}
    assert flags[1] is True
    assert flags[2] is False, "the caravan set out two days earlier"


def test_by_arrival_an_old_piece_that_came_just_now_is_new() -> None:
    late = coverage(9, (item(1, "courier", 3, "Written earlier", day=24, arrived=at(10)),))
    assert choose([late]).stories == ()
    shown = choose([late], filters=Filters(by="arrived")).stories
    assert [each.new for each in shown] == [True]


def test_successive_digests_by_arrival_offer_each_item_exactly_once() -> None:
    offered: list[int] = []
    last = None
    for hour in range(1, 26):
        period = new_period(last, "UTC", at(hour))
        coverages = [replace(each, items=tuple(i for i in each.items if i.arrived_at and i.arrived_at <= period.to_at)) for each in day()]
        digest = select([each for each in coverages if each.items], TOPICS, FEEDS, STATES, period, filters=Filters(limit=0, by="arrived"))
        offered += [i.id for shown in digest.stories for i in shown.items if i.arrived_at and i.arrived_at > period.from_at]
        last = digest.period.to_at
    assert sorted(offered) == sorted(i.id for each in day() for i in each.items if i.published_at > at(0))


@pytest.mark.parametrize(
    ("story", "phase"),
    [
        (coverage(9, (item(1, "courier", 3, "A", day=26), item(2, "north", 20, "B"), item(3, "capital", 21, "C"))), "growing"),
        (coverage(9, (item(1, "courier", 3, "A", day=26), item(2, "north", 2, "B"), item(3, "capital", 3, "C"))), "fading"),
        (coverage(9, (item(1, "courier", 3, "A", day=26), item(2, "north", 2, "B"), item(3, "capital", 1, "C", day=28))), "fading"),
        (coverage(9, (item(1, "courier", 20, "A"), item(2, "north", 21, "B"))), "new"),
        (coverage(9, (item(1, "courier", 1, "A"), item(2, "north", 2, "B"))), "fading"),
        (coverage(9, (item(1, "courier", 1, "A"),)), "new"),
    ],
)
def test_the_phase_is_read_at_the_end_of_the_period(story: Coverage, phase: str) -> None:
    assert choose([story]).stories[0].phase == phase


def test_no_story_fills_two_slots() -> None:
    first = coverage(11, (item(1, "courier", 3, "Volcano near Grindavik stays quiet"), item(2, "north", 4, "Volcano quiet")), related=(12,))
    second = coverage(12, (item(3, "capital", 5, "Volcano near Grindavik stays quiet so far"),))
    third = coverage(13, (item(4, "tech", 5, "Volcano near Grindavik stays quiet"),))
    assert ids(choose([first, second, third])) == [11]
    assert sorted(ids(choose([first, second, third], filters=Filters(limit=0)))) == [11, 12, 13], "with no limit nothing is lost"


def test_near_titles_of_stories_that_are_no_kin_both_stay() -> None:
    first = coverage(11, (item(1, "courier", 3, "Storm hits the north coast towns hard"),))
    second = coverage(12, (item(3, "capital", 5, "Storm hits the south coast towns hard"),))
    assert sorted(ids(choose([first, second]))) == [11, 12]


def test_topics_are_sections_in_the_order_of_their_best_story() -> None:
    digest = choose(day())
    assert [(topic.id, topic.story_ids) for topic in digest.topics] == [(7, (1, 2, 3)), (8, (4,))]


def test_a_story_of_an_unknown_topic_has_none() -> None:
    shown = choose([coverage(9, (item(1, "courier", 3, "A"),), topic=999)]).stories[0]
    assert shown.story.topic_id is None


def test_one_topic_or_one_tag_can_be_asked_for() -> None:
    assert sorted(ids(choose(day(), filters=Filters(topic=7)))) == [1, 2, 3]
    assert sorted(ids(choose(day(), filters=Filters(tag="tech")))) == [4, 8]
    assert ids(choose(day(), filters=Filters(tag="nonesuch"))) == []


def test_what_the_reader_mutes_is_not_there() -> None:
    assert 1 not in ids(choose(day(), interests=Interests(muted_topics=frozenset({7}))))
    muted = choose(day(), interests=Interests(muted_words=("openai", "/k[e]rnel/")))
    assert {4, 8} & set(ids(muted)) == {4}, "one item of the lawsuit does not say OpenAI"
    assert len(next(shown for shown in muted.stories if shown.story.id == 4).items) == 1
    feeds = {**FEEDS, "tech": replace(FEEDS["tech"], mute=("kernel",))}
    assert 8 not in ids(select(day(), TOPICS, feeds, STATES, PERIOD))


def test_muting_goes_by_whole_words_and_a_broken_expression_is_plain_words() -> None:
    found = [coverage(9, (item(1, "courier", 3, "Artful dodging"),))]
    assert ids(choose(found, interests=Interests(muted_words=("art",)))) == [9]
    assert ids(choose(found, interests=Interests(muted_words=("/(/",)))) == [9]


def test_a_followed_topic_comes_first_and_its_lone_items_are_important() -> None:
    digest = choose(day(), interests=Interests(followed_topics=frozenset({7})))
    freight = next(shown for shown in digest.stories if shown.story.id == 3)
    assert freight.parts["important"] > 0
    assert ids(digest).index(3) < ids(digest).index(8)


def test_media_of_the_whole_period_are_listed_also_of_stories_beyond_the_limit() -> None:
    digest = choose(day(), filters=Filters(limit=1))
    assert [one.media.seconds for one in digest.media] == [38, 222, 27, 5031]
    assert digest.media[-1].item.id == 601


def test_pictures_are_no_media_and_one_recording_is_listed_once() -> None:
    sound = Media("https://x.example/a.mp3", "audio/mpeg", 60)
    pieces = (
        item(1, "courier", 3, "A", media=(sound, Media("https://x.example/a.jpg", "image/jpeg"))),
        item(2, "north", 4, "B", media=(sound,)),
    )
    assert [one.media for one in choose([coverage(9, pieces)]).media] == [sound]


def test_failed_feeds_are_enabled_subscriptions_with_an_error() -> None:
    feeds = {
        **FEEDS,
        "off": Feed("off", "https://off.example/", enabled=False),
        "left": Feed("left", "https://left.example/"),
    }
    states = {**STATES, "off": state("off", error="x"), "left": state("left", error="x", subscribed=False), "old": state("old", error="x")}
    failed = select(day(), TOPICS, feeds, states, PERIOD).failed_feeds
    assert [(each.name, each.since_at) for each in failed] == [("broken", at(14.0834, 26))]


def test_related_titles_are_known_also_of_stories_that_are_not_shown() -> None:
    story = replace(visit(), story=replace(visit().story, related=(2, 50, 51)))
    digest = choose([story, *day()[1:]], filters=Filters(limit=1), titles={50: "From last week\x1b[31m", 77: "Nobody asked"})
    assert digest.related_titles == {2: "Caravan of thousands sets out from Tapachula", 50: "From last week[31m"}


def test_a_story_without_a_brief_gets_the_start_of_its_best_summary() -> None:
    shown = next(each for each in choose(day()).stories if each.story.id == 8)
    assert shown.story.brief == "Mostly drivers, and a faster scheduler."


def test_the_order_of_the_coverages_does_not_matter() -> None:
    assert choose(day()) == choose(day()[::-1])


def test_words_of_titles_leave_out_the_commonest() -> None:
    assert title_words("The 3 Ships of War") == {"3", "ships", "war"}
    assert title_words("地震") == {"地", "震"}


def test_a_period_of_no_length_is_empty() -> None:
    nothing = replace(PERIOD, to_at=PERIOD.from_at)
    assert select(day(), TOPICS, FEEDS, STATES, nothing).stories == ()
    assert timedelta(0) == nothing.to_at - nothing.from_at
