"""feeds.toml: what it may say, and that every edit keeps what people wrote in it."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aggregator.errors import AggregatorError, FeedListError, NotFoundError, UsageError
from aggregator.feeds.feedlist import KEYS, add_feeds, read_feed_list, remove_feed, set_feed, value_from_text
from aggregator.feeds.names import make_name, same_address
from aggregator.feeds.subscriptions import Subscriptions
from aggregator.model import Feed
from aggregator.textfile import replace_text
from tests.shared import ROOT

LIST = """\
# my feeds

# the BBC, for the world
[[feed]]
name = "bbc"                # short
url  = "https://bbc.example/rss"   # the https one
tags = [
  "world",  # first
  "uk",
]

# do not lose this comment
[[feed]]
url = 'https://two.example/feed'
name = 'two'
[feed.headers]
Accept-Language = "en"

# the last words
"""


def subscriptions(folder: Path, text: str | None = LIST) -> Subscriptions:
    path = folder / "feeds.toml"
    if text is not None:
        path.write_text(text, encoding="utf-8")
    return Subscriptions(path, replace_text)


def entry(*lines: str) -> str:
    return "\n".join(["[[feed]]", 'name = "a"', 'url = "https://a.example/"', *lines, ""])


# --- reading -------------------------------------------------------------------------------------------------------------


def test_every_key_is_read_into_the_feed() -> None:
    text = """
