"""The pages over HTTP, on the demo's corpus: what they show, what their forms do, and that it can be taken back."""

from __future__ import annotations

import re
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from html import unescape

import pytest

from aggregator.app import App
from aggregator.demo.server import bundled_feeds, serve
from aggregator.model import Coverage, Item, Story
from aggregator.web.plots import story_plot, topic_plot
from aggregator.web.site import Recent
from tests.store.make import item
from tests.web.client import Client, links


@pytest.fixture
def visit(app: App) -> Story:
    """The demo's main story."""
    return next(story for story in app.store.stories.stories(limit=200) if story.title.startswith("Blinken, Mayorkas"))


def ids_in(text: str) -> list[int]:
    return [int(found) for found in re.findall(r'id="item-(\d+)"', text)]


# --- reading -----------------------------------------------------------------------------------------------------------


def test_the_digest_leads_to_stories_topics_and_days(client: Client, visit: Story) -> None:
    text = client.get("/").text
    assert f'href="/stories/{visit.id}"' in text
    assert links(text, "/topics/")
    assert 'href="/digest/2023-12-26"' in text
    day = client.get("/digest/2023-12-26").text
    assert "Tuesday 26 December 2023" in day
    assert 'href="/digest/2023-12-25"' in day
    assert 'href="/digest/2023-12-27"' in day
    assert client.get("/digest/never").status == 400
    assert "Nothing new in this period" in client.get("/digest/1999-01-01").text


def test_the_digest_can_be_narrowed(client: Client) -> None:
    assert "Blinken" not in client.get("/?tag=sport").text
    assert client.get("/?match=Blinken").text.count("data-entry") < client.get("/").text.count("data-entry")


def test_a_story_shows_who_told_it_when_and_why_it_is_one(client: Client, visit: Story) -> None:
    text = client.get(f"/stories/{visit.id}").text
    assert len(ids_in(text)) == visit.item_count
    assert "First reported by" in text
    assert text.count("<circle") == visit.item_count
    assert len(re.findall(r'<svg role="img" aria-label="[^"]+: \d+ items?, first ', text)) == visit.sources
    places = [float(place) for place in re.findall(r'<circle cx="([\d.]+)%"', text)]
    assert min(places) >= 0
    assert max(places) <= 100
    assert "Why here?" in text
    assert "Shared words" in text


def test_a_topic_shows_a_lane_for_each_of_its_stories(client: Client, app: App) -> None:
    topic = max(app.store.stories.topics(), key=lambda each: each.story_count)
    text = client.get(f"/topics/{topic.id}").text
    _, stories = app.store.stories.topic(topic.id)
    assert {f"/stories/{story.id}" for story in stories} == set(links(text, "/stories/"))
    assert text.count('<svg role="img"') == len(stories) >= 3


def test_search_finds_and_filters(client: Client, app: App) -> None:
    found = client.get("/search?q=blinken").text
    assert found.count("data-entry") >= 9
    one = client.get("/search?q=blinken&feed=kestrel-news").text
    assert 1 <= one.count("data-entry") < found.count("data-entry")
    assert "data-entry" not in client.get("/search?q=blinken&until=2023-12-01").text
    assert "data-entry" in client.get("/search?q=blinken&since=2d&language=en").text
    assert client.get("/search?q=blinken&since=yesteryear").status == 400
    assert "Nothing holds" in client.get("/search?q=zzzzqqq").text


def test_an_item_leads_to_its_place_in_its_story(client: Client, visit: Story) -> None:
    item = ids_in(client.get(f"/stories/{visit.id}").text)[0]
    assert client.get(f"/items/{item}").headers["Location"] == f"/stories/{visit.id}#item-{item}"


def test_what_did_not_change_is_not_sent_again(client: Client, visit: Story) -> None:
    for path in (f"/stories/{visit.id}", "/digest.atom", "/api/v1/topics", "/feeds.opml"):
        tag = client.get(path).headers["ETag"]
        again = client.get(path, If_None_Match=f'"other", W/{tag}')
        assert (again.status, again.body) == (304, b"")
        assert client.get(path, If_None_Match='"other"').status == 200


