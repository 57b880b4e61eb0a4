"""`aggregator feeds` and `aggregator config` from the command line down to a real store, against a loopback server."""

from __future__ import annotations

import json
import re
import stat
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from aggregator.app import App
from aggregator.cli.main import cli
from aggregator.errors import AggregatorError, ConfigError, FeedError, FeedListError, NotFoundError, StoreError, UsageError
from aggregator.feeds.opml import read_opml
from aggregator.model import Feed, FeedState
from aggregator.pipeline import Ingest
from aggregator.subscribing import to_checked, to_status
from tests.feeds.test_opml import opml

ETAG = '"v1"'


def rss(title: str, *items: str) -> bytes:
    date = "Wed, 27 Dec 2023 1{}:00:00 GMT"
    entries = "".join(
        f"<item><title>{item}</title><link>https://x.example/{n}</link><guid>{n}</guid><pubDate>{date.format(n)}</pubDate></item>"
        for n, item in enumerate(items)
    )
    return f'<?xml version="1.0"?><rss version="2.0"><channel><title>{title}</title>{entries}</channel></rss>'.encode()


PAGE = """<!doctype html><html><head>
<link rel="alternate" type="application/rss+xml" title="Comments" href="/comments/feed">
<link rel="alternate" type="application/rss+xml" title="Main" href="/main.rdf">
<link rel="alternate" type="application/atom+xml" title="Other" href="/other.xml"></head></html>"""


@dataclass
class Desk:
    """A home folder, a command line in it, and a server that counts what is asked."""

    home: Path
    server: HTTPServer
    asked: list[Request] = field(default_factory=list)
    environment: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for path, body in (
            ("/main.rdf", rss("Main News", "oldest", "older", "newest")),
            ("/other.xml", rss("Other")),
            ("/bare/feed", rss("Bare")),
        ):
            self.serve(path, body, "application/rss+xml")
        self.serve("/page", PAGE.encode(), "text/html")
        self.serve("/bare", b"<html><p>no feed is named here</p></html>", "text/html")
        self.serve("/nothing/page.html", b"<html><a href='/broken.rss'>feed</a></html>", "text/html")
        self.serve("/text", b"just words", "text/plain")

    def serve(self, path: str, body: bytes, kind: str) -> None:
        def answer(request: Request) -> Response:
            self.asked.append(request)
            if request.headers.get("If-None-Match") == ETAG:
                return Response(status=304)
            return Response(body, content_type=kind, headers={"ETag": ETAG})

        self.server.expect_request(path).respond_with_handler(answer)

    @property
    def paths(self) -> list[str]:
        return [request.path for request in self.asked]

    def url(self, path: str) -> str:
        return self.server.url_for(path)

    @property
    def list(self) -> Path:
        return self.home / "config" / "aggregator" / "feeds.toml"

    def run(self, *arguments: str, input: bytes | None = None) -> Result:
        environ = {
            "HOME": str(self.home),
            "XDG_CONFIG_HOME": str(self.home / "config"),
            "XDG_DATA_HOME": str(self.home / "data"),
            "AGGREGATOR_FETCH__ALLOW_PRIVATE": "true",
            **self.environment,
        }
        return CliRunner().invoke(cli, ["--now", "2023-12-27T18:00:00Z", *arguments], env=environ, input=input, standalone_mode=False)

    def done(self, *arguments: str, input: bytes | None = None) -> str:
        result = self.run(*arguments, input=input)
        if result.exception is not None:
            raise result.exception
        return result.stdout

    def json(self, *arguments: str) -> Any:
        found = json.loads(self.done(*arguments, "--json"))
        assert found["version"] == 1
        return found

    def refused(self, *arguments: str) -> AggregatorError:
        """The error of a command that must fail; main() prints it as one sentence and exits with its code."""
        result = self.run(*arguments)
        assert isinstance(result.exception, AggregatorError), (result.exception, result.output)
        assert result.stdout == ""
        return result.exception

    def editor(self, python: str) -> None:
        """Make $VISUAL a script that changes the text `t` of the file."""
        script = self.home / "editor"
        script.write_text(
            "#!/usr/bin/env python3\nimport pathlib, sys\np = pathlib.Path(sys.argv[1])\nt = p.read_text(encoding='utf-8')\n"
            f"{python}\np.write_text(t, encoding='utf-8')\n"
        )
        script.chmod(0o755)
        self.environment = {"VISUAL": str(script), "EDITOR": "false"}


