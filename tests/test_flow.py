"""The whole flow on a real loopback server: subscribe, poll, group, digest, poll again."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from aggregator.app import App
from aggregator.digest.render import render
from aggregator.model import Period
from tests.databases import database_of

pytestmark = pytest.mark.usefixtures("every_kind")

NOW = "2023-12-27T18:30:00Z"
ETAG = '"v1"'


def rss(title: str, *items: tuple[str, str, str]) -> bytes:
    """A small RSS document; each item is (slug, title, summary)."""
    entries = "".join(
        f"<item><title>{headline}</title><link>https://{title.lower()}.example/{slug}</link><guid>{title}-{slug}</guid>"
        f"<description>{summary}</description><pubDate>Wed, 27 Dec 2023 1{n % 8}:05:00 GMT</pubDate></item>"
        for n, (slug, headline, summary) in enumerate(items)
    )
    return f'<?xml version="1.0"?><rss version="2.0"><channel><title>{title}</title><link>https://{title.lower()}.example/</link>{entries}</channel></rss>'.encode()


WATCH = [
    (
        "Alpha",
        "Appeals court pauses import ban on Apple watches",
        "A federal appeals court let Apple resume sales of its watches while it weighs the import ban.",
    ),
    (
        "Beta",
        "Apple may sell watches again as court pauses ban",
        "The import ban on Apple watches is paused by a federal appeals court during the patent appeal.",
    ),
    (
        "Gamma",
        "Court pauses U.S. ban on Apple Watch imports",
        "Apple resumes sales after an appeals court paused the import ban on two Apple watches.",
    ),
]

OWN = {
    "Alpha": ("own", "Sourdough in a cold kitchen", "Flour, patience and a thermometer are all a baker wants in January."),
    "Beta": ("own", "Ten walks along the old canal", "Locks, herons and one good pub: our guide to a slow Sunday."),
    "Gamma": ("own", "Choosing a telescope for a beginner", "Aperture matters more than magnification, says the astronomy club."),
}


class Site:
    """Serves three feeds with ETags and counts what was asked."""

    def __init__(self, server: HTTPServer) -> None:
        self.bodies = {f"/{title.lower()}": rss(title, ("watch", headline, text), OWN[title]) for title, headline, text in WATCH}
        self.requests: list[Request] = []
        self.base = server.url_for("")
        for path in [*self.bodies, "/down"]:
            server.expect_request(path).respond_with_handler(self.answer)

    def answer(self, request: Request) -> Response:
        self.requests.append(request)
        if request.path == "/down":
            return Response("down", 500)
        if request.headers.get("If-None-Match") == ETAG:
            return Response(status=304)
        return Response(self.bodies[request.path], headers={"ETag": ETAG}, content_type="application/rss+xml")


@pytest.fixture
def site(httpserver: HTTPServer) -> Site:
    return Site(httpserver)


@pytest.fixture
def app(tmp_path: Path, site: Site) -> Iterator[App]:
    with make_app(tmp_path, site, [path.strip("/") for path in site.bodies]) as made:
        yield made


def make_app(folder: Path, site: Site, names: list[str], now: str = NOW, speed: float = 1.0) -> App:
    config = folder / "aggregator.toml"
    config.write_text(
        f'database = "{database_of(folder)}"\nzone = "UTC"\n[fetch]\nallow_private = true\n[digest]\nfolder = "{folder / "digests"}"\n'
    )
    (folder / "feeds.toml").write_text("".join(f'[[feed]]\nname = "{name}"\nurl = "{site.base.rstrip("/")}/{name}"\n\n' for name in names))
    return App.from_options(config=str(config), now=now, speed=speed, environ={})


def today() -> Period:
    end = datetime(2023, 12, 27, 18, 30, tzinfo=UTC)
    return Period(end - timedelta(days=1), end, "UTC")


def test_three_tellings_of_one_event_become_one_story(app: App) -> None:
    outcomes = app.fetch()
    assert [(outcome.outcome, outcome.new, outcome.error) for outcome in outcomes] == [("changed", 2, None)] * 3
    digest = app.digest(today())
    assert digest.counts == {"feeds": 3, "items": 6, "stories": 4}
    first = digest.stories[0]
    assert first.sources == 3
    assert {item.publisher for item in first.items} == {"Alpha", "Beta", "Gamma"}
    assert "ban" in first.story.title.lower()
    found = json.loads(render(digest, "json"))
    assert len(found["stories"][0]["items"]) == 3


def test_nothing_is_due_right_after_a_poll(app: App, site: Site) -> None:
    app.fetch()
    asked = len(site.requests)
    assert app.fetch() == []
    assert len(site.requests) == asked


def test_force_polls_again_but_conditionally(app: App, site: Site) -> None:
    app.fetch()
    outcomes = app.fetch(force=True)
    assert [outcome.status for outcome in outcomes] == [304, 304, 304]
    assert all(request.headers.get("If-None-Match") == ETAG for request in site.requests[3:])
    assert all(outcome.new == 0 and outcome.error is None for outcome in outcomes)


def test_a_restart_polls_nothing_again_and_keeps_the_stories(tmp_path: Path, site: Site) -> None:
    names = [path.strip("/") for path in site.bodies]
    with make_app(tmp_path, site, names) as before:
        before.fetch()
        stories = [(story.story.id, [item.id for item in story.items]) for story in before.digest(today()).stories]
    with make_app(tmp_path, site, names) as after:
        assert after.fetch() == []
        assert [(story.story.id, [item.id for item in story.items]) for story in after.digest(today()).stories] == stories


def test_items_that_come_after_a_restart_join_the_story_they_belong_to(tmp_path: Path, site: Site) -> None:
    with make_app(tmp_path, site, ["alpha", "beta"]) as before:
        before.fetch()
        story = before.digest(today()).stories[0].story.id
    with make_app(tmp_path, site, ["alpha", "beta", "gamma"]) as after:
        after.fetch()
        first = after.digest(today()).stories[0]
    assert first.story.id == story
    assert {item.publisher for item in first.items} == {"Alpha", "Beta", "Gamma"}


def test_a_feed_that_fails_stops_no_other_and_stands_in_the_digest(tmp_path: Path, site: Site) -> None:
    with make_app(tmp_path, site, ["down", "alpha"]) as app:
        outcomes = {outcome.name: outcome for outcome in app.fetch()}
        assert outcomes["alpha"].new == 2
        assert "500" in (outcomes["down"].error or "")
        assert [feed.name for feed in app.digest(today()).failed_feeds] == ["down"]


def test_an_edited_item_is_an_update_not_a_new_item(app: App, site: Site) -> None:
    app.fetch()
    site.bodies["/alpha"] = rss("Alpha", ("watch", "UPDATED: appeals court pauses import ban on Apple watches", WATCH[0][2]), OWN["Alpha"])
    global ETAG
    ETAG = '"v2"'
    try:
        outcomes = {outcome.name: outcome for outcome in app.fetch(force=True)}
    finally:
        ETAG = '"v1"'
    assert (outcomes["alpha"].new, outcomes["alpha"].edited) == (0, 1)
    story = app.digest(today()).stories[0]
    edited = next(item for item in story.items if item.publisher == "Alpha")
    assert edited.title.startswith("UPDATED")
    assert [title for title, _ in app.store.items.titles(edited.id)] == [WATCH[0][1]]


def make_and_deliver(app: App) -> Path:
    app.publishing.make(app.plan("daily"), app.clock())
    (sent,) = app.deliver()
    assert sent.error is None
    return Path(sent.place)


def test_the_scheduled_digest_covers_what_came_since_the_last_one(app: App) -> None:
    app.fetch()
    first = make_and_deliver(app)
    assert first.read_text(encoding="utf-8").count("Apple") >= 1
    last = app.last_digest("daily")
    assert last is not None
    second = make_and_deliver(app)
    assert second != first
    assert "Apple" not in second.read_text(encoding="utf-8")
    again = app.last_digest("daily")
    assert again is not None
    assert (again.from_at, again.after_item) == (last.to_at, last.up_to_item)
