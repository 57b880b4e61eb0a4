"""A thousand feeds on one bad host, beside sound ones: nobody waits for them, and nobody is asked in vain a thousand times."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import replace
from pathlib import Path

from aggregator.app import App
from aggregator.feeds.connect import Network
from aggregator.feeds.politeness import MOST_SILENCES, HostGate, PolitenessLimits
from aggregator.model import Fetched
from tests.feeds.server import Answer, Asked, Detour, reply, serving, serving_beside
from tests.feeds.test_fetch import BODY, LOCAL, NOW, PUBLIC, due_feed, make_fetcher

BAD, SOUND = 1_000, 50
UNSPACED = PolitenessLimits(host_delay_seconds=0.0)


def crowd(
    slow: Answer, gate: HostGate, *, private: bool = False, total_seconds: float = 0.5
) -> tuple[Counter[str], list[str], Counter[str]]:
    """Outcomes of the feeds of slow.example, who was done in which order (the first letters of the hosts), and requests by host."""
    order: list[str] = []
    asked_hosts: Counter[str] = Counter()

    async def answer(asked: Asked, writer: asyncio.StreamWriter) -> None:
        host = asked.headers["host"].split(".")[0]
        asked_hosts[host] += 1
        if host == "slow":
            await slow(asked, writer)
        else:
            writer.write(reply(body=BODY))

    async def run() -> list[Fetched]:
        async with serving(answer) as server:
            address = "10.0.0.7" if private else PUBLIC
            fetcher = make_fetcher(
                replace(LOCAL, total_seconds=total_seconds), Network(lookup=lambda name: [address], backend=Detour()), gate
            )

            async def poll(host: str, number: int) -> Fetched:
                fetched = await fetcher.fetch(due_feed(f"http://{host}.example:{server.port}/{number}", allow_private=private), NOW)
                order.append(host[0])
                return fetched

            slow_ones = [poll("slow", number) for number in range(BAD)]
            sound = [poll(f"x{number % 10}", number) for number in range(SOUND)]
            found = await asyncio.gather(*slow_ones, *sound)
            await fetcher.aclose()
            assert {each.outcome for each in found[BAD:]} == {"changed"}
            return found[:BAD]

    found = asyncio.run(asyncio.wait_for(run(), 300))
    return Counter(each.outcome for each in found), order, asked_hosts


async def never(asked: Asked, writer: asyncio.StreamWriter) -> None:
    await asyncio.Event().wait()


async def late(asked: Asked, writer: asyncio.StreamWriter) -> None:
    await asyncio.sleep(0.05)
    writer.write(reply(body=BODY))


def test_a_host_that_never_answers_is_asked_three_times_for_its_thousand_feeds() -> None:
    outcomes, _, asked = crowd(never, HostGate(UNSPACED))
    assert outcomes == {"failed": MOST_SILENCES, "throttled": BAD - MOST_SILENCES}
    assert asked["slow"] == MOST_SILENCES


def test_of_a_host_that_is_slow_those_are_polled_whose_turn_comes_and_the_others_stay_due() -> None:
    outcomes, _, asked = crowd(late, HostGate(UNSPACED, line_seconds=1.0), total_seconds=20.0)
    assert set(outcomes) == {"changed", "throttled"}
    assert outcomes["changed"] == asked["slow"] >= 2


def test_sound_feeds_do_not_wait_for_the_thousand_of_a_private_host_that_never_answers() -> None:
    """Sixteen of its requests go on at once, half of all that may; the fifty others are through before a tenth of the thousand."""
    _, order, _ = crowd(never, HostGate(line_seconds=3.0), private=True)
    assert order.index("x") < BAD
    last_sound = max(place for place, host in enumerate(order) if host == "x")
    assert Counter(order[: last_sound + 1])["s"] <= BAD // 10


def test_feeds_whose_turn_did_not_come_are_polled_in_the_next_round(tmp_path: Path) -> None:
    async def answer(asked: Asked, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0.3)
        writer.write(reply(body=BODY))

    with serving_beside(answer) as server:
        (tmp_path / "aggregator.toml").write_text(
            f'database = "{tmp_path / "a.db"}"\n[fetch]\nallow_private = true\nhost_connections = 1\n'
        )
        lists = (f'[[feed]]\nname = "feed-{number}"\nurl = "{server.url}/{number}"\n' for number in range(3))
        (tmp_path / "feeds.toml").write_text("".join(lists))
        with App.from_options(config=str(tmp_path / "aggregator.toml"), environ={}) as app:
            first = app.fetch(organise=False, line_seconds=0.1)
            assert sorted(each.outcome for each in first) == ["changed", "throttled", "throttled"]
            assert [each.error for each in first] == [None] * 3
            assert len(server.asked) == 1
            second = app.fetch(organise=False)
            assert [each.outcome for each in second] == ["changed", "changed"]
            assert {asked.target for asked in server.asked} == {"/0", "/1", "/2"}
