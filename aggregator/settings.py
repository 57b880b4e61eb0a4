"""Typed settings from a TOML file, the environment and the command line; every error names file, line and key.

    --config FILE > AGGREGATOR_CONFIG > ./config/aggregator.toml > the user's config folder > built-in defaults
    for each key: flag > environment (AGGREGATOR_SECTION__KEY) > file > default

It reads one file and decides nothing about feeds. Only app.py (and the `config` commands) use it; everything below gets
the numbers it needs as small dataclasses of its own.
"""

from __future__ import annotations

import re
import sys
import zoneinfo
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import time
from functools import cache
from pathlib import Path
from typing import Any, get_type_hints

import msgspec
from msgspec import Meta, Struct, field

from aggregator.errors import ConfigError
from aggregator.kinds import (
    Addresses,
    BrokerUrl,
    Bytes,
    BytesOrZero,
    Count,
    CountOrZero,
    Duration,
    DurationOrNone,
    Factor,
    FilePath,
    Format,
    Languages,
    Listen,
    LogFormat,
    LogLevel,
    MaybeCount,
    MaybeDuration,
    Patterns,
    Port,
    ProxyUrl,
    Searches,
    SecretRef,
    Security,
    Sender,
    Share,
    Switch,
    Targets,
    Text,
    Texts,
    TimeOfDay,
    TimeOrNever,
    WebListen,
    WebUrl,
    Weekdays,
    Word,
    Zone,
)
from aggregator.patterns import problem_of
from aggregator.text import without_password
from aggregator.times import format_duration, parse_duration
from aggregator.tomlfile import TomlError, did_you_mean, line_of, nearest, parse_toml, to_toml

_HOUR, _DAY = 3600.0, 86_400.0


# --- the settings; config/aggregator.toml explains each key --------------------------------------------------------


class FetchSettings(Struct, frozen=True):
    """How feeds are polled. Durations in seconds. Figures: a polite poll interval, deadlines and caps as common readers have them."""

    interval: Duration = _HOUR
    max_interval: Duration = 12 * _HOUR
    timeout: Duration = 20.0
    connect_timeout: Duration = 5.0
    concurrency: Count = 32
    max_bytes: Bytes = 15_000_000
    max_decompressed_bytes: Bytes = 20_000_000
    max_redirects: CountOrZero = 5
    host_delay: MaybeDuration = None
    """None: 1 s for public hosts, nothing for private ones."""
    host_connections: MaybeCount = None
    """None: 1 for public hosts, 16 for private ones."""
    user_agent: Text = ""
    contact: Text = ""
    allow_private: Switch = False
    proxy: ProxyUrl = ""
    parse_timeout: Duration = 10.0
    parse_workers: Count = 2
    parse_memory_bytes: Bytes = 1_000_000_000


class StoriesSettings(Struct, frozen=True):
    """How items are grouped; the thresholds were tuned on a labelled stream."""

    window: Duration = 3 * _DAY
    join: Share = 0.23
    merge: Share = 0.22
    same_feed: Share = 0.7
    batch: Count = 50


class TopicsSettings(Struct, frozen=True):
    history: Duration = 21 * _DAY


class DigestSettings(Struct, frozen=True):
    """A digest that the daemon makes: the one of [digest], and what a [digests.NAME] does not say itself."""

    enabled: Switch = True
    name: Word = "daily"
    time: TimeOfDay = "07:00"
    weekdays: Weekdays = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
    zone: Zone = ""
    tags: Texts = ()
    targets: Targets = ("folder",)
    to: Addresses = ()
    webhook: WebUrl = ""
    format: Format = "markdown"
    folder: FilePath = ""
    limit: CountOrZero = 30
    minutes: CountOrZero = 0
    """0: any time."""
    since: Duration = _DAY


class InterestsSettings(Struct, frozen=True):
    """What the reader wants less or more of, in every digest."""

    mute: Patterns = ()
    boost: Patterns = ()
    languages: Languages = ()
    searches: Searches = ()


