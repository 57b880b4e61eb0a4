"""The text of feeds.toml: read it into feeds, and change it so that comments and order stay. Pure: text in, text out.

    text | parse | check each [[feed]] | feeds and notices
    text | add, remove or set one feed | read again and compare with what was meant | new text

Edits are made on the lines themselves. A TOML editing library ties the comment above a feed to the feed before it, so that
removing one feed loses the next one's comment; and parsing ten thousand feeds with it takes seconds.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

from aggregator.errors import FeedListError, NotFoundError, UsageError
from aggregator.feeds.names import NAME, problem_of_url, same_address, slug
from aggregator.model import Feed
from aggregator.patterns import problem_of
from aggregator.times import format_duration, parse_duration
from aggregator.tomlfile import Place, TomlError, comment_start, did_you_mean, line_of, nearest, parse_toml, places, to_toml

HEADER = """\
# The feeds that aggregator subscribes to. Edit it as you like: `aggregator feeds` keeps comments and order.
#
# [[feed]]
# name = "bbc-world"                                   short and unique
# url = "https://feeds.bbci.co.uk/news/world/rss.xml"
# tags = ["world"]
"""

_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*")
_PROXY = re.compile(r"(https?|socks5h?)://\S+")
_SECRET_HEADERS = {"authorization", "proxy-authorization", "cookie"}
_SHORTEST_INTERVAL, _LONGEST_INTERVAL = 60, 365 * 86_400


@dataclass(frozen=True, slots=True)
class FeedList:
    """What a feeds.toml holds. `notices` are sentences about what is odd but no error."""

    feeds: tuple[Feed, ...]
    notices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Change:
    """A change to the file, made or (with a dry run) only planned."""

    before: str
    after: str

    @property
    def diff(self) -> str:
        """A unified diff without file names; empty when nothing changes."""
        lines = difflib.unified_diff(self.before.splitlines(), self.after.splitlines(), lineterm="", n=1)
        return "\n".join(list(lines)[2:])


# --- one value: each reader returns what Feed holds or raises ValueError with the rest of a sentence -----------------------


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ValueError("must be a text in quotes")
    return value.strip()


def _name(value: Any) -> str:
    text = _text(value)
    if not NAME.fullmatch(text):
        hint = f"; write for example “{slug(text)[:64]}”" if slug(text) else ""
        raise ValueError(f"must be small letters, digits, -, _ and ., at most 64 of them{hint}")
    return text


def _url(value: Any) -> str:
    text = _text(value)
    problem = problem_of_url(text)
    if problem:
        raise ValueError(f"“{text}” {problem}")
    return text


def _texts(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list | tuple) or not all(isinstance(each, str) and each.strip() for each in value):
        raise ValueError('must be a list of texts such as ["world", "tech"]')
    return tuple(dict.fromkeys(each.strip() for each in value))


def _patterns(value: Any) -> tuple[str, ...]:
    patterns = _texts(value)
    for pattern in patterns:
        if problem := problem_of(pattern):
            raise ValueError(f"“{pattern}” {problem}")
    return patterns


def _tags(value: Any) -> tuple[str, ...]:
    tags = _texts(value)
    for tag in tags:
        if not re.fullmatch(r"[\w .&+#-]{1,64}", tag):
            raise ValueError(f"“{tag}” is no tag: letters, digits, spaces and . & + # - _ are allowed, at most 64 of them")
    return tags


def _switch(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError("must be true or false")
    return value


def _interval(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise ValueError('must be a duration such as "30m", "24h" or "7d"')
    seconds = round(parse_duration(value)) if isinstance(value, str) else value
    if not _SHORTEST_INTERVAL <= seconds <= _LONGEST_INTERVAL:
        raise ValueError("must be from 1m to 365d")
    return seconds


def _language(value: Any) -> str:
    if not _LANGUAGE.fullmatch(_text(value)):
        raise ValueError('must be a language code such as "en" or "pt-BR"')
    return _text(value)


def _headers(value: Any) -> Mapping[str, str]:
    if not isinstance(value, dict) or not all(isinstance(each, str) for each in value.values()):
        raise ValueError('must be a table of texts such as { Accept-Language = "en" }')
    for name, content in value.items():
        if not _HEADER_NAME.fullmatch(name) or not content.isprintable():
            raise ValueError(f"“{name}” is no valid header")
        if name.lower() in _SECRET_HEADERS:
            raise ValueError(f'“{name}” would put a secret into this file; use auth = "env:NAME" or auth = "file:PATH"')
    return dict(value)


def _auth(value: Any) -> str:
    kind, _, rest = _text(value).partition(":")
    if kind not in ("env", "file") or not rest:
        raise ValueError('must not hold the secret itself: write "env:NAME" (a variable of the environment) or "file:PATH"')
    if kind == "env" and not re.fullmatch(r"[A-Za-z_]\w*", rest):
        raise ValueError(f"“{rest}” is no name of an environment variable")
    return _text(value)


def _proxy(value: Any) -> str:
    if not _PROXY.fullmatch(_text(value)):
        raise ValueError('must be a proxy URL such as "http://proxy.example:3128"')
    return _text(value)


def _weight(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 100:
        raise ValueError("must be a number from 0 to 100")
    return float(value)


_READERS: dict[str, Callable[[Any], Any]] = {
    "name": _name, "url": _url, "title": _text, "tags": _tags, "enabled": _switch, "interval": _interval, "language": _language,
    "headers": _headers, "user_agent": _text, "auth": _auth, "proxy": _proxy, "allow_private": _switch, "full_text": _switch,
    "weight": _weight, "mute": _patterns, "boost": _patterns,
}  # fmt: skip
KEYS = tuple(_READERS)
"""Every key of a [[feed]], in the order in which they are written."""
_FIELDS = {"interval": "interval_seconds"}
_DEFAULTS = {field.name: field.default for field in fields(Feed)}


def value_from_text(key: str, text: str) -> Any:
    """What `key=text` on the command line means, as the file would hold it; an empty text means "take the key out" (None).

    Raises UsageError for an unknown key or a text that cannot be meant.
    """
    if key not in _READERS:
        raise UsageError(f"a feed has no key “{key}”{did_you_mean(key, KEYS)}")
    text = text.strip()
    if not text:
        return None
    if key in ("tags", "mute", "boost"):
        return [part.strip() for part in text.strip("[]").split(",") if part.strip()] or None
    if key in ("enabled", "allow_private", "full_text"):
        switches = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}
        if text.lower() not in switches:
            raise UsageError(f"{key} must be true or false, not “{text}”")
        return switches[text.lower()]
    if key == "weight":
        try:
            return float(text)
        except ValueError:
            raise UsageError(f"weight must be a number from 0 to 100, not “{text}”") from None
    return text


def checked_feed(values: Mapping[str, Any]) -> Feed:
    """A Feed from keys and values as in the file; the name may be missing. Raises UsageError."""
    read: dict[str, Any] = {"name": ""}
    for key, value in values.items():
        try:
            read[_FIELDS.get(key, key)] = _READERS[key](value)
        except ValueError as error:
            raise UsageError(f"{key}: {error}") from None
    return Feed(**read)


# --- reading --------------------------------------------------------------------------------------------------------


def read_feed_list(text: str, file: str) -> FeedList:
    """The feeds in the order of the text. Raises FeedListError about the first mistake, with file, line and key."""
    tables = _tables(text, file)
    where = _Lines(text, file)
    feeds = tuple(_to_feed(table, index, where) for index, table in enumerate(tables))
    _refuse_double_names(feeds, where)
    return FeedList(feeds, _notices(feeds, where))


@dataclass
class _Lines:
    """Line numbers of the entries, looked up only when there is something to say."""

    text: str
    file: str
    _places: tuple[Place, ...] | None = None

    def line(self, index: int, key: str | None) -> int | None:
        if self._places is None:
            self._places = tuple(places(self.text))
        ours = [place for place in self._places if place.table.partition(".")[0] == "feed"]
        starts = [n for n, place in enumerate(ours) if place.table == "feed" and place.key is None]
        if index >= len(starts):
            return line_of(self.text, "", "feed")
        block = ours[starts[index] : starts[index + 1] if index + 1 < len(starts) else None]
        for place in block:
            if key and (place.key or place.table.partition(".")[2]).partition(".")[0] == key:
                return place.line
        return block[0].line

    def error(self, message: str, index: int, key: str | None) -> FeedListError:
        return FeedListError(message, file=self.file, line=self.line(index, key), key=key)


def _tables(text: str, file: str) -> Sequence[Mapping[str, Any]]:
    try:
        document = parse_toml(text)
    except TomlError as error:
        raise FeedListError(str(error), file=file, line=error.line) from None
    for name in document:
        if name != "feed":
            line = line_of(text, name, None) or line_of(text, "", name)
            hint = "; write [[feed]] before each feed" if name in KEYS or name == "feeds" else did_you_mean(name, ["feed"])
            raise FeedListError(f"there is no such key{hint}", file=file, line=line, key=name)
    tables = document.get("feed", [])
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        line = line_of(text, "feed", None) or line_of(text, "", "feed")
        raise FeedListError("a feed begins with a line [[feed]], in double brackets", file=file, line=line)
    return tables


def _to_feed(table: Mapping[str, Any], index: int, where: _Lines) -> Feed:
    values: dict[str, Any] = {}
    for key, value in table.items():
        if key not in _READERS:
            raise where.error(f"there is no such key{did_you_mean(key, KEYS)}", index, key)
        try:
            values[_FIELDS.get(key, key)] = _READERS[key](value)
        except ValueError as error:
            raise where.error(f"{key} {error}" if not str(error).startswith("“") else str(error), index, key) from None
    for key in ("name", "url"):
        if key not in values:
            raise where.error(f"this feed has no {key}; add {key} = …", index, None)
    return Feed(**values)


def _refuse_double_names(feeds: Sequence[Feed], where: _Lines) -> None:
    seen: dict[str, int] = {}
    for index, feed in enumerate(feeds):
        if feed.name in seen:
            first = where.line(seen[feed.name], "name")
            message = f"two feeds are named “{feed.name}” (the first in line {first}); give one of them another name"
            raise where.error(message, index, "name")
        seen[feed.name] = index


def _notices(feeds: Sequence[Feed], where: _Lines) -> tuple[str, ...]:
    seen: dict[str, Feed] = {}
    notices = []
    for index, feed in enumerate(feeds):
        first = seen.setdefault(same_address(feed.url), feed)
        if first is not feed:
            place = f"{where.file}, line {where.line(index, 'url')}"
            notices.append(f"{place}: “{feed.name}” has the same address as “{first.name}”; one of them is enough.")
    return tuple(notices)


# --- writing ----------------------------------------------------------------------------------------------------------


def feed_values(feed: Feed) -> dict[str, Any]:
    """What is written for a feed: name and url, and the keys that differ from their defaults, as one writes them."""
    values: dict[str, Any] = {}
    for key in KEYS:
        value = getattr(feed, _FIELDS.get(key, key))
        if key in ("name", "url") or (value != _DEFAULTS[_FIELDS.get(key, key)] and value not in ((), {})):
            values[key] = format_duration(value) if key == "interval" else value
    return values


def add_feeds(text: str, new: Iterable[Feed], file: str) -> str:
    """The text with feeds at its end. Raises FeedListError, UsageError for a name that is taken."""
    before, new = read_feed_list(text, file).feeds, tuple(new)
    taken = {feed.name for feed in before}
    for feed in new:
        if feed.name in taken:
            raise UsageError(f"there is a feed named “{feed.name}” already; choose another name with --name")
        taken.add(feed.name)
    if not new:
        return text
    start = text if text.strip() else HEADER
    blocks = ("[[feed]]\n" + "".join(f"{key} = {to_toml(value)}\n" for key, value in feed_values(feed).items()) for feed in new)
    return _checked(start.rstrip("\n") + "\n\n" + "\n".join(blocks), (*before, *new), file)


def remove_feed(text: str, name: str, file: str) -> str:
    """The text without one feed and without the comment lines that stand directly above it. Raises NotFoundError."""
    feeds = read_feed_list(text, file).feeds
    block = _block(text, _index(feeds, name), file)
    start = _with_own_comment(text, block[0].offset)
    head, tail = text[:start], text[max(place.end for place in block) :]
    if not head.strip() or head.endswith("\n\n"):
        tail = tail.lstrip("\n")
    return _checked(head + tail if tail else head.rstrip("\n") + "\n", tuple(feed for feed in feeds if feed.name != name), file)


def set_feed(text: str, name: str, changes: Mapping[str, Any], file: str) -> str:
    """The text with some keys of one feed changed; None takes a key out. Values as in the file.

    Raises NotFoundError, and UsageError for a key or value that does not fit.
    """
    feeds = read_feed_list(text, file).feeds
    index = _index(feeds, name)
    wanted = _changed(feeds[index], changes, {feed.name for feed in feeds})
    for key, value in changes.items():
        text = _set_key(text, index, key, value, file)
    return _checked(text, (*feeds[:index], wanted, *feeds[index + 1 :]), file)


def _changed(feed: Feed, changes: Mapping[str, Any], taken: set[str]) -> Feed:
    values: dict[str, Any] = {}
    for key, value in changes.items():
        if key not in _READERS:
            raise UsageError(f"a feed has no key “{key}”{did_you_mean(key, KEYS)}")
        if key == "headers":
            raise UsageError("headers are a table; change them with `aggregator feeds edit`")
        field = _FIELDS.get(key, key)
        if value is None:
            if key in ("name", "url"):
                raise UsageError(f"a feed needs its {key}; give a new one instead of none")
            values[field] = _DEFAULTS[field]
            continue
        try:
            values[field] = _READERS[key](value)
        except ValueError as error:
            raise UsageError(f"{key}: {error}") from None
    if values.get("name", feed.name) != feed.name and values["name"] in taken:
        raise UsageError(f"there is a feed named “{values['name']}” already; choose another name")
    return replace(feed, **values)


def _set_key(text: str, index: int, key: str, value: Any, file: str) -> str:
    block = _block(text, index, file)
    place = next((place for place in block if place.table == "feed" and place.key == key), None)
    if place is not None:
        old = text[place.offset : place.end]
        comment = comment_start(old)
        kept = old[len(old[:comment].rstrip()) :].rstrip("\n") if comment is not None else ""
        new = "" if value is None else f"{key} = {to_toml(value)}{kept}\n"
        return text[: place.offset] + new + text[place.end :]
    if value is None:
        return text
    after = max(place.end for place in block if place.table == "feed")  # before a [feed.headers] that may follow
    line_end = "" if text[:after].endswith("\n") else "\n"
    return f"{text[:after]}{line_end}{key} = {to_toml(value)}\n{text[after:]}"


def _index(feeds: Sequence[Feed], name: str) -> int:
    for index, feed in enumerate(feeds):
        if feed.name == name:
            return index
    raise NotFoundError(unknown_feed(name, (feed.name for feed in feeds)))


def unknown_feed(name: str, known: Iterable[str]) -> str:
    """A sentence with the nearest known name."""
    near = nearest(name, known)
    return f"there is no feed named “{name}”" + (f"; did you mean “{near}”?" if near else "; `aggregator feeds list` shows the names")


def _block(text: str, index: int, file: str) -> list[Place]:
    """Header and keys of the `index`-th feed, its sub-tables included."""
    block: list[Place] = []
    number = -1
    for place in places(text):
        if place.key is None and place.table == "feed":
            number += 1
        if number == index and place.table.partition(".")[0] == "feed":
            block.append(place)
    if not block:
        raise FeedListError("feeds are not written as [[feed]] tables here; change this file with `aggregator feeds edit`", file=file)
    return block


def _with_own_comment(text: str, offset: int) -> int:
    """Where the comment lines directly above begin; a comment at the very top is the file's own and stays."""
    start = offset
    while start > 0:
        above = text.rfind("\n", 0, start - 1) + 1
        if not text[above:start].lstrip().startswith("#"):
            return start
        start = above
    return offset


def _checked(text: str, wanted: tuple[Feed, ...], file: str) -> str:
    """`text`, after making sure that it says what was meant: an edit never spoils the file, however it is written."""
    if read_feed_list(text, file).feeds != wanted:
        raise FeedListError("this file is written in a way that the command cannot change safely; use `aggregator feeds edit`", file=file)
    return text