[[feed]]
name = "full"
url = "https://full.example/rss?x=1"
title = "Full"
tags = ["one", "zwei", "one"]
enabled = false
interval = "2h"
language = "pt-BR"
headers = { Accept-Language = "pt" }
user_agent = "me"
auth = "env:SECRET"
proxy = "socks5://proxy.example:1080"
allow_private = true
full_text = true
weight = 2
mute = ["ads"]
"""
    (feed,) = read_feed_list(text, "f").feeds
    assert feed == Feed(
        "full", "https://full.example/rss?x=1", "Full", ("one", "zwei"), False, 7200, "pt-BR", {"Accept-Language": "pt"}, "me",
        "env:SECRET", "socks5://proxy.example:1080", True, True, 2.0, ("ads",),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("text", "line", "key", "says"),
    [
        ('[[feed]]\nname = "a\n', 2, None, "not valid TOML"),
        ('[[feed]]\nname = "a"\nname = "b"\n', 3, None, "not valid TOML"),
        (entry('tag = ["x"]'), 4, "tag", "did you mean “tags”"),
        (entry("Interval = 3"), 4, "Interval", "did you mean “interval”"),
        (entry() + "\n" + entry(), 6, "name", "two feeds are named “a” .the first in line 2."),
        ('[[feed]]\nurl = "https://a.example/"\n', 1, None, "this feed has no name"),
        ('[[feed]]\nname = "a"\n', 1, None, "this feed has no url"),
        ('[[feed]]\nname = "Big Name"\nurl = "https://a/"\n', 2, "name", "write for example “big-name”"),
        ('[[feed]]\nname = "a"\nurl = "ftp://a/"\n', 3, "url", "does not begin with http"),
        ('[[feed]]\nname = "a"\nurl = "https://a b/"\n', 3, "url", "spaces"),
        ('[[feed]]\nname = "a"\nurl = "https:///x"\n', 3, "url", "names no host"),
        ('[[feed]]\nname = "a"\nurl = "https://a:99999/"\n', 3, "url", "no valid address"),
        (entry('tags = "world"'), 4, "tags", "a list of texts"),
        (entry('tags = ["a,b"]'), 4, "tags", "is no tag"),
        (entry('enabled = "no"'), 4, "enabled", "true or false"),
        (entry('interval = "soon"'), 4, "interval", "not a duration"),
        (entry("interval = 5"), 4, "interval", "from 1m to 365d"),
        (entry("interval = true"), 4, "interval", "a duration"),
        (entry('language = "english!"'), 4, "language", "language code"),
        (entry('headers = { "Bad Name" = "x" }'), 4, "headers", "no valid header"),
        (entry('headers = { X = "a\\nb" }'), 4, "headers", "no valid header"),
        (entry('headers = { Authorization = "Bearer x" }'), 4, "headers", "secret"),
        (entry("", "[feed.headers]", 'Cookie = "x"'), 5, "headers", "secret"),
        (entry('auth = "me:password"'), 4, "auth", "must not hold the secret itself"),
        (entry('auth = "env:NOT A NAME"'), 4, "auth", "no name of an environment variable"),
        (entry('proxy = "proxy:80"'), 4, "proxy", "proxy URL"),
        (entry("weight = -1"), 4, "weight", "from 0 to 100"),
        (entry("weight = nan"), 4, "weight", "from 0 to 100"),
        (entry('mute = [""]'), 4, "mute", "a list of texts"),
        ('name = "a"\n', 1, "name", r"write \[\[feed\]\]"),
        ('[feed]\nname = "a"\n', 1, None, r"begins with a line \[\[feed\]\]"),
        ("# x\n[[feeds]]\n", 2, "feeds", r"write \[\[feed\]\]"),
        ("feed = 3\n", 1, None, "double brackets"),
    ],
)
def test_a_mistake_is_told_with_file_line_key_and_cure(text: str, line: int, key: str | None, says: str) -> None:
    with pytest.raises(FeedListError, match=says) as caught:
        read_feed_list(text, "/x/feeds.toml")
    assert (caught.value.file, caught.value.line, caught.value.key) == ("/x/feeds.toml", line, key)
    assert str(caught.value).startswith(f"/x/feeds.toml, line {line}")


def test_two_feeds_with_one_address_are_noticed_but_allowed() -> None:
    found = read_feed_list(entry() + "\n" + entry().replace('"a"', '"b"').replace("https", "http"), "f")
    assert [feed.name for feed in found.feeds] == ["a", "b"]
    assert found.notices == ("f, line 7: “b” has the same address as “a”; one of them is enough.",)


def test_a_missing_file_is_an_empty_list_and_odd_files_are_told(tmp_path: Path) -> None:
    assert subscriptions(tmp_path, None).load() == ()
    assert subscriptions(tmp_path, "").load() == ()
    (tmp_path / "feeds.toml").write_bytes(b"# \n# caf\xe9\n")
    with pytest.raises(FeedListError, match="line 2: the file is not UTF-8"):
        subscriptions(tmp_path, None).load()
    with pytest.raises(FeedListError, match="this is a folder"):
        Subscriptions(tmp_path, replace_text).load()


def test_a_change_of_the_file_is_seen_at_the_next_look(tmp_path: Path) -> None:
    feeds = subscriptions(tmp_path)
    assert len(feeds.load()) == 2
    feeds.path.write_text(entry(), encoding="utf-8")
    assert [feed.name for feed in feeds.load()] == ["a"]


def test_the_shipped_list_is_valid_and_has_no_notices() -> None:
    found = read_feed_list((ROOT / "config" / "feeds.toml").read_text(encoding="utf-8"), "feeds.toml")
    assert 24 <= len(found.feeds) <= 30
    assert found.notices == ()
    assert all(feed.tags and feed.url.startswith("https://") for feed in found.feeds)


def test_the_shipped_list_explains_every_key() -> None:
    text = (ROOT / "config" / "feeds.toml").read_text(encoding="utf-8")
    assert [key for key in KEYS if f"\n# {key} = " not in text] == []


# --- edits: comments and order stay ---------------------------------------------------------------------------------------


def test_adding_appends_and_leaves_every_line_above_as_it_was() -> None:
    after = add_feeds(LIST, [Feed("new", "https://new.example/", title='The "New"', tags=("x",), interval_seconds=5400)], "f")
    assert after.startswith(LIST)
    added = after.removeprefix(LIST)
    assert added == '\n[[feed]]\nname = "new"\nurl = "https://new.example/"\ntitle = "The \\"New\\""\ntags = ["x"]\ninterval = "90m"\n'


def test_the_first_feed_gets_a_header_above_it(tmp_path: Path) -> None:
    feeds = subscriptions(tmp_path / "not" / "there", None)
    feeds.add(Feed("new", "https://new.example/"))
    assert feeds.path.read_text(encoding="utf-8").startswith("# The feeds that aggregator subscribes to.")
    assert feeds.load() == (Feed("new", "https://new.example/"),)


def test_removing_a_feed_takes_its_own_comment_along_and_no_other() -> None:
    first = LIST.index("# the BBC")
    second = LIST.index("# do not lose")
    assert remove_feed(LIST, "bbc", "f") == LIST[:first] + LIST[second:]
    without_two = remove_feed(LIST, "two", "f")
    assert "# the last words" in without_two
    assert without_two.startswith(LIST[:second].rstrip("\n"))
    assert "do not lose" not in without_two


def test_setting_keys_changes_those_lines_only() -> None:
    after = set_feed(LIST, "bbc", {"url": "https://new.example/", "weight": 2.0}, "f")
    assert after == LIST.replace('"https://bbc.example/rss"', '"https://new.example/"').replace("url  =", "url =").replace(
        '  "uk",\n]\n', '  "uk",\n]\nweight = 2.0\n'
    )


def test_a_key_is_added_before_the_tables_of_the_feed() -> None:
    after = set_feed(LIST, "two", {"interval": "2h"}, "f")
    assert after == LIST.replace("name = 'two'\n", "name = 'two'\ninterval = \"2h\"\n")


def test_none_takes_a_key_out_even_over_many_lines() -> None:
    after = set_feed(LIST, "bbc", {"tags": None}, "f")
    assert after == LIST.replace('tags = [\n  "world",  # first\n  "uk",\n]\n', "")


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"titel": "x"}, "no key “titel”; did you mean “title”"),
        ({"name": "two"}, "there is a feed named “two” already"),
        ({"url": "nonsense"}, "does not begin with http"),
        ({"url": None}, "a feed needs its url"),
        ({"auth": "me:secret"}, "must not hold the secret"),
        ({"headers": {}}, "feeds edit"),
    ],
)
def test_a_change_that_does_not_fit_is_refused_and_nothing_written(tmp_path: Path, changes: dict[str, object], says: str) -> None:
    feeds = subscriptions(tmp_path)
    with pytest.raises(UsageError, match=says):
        feeds.set("bbc", changes)
    assert feeds.text() == LIST


def test_an_unknown_name_is_told_with_the_nearest(tmp_path: Path) -> None:
    feeds = subscriptions(tmp_path)
    acts: list[Callable[[], object]] = [
        lambda: feeds.remove("bcb"),
        lambda: feeds.set("bcb", {"weight": 1}),
        lambda: feeds.disable("bcb"),
    ]
    for act in acts:
        with pytest.raises(NotFoundError, match="no feed named “bcb”; did you mean “bbc”"):
            act()
    with pytest.raises(UsageError, match="a feed named “bbc” already; choose another name with --name"):
        feeds.add(Feed("bbc", "https://other.example/"))


def test_disabling_and_enabling_gives_the_file_back(tmp_path: Path) -> None:
    feeds = subscriptions(tmp_path)
    feeds.disable("two")
    assert [feed.enabled for feed in feeds.load()] == [True, False]
    feeds.enable("two")
    assert feeds.text() == LIST


def test_a_list_that_cannot_be_edited_safely_is_left_alone(tmp_path: Path) -> None:
    text = 'feed = [{ name = "a", url = "https://a.example/" }]\n'
    feeds = subscriptions(tmp_path, text)
    assert [feed.name for feed in feeds.load()] == ["a"]
    acts: list[Callable[[], object]] = [
        lambda: feeds.remove("a"),
        lambda: feeds.disable("a"),
        lambda: feeds.add(Feed("b", "https://b.example/")),
    ]
    for act in acts:
        with pytest.raises(FeedListError):
            act()
    assert feeds.text() == text


def test_a_dry_run_shows_the_change_and_writes_nothing(tmp_path: Path) -> None:
    feeds = subscriptions(tmp_path)
    change = feeds.remove("bbc", dry_run=True)
    assert '-name = "bbc"                # short' in change.diff.splitlines()
    assert feeds.text() == LIST


names = st.from_regex(r"[a-z0-9][a-z0-9._-]{0,8}", fullmatch=True)
texts = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), min_size=1, max_size=12).map(str.strip).filter(bool)
some_feeds = st.builds(
    Feed,
    name=names,
    url=st.from_regex(r"https?://[a-z]{1,8}\.example/[a-z0-9/?&=]{0,9}", fullmatch=True),
    title=st.none() | texts,
    tags=st.lists(st.sampled_from(["world", "tech & co", "großes", "a.b"]), unique=True, max_size=3).map(tuple),
    enabled=st.booleans(),
    interval_seconds=st.none() | st.integers(60, 90_000),
    headers=st.dictionaries(st.sampled_from(["X-A", "Accept"]), st.just("v"), max_size=2),
    weight=st.floats(0, 100, allow_nan=False),
    mute=st.lists(texts, unique=True, max_size=2).map(tuple),
)


@given(st.lists(some_feeds, unique_by=lambda feed: feed.name, min_size=1, max_size=4), st.data())
def test_whatever_is_added_is_read_back_and_can_be_changed_and_removed(feeds: list[Feed], data: st.DataObject) -> None:
    text = add_feeds(LIST.replace('"bbc"', '"bbc-0000000"').replace("'two'", "'two-0000000'"), feeds, "f")
    assert read_feed_list(text, "f").feeds[2:] == tuple(feeds)
    chosen = data.draw(st.sampled_from(feeds))
    title = data.draw(texts)
    changed = read_feed_list(set_feed(text, chosen.name, {"title": title}, "f"), "f").feeds
    assert {feed.name: feed.title for feed in changed}[chosen.name] == title
    left = read_feed_list(remove_feed(text, chosen.name, "f"), "f").feeds[2:]
    assert left == tuple(feed for feed in feeds if feed is not chosen)


# --- writing -----------------------------------------------------------------------------------------------------------------


def test_mode_and_symbolic_link_survive_a_write(tmp_path: Path) -> None:
    feeds = subscriptions(tmp_path)
    feeds.path.chmod(0o640)
    link = tmp_path / "link.toml"
    link.symlink_to(feeds.path)
    Subscriptions(link, replace_text).disable("bbc")
    assert link.is_symlink()
    assert stat.S_IMODE(feeds.path.stat().st_mode) == 0o640
    assert feeds.load()[0].enabled is False
    assert sorted(path.name for path in tmp_path.iterdir()) == ["feeds.toml", "link.toml"]


def test_windows_line_ends_stay(tmp_path: Path) -> None:
    feeds = subscriptions(tmp_path)
    feeds.path.write_bytes(LIST.replace("\n", "\r\n").encode())
    feeds.disable("bbc")
    data = feeds.path.read_bytes()
    assert data.count(b"\r\n") == data.count(b"\n") == LIST.count("\n") + 1


@pytest.mark.parametrize("failing", ["fsync", "replace"])
def test_a_full_disk_changes_nothing_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing: str) -> None:
    feeds = subscriptions(tmp_path)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(f"aggregator.textfile.os.{failing}", full)
    with pytest.raises(AggregatorError, match=r"cannot be written \(No space left on device\); nothing was changed"):
        feeds.disable("bbc")
    monkeypatch.undo()
    assert feeds.text() == LIST
    assert os.listdir(tmp_path) == ["feeds.toml"]


def test_a_text_that_is_no_list_does_not_replace_one(tmp_path: Path) -> None:
    feeds = subscriptions(tmp_path)
    with pytest.raises(FeedListError):
        feeds.replace_text("[[feed]]\n")
    assert feeds.text() == LIST
    feeds.replace_text(entry())
    assert feeds.text() == entry()


# --- names and values ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("title", "url", "name"),
    [
        ("BBC News - World", "https://x/", "bbc-news-world"),
        ("Die Zeit – Öffentlichkeit & Größe", "https://x/", "die-zeit-offentlichkeit-grosse"),
        ("Le Monde.fr : l’actualité à la une", "https://x/", "le-monde-fr-lactualite-a-la-une"),
        ("Медуза: новости", "https://x/", "meduza-novosti"),
        ("Київ", "https://x/", "kiiv"),
        ("Ελευθερία", "https://x/", "eleftheria".replace("f", "y")),
        ("A very long title that goes on and on without an end in sight", "https://x/", "a-very-long-title-that-goes-on"),
        ("朝日新聞", "https://www.asahi.com/rss/asahi/newsheadlines.rdf", "asahi-asahi-newsheadlines"),
        (None, "https://feeds.bbci.co.uk/news/world/rss.xml", "bbci-news-world"),
        ("", "https://www.com/feed", "feed"),
    ],
)
def test_a_name_is_short_and_spelled_in_ascii(title: str | None, url: str, name: str) -> None:
    assert make_name(title, url, set()) == name


def test_a_taken_name_is_numbered() -> None:
    assert make_name("BBC", "https://x/", {"bbc", "bbc-2"}) == "bbc-3"


def test_one_feed_has_one_address_however_it_is_spelled() -> None:
    same = ["http://Example.org/rss", "https://example.org:443/rss", "https://example.org./rss#top", "http://example.org:80/rss"]
    assert len({same_address(url) for url in same}) == 1
    others = ["https://example.org/rss?x=1", "https://example.org:8080/rss", "https://example.org/RSS", "https://www.example.org/rss"]
    assert len({same_address(url) for url in [*same, *others]}) == 5


@pytest.mark.parametrize(
    ("key", "text", "value"),
    [
        ("tags", "world, uk", ["world", "uk"]),
        ("mute", "", None),
        ("enabled", "no", False),
        ("weight", "1.5", 1.5),
        ("interval", " 2h ", "2h"),
        ("title", "007", "007"),
    ],
)
def test_a_value_on_the_command_line_is_typed_by_its_key(key: str, text: str, value: object) -> None:
    assert value_from_text(key, text) == value


@pytest.mark.parametrize(("key", "text"), [("enabled", "maybe"), ("weight", "heavy"), ("tag", "x")])
def test_a_value_that_cannot_be_meant_is_refused(key: str, text: str) -> None:
    with pytest.raises(UsageError):
        value_from_text(key, text)