class RankingSettings(Struct, frozen=True):
    """What makes a story stand high in a digest: the fields of digest/rank.DigestParams, which says what each means."""

    publishers: Factor = 1.0
    earlier_share: Share = 0.25
    freshness: Factor = 0.6
    freshness_half_life: Factor = 0.25
    growth: Factor = 0.2
    weight: Factor = 1.0
    follow: Factor = 1.5
    boost: Factor = 1.0
    lone: Factor = 0.75
    important_weight: Factor = 2.0
    like_others: Factor = 0.8
    same_topic: Factor = 0.2
    same_publisher: Factor = 0.6
    near_title: Share = 0.6


class MailSettings(Struct, frozen=True):
    """The mail server that digests leave by (SMTP)."""

    host: Text = ""
    port: Port = 0
    security: Security = "starttls"
    user: Text = ""
    password: SecretRef = ""
    sender: Sender = ""
    to: Addresses = ()
    timeout: Duration = 30.0


class WebhookSettings(Struct, frozen=True):
    url: WebUrl = ""
    secret: SecretRef = ""
    timeout: Duration = 30.0


class DaemonSettings(Struct, frozen=True):
    tick: Duration = 30.0
    prune_at: TimeOrNever = "03:30"
    backup_at: TimeOrNever = "03:45"
    backups: Count = 7
    shutdown_timeout: Duration = 20.0
    listen: Listen = ""
    metrics_file: FilePath = ""


class WorkersSettings(Struct, frozen=True):
    """How work is shared among `aggregator worker` processes, where there is a broker."""

    batch: Count = 50
    lease: Duration = 60.0
    prefix: Word = "aggregator"


class WebSettings(Struct, frozen=True):
    """The pages of `aggregator serve`. `hosts`: further names under which they are reached, such as that of a proxy."""

    listen: WebListen = "127.0.0.1:8080"
    token: SecretRef = ""
    hosts: Texts = ()


class RetentionSettings(Struct, frozen=True):
    items: DurationOrNone = 365 * _DAY
    """Counted from arrival; 0 keeps everything."""
    size: BytesOrZero = 0
    """Of the database; 0 sets no limit."""


class StoreSettings(Struct, frozen=True):
    """How to talk to PostgreSQL: the fields of store/engine.Options. A SQLite file needs none of it."""

    pool_size: Count = 5
    pool_overflow: CountOrZero = 10
    pool_timeout: Duration = 30.0
    connect_timeout: Duration = 10.0
    statement_timeout: DurationOrNone = 600.0
    lock_timeout: DurationOrNone = 60.0


class LogSettings(Struct, frozen=True):
    format: LogFormat = "text"
    level: LogLevel = "info"


class Settings(Struct, frozen=True):
    """All settings, effective: paths are absolute and defaults filled in. `origins` says where each key comes from."""

    database: FilePath = ""
    broker: BrokerUrl = ""
    zone: Zone = ""
    fetch: FetchSettings = FetchSettings()
    stories: StoriesSettings = StoriesSettings()
    topics: TopicsSettings = TopicsSettings()
    digest: DigestSettings = DigestSettings()
    interests: InterestsSettings = InterestsSettings()
    ranking: RankingSettings = RankingSettings()
    digests: Mapping[str, DigestSettings] = field(default_factory=dict)
    """The [digests.NAME] tables; what one does not say is as in [digest], but for `enabled`."""
    mail: MailSettings = MailSettings()
    webhook: WebhookSettings = WebhookSettings()
    daemon: DaemonSettings = DaemonSettings()
    workers: WorkersSettings = WorkersSettings()
    web: WebSettings = WebSettings()
    retention: RetentionSettings = RetentionSettings()
    store: StoreSettings = StoreSettings()
    log: LogSettings = LogSettings()
    origins: Mapping[str, str] = field(default_factory=dict)

    def value(self, key: str) -> Any:
        """The value of a dotted key, durations in seconds. Raises KeyError."""
        if key not in known_keys():
            raise KeyError(key)
        section, _, name = key.rpartition(".")
        return getattr(getattr(self, section) if section else self, name)

    def all_digests(self) -> list[DigestSettings]:
        """That of [digest], unless a [digests.NAME] has its name, and those by name."""
        return [*([] if self.digest.name in self.digests else [self.digest]), *self.digests.values()]

    def digest_named(self, name: str) -> DigestSettings:
        """The digest of that name; an unknown one is as [digest]."""
        return self.digests.get(name) or msgspec.structs.replace(self.digest, name=name)

    def shown(self) -> Iterator[tuple[str, Any, str]]:
        """(dotted key, value as one writes it in the file, where it comes from) for each setting; passwords in URLs are masked."""
        for key, kind in known_keys().items():
            yield key, _written(self.value(key), kind), self.origins.get(key, "default")
        for key, origin in sorted(self.origins.items()):
            if found := _NAMED.fullmatch(key):
                yield key, _written(getattr(self.digests[found[1]], found[2]), _kind(key)), origin

    def to_toml(self) -> str:
        """The effective settings as a settings file, each line with its origin."""
        lines, section = [], ""
        for key, value, origin in self.shown():
            table, _, name = key.rpartition(".")
            if table != section:
                section = table
                lines.append(f"\n[{section}]")
            lines.append(f"# {name} is not set  # {origin}" if value is None else f"{name} = {to_toml(value)}  # {origin}")
        return "\n".join(lines) + "\n"