def test_what_is_not_there_is_said_in_a_sentence(client: Client) -> None:
    for path in ("/stories/99999999", "/topics/99999999", "/nowhere", "/items/99999999999999999999999"):
        reply = client.get(path)
        assert reply.status in (400, 404)
        assert "Traceback" not in reply.text
        assert 'class="problem"' in reply.text


# --- putting right -----------------------------------------------------------------------------------------------------


def undo_first(client: Client, page: str) -> int:
    """Press the first Undo of a page, with the hidden fields that it has there."""
    form = re.search(r'<form[^>]*action="/corrections/undo">(.*?)</form>', client.get(page).text, re.DOTALL)
    assert form
    fields: dict[str, list[str]] = {}
    for name, value in re.findall(r'name="(\w+)" value="([^"]*)"', form[1]):
        if name != "csrf":
            fields.setdefault(name, []).append(unescape(value))
    return client.post("/corrections/undo", fields).status


def test_items_are_split_off_and_come_back(client: Client, visit: Story) -> None:
    page = f"/stories/{visit.id}"
    before = ids_in(client.get(page).text)
    reply = client.post(f"{page}/split", {"items": before[-1]})
    assert reply.headers["Location"] == f"{page}?done=split"
    after = client.get(f"{page}?done=split").text
    assert ids_in(after) == before[:-1]
    assert "a story of their own" in after
    assert client.get(f"/items/{before[-1]}").headers["Location"] != f"{page}#item-{before[-1]}"
    assert undo_first(client, page) == 303
    assert ids_in(client.get(page).text) == before


def test_stories_are_merged_and_come_apart(client: Client, app: App, visit: Story) -> None:
    other = next(story for story in app.store.stories.stories(limit=50) if story.id != visit.id)
    assert client.post(f"/stories/{visit.id}/merge", {"other": other.id}).status == 303
    assert client.get(f"/stories/{other.id}").headers["Location"] == f"/stories/{visit.id}"
    assert len(ids_in(client.get(f"/stories/{visit.id}").text)) == visit.item_count + other.item_count
    assert undo_first(client, "/corrections") == 303
    assert client.get(f"/stories/{other.id}").status == 200


def test_items_are_moved_and_move_back(client: Client, app: App, visit: Story) -> None:
    other = next(story for story in app.store.stories.stories(limit=50) if story.id != visit.id and story.item_count > 1)
    item = ids_in(client.get(f"/stories/{other.id}").text)[0]
    reply = client.post(f"/stories/{other.id}/move", {"items": item, "to": visit.id})
    assert reply.headers["Location"] == f"/stories/{visit.id}?done=move"
    assert item in ids_in(client.get(f"/stories/{visit.id}").text)
    assert undo_first(client, f"/stories/{visit.id}") == 303
    assert item in ids_in(client.get(f"/stories/{other.id}").text)


def test_a_correction_that_says_nothing_is_told_so(client: Client, visit: Story) -> None:
    for path, fields in (("split", {}), ("move", {"items": 1}), ("merge", {}), ("merge", {"other": visit.id}), ("split", {"items": 10**9})):
        reply = client.post(f"/stories/{visit.id}/{path}", fields)
        assert reply.status in (400, 404)
        assert 'class="problem"' in reply.text


# --- marks -------------------------------------------------------------------------------------------------------------


def test_a_muted_topic_leaves_the_digest_until_it_is_unmarked(client: Client, app: App) -> None:
    topic = app.store.stories.topics()[0]
    _, stories = app.store.stories.topic(topic.id)
    page = f"/stories/{stories[0].id}"
    assert page in links(client.get("/?limit=0").text, "/stories/")
    mark = {"kind": "topic", "id": topic.id, "back": f"/topics/{topic.id}"}
    assert client.post("/marks", mark | {"stance": "mute"}).headers["Location"] == f"/topics/{topic.id}?done=mute"
    assert "Unmute" in client.get(f"/topics/{topic.id}").text
    assert page not in links(client.get("/?limit=0").text, "/stories/")
    client.post("/marks", mark | {"stance": "unmark"})
    assert page in links(client.get("/?limit=0").text, "/stories/")


