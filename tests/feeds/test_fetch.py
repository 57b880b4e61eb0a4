"""One poll over HTTP, against real loopback servers that behave well and badly."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import ssl
import zlib
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import brotli
import httpcore2
import pytest
import zstandard
from pytest_httpserver import HTTPServer

from aggregator import __version__
from aggregator.feeds import trouble
from aggregator.feeds.connect import Network
from aggregator.feeds.fetch import FetchLimits, HttpFetcher, make_secrets
from aggregator.feeds.politeness import HostGate, PolitenessLimits
from aggregator.model import DueFeed, Feed, FeedState, Fetched, Validators
from tests.feeds.server import Answer, Asked, Detour, Server, reply, routes, sends, serving

NOW = datetime(2023, 12, 27, 12, 0, tzinfo=UTC)
BODY = b'<?xml version="1.0"?><rss version="2.0"><channel><title>News</title></channel></rss>'
HASH = hashlib.sha256(BODY).hexdigest()
LOCAL = FetchLimits(connect_seconds=2, total_seconds=5, allow_private=True)
PUBLIC = "93.184.216.34"


def due_feed(url: str, *, state: dict[str, Any] | None = None, **feed: Any) -> DueFeed:
    known: dict[str, Any] = {"id": 1, "name": "news", "url": url, "fetch_url": url, "created_at": NOW} | (state or {})
    return DueFeed(Feed("news", url, **feed), FeedState(**known))


def make_fetcher(
    limits: FetchLimits = LOCAL, network: Network | None = None, gate: HostGate | None = None, environ: dict[str, str] | None = None
) -> HttpFetcher:
    return HttpFetcher(limits, network or Network(), gate or HostGate(), make_secrets(environ or {}, Path()))


def poll(
    answer: Answer,
    path: str = "/feed",
    *,
    limits: FetchLimits = LOCAL,
    times: int = 1,
    make: Callable[[Server], DueFeed] | None = None,
    environ: dict[str, str] | None = None,
    **feed: Any,
) -> tuple[list[Fetched], Server]:
    """Poll a server that gives `answer`, `times` in a row; what came and what the server saw."""

    async def run() -> tuple[list[Fetched], Server]:
        async with serving(answer) as server:
            fetcher = make_fetcher(limits, environ=environ)
            due = make(server) if make else due_feed(server.url + path, **feed)
            try:
                return [await fetcher.fetch(due, NOW) for _ in range(times)], server
            finally:
                await fetcher.aclose()

    return asyncio.run(run())


def poll_public(answer: Answer, addresses: dict[str, list[str]] | None = None, **feed: Any) -> tuple[Fetched, Server, Detour]:
    """The same with news.example, a name that leads to a public address (and a detour to loopback)."""
    host = "news.example"
    known = {host: [PUBLIC]} | (addresses or {})

    async def run() -> tuple[Fetched, Server, Detour]:
        detour = Detour()
        async with serving(answer) as server:
            fetcher = make_fetcher(replace(LOCAL, allow_private=False), Network(lookup=known.__getitem__, backend=detour))
            try:
                return await fetcher.fetch(due_feed(f"http://{host}:{server.port}/feed", **feed), NOW), server, detour
            finally:
                await fetcher.aclose()

    return asyncio.run(run())


# --- conditional requests ----------------------------------------------------------------------------------------------


def test_a_first_poll_is_unconditional_and_keeps_both_validators_byte_for_byte() -> None:
    etag, modified = 'W/"ä b,c"', "yesterday, about noon"
    (fetched,), server = poll(sends(reply(body=BODY, headers=[f"ETag: {etag}", f"Last-Modified: {modified}"])))
    assert (fetched.outcome, fetched.status, fetched.body, fetched.body_hash) == ("changed", 200, BODY, HASH)
    assert fetched.validators == Validators(etag, modified, NOW)
    assert "if-none-match" not in server.asked[0].headers
    assert "if-modified-since" not in server.asked[0].headers


def test_validators_go_back_byte_for_byte_and_a_304_keeps_those_it_does_not_replace() -> None:
    old = Validators('W/"ä b,c"', "yesterday, about noon", NOW - timedelta(days=3))
    state = {"validators": old, "body_hash": HASH}
    (fetched,), server = poll(sends(reply("304 Not Modified", headers=['ETag: "new"'])), state=state)
    assert server.asked[0].headers["if-none-match"] == old.etag
    assert server.asked[0].headers["if-modified-since"] == old.last_modified
    assert (fetched.outcome, fetched.body_hash) == ("same", HASH)
    assert fetched.validators == Validators('"new"', old.last_modified, old.stored_at)


@pytest.mark.parametrize(
    "state",
    [
        {"validators": Validators('"a"', None, NOW - timedelta(days=8, seconds=1)), "body_hash": HASH},
        {"validators": Validators('"a"', None, NOW), "url": "http://old.example/feed", "fetch_url": "http://old.example/feed"},
    ],
    ids=["validators older than eight days", "the person changed the url"],
)
def test_stale_validators_are_not_sent(state: dict[str, Any]) -> None:
    (fetched,), server = poll(sends(reply(body=BODY)), state=state)
    assert "if-none-match" not in server.asked[0].headers
    assert fetched.validators is None


def test_a_200_with_the_known_body_is_the_same_and_brings_new_validators() -> None:
    state = {"validators": Validators('"a"', None, NOW - timedelta(days=1)), "body_hash": HASH}
    (fetched,), _ = poll(sends(reply(body=BODY, headers=['ETag: "b"'])), state=state)
    assert (fetched.outcome, fetched.body, fetched.validators) == ("same", None, Validators('"b"', None, NOW))


def test_a_304_that_nobody_asked_for_is_a_failure() -> None:
    (fetched,), _ = poll(sends(reply("304 Not Modified")))
    assert fetched.outcome == "failed"


def test_the_request_names_the_program_and_carries_neither_cookies_nor_referer() -> None:
    first = reply("302 Found", headers=["Location: /other", "Set-Cookie: a=1"])
    answer = sends(first, reply(body=BODY, headers=["Set-Cookie: b=ä"]))
    _, server = poll(answer, limits=replace(LOCAL, contact="https://reader.example"), times=2)
    assert len(server.asked) == 3
    for asked in server.asked:
        assert asked.headers["user-agent"] == f"aggregator/{__version__} (+https://reader.example)"
        assert asked.headers["accept-encoding"] == "gzip, br, zstd"
        assert "application/atom+xml" in asked.headers["accept"]
        assert not {"cookie", "referer"} & set(asked.headers)


def test_the_settings_may_name_another_user_agent() -> None:
    _, server = poll(sends(reply(body=BODY)), limits=replace(LOCAL, user_agent="mine/2", contact="me@reader.example"))
    assert server.asked[0].headers["user-agent"] == "mine/2"


def test_a_connection_is_used_again_and_a_closed_one_is_opened_anew() -> None:
    ((first, second, third), server) = poll(sends(reply(body=BODY)), times=3)
    assert {first.status, second.status, third.status} == {200}
    assert server.connections == 1
    fetched, server = poll(sends(reply(body=BODY), close=True), times=2)
    assert [each.status for each in fetched] == [200, 200]


def test_a_kept_connection_that_the_server_closes_at_that_very_moment_is_no_failure() -> None:
    left = [reply(body=BODY), b"", reply(body=BODY)]

    async def answer(asked: Asked, writer: asyncio.StreamWriter) -> None:
        said = left.pop(0)
        if said:
            writer.write(said)
        else:
            writer.close()

    (first, second), server = poll(answer, times=2)
    assert (first.error, second.error) == (None, None)
    assert (server.connections, len(server.asked)) == (2, 3)
    (alone,), server = poll(sends(b"", close=True))
    assert (alone.outcome, len(server.asked)) == ("failed", 1), "a new connection is not tried twice"


@pytest.mark.parametrize("bad", [b"HTTP/1.1 200 OK\r\nX-Long: " + b"x" * (1 << 20), b"I am no web server\r\n\r\n", b"HTTP/1.1 200"])
def test_a_bad_answer_on_a_kept_connection_is_an_answer_and_not_asked_for_again(bad: bytes) -> None:
    left = [reply(body=BODY), bad]

    async def answer(asked: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(left.pop(0))
        if not left:
            await writer.drain()
            writer.close()

    (first, second), server = poll(answer, times=2)
    assert (first.outcome, second.outcome) == ("changed", "failed")
    assert (len(server.asked), server.connections) == (2, 1)


# --- compression and caps ----------------------------------------------------------------------------------------------

raw_deflate = zlib.compressobj(wbits=-15)
PACKED = {
    "gzip": gzip.compress(BODY),
    "x-gzip": gzip.compress(BODY[:20]) + gzip.compress(BODY[20:]) + b"\0\0\0",
    "deflate": zlib.compress(BODY),
    " Deflate": raw_deflate.compress(BODY) + raw_deflate.flush(),
    "br": brotli.compress(BODY),
    "zstd": zstandard.compress(BODY),
    "ZSTD": zstandard.compress(BODY[:20]) + zstandard.compress(BODY[20:]),
    "gzip, br": brotli.compress(gzip.compress(BODY)),
    "identity": BODY,
    "gzip ": BODY,
}


@pytest.mark.parametrize("coding", PACKED)
def test_every_coding_is_undone_though_it_comes_byte_by_byte(coding: str) -> None:
    packed = PACKED[coding]
    chunks = b"".join(b"1\r\n%c\r\n" % byte for byte in packed) + b"0\r\n\r\n"
    head = f"HTTP/1.1 200 OK\r\nContent-Encoding: {coding}\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
    (fetched,), _ = poll(sends(head + chunks))
    assert (fetched.error, fetched.body) == (None, BODY)
    assert "content-encoding" not in fetched.headers


@pytest.mark.parametrize(
    ("coding", "pack"),
    [
        ("gzip", gzip.compress),
        ("deflate", zlib.compress),
        ("br", lambda data: brotli.compress(data, quality=4)),
        ("zstd", zstandard.compress),
    ],
)
def test_a_bomb_is_dropped_at_the_cap(coding: str, pack: Callable[[bytes], bytes]) -> None:
    bomb = pack(bytes(24 << 20))
    limits = replace(LOCAL, body_bytes=1_000_000)
    (fetched,), _ = poll(sends(reply(body=bomb, headers=[f"Content-Encoding: {coding}"])), limits=limits)
    assert (fetched.outcome, fetched.body) == ("failed", None)
    assert "unpacks to more than the 1 MB" in str(fetched.error)


def test_an_endless_body_is_dropped_at_the_cap() -> None:
    block = b"10000\r\n" + b"x" * 65_536 + b"\r\n"

    async def endless(asked: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while True:
            writer.write(block)
            await writer.drain()

    (fetched,), _ = poll(endless, limits=replace(LOCAL, wire_bytes=1 << 20))
    assert (fetched.outcome, fetched.body) == ("failed", None)
    assert "larger than" in str(fetched.error)


def test_a_body_announced_as_too_large_is_not_read() -> None:
    (fetched,), _ = poll(sends(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n"))
    assert "larger than" in str(fetched.error)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (b"HTTP/1.1 200 OK\r\nX-Long: " + b"x" * (1 << 20) + b"\r\n\r\n", "more header lines"),
        (b"I am no web server\r\n\r\n", "no proper HTTP answer"),
        (b"", "no proper HTTP answer"),
        (reply(body=b"x", headers=["Content-Encoding: rot13"]), "“rot13”"),
        (reply(body=b"\x1f\x8b\x08\x00damaged damaged", headers=["Content-Encoding: gzip"]), "damaged inside its compression"),
        (reply("204 No Content"), "204 No Content"),
    ],
    ids=["a header line of a mebibyte", "no HTTP", "nothing", "an unknown coding", "a damaged coding", "no content"],
)
def test_a_bad_answer_is_a_failure_with_a_sentence(answer: bytes, words: str) -> None:
    (fetched,), _ = poll(sends(answer, close=True))
    assert (fetched.outcome, fetched.validators) == ("failed", None)
    assert words in str(fetched.error)


@pytest.mark.parametrize(
    "answer",
    [
        reply(body=BODY, headers=['ETag: "a"']).replace(b"Content-Length: 8", b"Content-Length: 9"),
        b'HTTP/1.1 200 OK\r\nETag: "a"\r\nTransfer-Encoding: chunked\r\n\r\n54\r\n' + BODY + b"\r\nzz\r\nmore\r\n0\r\n\r\n",
        b'HTTP/1.1 200 OK\r\nETag: "a"\r\nContent-Encoding: gzip\r\n\r\n' + gzip.compress(BODY)[:-4],
    ],
    ids=["shorter than announced", "a malformed chunk", "compression without its end"],
)
def test_of_a_cut_body_is_kept_what_came_but_no_validators(answer: bytes) -> None:
    (fetched,), _ = poll(sends(answer, close=True))
    assert (fetched.outcome, fetched.status, fetched.body, fetched.validators) == ("failed", 200, BODY, None)
    assert fetched.body_hash is None
    assert str(fetched.error).endswith("tried again later.")


# --- deadlines ---------------------------------------------------------------------------------------------------------


def test_a_server_that_never_answers_or_drips_is_left_at_the_deadline() -> None:
    async def hang(asked: Asked, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(60)

    async def drip(asked: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        while True:
            writer.write(b"x")
            await asyncio.sleep(0.02)

    limits = replace(LOCAL, total_seconds=0.3)
    (hung,), _ = poll(hang, limits=limits)
    assert "did not answer within 0.3 s" in str(hung.error)
    (dripped,), _ = poll(drip, limits=limits)
    assert "did not finish its answer within 0.3 s" in str(dripped.error)
    assert set(dripped.body or b"") == {ord("x")}


def test_redirects_share_one_deadline() -> None:
    async def slow(asked: Asked, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0.2)
        writer.write(reply("302 Found", headers=[f"Location: {asked.target}x"]))

    (fetched,), server = poll(slow, limits=replace(LOCAL, total_seconds=0.5))
    assert "within 0.5 s" in str(fetched.error)
    assert len(server.asked) <= 3


def test_redirects_from_host_to_host_share_it_too() -> None:
    async def slow(asked: Asked, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0.2)
        host, _, port = asked.headers["host"].partition(":")
        other = "b.example" if host == "a.example" else "a.example"
        writer.write(reply("302 Found", headers=[f"Location: http://{other}:{port}{asked.target}x"]))

    async def run() -> tuple[Fetched, int]:
        async with serving(slow) as server:
            gate = HostGate(PolitenessLimits(public_delay_seconds=0))
            network = Network(lookup=lambda host: [PUBLIC], backend=Detour())
            fetcher = make_fetcher(replace(LOCAL, total_seconds=0.5), network, gate)
            fetched = await fetcher.fetch(due_feed(f"http://a.example:{server.port}/"), NOW)
            await fetcher.aclose()
            return fetched, len(server.asked)

    fetched, asked = asyncio.run(run())
    assert "within 0.5 s" in str(fetched.error)
    assert asked <= 5


# --- redirects ---------------------------------------------------------------------------------------------------------


def hop(status: str, to: str) -> bytes:
    return reply(status, headers=[f"Location: {to}"])


@pytest.mark.parametrize(
    ("chain", "permanent"),
    [
        (["301 Moved Permanently"], True),
        (["308 Permanent Redirect", "301 Moved Permanently"], True),
        (["302 Found"], False),
        (["303 See Other"], False),
        (["307 Temporary Redirect"], False),
        (["301 Moved Permanently", "302 Found"], False),
        (["302 Found", "301 Moved Permanently"], False),
        ([], False),
    ],
)
def test_only_an_unbroken_chain_of_permanent_redirects_names_a_new_address(chain: list[str], permanent: bool) -> None:
    table = {f"/{i}": hop(status, f"/{i + 1}") for i, status in enumerate(chain)} | {f"/{len(chain)}": reply(body=BODY)}
    (fetched,), server = poll(routes(table), "/0")
    assert (fetched.outcome, fetched.final_url) == ("changed", f"{server.url}/{len(chain)}")
    assert fetched.permanent_url == (fetched.final_url if permanent else None)


def test_five_redirects_are_followed_and_a_sixth_is_not() -> None:
    table = {f"/{i}": hop("302 Found", f"/{i + 1}") for i in range(9)} | {"/9": reply(body=BODY)}
    (fetched,), server = poll(routes(table), "/4")
    assert (fetched.outcome, len(server.asked)) == ("changed", 6)
    (fetched,), server = poll(routes(table), "/3")
    assert (fetched.outcome, len(server.asked)) == ("failed", 6)
    assert "more than 5 times" in str(fetched.error)


@pytest.mark.parametrize(
    ("to", "words"),
    [
        ("/feed", "in a circle"),
        ("file:///etc/passwd", "a file: address"),
        ("ftp://127.0.0.1/feed", "a ftp: address"),
        ("http://169.254.169.254/latest/meta-data/", "never fetched"),
        ("http://[::ffff:169.254.169.254]/", "never fetched"),
        ("http://0.0.0.0/", "never fetched"),
        ("http://[fe80::1]/", "never fetched"),
        ("http://exa mple:port/", "no address"),
    ],
)
def test_a_redirect_to_where_nothing_is_fetched_is_refused_with_a_sentence(to: str, words: str) -> None:
    (fetched,), server = poll(sends(hop("302 Found", to)))
    assert (fetched.outcome, len(server.asked)) == ("failed", 1)
    assert words in str(fetched.error)


def test_a_redirect_without_a_location_is_a_failure() -> None:
    (fetched,), _ = poll(sends(reply("301 Moved Permanently")))
    assert "without saying where" in str(fetched.error)


# --- addresses ---------------------------------------------------------------------------------------------------------


def test_private_addresses_need_leave_from_the_feed_or_the_settings() -> None:
    strict = replace(LOCAL, allow_private=False)
    (refused,), server = poll(sends(reply(body=BODY)), limits=strict)
    assert "set allow_private = true" in str(refused.error)
    assert server.connections == 0
    (allowed,), _ = poll(sends(reply(body=BODY)), limits=strict, allow_private=True)
    assert allowed.outcome == "changed"
    (forbidden,), server = poll(sends(reply(body=BODY)), allow_private=False)
    assert (forbidden.outcome, server.connections) == ("failed", 0)


def test_the_connection_goes_to_the_address_that_was_judged_and_the_host_header_keeps_the_name() -> None:
    fetched, server, detour = poll_public(sends(reply(body=BODY)))
    assert fetched.outcome == "changed"
    assert detour.addresses == [PUBLIC]
    assert server.asked[0].headers["host"] == f"news.example:{server.port}"


def test_a_name_with_a_public_and_a_private_address_is_reached_by_the_public_one_alone() -> None:
    fetched, _, detour = poll_public(sends(reply(body=BODY)), addresses={"news.example": ["10.0.0.7", PUBLIC]})
    assert (fetched.outcome, detour.addresses) == ("changed", [PUBLIC])


def test_a_redirect_from_a_public_to_a_private_address_is_refused_even_when_the_feed_may_be_private() -> None:
    answer = sends(hop("302 Found", "http://router.example/"))
    fetched, server, detour = poll_public(answer, {"router.example": ["192.168.1.1"]}, allow_private=True)
    assert (fetched.outcome, len(server.asked), detour.addresses) == ("failed", 1, [PUBLIC])
    assert "redirects to router.example" in str(fetched.error)


def test_a_name_without_an_address_is_a_failure_that_says_so() -> None:
    def lookup(host: str) -> list[str]:
        raise OSError(-2, "Name or service not known")

    async def run() -> Fetched:
        return await make_fetcher(network=Network(lookup=lookup)).fetch(due_feed("http://nowhere.example/feed"), NOW)

    assert "nowhere.example has no address (Name or service not known)" in str(asyncio.run(run()).error)


def test_a_closed_port_is_named() -> None:
    async def run() -> Fetched:
        async with serving(sends(b"")) as server:
            url = server.url
        return await make_fetcher().fetch(due_feed(url + "/feed"), NOW)

    assert "connection refused" in str(asyncio.run(run()).error)


def test_a_port_that_speaks_no_tls_is_named() -> None:
    async def plain(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    async def run() -> Fetched:
        async with await asyncio.start_server(plain, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            return await make_fetcher().fetch(due_feed(f"https://127.0.0.1:{port}/"), NOW)

    assert "no common way to encrypt" in str(asyncio.run(run()).error)


def test_a_bad_certificate_is_named() -> None:
    error = httpcore2.ConnectError("handshake")
    error.__cause__ = ssl.SSLCertVerificationError(1, "certificate verify failed")
    error.__cause__.verify_message = "certificate has expired"
    scene = trouble.Scene("news.example", "news.example", None, 0, 0, 5, 20)
    assert "certificate of news.example is not valid (certificate has expired)" in str(trouble.explain(error, scene))


# --- statuses and waiting ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "headers", "outcome", "wait_seconds"),
    [
        ("410 Gone", ["Retry-After: 60"], "gone", None),
        ("429 Too Many Requests", ["Retry-After: 3600"], "throttled", 3600),
        ("429 Too Many Requests", [], "throttled", None),
        ("503 Service Unavailable", ["Retry-After: Wed, 27 Dec 2023 12:02:00 GMT"], "throttled", 120),
        ("503 Service Unavailable", ["Retry-After: Wed, 27 Dec 2023 11:00:00 GMT"], "throttled", None),
        ("503 Service Unavailable", ["Retry-After: 99999999999999999"], "throttled", 172_800),
        ("503 Service Unavailable", ["Retry-After: Sat, 27 Dec 2098 12:00:00 GMT"], "throttled", 172_800),
        ("503 Service Unavailable", ["Retry-After: soon"], "throttled", None),
        ("403 Forbidden", ["Retry-After: 10"], "throttled", 10),
        ("403 Forbidden", [], "failed", None),
        ("404 Not Found", [], "failed", None),
        ("500 Internal Server Error", [], "failed", None),
        ("799 Odd", [], "failed", None),
    ],
)
def test_a_status_has_an_outcome_and_a_sentence(status: str, headers: list[str], outcome: str, wait_seconds: int | None) -> None:
    (fetched,), _ = poll(sends(reply(status, body=b"<html>", headers=headers)))
    assert (fetched.outcome, fetched.status, fetched.body) == (outcome, int(status[:3]), None)
    assert fetched.retry_after_at == (None if wait_seconds is None else NOW + timedelta(seconds=wait_seconds))
    assert str(fetched.error).startswith(f"The server answered {status[:3]}")


def test_a_404_says_how_to_find_the_feed_again() -> None:
    (fetched,), server = poll(sends(reply("404 Not Found")))
    assert f"try `aggregator feeds discover {server.url}/`" in str(fetched.error)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        (["Cache-Control: public, max-age=7200"], 7200),
        (["Cache-Control: max-age=7200", "Age: 200"], 7000),
        (["Cache-Control: max-age=100", "Age: 200"], 0),
        (["Cache-Control: max-age=9999999"], 86_400),
        (["Cache-Control: max-age=7200", "Expires: Wed, 27 Dec 2023 13:00:00 GMT"], 7200),
        (["Cache-Control: no-cache, max-age=7200"], None),
        (["Cache-Control: max-age=7200", "Cache-Control: no-store"], None),
        (["Cache-Control: max-age=lots"], None),
        (["Expires: Wed, 27 Dec 2023 13:00:00 GMT", "Date: Wed, 27 Dec 2023 12:30:00 GMT"], 1800),
        (["Expires: Wed, 27 Dec 2023 13:00:00 GMT"], 3600),
        (["Expires: 0"], None),
        ([], None),
    ],
)
def test_freshness_comes_from_cache_control_then_expires(headers: list[str], seconds: int | None) -> None:
    (fetched,), _ = poll(sends(reply(body=BODY, headers=headers)))
    assert fetched.max_age_seconds == seconds


def test_a_public_host_that_asks_for_peace_is_not_asked_for_its_other_feeds_and_a_private_one_is() -> None:
    heard: list[tuple[str, datetime]] = []
    busy = sends(reply("429 Too Many Requests", headers=["Retry-After: 600"]))

    async def run(host: str, address: str) -> tuple[list[str], int]:
        gate = HostGate(PolitenessLimits(public_delay_seconds=0), on_back_off=lambda name, until: heard.append((name, until)))
        async with serving(busy) as server:
            fetcher = make_fetcher(network=Network(lookup=lambda name: [address], backend=Detour()), gate=gate)
            feeds = [due_feed(f"http://{host}:{server.port}/{n}") for n in range(3)]
            outcomes = [fetched.outcome for fetched in await asyncio.gather(*(fetcher.fetch(feed, NOW) for feed in feeds))]
            await fetcher.aclose()
            return outcomes, len(server.asked)

    assert asyncio.run(run("news.example", PUBLIC)) == (["throttled"] * 3, 1)
    assert heard == [("news.example", NOW + timedelta(seconds=600))]
    assert asyncio.run(run("home.example", "10.0.0.2")) == (["throttled"] * 3, 3)
    assert len(heard) == 1


def test_retry_after_counts_from_when_the_server_said_it_not_from_when_the_feed_joined_the_line() -> None:
    moments = iter(NOW + timedelta(seconds=seconds) for seconds in (150, 151))

    async def run() -> Fetched:
        async with serving(sends(reply("503 Service Unavailable", headers=["Retry-After: 60"]))) as server:
            fetcher = HttpFetcher(LOCAL, Network(), HostGate(), make_secrets({}, Path()), lambda: next(moments))
            try:
                return await fetcher.fetch(due_feed(server.url), NOW)
            finally:
                await fetcher.aclose()

    assert asyncio.run(run()).retry_after_at == NOW + timedelta(seconds=211)


# --- secrets, headers, proxy -------------------------------------------------------------------------------------------


def test_credentials_in_the_url_become_basic_auth_and_are_never_shown() -> None:
    answer = sends(reply("404 Not Found"))
    (fetched,), server = poll(answer, make=lambda server: due_feed(f"http://me:s%40fe@127.0.0.1:{server.port}/feed"))
    assert server.asked[0].headers["authorization"] == "Basic bWU6c0BmZQ=="
    assert "s@fe" not in repr(fetched)
    assert "s%40fe" not in repr(fetched)


@pytest.mark.parametrize("headers", [{"Content-Length": "5"}, {"Transfer-Encoding": "gzip"}, {"X-Key": "a\r\nb"}], ids=repr)
def test_headers_that_cannot_be_sent_are_a_failure_whose_sentence_says_so(headers: dict[str, str]) -> None:
    (fetched,), server = poll(sends(reply(body=BODY)), headers=headers)
    assert fetched.outcome == "failed"
    assert "cannot be sent" in (fetched.error or "")
    assert not server.asked


def test_auth_headers_and_user_agent_of_the_feed_are_sent() -> None:
    environ = {"TOKEN": "Bearer abc"}
    _, server = poll(sends(reply(body=BODY)), auth="env:TOKEN", headers={"X-Key": "ключ"}, user_agent="mine/1", environ=environ)
    assert server.asked[0].headers["authorization"] == "Bearer abc"
    assert server.asked[0].headers["x-key"].encode("latin-1").decode() == "ключ"
    assert server.asked[0].headers["user-agent"] == "mine/1"


def test_auth_may_stand_in_a_file_beside_the_feed_list(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("me:safe\n")
    read = make_secrets({}, tmp_path)
    assert read("file:secret") == "me:safe"


@pytest.mark.parametrize(
    ("auth", "words"),
    [
        ("env:NOT_SET", "NOT_SET"),
        ("file:/nowhere/secret", "/nowhere/secret"),
        ("hunter2", "env:NAME"),
        ("env:ODD", "neither user:password"),
    ],
)
def test_a_missing_secret_is_a_failure_before_any_request(auth: str, words: str) -> None:
    (fetched,), server = poll(sends(reply(body=BODY)), auth=auth, environ={"ODD": "hunter2"})
    assert (fetched.outcome, server.asked) == ("failed", [])
    assert words in str(fetched.error)
    assert "hunter2" not in str(fetched.error)


def test_secrets_do_not_follow_a_redirect_to_another_origin() -> None:
    async def run() -> tuple[Server, Server]:
        async with serving(sends(reply(body=BODY))) as other, serving(sends(hop("301 Moved Permanently", other.url + "/feed"))) as first:
            fetcher = make_fetcher(environ={"S": "me:safe"})
            fetched = await fetcher.fetch(due_feed(first.url + "/feed", auth="env:S", headers={"X-Key": "k"}), NOW)
            assert fetched.permanent_url == other.url + "/feed"
            moved = due_feed(first.url + "/feed", auth="env:S", state={"fetch_url": fetched.permanent_url})
            await fetcher.fetch(moved, NOW)
            await fetcher.aclose()
            return first, other

    first, other = asyncio.run(run())
    assert [("authorization" in asked.headers, "x-key" in asked.headers) for asked in first.asked] == [(True, True)]
    assert [("authorization" in asked.headers, "x-key" in asked.headers) for asked in other.asked] == [(False, False)] * 2


def test_a_header_that_would_split_the_request_is_not_sent() -> None:
    (fetched,), server = poll(sends(reply(body=BODY)), headers={"X-Key": "a\r\nX-Other: b"})
    assert "“x-key”" in str(fetched.error)
    assert server.asked == []


def test_a_proxy_is_asked_instead_and_no_name_is_looked_up(httpserver: HTTPServer) -> None:
    httpserver.expect_request("/feed").respond_with_data(BODY)

    def lookup(host: str) -> list[str]:
        raise AssertionError(host)

    async def run() -> tuple[Fetched, Fetched]:
        fetcher = make_fetcher(replace(LOCAL, allow_private=False), Network(lookup=lookup))
        proxy = f"http://127.0.0.1:{httpserver.port}"
        through = await fetcher.fetch(due_feed("http://news.example/feed", proxy=proxy), NOW)
        refused = await fetcher.fetch(due_feed("http://10.0.0.1/feed", proxy=proxy), NOW)
        await fetcher.aclose()
        return through, refused

    through, refused = asyncio.run(run())
    assert (through.outcome, through.body) == ("changed", BODY)
    assert "private address" in str(refused.error)
    assert len(httpserver.log) == 1


@pytest.mark.parametrize(
    "url", ["ftp://news.example/feed", "file:///etc/passwd", "http://", "http://[::1/feed", "news", "http://me:safe@exa mple:x/"]
)
def test_an_address_that_cannot_be_fetched_is_a_failure_with_a_sentence(url: str) -> None:
    fetched = asyncio.run(make_fetcher().fetch(due_feed(url), NOW))
    assert (fetched.outcome, fetched.status) == ("failed", None)
    assert str(fetched.error).endswith(".")
    assert "safe" not in repr(fetched)