_SECTIONS: dict[str, type[Struct]] = {
    "fetch": FetchSettings,
    "stories": StoriesSettings,
    "topics": TopicsSettings,
    "digest": DigestSettings,
    "interests": InterestsSettings,
    "ranking": RankingSettings,
    "mail": MailSettings,
    "webhook": WebhookSettings,
    "daemon": DaemonSettings,
    "workers": WorkersSettings,
    "web": WebSettings,
    "retention": RetentionSettings,
    "store": StoreSettings,
    "log": LogSettings,
}
_TOP = {"database": FilePath, "broker": BrokerUrl, "zone": Zone}
_NAMED = re.compile(r"digests\.([a-z0-9][a-z0-9_-]{0,63})\.(\w+)")
"""The key of a digest by name."""
_NAMED_KEYS = tuple(name for name in DigestSettings.__struct_fields__ if name != "name")
_NAMED_VARIABLE = re.compile(r"AGGREGATOR_DIGESTS__([A-Z0-9][A-Z0-9_]*?)__([A-Z_]+)")
_NOT_SETTINGS = re.compile(r"AGGREGATOR_(CONFIG|SHARED|TEST_\w*)")
"""Variables that are no settings: where the settings are, and two for this project's own tests."""


@cache
def known_keys() -> dict[str, Any]:
    """Every dotted key and its annotated type, in the order of config/aggregator.toml."""
    keys: dict[str, Any] = dict(_TOP)
    for section, struct in _SECTIONS.items():
        hints = get_type_hints(struct, include_extras=True)
        keys |= {f"{section}.{name}": hints[name] for name in struct.__struct_fields__}
    return keys


def _kind(key: str) -> Any:
    """The annotated type of a dotted key; those of a digest by name are as in [digest]."""
    return known_keys()[_NAMED.sub(r"digest.\2", key)]


def variable_of(key: str) -> str:
    """The environment variable of a dotted key: fetch.timeout -> AGGREGATOR_FETCH__TIMEOUT."""
    return "AGGREGATOR_" + key.upper().replace(".", "__")


# --- where the files are ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ConfigLocation:
    """Which settings file counts and where the others lie. `path` is None when there is none and defaults apply."""

    path: Path | None
    feeds_path: Path
    data_folder: Path
    reason: str
    """Who decided: "--config", "AGGREGATOR_CONFIG", "./config", "the user's folder" or "nothing is configured"."""
    new_path: Path
    """Where a settings file belongs that is to be made."""


def find_config(explicit: str | Path | None, environ: Mapping[str, str], cwd: Path) -> ConfigLocation:
    """Look in the documented order. Raises ConfigError when a file that was named does not exist."""
    data, user = _data_folder(environ), _xdg(environ, "XDG_CONFIG_HOME", ".config") / "aggregator" / "aggregator.toml"
    named = (("--config", explicit), ("AGGREGATOR_CONFIG", environ.get("AGGREGATOR_CONFIG")))
    for reason, given in named:
        if given:
            path = cwd / _expand(str(given), environ)
            if not path.exists():
                raise ConfigError(f"there is no settings file {path}; correct {reason} or make the file", file=reason)
            return ConfigLocation(path, path.parent / "feeds.toml", data, reason, path)
    for reason, path in (("./config", cwd / "config" / "aggregator.toml"), ("the user's folder", user)):
        if path.exists():
            return ConfigLocation(path, path.parent / "feeds.toml", data, reason, path)
    return ConfigLocation(None, user.parent / "feeds.toml", data, "nothing is configured", user)


