"""Settings: where they come from, what they refuse, and that config/aggregator.toml tells the truth about them."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from aggregator.errors import ConfigError
from aggregator.settings import Settings, check_settings_text, find_config, known_keys, load_settings, variable_of
from aggregator.tomlfile import to_toml
from tests.shared import ROOT

HOME = {"HOME": "/home/reader"}
EXAMPLE = ROOT / "config" / "aggregator.toml"


def written(folder: Path, text: str) -> Path:
    path = folder / "aggregator.toml"
    path.write_text(text, encoding="utf-8")
    return path


def failure(folder: Path, text: str) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        load_settings(written(folder, text), HOME)
    return caught.value


# --- where settings come from ------------------------------------------------------------------------------------------


def test_without_a_file_the_defaults_hold_and_data_lies_in_the_data_folder() -> None:
    settings = load_settings(None, HOME)
    assert settings.database == "/home/reader/.local/share/aggregator/aggregator.db"
    assert settings.digest.folder == "/home/reader/.local/share/aggregator/digests"
    assert (settings.fetch.interval, settings.fetch.host_delay, settings.stories.window) == (3600.0, None, 3 * 86_400.0)


def test_flag_beats_environment_beats_file_beats_default(tmp_path: Path) -> None:
    path = written(tmp_path, '[fetch]\ntimeout = "7s"\ninterval = "2h"\nconcurrency = 3\n')
    environ = HOME | {"AGGREGATOR_FETCH__TIMEOUT": "9s", "AGGREGATOR_FETCH__INTERVAL": "3h"}
    settings = load_settings(path, environ, {"fetch.timeout": "11s"})
    assert (settings.fetch.timeout, settings.fetch.interval, settings.fetch.concurrency, settings.fetch.max_redirects) == (11, 10_800, 3, 5)
    assert settings.origins == {
        "fetch.timeout": "--timeout",
        "fetch.interval": "AGGREGATOR_FETCH__INTERVAL",
        "fetch.concurrency": f"{path}, line 4",
    }


@pytest.mark.parametrize(
    ("variable", "text", "key", "value"),
    [
        ("AGGREGATOR_DATABASE", "postgresql+psycopg://u@h/n", "database", "postgresql+psycopg://u@h/n"),
        ("AGGREGATOR_FETCH__TIMEOUT", "6", "fetch.timeout", 6.0),
        ("AGGREGATOR_FETCH__ALLOW_PRIVATE", "true", "fetch.allow_private", True),
        ("AGGREGATOR_FETCH__ALLOW_PRIVATE", "no", "fetch.allow_private", False),
        ("AGGREGATOR_FETCH__MAX_BYTES", "2_000_000", "fetch.max_bytes", 2_000_000),
        ("AGGREGATOR_FETCH__HOST_DELAY", "0s", "fetch.host_delay", 0.0),
        ("AGGREGATOR_STORIES__JOIN", "0.3", "stories.join", 0.3),
        ("AGGREGATOR_DIGEST__WEEKDAYS", "mon, fri", "digest.weekdays", ("mon", "fri")),
        ("AGGREGATOR_DIGEST__NAME", "007", "digest.name", "007"),
        ("AGGREGATOR_DAEMON__PRUNE_AT", "", "daemon.prune_at", "03:30"),
    ],
)
def test_an_environment_variable_is_read_as_its_key_takes_it(variable: str, text: str, key: str, value: object) -> None:
    assert load_settings(None, HOME | {variable: text}).value(key) == value


def test_every_key_has_a_variable_that_is_understood() -> None:
    texts = {"database": "x.db", "zone": "UTC", "fetch.host_delay": "2s", "fetch.host_connections": "4", "fetch.proxy": "http://p:1"}
    texts |= {"digest.zone": "UTC", "digest.to": "ann@a.example", "mail.to": "ann@a.example", "mail.sender": "News <n@a.example>"}
    texts |= {"broker": "redis://localhost", "digest.webhook": "http://w", "webhook.url": "http://w", "daemon.listen": "127.0.0.1:9469"}
    texts |= {"mail.password": "env:P", "webhook.secret": "file:/s", "interests.languages": "en, pl", "web.token": "env:T"}
    for key in known_keys():
        default = load_settings(None, HOME).value(key)
        text = texts.get(key) or (",".join(default) if isinstance(default, tuple) else str(default).lower())
        settings = load_settings(None, HOME | {variable_of(key): text or "agent"})
        assert settings.origins[key] == variable_of(key)


@pytest.mark.parametrize(
    ("variable", "hint"),
    [
        ("AGGREGATOR_FETCH__TIMOUT", "AGGREGATOR_FETCH__TIMEOUT"),
        ("AGGREGATOR_FETCH_TIMEOUT", "AGGREGATOR_FETCH__TIMEOUT"),
        ("AGGREGATOR_DATABSE", "AGGREGATOR_DATABASE"),
    ],
)
def test_an_unknown_variable_is_refused_with_the_nearest_known_one(variable: str, hint: str) -> None:
    with pytest.raises(ConfigError, match=f"{variable}.*did you mean {hint}"):
        load_settings(None, HOME | {variable: "1"})


def test_the_password_of_a_broker_is_never_shown() -> None:
    settings = load_settings(None, HOME | {"AGGREGATOR_BROKER": "amqp://ann:geheim@mq.example/news"})
    assert settings.broker == "amqp://ann:geheim@mq.example/news"
    assert "geheim" not in settings.to_toml()
    with pytest.raises(ConfigError, match="redis://localhost") as caught:
        load_settings(None, HOME | {"AGGREGATOR_BROKER": "kafka://ann:geheim@mq.example"})
    assert "geheim" not in str(caught.value)


def test_variables_that_are_no_settings_are_left_alone() -> None:
    others = {"AGGREGATOR_CONFIG": "x", "AGGREGATOR_SHARED": "y", "AGGREGATOR_TEST_NO_SKIP": "1", "AGGREGATION": "z"}
    assert load_settings(None, HOME | others) == load_settings(None, HOME)


# --- what the file may say ---------------------------------------------------------------------------------------------


def test_relative_paths_count_from_the_file_and_urls_stay(tmp_path: Path) -> None:
    settings = load_settings(written(tmp_path, 'database = "news.db"\n[digest]\nfolder = "~/digests"\n'), HOME)
    assert settings.database == str(tmp_path / "news.db")
    assert settings.digest.folder == "/home/reader/digests"
    assert load_settings(written(tmp_path, 'database = "sqlite:///n.db"\n'), HOME).database == "sqlite:///n.db"


def test_durations_times_and_dotted_keys_may_be_written_as_toml_allows(tmp_path: Path) -> None:
    settings = load_settings(written(tmp_path, 'fetch.timeout = 30\nfetch.interval = "1h 30m"\n[digest]\ntime = 06:15:00\n'), HOME)
    assert (settings.fetch.timeout, settings.fetch.interval, settings.digest.time) == (30.0, 5400.0, "06:15")


@pytest.mark.parametrize(
    ("text", "line", "key", "says"),
    [
        ("[fetch]\ntimeot = 3\n", 2, "fetch.timeot", "did you mean “timeout”"),
        ("\n[fecth]\ntimeout = 3\n", 2, "fecth", "did you mean “fetch”"),
        ("timeout = 3\n", 1, "timeout", r"move it below a line \[fetch\]"),
        ("fetch = 3\n", 1, "fetch", r"below a line \[fetch\]"),
        ('[fetch]\n\nconcurrency = "many"\n', 3, "fetch.concurrency", '"many" does not fit.*whole number from 1 to 10000.*default is 32'),
        ("[fetch]\nconcurrency = 0\n", 2, "fetch.concurrency", "0 does not fit"),
        ("[fetch]\nconcurrency = true\n", 2, "fetch.concurrency", "true does not fit"),
        ("[fetch]\nhost_connections = -1\n", 2, "fetch.host_connections", "-1 does not fit"),
        ('[fetch]\ntimeout = "soon"\n', 2, "fetch.timeout", "a duration such as"),
        ("[fetch]\ntimeout = nan\n", 2, "fetch.timeout", "nan does not fit"),
        ('[fetch]\nallow_private = "yes"\n', 2, "fetch.allow_private", "true or false"),
        ('[fetch]\nproxy = "proxy:80"\n', 2, "fetch.proxy", "a proxy URL"),
        ("[stories]\njoin = 1.5\n", 2, "stories.join", "a number from 0 to 1"),
        ('[digest]\ntime = "7:00"\n', 2, "digest.time", "a time of day"),
        ('[digest]\nweekdays = ["monday"]\n', 2, "digest.weekdays", "a list of weekdays"),
        ('[digest]\nname = "../x"\n', 2, "digest.name", "a short name"),
        ('zone = "Europe/Berln"\n', 1, "zone", "did you mean “Europe/Berlin”"),
        ('zone = "../etc/passwd"\n', 1, "zone", "no zone of that name"),
        ('[log]\nlevel = "loud"\n', 2, "log.level", "one of"),
        ('[interests]\nmute = ["/[/"]\n', 2, "interests.mute", "“/\\[/” is no regular expression"),
        ('[interests]\nlanguages = ["english"]\n', 2, "interests.languages", "two or three small letters"),
        ("[ranking]\ngrowth = -1\n", 2, "ranking.growth", "a number from 0 to 10"),
    ],
)
def test_a_mistake_is_told_with_file_line_key_and_cure(tmp_path: Path, text: str, line: int, key: str, says: str) -> None:
    error = failure(tmp_path, text)
    assert (error.file, error.line, error.key) == (str(tmp_path / "aggregator.toml"), line, key)
    assert re.search(says, str(error)), str(error)


def test_a_syntax_error_names_its_line(tmp_path: Path) -> None:
    assert failure(tmp_path, '[fetch]\ntimeout = "3s\n').line == 2
    assert failure(tmp_path, "zone = \n").line == 1
    assert failure(tmp_path, 'x = [\n"a",\n').line == 2


def test_lines_are_found_behind_strings_and_arrays_that_span_lines(tmp_path: Path) -> None:
    text = '[fetch]\ncontact = """\n[log]\nlevel = 3\n"""\n[digest]\nweekdays = [\n  "mon", # level = 1\n]\n[log]\nlevel = "loud"\n'
    assert failure(tmp_path, text).line == 11


def test_unreadable_files_are_told_in_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="this is a folder"):
        load_settings(tmp_path, HOME)
    path = written(tmp_path, "")
    assert load_settings(path, HOME).fetch.interval == 3600
    path.write_bytes(b'zone = "UTC"\n# caf\xe9\n')
    with pytest.raises(ConfigError, match=r"line 2.*UTF-8"):
        load_settings(path, HOME)
    path.write_bytes('\ufeffzone = "UTC"\r\n'.encode())
    assert load_settings(path, HOME).zone == "UTC"


# --- digests by name -----------------------------------------------------------------------------------------------------


def test_a_digest_by_name_is_as_the_digest_section_but_for_what_it_says(tmp_path: Path) -> None:
    text = (
        '[digest]\nenabled = false\nlimit = 9\n[digests.morning]\ntime = 06:30:00\ntags = ["world"]\n[digests.week]\nweekdays = ["sun"]\n'
    )
    environ = HOME | {"AGGREGATOR_DIGESTS__WEEK__LIMIT": "0", "AGGREGATOR_DIGESTS__LATE__TIME": "23:00"}
    settings = load_settings(written(tmp_path, text), environ)
    assert set(settings.digests) == {"morning", "week", "late"}
    morning, week = settings.digests["morning"], settings.digests["week"]
    assert (morning.name, morning.enabled, morning.time, morning.tags, morning.limit) == ("morning", True, "06:30", ("world",), 9)
    assert (week.time, week.weekdays, week.limit, week.folder) == ("07:00", ("sun",), 0, settings.digest.folder)
    assert 'time = "06:30"' in settings.to_toml()
    again = load_settings(written(tmp_path, settings.to_toml()), HOME)
    assert again.digests == settings.digests


@pytest.mark.parametrize(
    ("text", "line", "key", "says"),
    [
        ("[digests.morning]\ntme = 3\n", 2, "digests.morning.tme", "did you mean “time”"),
        ('[digests.morning]\ntime = "soon"\n', 2, "digests.morning.time", "a time of day"),
        ("[digests]\nmorning = 3\n", 2, "digests.morning", r"below a line \[digests.morning\]"),
        ('[digests."../x"]\n', None, "digests.../x", "small letters"),
        ('[digests.m]\nto = ["nobody"]\n', 2, "digests.m.to", "mail addresses"),
        ('[mail]\npassword = "hunter2"\n', 2, "mail.password", "never the secret itself"),
        ('[daemon]\nlisten = "0.0.0.0:80"\n', 2, "daemon.listen", "a loopback address"),
    ],
)
def test_a_mistake_in_a_digest_by_name_is_told_in_its_place(tmp_path: Path, text: str, line: int | None, key: str, says: str) -> None:
    error = failure(tmp_path, text)
    assert (error.line, error.key) == (line, key)
    assert re.search(says, str(error)), str(error)


def test_a_target_without_its_address_is_refused_at_once(tmp_path: Path) -> None:
    assert "mail.host" in str(failure(tmp_path, '[digests.m]\ntargets = ["mail"]\n'))
    assert "webhook.url" in str(failure(tmp_path, '[digest]\ntargets = ["webhook"]\n'))
    mail = '[mail]\nhost = "localhost"\nsender = "a@b.example"\n'
    assert "mail.to" in str(failure(tmp_path, f'{mail}[digests.m]\ntargets = ["mail"]\n'))
    settings = load_settings(written(tmp_path, f'{mail}[digests.m]\ntargets = ["mail"]\nto = ["c@d.example"]\n'), HOME)
    assert settings.digests["m"].to == ("c@d.example",)


# --- which file ----------------------------------------------------------------------------------------------------------


def test_the_flag_wins_then_the_variable_then_the_folder_then_the_user(tmp_path: Path) -> None:
    user, here, named = tmp_path / "home" / ".config" / "aggregator", tmp_path / "here", tmp_path / "named.toml"
    environ = {"HOME": str(tmp_path / "home")}
    assert find_config(None, environ, here).path is None
    for folder in (user, here / "config"):
        folder.mkdir(parents=True)
    assert find_config(None, environ, here).path is None, "a config folder counts only when it holds the file"
    written(user, "")
    assert find_config(None, environ, here).path == user / "aggregator.toml"
    written(here / "config", "")
    assert find_config(None, environ, here).path == here / "config" / "aggregator.toml"
    named.write_text("")
    assert find_config(None, environ | {"AGGREGATOR_CONFIG": str(named)}, here).path == named
    found = find_config(here / "config" / "aggregator.toml", environ | {"AGGREGATOR_CONFIG": str(named)}, here)
    assert (found.path, found.feeds_path) == (here / "config" / "aggregator.toml", here / "config" / "feeds.toml")


def test_without_configuration_the_feed_list_is_the_users(tmp_path: Path) -> None:
    environ = {"HOME": "/home/r", "XDG_CONFIG_HOME": str(tmp_path / "c"), "XDG_DATA_HOME": str(tmp_path / "d")}
    found = find_config(None, environ, tmp_path)
    assert found.feeds_path == tmp_path / "c" / "aggregator" / "feeds.toml"
    assert found.data_folder == tmp_path / "d" / "aggregator"
    assert load_settings(None, environ).database == str(tmp_path / "d" / "aggregator" / "aggregator.db")


def test_a_relative_xdg_variable_is_ignored(tmp_path: Path) -> None:
    assert find_config(None, HOME | {"XDG_CONFIG_HOME": "conf"}, tmp_path).feeds_path == Path("/home/reader/.config/aggregator/feeds.toml")


@pytest.mark.parametrize("how", ["--config", "AGGREGATOR_CONFIG"])
def test_a_file_that_was_named_must_exist(tmp_path: Path, how: str) -> None:
    explicit, environ = ("gone.toml", HOME) if how == "--config" else (None, HOME | {"AGGREGATOR_CONFIG": "gone.toml"})
    with pytest.raises(ConfigError, match=f"{how}: there is no settings file"):
        find_config(explicit, environ, tmp_path)


# --- showing -------------------------------------------------------------------------------------------------------------


def test_what_is_shown_can_be_read_again_and_names_origins(tmp_path: Path) -> None:
    settings = load_settings(None, HOME | {"AGGREGATOR_FETCH__TIMEOUT": "5.5", "AGGREGATOR_DIGEST__WEEKDAYS": "sat"})
    shown = settings.to_toml()
    assert "timeout = 5.5  # AGGREGATOR_FETCH__TIMEOUT" in shown
    again = load_settings(written(tmp_path, shown), HOME)
    assert all(again.value(key) == settings.value(key) for key in known_keys())


def test_passwords_in_urls_are_not_shown() -> None:
    settings = load_settings(None, HOME, {"database": "postgresql://reader:s3cret@db/news", "fetch.proxy": "http://me:s3cret@proxy:1"})
    assert "s3cret" not in settings.to_toml()
    assert settings.database == "postgresql://reader:s3cret@db/news"
    assert "geheim" not in load_settings(None, HOME, {"database": "postgresql://reader:ganz@geheim@db/news"}).to_toml()


# --- the example file ------------------------------------------------------------------------------------------------------


def test_the_example_comments_every_key_and_shows_its_default() -> None:
    lines, section, seen = EXAMPLE.read_text(encoding="utf-8").splitlines(), "", {}
    for number, line in enumerate(lines):
        if line.startswith("["):
            section = line.strip("[]") + "."
        elif found := re.match(r"# (\w+) = (.+)$", line):
            seen[section + found[1]] = found[2]
            above = next(text for text in reversed(lines[:number]) if not re.match(r"# \w+ = ", text))
            assert above.startswith("# "), f"{section}{found[1]} has no comment above"
    defaults = {key: value for key, value, _ in Settings().shown()}
    defaults |= {"fetch.host_delay": "1s", "fetch.host_connections": 1}  # unset; the example shows what holds for public hosts
    same = {"1d": "24h"}
    assert seen == {key: to_toml(same.get(str(value), value)) for key, value in defaults.items()}


def test_the_example_means_the_defaults_and_still_does_uncommented() -> None:
    text = EXAMPLE.read_text(encoding="utf-8")
    assert tomllib.loads(text) == {section: {} for section in tomllib.loads(text)}
    check_settings_text(re.sub(r"(?m)^# (\w+ = )", r"\1", text), EXAMPLE)