def test_a_star_is_put_on_and_taken_off(client: Client, visit: Story) -> None:
    page = f"/stories/{visit.id}"
    item = ids_in(client.get(page).text)[0]
    assert client.post(f"/items/{item}/star", {"back": page}).status == 303
    assert f'formaction="/items/{item}/unstar"' in client.get(page).text
    assert client.post(f"/items/{item}/unstar", {"back": page}).status == 303
    assert f'formaction="/items/{item}/star"' in client.get(page).text
    assert client.post("/items/999999999/star", {}).status == 404
    assert client.post("/marks", {"kind": "topic", "id": 1, "stance": "star"}).status == 400


# --- feeds -------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def another() -> Iterator[str]:
    """The address of a feed that the list does not have."""
    with serve(bundled_feeds()) as urls:
        yield urls["kestrel-news"]


def test_a_feed_is_previewed_then_added(client: Client, app: App, another: str) -> None:
    before = app.feed_list.text()
    text = client.post("/feeds/preview", {"url": another, "tags": "world, test"}).text
    assert "Its newest items" in text
    assert app.feed_list.text() == before
    reply = client.post("/feeds/add", {"url": another, "name": "added-here", "tags": "world, test"})
    assert reply.headers["Location"] == "/feeds/one?name=added-here&done=added"
    added = next(feed for feed in app.subscribed() if feed.name == "added-here")
    assert (added.url, added.tags, added.allow_private) == (another, ("world", "test"), None)
    assert client.post("/feeds/add", {"url": another, "name": "added-here"}).status == 400


def test_a_feed_is_switched_off_and_on_and_edited(client: Client, app: App) -> None:
    def feed() -> tuple[bool, str | None, float]:
        found = next(each for each in app.subscribed() if each.name == "pole-star-review")
        return found.enabled, found.title, found.weight

    client.post("/feeds/switch", {"name": "pole-star-review", "on": "false"})
    assert feed() == (False, None, 1.0)
    client.post("/feeds/switch", {"name": "pole-star-review", "on": "true"})
    fields = {"name": "pole-star-review", "title": "Pole Star", "tags": "north", "weight": "1.5"}
    assert client.post("/feeds/edit", fields).status == 303
    assert feed() == (True, "Pole Star", 1.5)
    assert client.post("/feeds/edit", fields | {"interval": "soon"}).status == 400
    assert feed() == (True, "Pole Star", 1.5)
    assert client.post("/feeds/switch", {"name": "no-such", "on": "true"}).status == 404


def test_a_list_goes_out_as_opml_and_comes_in(client: Client, app: App) -> None:
    listed = client.get("/feeds.opml")
    assert listed.headers["Content-Disposition"] == 'attachment; filename="feeds.opml"'
    assert listed.text.count("xmlUrl") == len(app.subscribed())
    body = (
        '--x\r\nContent-Disposition: form-data; name="csrf"\r\n\r\n{mark}\r\n'
        '--x\r\nContent-Disposition: form-data; name="file"; filename="a.opml"\r\nContent-Type: text/xml\r\n\r\n{opml}\r\n--x--\r\n'
    )
    opml = '<opml version="2.0"><body><outline type="rss" text="New one" xmlUrl="https://new.example/feed"/></body></opml>'
    for mark, status in (("", 403), (client.mark(), 200)):
        sent = body.format(mark=mark, opml=opml).encode()
        reply = client.send("POST", "/feeds/import", sent, {"Content-Type": "multipart/form-data; boundary=x"})
        assert reply.status == status
    assert "1 feed taken in" in reply.text
    assert "https://new.example/feed" in {feed.url for feed in app.subscribed()}


def test_how_feeds_are_and_what_they_are_worth(client: Client) -> None:
    text = client.get("/feeds").text
    assert text.index("granite-state-radio") < text.index("kestrel-news")  # what needs a person comes first
    assert "503" in text
    assert "northfield-tribune" in client.get("/feeds/report?days=7").text
    assert "Items a day" in client.get("/feeds/one?name=kestrel-news").text
    assert client.get("/feeds/one?name=kestrel").status == 404