def _data_folder(environ: Mapping[str, str]) -> Path:
    return _xdg(environ, "XDG_DATA_HOME", ".local/share") / "aggregator"


def _xdg(environ: Mapping[str, str], variable: str, fallback: str) -> Path:
    """An XDG base folder. A relative value is to be ignored (XDG Base Directory Specification 0.8)."""
    value = environ.get(variable, "")
    if value and Path(value).is_absolute():
        return Path(value)
    if sys.platform in ("darwin", "win32"):
        import platformdirs

        own = platformdirs.user_config_path if variable == "XDG_CONFIG_HOME" else platformdirs.user_data_path
        return Path(own())
    return _home(environ) / fallback


def _home(environ: Mapping[str, str]) -> Path:
    return Path(environ["HOME"]) if environ.get("HOME") else Path.home()


def _expand(text: str, environ: Mapping[str, str]) -> str:
    return str(_home(environ) / text[2:]) if text.startswith("~/") else text


# --- loading ------------------------------------------------------------------------------------------------------


def load_settings(path: Path | None, environ: Mapping[str, str], overrides: Mapping[str, Any] | None = None) -> Settings:
    """Settings of a file (None: no file), the environment and `overrides` (dotted key -> value, from flags).

    Raises ConfigError with one sentence about the first mistake: unreadable file, syntax, unknown key, wrong type or range.
    """
    values: dict[str, Any] = {}
    origins: dict[str, str] = {}
    if path is not None:
        for key, value, line in _checked_file(path, read_settings_text(path)):
            values[key], origins[key] = value, f"{path}, line {line}" if line else str(path)
            if _kind(key) is FilePath:
                values[key] = _resolve(value, environ, path.absolute().parent)
    for key, value, variable in _from_environment(environ):
        values[key], origins[key] = value, variable
    for key, value in (overrides or {}).items():
        values[key], origins[key] = _convert(key, value, file=f"--{key.rpartition('.')[2]}", line=None), f"--{key.rpartition('.')[2]}"
    return _build(_with_paths(values, environ), origins)


def check_settings_text(text: str, path: Path) -> None:
    """Raise ConfigError if `text` would be no valid settings file at `path`."""
    _build({key: value for key, value, _ in _checked_file(path, text)}, {})


def read_settings_text(path: Path) -> str:
    """The file's text. Raises ConfigError when it cannot be read or is not UTF-8."""
    try:
        return path.read_bytes().decode("utf-8-sig").replace("\r\n", "\n")
    except IsADirectoryError:
        raise ConfigError("this is a folder; name the file aggregator.toml in it", file=str(path)) from None
    except OSError as error:
        raise ConfigError(f"cannot be read ({error.strerror}); check the path and its permissions", file=str(path)) from None
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise ConfigError("the file is not UTF-8; save it with the encoding UTF-8", file=str(path), line=line) from None


def _build(values: Mapping[str, Any], origins: Mapping[str, str]) -> Settings:
    top = {key: value for key, value in values.items() if key in _TOP}
    sections: dict[str, Any] = {
        section: struct(**{name: values[f"{section}.{name}"] for name in struct.__struct_fields__ if f"{section}.{name}" in values})
        for section, struct in _SECTIONS.items()
    }
    named = _named_digests(values, sections["digest"])
    made = Settings(**top, **sections, digests=named, origins=dict(origins))
    for key, digest in (("digest", made.digest), *((f"digests.{name}", each) for name, each in named.items())):
        _check_targets(key, digest, made)
    return made


def _named_digests(values: Mapping[str, Any], base: DigestSettings) -> dict[str, DigestSettings]:
    own: dict[str, dict[str, Any]] = {}
    for key, value in values.items():
        if found := _NAMED.fullmatch(key):
            own.setdefault(found[1], {})[found[2]] = value
    return {name: msgspec.structs.replace(base, **{"enabled": True, "name": name, **given}) for name, given in own.items()}


