"""What a polite fetcher does, point by point, by the whole program against a real loopback server that notes what it was asked.

1  once an hour with validators, once a day without; a restart polls nothing again      here
2  one unconditional request while the validators live; byte for byte                   here
3  validators replaced by every 200 and 304; only with a body that parsed               here
4  max-age (less Age, at most a day), ttl, sy, skipHours; the longest wait counts       here
5  Retry-After in both forms, not even by force; back-off without it                    here; for a public host test_fetch.py
6  301 and 308 stored once they gave a feed; 302, 303, 307 never                        here; hops and loops test_fetch.py
7  410 stops for good; 404, 401, 403 and broken documents are asked for less and less   here
8  one request at a time for a public host, apart; sixteen for a private one            here; jitter test_politeness.py
9  one User-Agent, compression asked for, no cookies, no Referer                        here
10 deadlines, caps, addresses                                                           test_fetch.py, test_hostile.py
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest

from aggregator import __version__
from aggregator.app import App
from aggregator.cli.feeds import status_json
from aggregator.clock import ProgramClock
from aggregator.feeds.connect import Network
from aggregator.feeds.politeness import HostGate, PolitenessLimits
from aggregator.model import FeedOutcome
from aggregator.times import iso
from tests.feeds.server import Asked, Detour, Server, reply, serving, serving_beside
from tests.feeds.test_fetch import LOCAL, PUBLIC, due_feed, make_fetcher

START = datetime(2023, 12, 27, 12, 0, tzinfo=UTC)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
ETAG, MODIFIED = 'W/"ä b,c"', "yesterday, about noon"
VALID = [f"ETag: {ETAG}", f"Last-Modified: {MODIFIED}"]
SINCE = {"if-none-match": ETAG, "if-modified-since": MODIFIED}


def rss(*items: str, channel: str = "") -> bytes:
    """A feed that is polled hourly: it has something new every hour."""
    times = (format_datetime(START - number * HOUR) for number in range(30))
    old = "".join(f"<item><title>t</title><guid>{time}</guid><pubDate>{time}</pubDate></item>" for time in times)
    new = "".join(f"<item><title>{item}</title><guid>{item}</guid></item>" for item in items)
    return f'<?xml version="1.0"?><rss version="2.0"><channel><title>News</title>{channel}{new}{old}</channel></rss>'.encode()


class World:
    """A server that says what it is told, and the program with a clock that is set by hand."""

    def __init__(self, folder: Path, server: Server) -> None:
        self.server = server
        self.says: Callable[[Asked], bytes] = lambda asked: reply(body=rss(), headers=VALID)
        self.feed_list = folder / "feeds.toml"
        self._config = folder / "aggregator.toml"
        self._config.write_text(f'database = "{folder / "test.db"}"\n[fetch]\nallow_private = true\n')
        self.subscribe("/feed")
        self.restart()

    def subscribe(self, path: str) -> None:
        self.feed_list.write_text(f'[[feed]]\nname = "news"\nurl = "{self.server.url}{path}"\n')

    def restart(self) -> None:
        self.app = App.from_options(config=str(self._config), now=START.isoformat(), environ={})

    def poll(self, after: timedelta = timedelta(0), *, force: bool = False) -> FeedOutcome | None:
        """What comes of a poll so long after the start; None when the feed was not due."""
        self.app.clock = ProgramClock(START + after)
        return next(iter(self.app.fetch(force=force, organise=False)), None)

    def poll_after_restart(self, after: timedelta, *, force: bool = False) -> FeedOutcome | None:
        self.app.close()
        self.restart()
        return self.poll(after, force=force)

    def status(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(json.dumps(status_json(self.app.feed_status()[0])))
        return found

    def next_poll(self) -> timedelta:
        return datetime.fromisoformat(self.status()["next_poll"].replace("Z", "+00:00")) - START

    @property
    def asked(self) -> list[Asked]:
        return self.server.asked

    def validators(self) -> dict[str, str]:
        """Those of the last request."""
        return {name: value for name, value in self.asked[-1].headers.items() if name in SINCE}


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    worlds: list[World] = []

    async def answer(asked: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(worlds[0].says(asked))

    with serving_beside(answer) as server:
        worlds.append(World(tmp_path, server))
        yield worlds[0]
        worlds[0].app.close()


def at(hours: float) -> str:
    """So many hours after the start, as HTTP writes it."""
    return format_datetime(START + hours * HOUR, usegmt=True)


def about(hours: float) -> Any:
    """So many hours and at most the jitter (a minute to an hour, a quarter of an hour at most) and the seconds that a poll takes."""
    return pytest.approx(hours + min(hours / 60, 0.25) / 2, abs=min(hours / 60, 0.25) / 2 + 0.01)


def hours(span: timedelta) -> float:
    return span / HOUR


# --- 1, 2, 3: when, and with what -------------------------------------------------------------------------------------------


def test_1_an_hour_lies_between_two_polls_and_a_restart_forgets_no_attempt(world: World) -> None:
    assert world.poll() is not None
    for after in (timedelta(seconds=1), 30 * MINUTE, 59 * MINUTE):
        assert world.poll_after_restart(after) is None
    assert world.poll_after_restart(62 * MINUTE) is not None
    assert len(world.asked) == 2
    assert world.status()["reason"] == "every 1 h"


def test_1_without_validators_a_day_lies_between(world: World) -> None:
    world.says = lambda asked: reply(body=rss())
    world.poll()
    assert world.poll(23 * HOUR) is None
    assert world.poll(24 * HOUR + 16 * MINUTE) is not None
    assert "nothing to ask for changes with" in world.status()["reason"]


def test_1_a_poll_that_a_crash_cut_short_is_an_attempt_all_the_same(world: World) -> None:
    world.app.subscribed()
    world.app.store.feeds.claim({"news": None}, START)
    assert world.poll_after_restart(59 * MINUTE) is None
    assert world.poll_after_restart(61 * MINUTE) is not None


def test_2_only_the_first_request_is_unconditional_until_the_validators_are_eight_days_old(world: World) -> None:
    world.poll()
    assert world.validators() == {}
    world.says = lambda asked: reply("304 Not Modified")
    for day in range(1, 8):
        world.poll(day * DAY)
        assert world.validators() == SINCE, "byte for byte, both"
    world.says = lambda asked: reply(body=rss(), headers=VALID)
    world.poll(8 * DAY + HOUR)
    assert world.validators() == {}
    world.poll(9 * DAY + 2 * HOUR)
    assert world.validators() == SINCE


def test_3_every_200_and_every_304_may_replace_the_validators_though_the_body_is_the_same(world: World) -> None:
    world.poll()
    world.says = lambda asked: reply(body=rss(), headers=['ETag: "2"'])
    world.poll(DAY)
    world.says = lambda asked: reply("304 Not Modified", headers=['ETag: "3"'])
    world.poll(2 * DAY)
    assert world.validators() == {"if-none-match": '"2"'}
    world.poll(3 * DAY)
    assert world.validators() == {"if-none-match": '"3"'}


def test_3_validators_of_a_body_that_is_no_feed_are_not_kept(world: World) -> None:
    world.says = lambda asked: reply(body=b"<!doctype html><p>Sorry", headers=VALID)
    first = world.poll()
    assert first is not None
    assert "HTML page" in str(first.error)
    world.poll(DAY)
    assert world.validators() == {}


def test_3_validators_belong_to_the_address(world: World) -> None:
    world.poll()
    world.subscribe("/other")
    assert world.poll(MINUTE) is not None, "a new address is polled at once"
    assert (world.asked[-1].target, world.validators()) == ("/other", {})


# --- 4: what server and feed ask for ------------------------------------------------------------------------------------------


SY = '<sy:updatePeriod xmlns:sy="http://purl.org/rss/1.0/modules/syndication/">{}</sy:updatePeriod>'


@pytest.mark.parametrize(
    ("headers", "channel", "wait", "reason"),
    [
        (["Cache-Control: max-age=7200"], "", 2, "the server calls its answer fresh for 2 h (Cache-Control)"),
        (["Cache-Control: max-age=10800", "Age: 3600"], "", 2, "the server calls its answer fresh for 2 h (Cache-Control)"),
        (
            ["Cache-Control: max-age=7200", f"Expires: {format_datetime(START + 9 * HOUR, usegmt=True)}"],
            "",
            2,
            "the server calls its answer fresh",
        ),
        (
            [f"Expires: {format_datetime(START + 9 * HOUR, usegmt=True)}", f"Date: {format_datetime(START, usegmt=True)}"],
            "",
            9,
            "the server",
        ),
        (["Cache-Control: max-age=31536000"], "", 24, "the server calls its answer fresh for 24 h (Cache-Control)"),
        (["Cache-Control: max-age=60"], "", 1, "every 1 h"),
        ([], "<ttl>180</ttl>", 3, "the feed asks to be read every 3 h (ttl)"),
        (["Cache-Control: max-age=7200"], "<ttl>180</ttl>", 3, "the feed asks to be read every 3 h (ttl)"),
        ([], SY.format("daily"), 24, "the feed says it is updated every 24 h (sy:updatePeriod)"),
        ([], "<skipHours><hour>13</hour><hour>14</hour></skipHours>", 3, "the feed rules out the hours before (skipHours, skipDays)"),
    ],
)
def test_4_the_longest_wait_that_somebody_asks_for_counts_and_the_status_says_whose_it_is(
    world: World, headers: list[str], channel: str, wait: float, reason: str
) -> None:
    world.says = lambda asked: reply(body=rss(channel=channel), headers=VALID + headers)
    world.poll()
    assert hours(world.next_poll()) == about(wait)
    assert world.status()["reason"].startswith(reason)


def test_4_a_quiet_feed_is_asked_less_often_by_its_own_rhythm_and_never_less_than_twice_a_day(world: World) -> None:
    def quiet(items: int, days: int) -> bytes:
        dates = [format_datetime(START - timedelta(days=days * number / items)) for number in range(1, items + 1)]
        inner = "".join(f"<item><title>t</title><guid>{date}</guid><pubDate>{date}</pubDate></item>" for date in dates)
        return f'<rss version="2.0"><channel><title>T</title>{inner}</channel></rss>'.encode()

    waits = []
    for number, body in enumerate((quiet(60, 5), quiet(8, 4), quiet(2, 20))):
        world.subscribe(f"/rhythm-{number}")
        world.says = lambda asked, body=body: reply(body=body, headers=VALID)  # type: ignore[misc]
        world.poll()
        waits.append(hours(world.next_poll()))
    assert waits == [about(1), about(3), about(12)]
    assert world.status()["reason"] == "every 12 h: it seldom has something new"


# --- 5: asked to wait ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", ["429 Too Many Requests", "503 Service Unavailable"])
@pytest.mark.parametrize("form", ["seconds", "date"])
def test_5_retry_after_holds_in_both_forms_even_against_force_and_over_a_restart(world: World, status: str, form: str) -> None:
    until = "18000" if form == "seconds" else at(5)
    world.says = lambda asked: reply(status, headers=[f"Retry-After: {until}"])
    world.poll()
    assert hours(world.next_poll()) == pytest.approx(5, abs=0.01)
    assert world.status()["reason"] == "the server asked to wait until then (Retry-After)"
    assert world.poll_after_restart(5 * HOUR - MINUTE, force=True) is None
    assert world.poll_after_restart(5 * HOUR + MINUTE) is not None
    assert len(world.asked) == 2


def test_5_nobody_is_obeyed_for_longer_than_two_days(world: World) -> None:
    world.says = lambda asked: reply("503 Service Unavailable", headers=["Retry-After: 99999999"])
    world.poll()
    assert hours(world.next_poll()) == pytest.approx(48, abs=0.01)


@pytest.mark.parametrize("status", ["429 Too Many Requests", "503 Service Unavailable", "500 Internal Server Error"])
def test_5_without_retry_after_the_pause_doubles_up_to_a_day(world: World, status: str) -> None:
    world.says = lambda asked: reply(status)
    after, waits = timedelta(0), []
    for _ in range(7):
        assert world.poll(after) is not None
        waits.append(hours(world.next_poll() - after))
        after = world.next_poll() + MINUTE
    assert waits == [about(1), about(2), about(4), about(8), about(16), about(24), about(24)]
    assert world.status()["reason"] == "24 h after 7 failures in a row"
    assert world.status()["state"] == "failing"


# --- 6, 7: moved and gone -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", ["301 Moved Permanently", "308 Permanent Redirect"])
def test_6_a_feed_that_moved_for_good_is_asked_at_its_new_address_and_the_persons_file_stays(world: World, status: str) -> None:
    def says(asked: Asked) -> bytes:
        return reply(status, headers=["Location: /new"]) if asked.target == "/feed" else reply(body=rss(), headers=VALID)

    world.says, before = says, world.feed_list.read_text()
    world.poll()
    world.poll(DAY)
    assert [asked.target for asked in world.asked] == ["/feed", "/new", "/new"]
    assert world.validators() == SINCE
    assert world.status()["fetch_url"] == f"{world.server.url}/new"
    assert world.status()["url"] == f"{world.server.url}/feed"
    assert world.feed_list.read_text() == before


def test_6_an_address_that_gave_no_feed_is_not_stored(world: World) -> None:
    def says(asked: Asked) -> bytes:
        return reply("301 Moved Permanently", headers=["Location: /page"]) if asked.target == "/feed" else reply(body=b"<html>Hi")

    world.says = says
    world.poll()
    world.poll(DAY)
    assert [asked.target for asked in world.asked] == ["/feed", "/page", "/feed", "/page"]


@pytest.mark.parametrize("status", ["302 Found", "303 See Other", "307 Temporary Redirect"])
def test_6_a_temporary_move_is_followed_and_never_stored(world: World, status: str) -> None:
    def says(asked: Asked) -> bytes:
        return reply(status, headers=["Location: /new"]) if asked.target == "/feed" else reply(body=rss(), headers=VALID)

    world.says = says
    world.poll()
    world.poll(DAY)
    assert [asked.target for asked in world.asked] == ["/feed", "/new", "/feed", "/new"]
    assert world.status()["fetch_url"] == f"{world.server.url}/feed"


def test_7_a_feed_that_is_gone_is_never_asked_again_and_says_so(world: World) -> None:
    world.says = lambda asked: reply("410 Gone")
    world.poll()
    assert world.poll(365 * DAY, force=True) is None
    status = world.status()
    assert (status["state"], status["next_poll"], status["reason"]) == ("gone", None, "never: the feed is gone (410)")
    assert "removed for good" in status["error"]
    world.subscribe("/elsewhere")
    assert world.poll(MINUTE) is not None


@pytest.mark.parametrize(
    ("answer", "longest"),
    [
        (reply("404 Not Found"), 168),
        (reply("401 Unauthorized"), 168),
        (reply("403 Forbidden"), 168),
        (reply(body=b"<!doctype html><p>Hi"), 24),
        (reply(body=b""), 24),
    ],
    ids=["404", "401", "403", "a page", "nothing"],
)
def test_7_what_fails_again_and_again_is_asked_for_less_and_less(world: World, answer: bytes, longest: float) -> None:
    world.says = lambda asked: answer
    after, waits = timedelta(0), []
    for _ in range(9):
        world.poll(after)
        waits.append(hours(world.next_poll() - after))
        after = world.next_poll() + MINUTE
    assert waits[:3] == [about(1), about(2), about(4)]
    assert waits[-1] == about(longest)
    assert len(world.asked) == 9, "nothing is asked twice in one poll"


# --- 8, 9: at the host ----------------------------------------------------------------------------------------------------------


def visits(names: list[str], gate: HostGate, *, private: bool) -> Server:
    """Ask a real server for twenty feeds at once: under its own address, or under names that lead to a public one."""

    async def answer(asked: Asked, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0.02)
        writer.write(reply(body=rss()))

    async def run() -> Server:
        async with serving(answer) as server:
            network = Network() if private else Network(lookup=lambda name: [PUBLIC], backend=Detour())
            fetcher = make_fetcher(replace(LOCAL, allow_private=private), network, gate)
            urls = [f"http://{names[number % len(names)]}:{server.port}/{number}" for number in range(20)]
            found = await asyncio.gather(*(fetcher.fetch(due_feed(url), START) for url in urls))
            await fetcher.aclose()
            assert {each.outcome for each in found} == {"changed"}
            return server

    return asyncio.run(run())


def test_8_a_public_host_is_asked_for_one_feed_at_a_time_with_a_pause_after_each() -> None:
    pauses: list[float] = []

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)

    gate = HostGate(PolitenessLimits(), sleep=sleep, jitter=lambda: 0.5, monotonic=lambda: 0.0)
    server = visits(["news.example"], gate, private=False)
    assert (len(server.asked), server.most_at_once) == (20, 1)
    assert len(pauses) == 19
    assert min(pauses) >= 1.0


def test_8_two_public_hosts_do_not_wait_for_each_other() -> None:
    async def sleep(seconds: float) -> None:
        await asyncio.sleep(0)

    server = visits(["news.example", "other.example"], HostGate(PolitenessLimits(), sleep=sleep), private=False)
    assert server.most_at_once == 2


def test_8_a_private_host_is_asked_for_sixteen_feeds_at_once() -> None:
    assert visits(["127.0.0.1"], HostGate(), private=True).most_at_once == 16


def test_9_one_user_agent_and_nothing_that_tells_of_the_reader(world: World) -> None:
    world.says = lambda asked: reply(body=rss(), headers=[*VALID, "Set-Cookie: id=1; Max-Age=99999999"])
    for day in range(3):
        world.poll(day * DAY)
    assert {asked.headers["user-agent"] for asked in world.asked} == {f"aggregator/{__version__}"}
    assert {asked.headers["accept-encoding"] for asked in world.asked} == {"gzip, br, zstd"}
    assert all(not {"cookie", "referer", "from"} & set(asked.headers) for asked in world.asked)
    assert {asked.target for asked in world.asked} == {"/feed"}


def test_the_status_says_for_each_feed_why_it_is_polled_when_it_is(world: World) -> None:
    new = world.status()
    assert (new["state"], new["reason"], new["next_poll"]) == ("new", "never polled", None)
    world.poll()
    status = world.status()
    assert status["reason"]
    assert status["last_success"] is not None
    assert status["next_poll"] > iso(START)