def test_monitoring_reads_health_and_figures(client: Client) -> None:
    figures = client.get("/metrics")
    assert figures.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    assert re.search(r"^aggregator_items \d+$", figures.text, re.MULTILINE)
    assert "polls_total" not in figures.text  # the daemon counts those
    assert "not running" in client.get("/status").text


def test_a_digest_is_made_once_until_something_changes(client: Client, app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[object] = []
    make = app.digest
    monkeypatch.setattr(app, "digest", lambda *given, **named: made.append(given) or make(*given, **named))  # type: ignore[func-returns-value]
    for _ in range(3):
        assert client.get("/digest/2023-12-26?limit=7").status == 200
    first = len(made)
    assert 1 <= first <= 2  # a minute may end between two of them
    client.post("/marks", {"kind": "topic", "id": app.store.stories.topics()[0].id, "stance": "mute"})
    client.get("/digest/2023-12-26?limit=7")
    assert len(made) > first
    client.post("/marks", {"kind": "topic", "id": app.store.stories.topics()[0].id, "stance": "unmark"})


def test_what_is_remembered_is_made_once_and_a_slow_one_keeps_nobody_else_waiting() -> None:
    recent, slow, made = Recent(most=2), threading.Event(), Counter[str]()

    def make(key: str) -> str:
        made[key] += 1
        assert key != "slow" or slow.wait(60)
        return key

    with ThreadPoolExecutor(4) as pool:
        waiting = [pool.submit(recent, "slow", lambda: make("slow")) for _ in range(3)]
        assert recent("quick", lambda: make("quick")) == "quick"
        slow.set()
        assert [each.result() for each in waiting] == ["slow"] * 3
    assert made == {"slow": 1, "quick": 1}
    with pytest.raises(ZeroDivisionError):
        recent("broken", lambda: 1 / 0)
    assert recent("broken", lambda: "mended") == "mended"
    recent("another", lambda: make("another"))
    recent("quick", lambda: make("quick"))
    assert made["quick"] == 2, "only so many are kept"


def test_a_digest_leads_to_related_stories_also_to_those_that_it_does_not_show(client: Client) -> None:
    related = re.findall(r'<p class="related">Related: (.*?)</p>', client.get("/?limit=3").text)
    assert related
    assert all("<span" not in each for each in related)
    away = {place for each in related for place in links(each, "/stories/")}
    assert away
    assert all(client.get(place).status == 200 for place in away)


def test_a_plot_has_one_lane_for_each_name_the_first_reporter_on_top() -> None:
    def told(id_: int, publisher: str, site: str) -> Item:
        at = datetime(2023, 12, 1, id_, tzinfo=UTC)
        return item(str(id_), id=id_, publisher=publisher, link=f"https://{site}/{id_}", at=at, arrived_at=at)

    links_page = [told(1, "Link page", "news.ycombinator.com"), told(5, "Link page", "reddit.com")]
    items = (links_page[0], told(2, "Daily", "daily.example"), told(3, "Wire", "wire.example"), links_page[1])
    first = items[0].published_at
    plot = story_plot(Coverage(Story(1, "Story", first, items[-1].published_at), items, ()), "UTC")
    assert [(lane.name, len(lane.dots)) for lane in plot.lanes] == [("Link page", 2), ("Daily", 1), ("Wire", 1)]


def test_a_plot_of_very_many_stories_shows_the_largest_and_lists_the_rest() -> None:
    start = datetime(2023, 12, 1, tzinfo=UTC)
    stories = [
        Story(n, f"Story {n}", start + timedelta(hours=n), start + timedelta(hours=n + 1), sources=9 if n % 10 == 0 else 1)
        for n in range(1, 401)
    ]
    plot = topic_plot(stories, "Europe/Warsaw")
    assert [lane.id for lane in plot.lanes] == list(range(400, 0, -10))
    assert plot.left_out == 360
    assert 2 <= len(plot.ticks) <= 5
    assert all(0 <= lane.start <= lane.end <= 100 for lane in plot.lanes)
    assert topic_plot([], "UTC").lanes == ()