def _check_targets(key: str, digest: DigestSettings, made: Settings) -> None:
    """A target that cannot be reached is told when the settings are read, not at seven in the morning."""
    origin = made.origins.get(f"{key}.targets") or made.origins.get("digest.targets")
    if "mail" in digest.targets and not (made.mail.host and made.mail.sender and (digest.to or made.mail.to)):
        raise ConfigError("mail needs mail.host, mail.sender and mail.to; set them below a line [mail]", file=origin, key=f"{key}.targets")
    if "webhook" in digest.targets and not (digest.webhook or made.webhook.url):
        raise ConfigError("webhook needs webhook.url; set it below a line [webhook]", file=origin, key=f"{key}.targets")


def _with_paths(values: dict[str, Any], environ: Mapping[str, str]) -> dict[str, Any]:
    data = _data_folder(environ)
    for key, default in (("database", data / "aggregator.db"), ("digest.folder", data / "digests")):
        values[key] = _expand(values.get(key) or str(default), environ)
    return values


def _resolve(value: str, environ: Mapping[str, str], folder: Path) -> str:
    """A relative path in a settings file counts from the file's folder; URLs stay as they are."""
    if not value or "://" in value or value == ":memory:":
        return value
    return str(folder / _expand(value, environ))


# --- the file -----------------------------------------------------------------------------------------------------


def _checked_file(path: Path, text: str) -> Iterator[tuple[str, Any, int | None]]:
    """(dotted key, converted value, line) of each setting in the file."""
    try:
        document = parse_toml(text)
    except TomlError as error:
        raise ConfigError(str(error), file=str(path), line=error.line) from None
    for name, value in document.items():
        if name in _TOP:
            line = line_of(text, "", name)
            yield name, _convert(name, value, file=str(path), line=line), line
        elif name == "digests" and isinstance(value, dict):
            for digest, table in value.items():
                yield from _checked_digest(path, text, digest, table)
        elif name not in _SECTIONS:
            line = line_of(text, "", name) or line_of(text, name, None)
            raise ConfigError(_unknown_top(name, value), file=str(path), line=line, key=name)
        elif not isinstance(value, dict):
            line = line_of(text, "", name)
            raise ConfigError(f"this is a section; write its keys below a line [{name}]", file=str(path), line=line, key=name)
        else:
            yield from _checked_section(path, text, name, value)


def _checked_section(path: Path, text: str, section: str, table: Mapping[str, Any]) -> Iterator[tuple[str, Any, int | None]]:
    yield from _checked_table(path, text, section, table, _SECTIONS[section].__struct_fields__)


def _checked_digest(path: Path, text: str, digest: str, table: Any) -> Iterator[tuple[str, Any, int | None]]:
    key, line = f"digests.{digest}", line_of(text, f"digests.{digest}", None) or line_of(text, "digests", digest)
    if not isinstance(table, dict):
        raise ConfigError(f"this is a table; write its keys below a line [{key}]", file=str(path), line=line, key=key)
    if not _NAMED.fullmatch(f"{key}.name"):
        raise ConfigError("a digest's name is of small letters, digits, - and _", file=str(path), line=line, key=key)
    yield f"{key}.enabled", table.get("enabled", True), line
    yield from _checked_table(path, text, key, table, _NAMED_KEYS)


def _checked_table(
    path: Path, text: str, section: str, table: Mapping[str, Any], names: tuple[str, ...]
) -> Iterator[tuple[str, Any, int | None]]:
    for name, value in table.items():
        line = line_of(text, section, name) or line_of(text, "", f"{section}.{name}") or line_of(text, f"{section}.{name}", None)
        key = f"{section}.{name}"
        if name not in names:
            raise ConfigError(f"there is no such key{did_you_mean(name, names)}", file=str(path), line=line, key=key)
        yield key, _convert(key, value, file=str(path), line=line), line


def _unknown_top(name: str, value: Any) -> str:
    homes = [section for section, struct in _SECTIONS.items() if name in struct.__struct_fields__]
    if homes and not isinstance(value, dict):
        return f"this key belongs into a section; move it below a line [{homes[0]}]"
    return f"there is no such {'section' if isinstance(value, dict) else 'key'}{did_you_mean(name, [*_TOP, *_SECTIONS])}"


# --- the environment ----------------------------------------------------------------------------------------------

_SWITCHES = {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False, "0": False}


