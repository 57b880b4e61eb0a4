"""Full texts: the pages of new items, read politely and once, kept beside the summary and used where stories are made."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from aggregator import rounds
from aggregator.app import App
from aggregator.archive import export_items, import_items
from aggregator.clock import ProgramClock
from aggregator.daemon import Daemon
from aggregator.errors import FeedError
from aggregator.feeds.page_reader import PageProcess
from aggregator.feeds.page_worker import LONGEST_TEXT, find_text
from aggregator.fulltext import MOST_PAGES, PagesRead
from aggregator.model import Item
from aggregator.store.opening import open_store
from tests.feeds.server import Asked, Server, reply, serving_beside

pytest.importorskip("trafilatura", reason="needs the extra fulltext: pip install 'aggregator[fulltext]'")

NOW = "2023-12-27T18:30:00Z"
WATCH = (
    "A federal appeals court let Apple resume sales of its watches on Wednesday while it weighs an import ban over a patent dispute.",
    "Apple had stopped selling two models of its smart watch after a trade commission found that they infringe patents of Masimo.",
)
BREAD = (
    "Flour, water and patience are all a baker wants in January, when the kitchen is cold and the dough rises slowly overnight.",
    "A thermometer helps more than any machine, since a sourdough that rests at eight degrees is ready when the morning comes.",
)


def page(*paragraphs: str, more: str = "") -> bytes:
    inner = "".join(f"<p>{paragraph}</p>" for paragraph in paragraphs)
    return f"<!doctype html><html><body><nav>Menu Home</nav><article><h1>News</h1>{inner}{more}</article></body></html>".encode()


def entry(of: tuple[str, str]) -> str:
    title, link = of
    return f"<item><title>{title}</title><link>{link}</link><guid>{title}</guid></item>"


class Site:
    """A feed /NAME with items whose links lead to pages; notes what was asked. Whatever is no page is 404."""

    def __init__(self) -> None:
        self.server = Server()
        self.links: dict[str, dict[str, str]] = {}
        self.answers: dict[str, bytes] = {}

    async def answer(self, asked: Asked, writer: asyncio.StreamWriter) -> None:
        name = asked.target.strip("/")
        if name in self.links:
            items = "".join(map(entry, self.links[name].items()))
            writer.write(reply(body=f'<rss version="2.0"><channel><title>{name}</title>{items}</channel></rss>'.encode()))
        else:
            writer.write(self.answers.get(asked.target, reply("404 Not Found")))

    def asked(self, target: str) -> list[Asked]:
        return [asked for asked in self.server.asked if asked.target == target]


@pytest.fixture
def site() -> Iterator[Site]:
    made = Site()
    with serving_beside(made.answer) as server:
        made.server = server
        yield made


def make_app(folder: Path, site: Site, more: str = "full_text = true\n") -> App:
    (folder / "aggregator.toml").write_text(
        f'database = "{folder / "test.db"}"\nzone = "UTC"\n[fetch]\nallow_private = true\ntimeout = "3s"\n'
    )
    feeds = (f'[[feed]]\nname = "{name}"\nurl = "{site.server.url}/{name}"\n{more}\n' for name in site.links)
    (folder / "feeds.toml").write_text("".join(feeds))
    return App.from_options(config=str(folder / "aggregator.toml"), now=NOW, environ={})


def html(body: bytes) -> bytes:
    return reply(body=body, headers=["Content-Type: text/html; charset=utf-8"])


def items_of(app: App) -> dict[str, Item]:
    return {item.title: item for item in app.store.items.export()}


def test_the_text_of_a_page_stands_beside_the_summary_and_is_asked_for_once(tmp_path: Path, site: Site) -> None:
    site.links = {"alpha": {"Watch": f"{site.server.url}/watch", "Lost": f"{site.server.url}/lost"}}
    site.answers = {"/watch": html(page(*WATCH))}
    told: list[PagesRead] = []
    with make_app(tmp_path, site) as app:
        app.fetch(pages=told.append)
        found = items_of(app)
        assert found["Watch"].full_text.endswith("\n\n".join(WATCH))
        assert "Menu" not in found["Watch"].full_text
        assert (found["Watch"].summary, found["Lost"].full_text) == ("", "")
        app.clock = ProgramClock(datetime(2023, 12, 28, 20, tzinfo=UTC))
        app.fetch(force=True, pages=told.append)
    assert told == [PagesRead(texts=1, without=1), PagesRead()]
    assert (len(site.asked("/watch")), len(site.asked("/lost"))) == (1, 1)
    assert site.asked("/watch")[0].headers["user-agent"].startswith("aggregator/")
    assert "if-none-match" not in site.asked("/watch")[0].headers


def test_items_without_a_summary_are_grouped_and_told_by_their_full_texts(tmp_path: Path, site: Site) -> None:
    titles = {"alpha": "Statement", "beta": "Ruling today", "gamma": "Weekend"}
    site.links = {name: {title: f"{site.server.url}/page-of-{name}"} for name, title in titles.items()}
    told = (*WATCH, "The ruling holds until the court has decided.")
    site.answers = {"/page-of-alpha": html(page(*WATCH)), "/page-of-beta": html(page(*told)), "/page-of-gamma": html(page(*BREAD))}
    stories = {}
    for wanted in (True, False):
        folder = tmp_path / str(wanted)
        folder.mkdir()
        with make_app(folder, site, f"full_text = {str(wanted).lower()}\n") as app:
            app.fetch()
            stories[wanted] = [story for story, _ in app.stories(limit=10)]
    assert sorted(story.item_count for story in stories[True]) == [1, 2]
    assert sorted(story.item_count for story in stories[False]) == [1, 1, 1]
    (watch,) = (story for story in stories[True] if story.item_count == 2)
    assert "court" in watch.brief


def test_a_page_outside_the_feeds_host_may_not_lie_in_the_persons_own_network(tmp_path: Path, site: Site) -> None:
    site.links = {"alpha": {"Inside": f"http://localhost:{site.server.port}/inside", "Home": f"{site.server.url}/home"}}
    site.answers = {"/inside": html(page(*WATCH)), "/home": html(page(*BREAD))}
    with make_app(tmp_path, site) as app:
        app.fetch(organise=False)
        found = items_of(app)
    assert site.asked("/inside") == []
    assert found["Inside"].full_text == ""
    assert "sourdough" in found["Home"].full_text


def test_the_feeds_login_and_headers_stay_with_the_feed(tmp_path: Path, site: Site) -> None:
    site.links = {"alpha": {"Home": f"{site.server.url}/home"}}
    site.answers = {"/home": html(page(*BREAD))}
    with make_app(tmp_path, site, 'full_text = true\nheaders = { X-Key = "secret" }\nuser_agent = "mine/2"\n') as app:
        app.fetch(organise=False)
    assert site.asked("/alpha")[0].headers["x-key"] == "secret"
    assert "x-key" not in site.asked("/home")[0].headers
    assert site.asked("/home")[0].headers["user-agent"] == "mine/2"


@pytest.mark.parametrize(
    "answer",
    [
        reply("500 Internal Server Error"),
        reply("503 Service Unavailable"),
        reply("302 Found", headers=["Location: file:///etc/passwd"]),
        reply(body=b"%PDF-1.7 " + b"x" * 999, headers=["Content-Type: application/pdf"]),
        reply(body=b"", headers=["Content-Type: text/html"]),
        reply(body=page("Too short."), headers=["Content-Type: text/html", "Content-Encoding: gzip"])[:-40],
    ],
    ids=["500", "503", "to a file", "a PDF", "nothing", "cut off"],
)
def test_a_page_without_a_text_costs_one_request_and_harms_nothing(tmp_path: Path, site: Site, answer: bytes) -> None:
    site.links = {"alpha": {"Odd": f"{site.server.url}/odd", "Home": f"{site.server.url}/home"}}
    site.answers = {"/odd": answer, "/home": html(page(*BREAD))}
    with make_app(tmp_path, site, "full_text = true\n") as app:
        for _ in range(2):
            outcomes = app.fetch(force=True, organise=False)
            assert [outcome.error for outcome in outcomes] == [None]
        found = items_of(app)
    assert (found["Odd"].full_text, "sourdough" in found["Home"].full_text) == ("", True)
    assert len(site.asked("/odd")) == 1


def test_of_very_many_new_items_only_some_pages_are_read_in_one_round(tmp_path: Path, site: Site) -> None:
    site.links = {"alpha": {f"Item {number}": f"{site.server.url}/page-{number}" for number in range(MOST_PAGES + 5)}}
    told: list[PagesRead] = []
    with make_app(tmp_path, site) as app:
        for _ in range(3):
            app.fetch(force=True, organise=False, pages=told.append)
    assert [each.asked for each in told] == [MOST_PAGES, 5, 0]
    assert set(Counter(asked.target for asked in site.server.asked if "page" in asked.target).values()) == {1}


def test_without_the_extra_one_sentence_says_what_to_install_and_the_summaries_serve(
    tmp_path: Path, site: Site, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(rounds, "is_installed", lambda: False)
    site.links = {"alpha": {"Home": f"{site.server.url}/home"}}
    with make_app(tmp_path, site) as app:
        assert app.lack() == (
            "1 feed has full_text = true, which needs trafilatura: `pip install 'aggregator[fulltext]'`; until then summaries are used."
        )
        assert [outcome.new for outcome in app.fetch()] == [1]
        with caplog.at_level(logging.WARNING, "aggregator.daemon"):
            daemon = Daemon(app)
            daemon.stop_asked.set()
            daemon.run()
        assert "needs trafilatura" in caplog.text
    assert site.asked("/home") == []


def test_an_archive_keeps_full_texts(tmp_path: Path, site: Site) -> None:
    site.links = {"alpha": {"Home": f"{site.server.url}/home"}}
    site.answers = {"/home": html(page(*BREAD))}
    with make_app(tmp_path, site) as app:
        app.fetch(organise=False)
        lines = list(export_items(app.store))
        before = items_of(app)["Home"].full_text
    with open_store(str(tmp_path / "other.db"), now=datetime(2024, 1, 1, tzinfo=UTC)) as store:
        import_items(lines, store=store, now=datetime(2024, 1, 1, tzinfo=UTC))
        assert [item.full_text for item in store.items.export()] == [before]


# --- the process ------------------------------------------------------------------------------------------------------------


def test_the_text_is_plain_has_paragraphs_and_ends_somewhere() -> None:
    text = find_text(page("Caf\u00e9 \x1b[31m\u202e" + BREAD[0], BREAD[1]), "text/html; charset=utf-8", "https://e.org/")
    assert text.endswith(BREAD[1])
    assert "Café [31m" in text
    assert "\n\n" in text
    assert find_text("<p>ż".encode() + page(*BREAD), "text/html; charset=unicode_escape", "https://e.org/")
    assert find_text(b"", "", "https://e.org/") == ""
    assert len(find_text(page(*(f"{number} {BREAD[0]}" for number in range(2_000))), "", "https://e.org/")) <= LONGEST_TEXT


def test_a_page_that_takes_too_long_is_stopped_and_the_next_is_read() -> None:
    slow = page(*(f"<b>{number}</b> {BREAD[0]}" for number in range(60_000)))

    async def run() -> tuple[str, str]:
        reader = PageProcess(deadline_seconds=1.0)
        try:
            before = await reader.extract(page(*BREAD), {}, "https://e.org/1")
            with pytest.raises(FeedError, match=r"https://e\.org/2 took too long"):
                await reader.extract(slow, {}, "https://e.org/2")
            return before, await reader.extract(page(*BREAD), {}, "https://e.org/3")
        finally:
            await reader.aclose()

    before, after = asyncio.run(asyncio.wait_for(run(), 120))
    assert before == after
    assert "sourdough" in after


def test_a_page_whose_reader_was_given_up_gives_no_other_page_its_text() -> None:
    async def run() -> str:
        reader = PageProcess()
        try:
            await reader.extract(page(*WATCH), {}, "https://e.org/1")
            job = asyncio.create_task(reader.extract(page(*WATCH, *WATCH), {}, "https://e.org/1"))
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            job.cancel()
            await asyncio.gather(job, return_exceptions=True)
            return await reader.extract(page(*BREAD), {}, "https://e.org/2")
        finally:
            await reader.aclose()

    assert "sourdough" in asyncio.run(asyncio.wait_for(run(), 120))
