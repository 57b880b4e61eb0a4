"""The API is what its document says, whatever it is asked; other programs read the same things as pages."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import quote
from xml.etree import ElementTree

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aggregator.app import App
from aggregator.web.routes import INTERFACE, document
from tests.digest.test_forms import HOSTILE
from tests.web.client import Client, Reply

ATOM = "{http://www.w3.org/2005/Atom}"


@pytest.fixture
def known(app: App) -> dict[str, Any]:
    """Values that exist, by the name of the parameter."""
    story = next(story for story in app.store.stories.stories(limit=200) if story.item_count > 3)
    item = app.store.stories.story(story.id).items[0].id
    return {"/stories": story.id, "/topics": app.store.stories.topics()[0].id, "/items": item, "q": "blinken", "name": "kestrel-news"}


def ask(client: Client, method: str, path: str, values: dict[str, Any]) -> Reply:
    if method == "post":
        return client.put_json(path, values)
    query = "&".join(f"{name}={quote(str(value))}" for name, value in values.items())
    return client.get(f"{path}?{query}" if query else path)


def test_the_document_describes_every_route_of_the_table(client: Client) -> None:
    found = client.get("/api/v1/openapi.json").json
    assert found == document()
    assert {(path, method) for path, rows in found["paths"].items() for method in rows} == {
        (route.path, route.method.lower()) for route in INTERFACE
    }
    names = [row["operationId"] for rows in found["paths"].values() for row in rows.values()]
    assert len(names) == len(set(names))
    assert all(row["summary"] for rows in found["paths"].values() for row in rows.values())


def test_every_answer_has_the_keys_that_the_document_promises(client: Client, known: dict[str, Any]) -> None:
    kinds = {"array": list, "object": dict, "string": str, "integer": int, "boolean": bool}
    read = [(path, row) for path, rows in document()["paths"].items() for method, row in rows.items() if method == "get"]
    for path, row in read:
        filled = re.sub(r"(/\w+)/\{id\}", lambda found: f"{found[1]}/{known[found[1]]}", path)
        wanted = {each["name"]: known[each["name"]] for each in row["parameters"] if each["name"] in ("q", "name")}
        reply = ask(client, "get", filled, wanted)
        assert reply.status == 200, (path, reply.text)
        schema = row["responses"]["200"]["content"]["application/json"]["schema"]
        for name, about in schema["properties"].items():
            assert isinstance(reply.json[name], kinds[about["type"]]), (path, name)


ANY = st.one_of(
    st.sampled_from(
        [*HOSTILE, "", "0", "-1", "1", "1e9", "9" * 40, "٣", "true", "null", "2023-12-27", "24h", "9999-12-31", "0001-01-01", "1000000000d"]
    ),
    st.integers(),
    st.text(max_size=30),
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_no_request_makes_the_server_fail(client: Client, data: st.DataObject) -> None:
    route = data.draw(st.sampled_from(INTERFACE))
    values = {param.name: data.draw(ANY, param.name) for param in route.params if data.draw(st.booleans(), f"with {param.name}")}
    path = re.sub(r"\{id\}", lambda _: quote(str(values.get("id", 1)).encode("utf-8", "replace"), safe="") or "0", route.path)
    if route.method == "POST":
        listed: dict[str, Any] = {
            name: data.draw(st.sampled_from([value, [value], {"a": value}, None]), name) for name, value in values.items()
        }
        reply = client.put_json(path, listed | {"dry_run": True} | ({"url": "not a url"} if "url" in listed else {}))
    else:
        sent = {name: str(value).encode("utf-8", "replace").decode() for name, value in values.items()}
        reply = ask(client, "get", path, sent)
    assert reply.status < 500, (route.path, values, reply.text)
    assert reply.status == 200 or reply.json["error"]


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b"\xff", b'"x"', b"[" * 100_000, b'{"kind": {}}'])
def test_a_body_that_is_no_object_is_refused_in_a_sentence(client: Client, body: bytes) -> None:
    reply = client.send("POST", "/api/v1/marks", body, {"Content-Type": "application/json"})
    assert reply.status == 400
    assert reply.json["error"]


def test_a_program_can_put_right_and_take_back(client: Client, known: dict[str, Any]) -> None:
    story = known["/stories"]
    items = [item["id"] for item in client.get(f"/api/v1/stories/{story}").json["items"]]
    dry = client.put_json(f"/api/v1/stories/{story}/split", {"items": items[:1], "dry_run": True}).json
    assert (dry["dry_run"], dry["moved"][0]["item"]) == (True, items[0])
    assert client.get("/api/v1/corrections").json["corrections"] == []
    done = client.put_json(f"/api/v1/stories/{story}/split", {"items": items[:1]}).json
    new = done["moved"][0]["to"]
    assert [each["verb"] for each in client.get("/api/v1/corrections").json["corrections"]] == ["split"]
    moved = client.put_json("/api/v1/items/move", {"items": items[1:2], "to": new}).json
    assert moved["moved"] == [{"item": items[1], "from": story, "to": new}]
    assert client.put_json("/api/v1/corrections/undo", {"verb": "move", "items": items[1:2]}).json["undone"] is True
    assert client.put_json("/api/v1/corrections/undo", {"verb": "split", "stories": [story]}).json["undone"] is True
    assert [item["id"] for item in client.get(f"/api/v1/stories/{story}").json["items"]] == items
    assert client.put_json("/api/v1/corrections/undo", {"verb": "split", "stories": [story]}).status == 404


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ({"dryrun": True}, "the body has “dryrun”; it takes dry_run, items"),
        ({"dry_run": "ture"}, "dry_run takes true or false"),
        ({"dry_run": None}, "dry_run takes true or false"),
        ({"items": 1007}, "items takes a list of whole numbers"),
        ({"items": []}, "items is missing: numbers of items"),
    ],
    ids=str,
)
def test_a_slip_in_a_body_changes_nothing(client: Client, known: dict[str, Any], body: dict[str, Any], sentence: str) -> None:
    items = [item["id"] for item in client.get(f"/api/v1/stories/{known['/stories']}").json["items"]]
    reply = client.put_json(f"/api/v1/stories/{known['/stories']}/split", {"items": items[:1]} | body)
    assert (reply.status, reply.json["error"]) == (400, sentence)
    assert client.get("/api/v1/corrections").json["corrections"] == []


def test_a_time_that_cannot_be_meant_is_named_as_it_was_asked_for(client: Client) -> None:
    reply = client.get("/api/v1/stories?since=never")
    assert reply.status == 400
    assert reply.json["error"].startswith("since never")


def test_a_path_says_what_may_be_done_with_it(client: Client) -> None:
    for method, path, allowed in (("DELETE", "/api/v1/marks", {"GET", "HEAD", "POST"}), ("GET", "/api/v1/stories/merge", {"POST"})):
        reply = client.send(method, path, None, {})
        assert (reply.status, set(reply.headers["Allow"].split(", "))) == (405, allowed)


def test_a_program_can_mark(client: Client, known: dict[str, Any]) -> None:
    marks = client.put_json("/api/v1/marks", {"kind": "item", "id": known["/items"], "stance": "star"}).json["marks"]
    assert [(mark["kind"], mark["id"]) for mark in marks] == [("item", known["/items"])]
    assert client.put_json("/api/v1/marks", {"kind": "item", "id": known["/items"], "stance": "unstar"}).json["marks"] == []


def entries(reply: Reply) -> list[str]:
    assert reply.status == 200, reply.text
    assert reply.headers["Content-Type"].startswith("application/atom+xml")
    return [entry.findtext(f"{ATOM}title") or "" for entry in ElementTree.fromstring(reply.body).iter(f"{ATOM}entry")]


def test_other_readers_subscribe_to_the_digest_a_topic_and_a_search(client: Client, known: dict[str, Any], app: App) -> None:
    assert len(entries(client.get("/digest.atom"))) == 30
    topic, stories = app.store.stories.topic(known["/topics"])
    feed = client.get(f"/topics/{topic.id}/stories.atom")
    assert set(entries(feed)) == {story.title for story in stories}
    assert ElementTree.fromstring(feed.body).findtext(f"{ATOM}title") == topic.label
    found = entries(client.get("/search.atom?q=blinken"))
    assert found
    assert len(found) < 30
    ids = {ElementTree.fromstring(client.get(f"/search.atom?q={word}").body).findtext(f"{ATOM}id") for word in ("blinken", "trump")}
    assert len(ids) == 2
    assert client.get("/search.atom").status == 400


def test_many_read_while_one_writes(address: str, known: dict[str, Any]) -> None:
    story = known["/stories"]

    def read(number: int) -> set[int]:
        client = Client(address)
        return {client.get(path).status for path in ("/", f"/stories/{story}", "/api/v1/stories?limit=5", "/search?q=mexico")}

    def write(_: int) -> set[int]:
        client = Client(address)
        found = {client.put_json("/api/v1/marks", {"kind": "story", "id": story, "stance": "follow"}).status for _ in range(10)}
        client.put_json("/api/v1/marks", {"kind": "story", "id": story, "stance": "unmark"})
        return found

    with ThreadPoolExecutor(9) as pool:
        writing = pool.submit(write, 0)
        assert set().union(*pool.map(read, range(8))) == {200}
        assert writing.result() == {200}