def _from_environment(environ: Mapping[str, str]) -> Iterator[tuple[str, Any, str]]:
    variables = {variable_of(key): key for key in known_keys()}
    for variable in sorted(environ):
        if not variable.startswith("AGGREGATOR_") or _NOT_SETTINGS.fullmatch(variable):
            continue
        key = variables.get(variable) or _named_key(variable)
        if key is None:
            near = nearest(variable, [name.lower() for name in variables])
            hint = f"; did you mean {near.upper()}?" if near else "; `aggregator config show` lists the settings"
            raise ConfigError(f"no setting has this environment variable{hint}", file=variable)
        text = environ[variable].strip()
        if text:  # an empty variable counts as not set
            yield key, _convert(key, _typed(text, key), file=variable, line=None), variable


def _named_key(variable: str) -> str | None:
    """AGGREGATOR_DIGESTS__MORNING__TIME -> digests.morning.time; None when it is no key of a digest."""
    found = _NAMED_VARIABLE.fullmatch(variable)
    return f"digests.{found[1].lower()}.{found[2].lower()}" if found and found[2].lower() in _NAMED_KEYS else None


def _typed(text: str, key: str) -> Any:
    """The value that a variable's text stands for; what does not fit stays text and is refused by _convert."""
    default = _default(key)
    if isinstance(default, bool):
        return _SWITCHES.get(text.lower(), text)
    if isinstance(default, tuple):
        return [word.strip(" \"'") for word in text.strip("[]").split(",") if word.strip()]
    if isinstance(default, str):
        return text
    for number in (int, float):
        try:
            return number(text)
        except ValueError:
            continue
    return text


def _default(key: str) -> Any:
    section, _, name = _NAMED.sub(r"digest.\2", key).rpartition(".")
    return getattr(_SECTIONS[section]() if section else Settings(), name)


# --- values -------------------------------------------------------------------------------------------------------


def _convert(key: str, value: Any, *, file: str, line: int | None) -> Any:
    """The value in its type. Raises ConfigError that says what the key takes and what the default is."""
    kind = _kind(key)
    try:
        converted = msgspec.convert(_read(value, kind), kind)
        _check(converted, kind)
    except (msgspec.ValidationError, ValueError) as error:
        example = to_toml(_written(_default(key), kind)) if _default(key) not in (None, "") else None
        wish = f"it takes {_says(kind)}" + (f"; the default is {example}" if example else "")
        detail = f" ({error})" if type(error) is ValueError and kind in (Zone, Patterns, Languages) else ""
        raise ConfigError(f"{to_toml(without_password(value))} does not fit{detail}: {wish}", file=file, line=line, key=key) from None
    return converted


def _read(value: Any, kind: Any) -> Any:
    if isinstance(value, str) and kind in (Duration, DurationOrNone, MaybeDuration):
        return parse_duration(value)
    if isinstance(value, time) and kind in (TimeOfDay, TimeOrNever):  # time = 07:00:00 without quotes is TOML's own time
        return value.strftime("%H:%M")
    return value


def _check(value: Any, kind: Any) -> None:
    """What msgspec cannot say of a type: ranges of optional numbers, names of zones."""
    if kind is MaybeDuration and value is not None and not 0 <= value <= 1e9:
        raise ValueError("out of range")
    if kind is MaybeCount and value is not None and not 1 <= value <= 10_000:
        raise ValueError("out of range")
    if kind is Patterns:
        for pattern in value:
            if problem := problem_of(pattern):
                raise ValueError(f"“{pattern}” {problem}")
    if kind is Languages and any(not re.fullmatch(r"[a-z]{2,3}", code) for code in value):
        raise ValueError("a code has two or three small letters, no region")
    if kind is Zone and value:
        try:
            zoneinfo.ZoneInfo(value)
        except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
            zones = {name.lower(): name for name in zoneinfo.available_timezones()}
            near = nearest(value, zones)
            raise ValueError(f"no zone of that name; did you mean “{zones[near]}”?" if near else "no zone of that name") from None


def takes(key: str) -> str:
    """What a dotted key takes, in words."""
    return _says(known_keys()[key])


def _says(kind: Any) -> str:
    extra: dict[str, str] = next(meta.extra for meta in kind.__metadata__ if isinstance(meta, Meta) and meta.extra)
    return extra["says"]


def _written(value: Any, kind: Any) -> Any:
    if kind in (Duration, DurationOrNone, MaybeDuration) and value is not None:
        return format_duration(value) if value == int(value) else value
    return without_password(value)
