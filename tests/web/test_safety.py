"""Who may come in, what a page of another site can do (nothing), and that text of feeds is text on every page."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import quote

import html5lib
import pytest

from aggregator.app import App
from aggregator.errors import ConfigError
from aggregator.model import Correction, Membership, Story, StoryChanges, Topic
from aggregator.web.access import Attempts, token_in
from aggregator.web.asked import own_path
from aggregator.web.routes import DOCUMENTS, INTERFACE, PAGES
from aggregator.web.serving import Serving, make_access
from tests.digest.test_forms import HOSTILE
from tests.store.make import NOW, item, poll
from tests.web.client import Client, in_thread, links

TOKEN = "correct-horse-battery-staple"
TEXTS = [text.encode("utf-8", "ignore").decode() for text in HOSTILE]


# --- names, origins, forms ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8080", "127.0.0.1.evil.example", "192.168.1.7", ""])
def test_a_name_that_somebody_pointed_here_is_refused(client: Client, host: str) -> None:
    assert client.get("/", Host=host).status == 421


@pytest.mark.parametrize("host", ["localhost:1", "127.0.0.1", "[::1]:8080", "LOCALHOST"])
def test_this_machine_is_known_by_its_own_names(client: Client, host: str) -> None:
    assert client.get("/", Host=host).status == 200


def _story(client: Client) -> str:
    return links(client.get("/").text, "/stories/")[0]


def test_a_change_needs_the_mark_of_a_page_given_to_this_browser(client: Client, address: str) -> None:
    story = _story(client)
    fields = {"kind": "story", "id": story.rpartition("/")[2], "stance": "mute"}
    other = Client(address).mark()
    for mark in ("", "0" * 64, other):
        assert client.post("/marks", fields, mark=mark).status == 403
    assert client.get("/api/v1/marks").json["marks"] == []
    assert client.post("/marks", fields).status == 303
    assert client.post("/marks", fields | {"stance": "unmark"}).status == 303


@pytest.mark.parametrize(
    "header", [{"Origin": "https://evil.example"}, {"Origin": "null"}, {"Sec_Fetch_Site": "cross-site"}, {"Sec_Fetch_Site": "same-site"}]
)
def test_a_change_asked_for_by_another_site_is_refused(client: Client, header: dict[str, str]) -> None:
    assert client.post("/marks", {"kind": "story", "id": 1, "stance": "mute"}, **header).status == 403
    assert client.put_json("/api/v1/marks", {"kind": "story", "id": 1, "stance": "mute"}, **header).status == 403


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"])
def test_the_api_takes_no_body_that_a_form_of_another_site_could_send(client: Client, kind: str) -> None:
    body = b'{"kind": "story", "id": 1, "stance": "mute"}'
    assert client.send("POST", "/api/v1/marks", body, {"Content-Type": kind}).status == 415


def test_reading_changes_nothing_and_changing_is_no_reading(client: Client) -> None:
    for route in (*PAGES, *INTERFACE):
        if route.method == "POST" and not any(other.path == route.path and other.method == "GET" for other in (*PAGES, *INTERFACE)):
            assert client.get(re.sub(r"\{\w+\}", "1", route.path)).status in (400, 404, 405), route.path


@pytest.mark.parametrize("path", ["//evil.example", "https://evil.example", "/\\evil.example", "evil", "/a\nb", "\\\\evil", "/\x00"])
def test_no_form_leads_to_another_site(client: Client, path: str) -> None:
    assert own_path(path) == "/"
    story = _story(client).rpartition("/")[2]
    for stance in ("follow", "unmark"):
        reply = client.post("/marks", {"kind": "story", "id": story, "stance": stance, "back": path})
        assert re.match(r"/(a%20b)?\?done=", reply.headers["Location"])


def test_a_body_that_is_larger_than_any_form_is_cut_off(client: Client) -> None:
    assert client.post("/feeds/preview", {"url": "x" * 5_000_000}).status in (400, 413)
    assert client.put_json("/api/v1/feeds", {"url": "x" * 5_000_000}).status == 413


# --- the token ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def guarded(app: App) -> Iterator[str]:
    with in_thread(Serving(app, "127.0.0.1:0", TOKEN, ("news.example.org",))) as address:
        yield address


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.2", "::"])
def test_another_address_than_loopback_needs_a_token(host: str) -> None:
    with pytest.raises(ConfigError, match=r"login is needed.*web\.token"):
        make_access(host, "", ())


def test_a_name_for_others_needs_a_token_and_a_token_is_long() -> None:
    with pytest.raises(ConfigError, match=r"news\.example\.org"):
        make_access("127.0.0.1", "", ("news.example.org",))
    with pytest.raises(ConfigError, match="fewer than 16"):
        make_access("127.0.0.1", "short", ())


def test_without_the_token_nothing_is_read_or_changed(guarded: str) -> None:
    client = Client(guarded)
    for route in (*PAGES, *DOCUMENTS, *INTERFACE):
        path = re.sub(r"\{\w+\}", "1", route.path)
        reply = client.get(path) if route.method == "GET" else client.put_json(path, {})
        if path == "/healthz":
            assert (reply.status, reply.text) == (200, "ok\n")
        elif reply.status == 303:
            assert reply.headers["Location"].startswith("/login?to="), path
            assert reply.body == b""
        else:
            assert reply.status == 401, path
    assert client.get("/login").status == 200
    assert client.get("/static/web.css").status == 200


def test_logging_in_gives_a_cookie_that_no_script_and_no_other_site_can_use(guarded: str) -> None:
    client = Client(guarded)
    assert client.post("/login", {"token": "wrong", "to": "/topics"}).status == 403
    reply = client.post("/login", {"token": TOKEN, "to": "/topics"})
    assert (reply.status, reply.headers["Location"]) == (303, "/topics")
    cookie = reply.headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie
    assert TOKEN not in cookie
    assert client.get("/topics").status == 200
    assert client.post("/logout", {}).status == 303
    assert client.get("/topics").status == 303


def test_a_forged_or_changed_cookie_is_no_session(guarded: str) -> None:
    client = Client(guarded)
    client.post("/login", {"token": TOKEN})
    (genuine,) = client.jar
    out = Client(guarded)
    out.get("/login")
    (guest,) = out.jar
    assert genuine.value
    assert guest.value
    forged = guest.value.replace(".out.", ".in.")
    for value in (forged, genuine.value[:-1], "a.b.c.d", ".".join([*genuine.value.split(".")[:3], ""]), "x"):
        assert Client(guarded).get("/status", Cookie=f"aggregator_session={value}").status == 303
    assert Client(guarded).get("/status", Cookie=f"aggregator_session={genuine.value}").status == 200


def test_programs_send_the_token_in_a_header(guarded: str) -> None:
    client = Client(guarded)
    assert client.get("/api/v1/status", Authorization=f"Bearer {TOKEN}").status == 200
    assert client.get("/digest.atom").headers["WWW-Authenticate"].startswith("Basic")
    basic = "Basic " + b64encode(f"me:{TOKEN}".encode()).decode()
    assert client.get("/digest.atom", Authorization=basic).status == 200
    assert token_in("Basic ???") == ""


def test_who_guesses_too_often_is_not_listened_to(guarded: str) -> None:
    client = Client(guarded)
    statuses = [client.post("/login", {"token": f"guess {n}"}).status for n in range(7)]
    assert statuses == [403] * 5 + [429] * 2
    assert client.post("/login", {"token": TOKEN}).status == 429
    assert client.get("/api/v1/status", Authorization=f"Bearer {TOKEN}").status == 429


def test_guesses_are_forgotten_after_a_minute_and_take_no_endless_room() -> None:
    attempts = Attempts()
    for _ in range(9):
        attempts.failed("a", 100.0)
    assert not attempts.allowed("a", 159.0)
    assert attempts.allowed("a", 161.0)
    assert attempts.allowed("b", 100.0)
    for n in range(10_000):
        attempts.failed(str(n), 200.0)
    assert len(attempts.made) <= 4096


def test_a_name_in_the_settings_is_known(guarded: str) -> None:
    assert Client(guarded).get("/login", Host="news.example.org").status == 200
    assert Client(guarded).get("/login", Host="evil.example").status == 421


# --- what a page holds -------------------------------------------------------------------------------------------------


def paths(app: App) -> list[str]:
    """Every page that can be read, with ids and names that exist."""
    story, topic = app.store.stories.stories(limit=1)[0], app.store.stories.topics(limit=1)[0]
    name = app.subscribed()[0].name
    day = f"{app.clock():%Y-%m-%d}"
    query = quote("script click bold heading Two A")
    ids = {"/stories/{id}": f"/stories/{story.id}", "/topics/{id}": f"/topics/{topic.id}", "/digest/{day}": f"/digest/{day}"}
    fixed = {"/search": f"/search?q={query}", "/feeds/one": f"/feeds/one?name={name}", "/": "/?limit=0"}
    found = [(ids | fixed).get(route.path, route.path) for route in PAGES if route.method == "GET" and route.path != "/items/{id}"]
    return [*found, f"/search?q={quote(TEXTS[2])}&since=1d", "/login", "/nowhere", "/stories/999999999"]


def assert_harmless(text: str) -> None:
    """Well-formed; no script but ours, no style, no handler, no image, no address but of this site or the web."""
    tree = html5lib.HTMLParser(strict=True, namespaceHTMLElements=False).parse(text)
    for element in tree.iter():
        if not isinstance(element.tag, str):
            continue
        tag = element.tag.rpartition("}")[2]
        assert tag not in ("img", "iframe", "object", "embed", "style", "base", "audio", "video", "image", "foreignObject")
        assert tag != "script" or (element.get("src") == "/static/keys.js" and not element.text)
        for name, value in element.attrib.items():
            assert not str(name).startswith("on"), name
            assert name != "style"
            if name in ("href", "action", "formaction", "src"):
                assert re.match(r"(https?://|/(?!/)|#|\?)", value), value


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    """A store that holds what no feed could bring, because the parser would have cleaned it."""
    folder: Path = tmp_path_factory.mktemp("hostile")
    (folder / "aggregator.toml").write_text(f'database = "{folder / "x.db"}"\nzone = "UTC"\n', encoding="utf-8")
    title = "<script>alert(1)</script>\\\"'><svg/onload=alert(1)>"
    (folder / "feeds.toml").write_text(f'[[feed]]\nname = "evil"\nurl = "https://evil.example/feed"\ntitle = "{title}"\n', encoding="utf-8")
    app = App.from_options(config=str(folder / "aggregator.toml"), now="2023-12-27T18:00:00Z", environ={})
    app.subscribed()
    members: list[Membership] = []
    stories: list[Story] = []
    for number, text in enumerate(TEXTS, 1):
        pieces = [
            item(
                f"g:{number}-{n}",
                f"{text} {n}",
                link="javascript:alert(1)" if n else f"https://x.example/{number}\"'><b>",
                summary=text,
                language=text,
            )
            for n in range(2)
        ]
        ids = poll(app.store, "evil", pieces).new
        members += [
            Membership(id_, number, 0.5, 0.2, "join", ((ids[0], 0.5),), ((text, 0.5),), copy_of=ids[0] if n else None)
            for n, id_ in enumerate(ids)
        ]
        stories.append(Story(number, text, NOW, NOW, text, (text,), text, 1, 2, 2, (1, 2, 3)))
    topic = Topic(1, TEXTS[2], (TEXTS[2], TEXTS[7]), NOW, NOW, len(stories))
    app.store.stories.apply(StoryChanges(tuple(members), tuple(stories), topics=(topic,)), NOW)
    app.store.corrections.record(Correction("split", datetime(2023, 12, 27, tzinfo=UTC), (1,), (), (2,), (1, 2)), StoryChanges())
    with app:
        yield app


def test_text_of_feeds_is_text_on_every_page(hostile: App) -> None:
    with in_thread(Serving(hostile, "127.0.0.1:0")) as address:
        client = Client(address)
        pages = [*paths(hostile), *(f"/stories/{number}" for number in range(1, len(TEXTS) + 1))]
        for path in pages:
            reply = client.get(path)
            assert reply.status in (200, 404), (path, reply.text[-3000:])
            assert_harmless(reply.text)
        assert "&lt;script&gt;alert(1)&lt;/script&gt;" in client.get("/topics/1").text
        for path in ("/digest.atom", "/topics/1/stories.atom", "/search.atom?q=heading", "/feeds.opml", "/metrics"):
            assert client.get(path).status == 200, path


def test_a_feed_of_this_network_is_not_fetched_for_a_page(hostile: App, feeds: dict[str, str]) -> None:
    """feeds.toml alone gives leave for private addresses."""
    before = hostile.feed_list.text()
    with in_thread(Serving(hostile, "127.0.0.1:0")) as address:
        client = Client(address)
        for url in (
            next(iter(feeds.values())),
            "http://169.254.169.254/latest",
            "file:///etc/passwd",
            "http://[::1]/",
            "gopher://x.example/",
        ):
            for path in ("/feeds/preview", "/feeds/add"):
                reply = client.post(path, {"url": url, "allow_private": "true"})
                assert reply.status == 400, (url, reply.text)
                assert "root:" not in reply.text
            assert client.put_json("/api/v1/feeds", {"url": url, "allow_private": True}).status == 400
    assert hostile.feed_list.text() == before


def test_every_answer_carries_the_headers_that_keep_a_page_to_itself(client: Client, app: App) -> None:
    for path in [*paths(app), "/static/keys.js", "/api/v1/status", "/digest.atom", "/healthz"]:
        headers: Any = client.get(path).headers
        policy = headers["Content-Security-Policy"]
        assert policy.startswith("default-src 'none'")
        assert "unsafe" not in policy
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "same-origin"
        assert headers["X-Frame-Options"] == "DENY"
        assert "Server" not in headers


def test_every_page_of_the_demo_is_well_formed_and_can_be_walked_by_headings(client: Client, app: App) -> None:
    for path in paths(app):
        text = client.get(path).text
        assert_harmless(text)
        levels = [int(level) for level in re.findall(r"<h([1-6])", text)]
        assert levels.count(1) == 1, path
        assert levels[0] == 1
        assert all(after <= before + 1 for before, after in pairwise(levels)), (path, levels)
        ids = re.findall(r'\bid="([^"]+)"', text)
        assert len(ids) == len(set(ids)), path
        assert set(re.findall(r'aria-labelledby="([^"]+)"', text)) <= set(ids)
        assert text.count("<main") == 1
        for label in re.findall(r'<label for="([^"]+)"', text):
            assert label in ids