@pytest.fixture
def desk(tmp_path: Path, httpserver: HTTPServer, monkeypatch: pytest.MonkeyPatch) -> Desk:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return Desk(tmp_path, httpserver)


# --- add -------------------------------------------------------------------------------------------------------------------


def test_adding_a_feed_is_its_first_poll_with_one_request(desk: Desk) -> None:
    shown = desk.done("feeds", "add", desk.url("/main.rdf"), "--tag", "world")
    assert shown.splitlines()[0] == "Added main-news: Main News"
    assert shown.index("newest") < shown.index("older") < shown.index("oldest")
    assert desk.paths == ["/main.rdf"]
    assert f'[[feed]]\nname = "main-news"\nurl = "{desk.url("/main.rdf")}"\ntags = ["world"]\n' in desk.list.read_text()
    (status,) = desk.json("feeds", "status")["feeds"]
    assert (status["state"], status["last_success"] is not None, status["streak"]) == ("ok", True, 0)
    desk.done("fetch", "--no-organise")
    assert desk.paths == ["/main.rdf"], "it is not due again"
    desk.done("fetch", "--force", "--no-organise")
    assert desk.asked[-1].headers["If-None-Match"] == ETAG, "validators were stored"


def test_a_page_leads_to_its_first_feed_and_the_others_are_named(desk: Desk) -> None:
    found = desk.json("feeds", "add", desk.url("/page"))
    assert found["feed"] == {"name": "main-news", "url": desk.url("/main.rdf"), "title": None, "tags": [], "enabled": True}
    assert [other["url"] for other in found["others"]] == [desk.url("/other.xml"), desk.url("/comments/feed")]
    assert (found["page"], found["items"]) == (desk.url("/page"), 3)
    assert desk.paths == ["/page", "/main.rdf"]


def test_a_page_that_names_no_feed_is_tried_at_the_usual_places(desk: Desk) -> None:
    assert desk.json("feeds", "add", desk.url("/bare"))["feed"]["url"] == desk.url("/bare/feed")


def test_a_dry_run_shows_the_lines_and_changes_nothing(desk: Desk) -> None:
    shown = desk.done("feeds", "add", desk.url("/main.rdf"), "--dry-run")
    assert '+name = "main-news"' in shown
    assert not desk.list.exists()
    assert desk.json("feeds", "status")["feeds"] == []


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("/nothing/page.html", r"is no feed, and neither what its page names \(\S+/broken.rss\) nor"),
        ("/text", "not a feed|no feed|neither"),
        ("/gone", "404|500"),
    ],
)
def test_what_is_no_feed_is_refused_in_a_sentence_and_nothing_changes(desk: Desk, path: str, says: str) -> None:
    desk.server.expect_request("/gone").respond_with_data("", 404)
    error = desk.refused("feeds", "add", desk.url(path))
    assert isinstance(error, FeedError)
    assert error.exit_code == 1
    assert re.search(says, str(error)), str(error)
    assert "\n" not in str(error)
    assert not desk.list.exists()
    assert desk.json("feeds", "status")["feeds"] == []


def test_a_name_or_address_that_is_taken_is_refused_before_anything_is_fetched(desk: Desk) -> None:
    desk.done("feeds", "add", desk.url("/main.rdf"))
    before, asked = desk.list.read_text(), len(desk.asked)
    for arguments, says in (
        ((desk.url("/main.rdf"),), "is subscribed already, as “main-news”"),
        ((desk.url("/other.xml"), "--name", "main-news"), "there is a feed named “main-news” already; choose another name"),
        ((desk.url("/other.xml"), "--name", "Bad Name"), "write for example “bad-name”"),
        ((desk.url("/other.xml"), "--interval", "3x"), "not a duration"),
        ((desk.url("/other.xml"), "--auth", "me:secret"), "must not hold the secret"),
        (("ftp://x.example/",), "does not begin with http"),
    ):
        error = desk.refused("feeds", "add", *arguments)
        assert isinstance(error, UsageError)
        assert says in str(error)
    assert (desk.list.read_text(), len(desk.asked)) == (before, asked)
    assert "subscribed already" in str(desk.refused("feeds", "add", desk.url("/page"))), "also when a page leads to it"
    assert desk.list.read_text() == before


def test_a_second_feed_of_that_title_is_numbered(desk: Desk) -> None:
    desk.serve("/again.xml", rss("Main News"), "application/rss+xml")
    desk.done("feeds", "add", desk.url("/main.rdf"))
    assert desk.json("feeds", "add", desk.url("/again.xml"))["feed"]["name"] == "main-news-2"


def test_when_the_store_fails_the_list_is_put_back(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.done("feeds", "add", desk.url("/other.xml"))
    before = desk.list.read_text()

    async def broken(*_: object) -> None:
        raise StoreError("the disk is full")

    monkeypatch.setattr(Ingest, "poll", broken)
    assert isinstance(desk.refused("feeds", "add", desk.url("/main.rdf")), StoreError)
    assert desk.list.read_text() == before


def test_when_the_list_cannot_be_written_nothing_is_stored(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("aggregator.textfile.os.replace", full)
    assert "No space left on device" in str(desk.refused("feeds", "add", desk.url("/main.rdf")))
    monkeypatch.undo()
    monkeypatch.chdir(desk.home)
    with App.from_options(environ={"XDG_DATA_HOME": str(desk.home / "data"), "HOME": str(desk.home)}, cwd=desk.home) as app:
        assert app.store.feeds.states() == {}


def test_a_removed_feed_that_is_added_again_finds_its_items_and_name(desk: Desk) -> None:
    desk.done("feeds", "add", desk.url("/main.rdf"))
    desk.done("feeds", "remove", "main-news")
    assert desk.json("feeds", "add", desk.url("/main.rdf"))["feed"]["name"] == "main-news"


def test_secrets_stay_with_the_host_they_were_given_for(desk: Desk) -> None:
    """The page on 127.0.0.1 names a feed on localhost: another host, which must not be sent the login."""
    other = (
        desk.url("/main.rdf").replace("127.0.0.1", "localhost")
        if "127.0.0.1" in desk.url("/")
        else desk.url("/main.rdf").replace("localhost", "127.0.0.1")
    )
    desk.serve("/lead", f'<html><link rel="alternate" type="application/rss+xml" href="{other}"></html>'.encode(), "text/html")
    desk.environment = {"LOGIN": "me:secret"}
    found = desk.json("feeds", "add", desk.url("/lead"), "--auth", "env:LOGIN")
    assert [(request.path, "Authorization" in request.headers) for request in desk.asked] == [("/lead", True), ("/main.rdf", False)]
    assert "auth" not in found["feed"]


# --- discover ----------------------------------------------------------------------------------------------------------------


def test_discover_lists_what_a_page_names_and_subscribes_to_nothing(desk: Desk) -> None:
    found = desk.json("feeds", "discover", desk.url("/page"))["feeds"]
    assert [(each["title"], each["type"]) for each in found] == [("Main", "rss"), ("Other", "atom"), ("Comments", "rss")]
    assert desk.done("feeds", "discover", desk.url("/main.rdf")).splitlines() == [
        "URL\tTITLE\tTYPE",
        f"{desk.url('/main.rdf')}\tMain News\trss",
    ]
    assert not desk.list.exists()


# --- the list -------------------------------------------------------------------------------------------------------------------


@pytest.fixture
def stocked(desk: Desk) -> Desk:
    """Two feeds in a commented list; the second fails."""
    desk.server.expect_request("/down").respond_with_data("", 500)
    desk.list.parent.mkdir(parents=True)
    desk.list.write_text(
        f'# mine\n\n# main\n[[feed]]\nname = "main"\nurl = "{desk.url("/main.rdf")}"\ntags = ["world", "uk"]\n\n'
        f'# down\n[[feed]]\nname = "down"  # often\nurl = "{desk.url("/down")}"\ntags = ["world"]\n'
    )
    return desk


def test_list_shows_all_or_those_with_every_tag(stocked: Desk) -> None:
    assert stocked.done("feeds", "list").splitlines()[1:] == [
        f"main\t{stocked.url('/main.rdf')}\tworld, uk\t",
        f"down\t{stocked.url('/down')}\tworld\t",
    ]
    found = stocked.json("feeds", "list", "--tag", "world", "--tag", "uk")["feeds"]
    assert found == [{"name": "main", "url": stocked.url("/main.rdf"), "title": None, "tags": ["world", "uk"], "enabled": True}]


def test_an_empty_list_says_what_to_do_and_prints_nothing(desk: Desk) -> None:
    result = desk.run("feeds", "list")
    assert (result.stdout, "aggregator feeds add URL" in result.stderr) == ("", True)


def test_set_enable_disable_and_remove_keep_comments(stocked: Desk) -> None:
    before = stocked.list.read_text()
    stocked.done("feeds", "set", "down", "interval=2h", "weight=1.5", "tags=")
    assert stocked.list.read_text() == before.replace('/down"\ntags = ["world"]\n', '/down"\ninterval = "2h"\nweight = 1.5\n')
    stocked.done("feeds", "set", "down", "interval=", "weight=", "tags=world")
    stocked.done("feeds", "disable", "main", "down")
    assert stocked.list.read_text().count("enabled = false") == 2
    stocked.done("feeds", "enable", "main", "down")
    assert stocked.list.read_text() == before
    stocked.done("feeds", "remove", "main")
    assert stocked.list.read_text() == "# mine\n\n" + before[before.index("# down") :]


def test_a_change_for_several_feeds_is_made_for_all_or_none(stocked: Desk) -> None:
    before = stocked.list.read_text()
    for verb in ("remove", "disable", "enable"):
        error = stocked.refused("feeds", verb, "main", "dwon")
        assert isinstance(error, NotFoundError)
        assert "did you mean “down”" in str(error)
    assert "-enabled" not in stocked.done("feeds", "disable", "main", "--dry-run")
    assert stocked.list.read_text() == before


@pytest.mark.parametrize(
    ("assignment", "says"),
    [("titel=x", "did you mean “title”"), ("weight=heavy", "a number"), ("interval", "KEY=VALUE"), ("name=down", "named “down” already")],
)
def test_an_assignment_that_does_not_fit_is_refused(stocked: Desk, assignment: str, says: str) -> None:
    before = stocked.list.read_text()
    error = stocked.refused("feeds", "set", "main", "interval=3h", assignment)
    assert (error.exit_code, says in str(error)) == (2, True)
    assert stocked.list.read_text() == before


@pytest.mark.parametrize(
    "arguments", [("list",), ("status",), ("check",), ("export",), ("disable", "main"), ("import", "-"), ("add", "https://x.example/")]
)
def test_a_broken_list_is_told_with_its_line_and_left_alone(stocked: Desk, arguments: tuple[str, ...]) -> None:
    broken = stocked.list.read_text() + '\n[[feed]]\nname = "main"\nurl = "https://z.example/"\n'
    stocked.list.write_text(broken)
    error = stocked.run("feeds", *arguments, input=opml('<outline xmlUrl="https://n.example/"/>')).exception
    assert isinstance(error, FeedListError)
    assert error.exit_code == 2
    assert (error.line, "two feeds are named “main”" in str(error)) == (16, True)
    assert stocked.list.read_text() == broken
    assert stocked.asked == []


# --- how feeds are ---------------------------------------------------------------------------------------------------------------


def test_check_asks_each_feed_and_exits_3_when_some_fail(stocked: Desk) -> None:
    result = stocked.run("feeds", "check")
    assert result.return_value == 3
    main, down = result.stdout.splitlines()
    assert main == "main: fine: 3 new items."
    assert down.startswith("down: ")
    assert "500" in down
    assert stocked.done("feeds", "check", "main") == "main: fine: nothing new since the last poll.\n"
    assert stocked.asked[-1].headers["If-None-Match"] == ETAG, "a check is a conditional poll"
    assert stocked.run("feeds", "check", "--ignore-failures", "--json").return_value == 0
    assert isinstance(stocked.refused("feeds", "check", "mian"), NotFoundError)


def test_status_has_exactly_the_promised_keys(stocked: Desk) -> None:
    stocked.run("feeds", "check")
    main, down = stocked.json("feeds", "status")["feeds"]
    promised = "name url fetch_url state error since last_success last_attempt next_poll reason streak items_per_day"
    assert list(main) == promised.split()
    assert (main["state"], main["error"], main["since"], main["streak"]) == ("ok", None, None, 0)
    assert datetime.fromisoformat(main["next_poll"]) > datetime(2023, 12, 27, 18, 59, tzinfo=UTC)
    assert (down["state"], down["streak"], down["last_success"]) == ("warning", 1, None)
    assert "500" in down["error"]
    table = stocked.done("feeds", "status").splitlines()
    assert table[0].startswith("NAME\tSTATE\t")
    assert table[-1].startswith("down: ")


NOW = datetime(2023, 12, 27, 18, tzinfo=UTC)
FEED = Feed("a", "https://a.example/")
POLLED = FeedState(1, "a", FEED.url, FEED.url, NOW, last_attempt_at=NOW, last_success_at=NOW, next_poll_at=NOW)


def changed(**changes: Any) -> FeedState:
    return replace(POLLED, **changes)


@pytest.mark.parametrize(
    ("feed", "state", "expected"),
    [
        (FEED, None, "new"),
        (FEED, changed(last_attempt_at=None), "new"),
        (FEED, POLLED, "ok"),
        (FEED, changed(warning="odd"), "warning"),
        (FEED, changed(error="down", streak=2), "warning"),
        (FEED, changed(error="down", streak=3), "failing"),
        (FEED, changed(error="410", streak=1, gone=True), "gone"),
        (Feed("a", FEED.url, enabled=False), changed(error="down", streak=3), "disabled"),
        (Feed("a", FEED.url, enabled=False), None, "disabled"),
    ],
)
def test_a_state_follows_from_what_is_known(feed: Feed, state: FeedState | None, expected: str) -> None:
    found = to_status(feed, state)
    assert found.state == expected
    assert found.next_poll_at is None or expected not in ("gone", "disabled")


@pytest.mark.parametrize(
    ("feed", "state", "ok", "says"),
    [
        (Feed("a", FEED.url, enabled=False), POLLED, True, "disabled"),
        (FEED, changed(gone=True), False, "feeds remove a"),
        (FEED, changed(retry_after_at=NOW), False, "until 2023-12-27 18:00 UTC"),
    ],
)
def test_a_feed_that_may_not_be_asked_says_why(feed: Feed, state: FeedState, ok: bool, says: str) -> None:
    checked = to_checked(feed, state, None)
    assert (checked.ok, says in checked.says) == (ok, True)


# --- import and export ---------------------------------------------------------------------------------------------------------------


def test_import_numbers_names_skips_the_known_reports_repairs_and_polls_nothing(stocked: Desk) -> None:
    file = stocked.home / "in.opml"
    file.write_bytes(
        opml(
            f'<outline text="World & More"><outline text="main" xmlUrl="https://a.example/"/><outline text="Main" xmlUrl="https://b.example/"/></outline>'
            f'<outline text="known" xmlUrl="{stocked.url("/main.rdf")}"/>'
        )
    )
    before = stocked.list.read_text()
    assert len(stocked.json("feeds", "import", str(file), "--dry-run")["added"]) == 2
    assert stocked.list.read_text() == before
    result = stocked.run("feeds", "import", str(file), "--tag", "mine")
    assert result.exception is None
    assert "Line 3: unescaped & in an attribute, repaired" in result.stderr
    assert f"Skipped {stocked.url('/main.rdf')}: subscribed already, as main." in result.stderr
    found = stocked.json("feeds", "list")["feeds"][2:]
    assert [(feed["name"], feed["title"], feed["tags"]) for feed in found] == [
        ("main-2", "main", ["mine", "world-more"]),
        ("main-3", "Main", ["mine", "world-more"]),
    ]
    assert stocked.list.read_text().startswith(before)
    assert stocked.asked == []


def test_import_reads_a_url_and_stdin(desk: Desk) -> None:
    desk.serve("/list.opml", opml('<outline text="one" xmlUrl="https://one.example/"/>'), "text/x-opml")
    desk.done("feeds", "import", desk.url("/list.opml"))
    desk.done("feeds", "import", "-", input=b"https://two.example/ tech\n")
    assert [feed["url"] for feed in desk.json("feeds", "list")["feeds"]] == ["https://one.example/", "https://two.example/"]
    assert desk.paths == ["/list.opml"]


def test_a_source_without_feeds_is_refused(desk: Desk) -> None:
    (desk.home / "words.txt").write_text("just\nwords\n")
    for source, says in (("words.txt", "holds no feeds"), ("missing.opml", "cannot be read"), (desk.url("/page"), "holds no feeds")):
        error = desk.refused("feeds", "import", source)
        assert (error.exit_code, says in str(error)) == (1, True)
    assert not desk.list.exists()


def test_export_and_import_is_a_round_trip(stocked: Desk) -> None:
    text = stocked.done("feeds", "export")
    assert [(feed.title, feed.url, feed.tags) for feed in read_opml(text.encode()).feeds] == [
        ("main", stocked.url("/main.rdf"), ("world", "uk")),
        ("down", stocked.url("/down"), ("world",)),
    ]
    stocked.done("feeds", "export", "--tag", "uk", "--output", "uk.opml")
    assert [feed.title for feed in read_opml((stocked.home / "uk.opml").read_bytes()).feeds] == ["main"]


# --- editing ------------------------------------------------------------------------------------------------------------------------


def test_edit_replaces_the_list_once_it_is_valid(stocked: Desk) -> None:
    stocked.list.chmod(0o600)
    before = stocked.list.read_text()
    stocked.editor("t = t.replace('often', 'seldom')")
    stocked.done("feeds", "edit")
    assert stocked.list.read_text() == before.replace("often", "seldom")
    assert stat.S_IMODE(stocked.list.stat().st_mode) == 0o600


def test_edit_of_no_change_changes_nothing(stocked: Desk) -> None:
    stocked.editor("pass")
    assert "Nothing was changed." in stocked.run("feeds", "edit").stderr


def broken_edit(desk: Desk, group: str, old: Callable[[], str]) -> Result:
    before = old()
    result = desk.run(group, "edit")
    assert isinstance(result.exception, ConfigError)
    assert old() == before
    (draft,) = desk.home.glob("aggregator-draft-*.toml")
    assert str(draft) in result.stderr
    assert "nonsense" in draft.read_text()
    return result


def test_a_list_that_became_invalid_in_the_editor_is_kept_as_a_draft(stocked: Desk) -> None:
    stocked.editor("t += 'nonsense = 1\\n'")
    result = broken_edit(stocked, "feeds", stocked.list.read_text)
    assert "there is no such key" in str(result.exception)


def test_edit_mends_a_list_that_is_broken_already(stocked: Desk) -> None:
    good = stocked.list.read_text()
    stocked.list.write_text(good + "nonsense\n")
    stocked.editor("t = t.replace('nonsense\\n', '')")
    stocked.done("feeds", "edit")
    assert stocked.list.read_text() == good


def test_config_edit_checks_before_it_replaces(desk: Desk) -> None:
    settings = desk.list.with_name("aggregator.toml")
    desk.editor("t += 'zone = \"Europe/Berlin\"\\n'")
    desk.done("config", "edit")
    assert 'zone = "Europe/Berlin"' in settings.read_text()
    desk.editor("t += 'nonsense = 1\\n'")
    broken_edit(desk, "config", settings.read_text)


def test_config_edit_mends_settings_that_are_broken_already(desk: Desk) -> None:
    settings = desk.list.with_name("aggregator.toml")
    settings.parent.mkdir(parents=True)
    settings.write_text("nonsense = 1\n")
    assert isinstance(desk.refused("config", "show"), ConfigError)
    desk.editor("t = 'zone = \"UTC\"\\n'")
    desk.done("config", "edit")
    assert desk.json("config", "show")["settings"]["zone"] == {"value": "UTC", "origin": f"{settings}, line 1"}


def test_config_check_reads_settings_and_feed_list(stocked: Desk) -> None:
    assert stocked.json("config", "check")["feeds"] == 2
    stocked.list.write_text("nonsense\n")
    assert isinstance(stocked.refused("config", "check"), FeedListError)


def test_config_path_says_where_everything_is(desk: Desk) -> None:
    assert desk.json("config", "path") == {
        "version": 1,
        "config": None,
        "reason": "nothing is configured",
        "feed_list": str(desk.list),
        "data": str(desk.home / "data" / "aggregator"),
    }
    desk.environment = {"AGGREGATOR_FETCH__TIMEOUT": "5s"}
    assert 'timeout = "5s"  # AGGREGATOR_FETCH__TIMEOUT' in desk.done("config", "show")
    assert '"x.db"  # --database' in desk.done("--database", "x.db", "config", "show")
