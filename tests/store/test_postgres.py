"""What only PostgreSQL can show: a server that refuses, is slow or goes away, texts it cannot hold, and keys too long for an index."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import make_url

from aggregator.errors import LockedError, NotFoundError, StoreError
from aggregator.model import Delivery, DigestRecord, Period
from aggregator.store.engine import Database, Guard, Options
from aggregator.store.opening import Store, open_store
from aggregator.store.postgres import Postgres
from tests import postgres
from tests.shared import ROOT
from tests.store.make import HOUR, NOW, item, keep, poll, subscribe

SECRET = "s3cret"


@pytest.fixture
def server() -> str:
    """The address of the server, with a password that it does not ask for."""
    url = make_url(postgres.server())
    return url.set(username=url.username or _current_user(), password=url.password or SECRET).render_as_string(hide_password=False)


def _current_user() -> str:
    with postgres.connected() as connection:
        return str(connection.exec_driver_sql("SELECT current_user").scalar_one())


def refusal(url: str, options: Options | None = None) -> str:
    """What opening a store there says."""
    with pytest.raises(StoreError) as caught:
        open_store(url, now=NOW, options=options).close()
    said = str(caught.value)
    assert SECRET not in said
    assert said.count("\n") == 0
    return said


def changed(url: str, **parts: object) -> str:
    return make_url(url).set(**parts).render_as_string(hide_password=False)  # type: ignore[arg-type]


# --- a server that refuses ---------------------------------------------------------------------------------------------------


def test_without_the_driver_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    assert refusal("postgresql+psycopg://u:s3cret@localhost/x") == (
        "a database on PostgreSQL needs its driver: pip install 'aggregator[postgres]'"
    )


@pytest.mark.parametrize("scheme", ["postgresql+psycopg", "postgresql", "postgres", "postgresql+psycopg2"])
def test_every_way_to_write_the_address_is_the_same_database(postgres_url: str, scheme: str) -> None:
    url = scheme + postgres_url[postgres_url.index("://") :]
    with open_store(url, now=NOW) as store:
        assert len(poll(store, "a", [item("k")]).new) == 1


def test_a_port_where_nothing_listens(server: str) -> None:
    assert "/test does not answer: nothing listens there" in refusal(changed(server, port=1, database="test"))


def test_a_host_that_does_not_exist(server: str) -> None:
    assert "@no-such-host.invalid" in (said := refusal(changed(server, host="no-such-host.invalid")))
    assert "cannot be found: no such host" in said


def test_a_database_that_does_not_exist(server: str) -> None:
    assert "/nowhere_to_be_found is not there; make it with `createdb" in refusal(changed(server, database="nowhere_to_be_found"))


def test_a_user_that_does_not_exist(server: str) -> None:
    assert "nobody_of_that_name@" in (said := refusal(changed(server, username="nobody_of_that_name")))
    assert "knows no user of that name" in said or "did not accept the user or password" in said


def test_a_schema_that_does_not_exist(server: str) -> None:
    assert "has no schema to keep tables in" in refusal(f"{server}?options=-csearch_path%3Dnowhere")


def test_a_server_that_may_only_be_read(bare_postgres_url: str) -> None:
    assert "may only be read" in refusal(f"{bare_postgres_url}%20-c%20default_transaction_read_only%3Don")


def test_a_word_that_the_server_does_not_know_is_passed_on(server: str) -> None:
    assert "sslmode" in refusal(f"{server}?sslmode=perhaps")


@pytest.mark.parametrize(
    ("message", "sentence"),
    [
        ('FATAL:  password authentication failed for user "u"', "did not accept the user or password"),
        ("fe_sendauth: no password supplied", "did not accept the user or password"),
        ('FATAL:  no pg_hba.conf entry for host "192.0.2.7", user "u", database "x", no encryption', "does not let this user in from here"),
        ("FATAL:  sorry, too many clients already", "takes no more connections"),
        ("FATAL:  remaining connection slots are reserved for roles with the SUPERUSER attribute", "takes no more connections"),
        ("FATAL:  the database system is starting up", "is just starting or stopping"),
        ("FATAL:  the database system is shutting down", "is just starting or stopping"),
        ("connection timeout expired", "did not answer in time"),
        ("server does not support SSL, but SSL was required", "do not agree on encryption"),
        ("server closed the connection unexpectedly", "does not answer; see that it runs"),
    ],
)
def test_what_a_connection_can_fail_by_is_a_sentence(message: str, sentence: str) -> None:
    import psycopg

    said = str(kind().explain(psycopg.OperationalError(f'connection failed: connection to server at "192.0.2.1" failed: {message}')))
    assert said.startswith("postgresql://u@192.0.2.1/x ")
    assert sentence in said


@pytest.mark.parametrize(
    ("state", "sentence"),
    [
        ("28P01", "did not accept the user or password"),
        ("53100", "could not write because its disk is full"),
        ("53200", "ran out of memory"),
        ("53300", "takes no more connections"),
        ("57P01", "does not answer; see that it runs"),
        ("57P03", "is just starting or stopping"),
        ("08006", "does not answer; see that it runs"),
        ("40P01", "waited for each other; try again"),
        ("40001", "changed the same rows; try again"),
        ("42501", "this user may not do that"),
        ("58030", "could not read or write its disk"),
        ("XX001", "is damaged; put a backup in its place"),
        ("XX002", "has a damaged index"),
        ("22012", "refused the work"),
    ],
)
def test_what_a_statement_can_fail_by_is_a_sentence(state: str, sentence: str) -> None:
    import psycopg

    said = str(kind().explain(psycopg.errors.lookup(state)("something\nDETAIL:  more of it")))
    assert said.startswith("postgresql://u@192.0.2.1/x ")
    assert sentence in said
    assert "\n" not in said


def kind() -> Postgres:
    return Postgres(make_url("postgresql://u:s3cret@192.0.2.1/x?password=s3cret"), Options())


def test_the_name_of_a_database_never_holds_a_password() -> None:
    names = {
        "postgresql://u:s3cret@h:5433/x?password=s3cret&options=-csearch_path%3Dnews": "postgresql://u@h:5433/x",
        "postgresql:///x?host=/run/postgresql&user=u&password=s3cret": "postgresql:///run/postgresql/x",
        "postgres://u:s3cret@[2001:db8::1]/x": "postgresql://u@[2001:db8::1]/x",
    }
    assert {url: Postgres(make_url(url), Options()).name for url in names} == names


def test_a_malformed_address_is_told_without_its_password() -> None:
    assert "is no database address" in refusal("postgresql://u:s3cret@host:port/x")


def test_a_role_with_too_many_connections(server: str) -> None:
    with postgres.connected() as connection:
        if not connection.exec_driver_sql("SELECT rolsuper OR rolcreaterole FROM pg_roles WHERE rolname = current_user").scalar():
            pytest.skip("needs a user who may make roles")
        connection.exec_driver_sql("DROP ROLE IF EXISTS aggregator_test_role")
        connection.exec_driver_sql("CREATE ROLE aggregator_test_role LOGIN CONNECTION LIMIT 0")
        try:
            assert "takes no more connections" in refusal(changed(server, username="aggregator_test_role"))
        finally:
            connection.exec_driver_sql("DROP ROLE aggregator_test_role")


def test_a_database_that_keeps_no_unicode(server: str) -> None:
    with postgres.connected() as connection:
        if not connection.exec_driver_sql("SELECT rolsuper OR rolcreatedb FROM pg_roles WHERE rolname = current_user").scalar():
            pytest.skip("needs a user who may make databases")
        connection.exec_driver_sql("DROP DATABASE IF EXISTS aggregator_test_ascii")
        connection.exec_driver_sql("CREATE DATABASE aggregator_test_ascii ENCODING 'SQL_ASCII' LOCALE 'C' TEMPLATE template0")
        try:
            assert "keeps text as SQL_ASCII; make a database with `createdb --encoding=UTF8" in refusal(
                changed(server, database="aggregator_test_ascii")
            )
        finally:
            connection.exec_driver_sql("DROP DATABASE aggregator_test_ascii")


# --- a server that is slow, busy, or goes away ---------------------------------------------------------------------------


@pytest.fixture
def store(postgres_url: str) -> Iterator[Store]:
    with open_store(postgres_url, now=NOW) as opened:
        yield opened


def test_a_statement_that_takes_too_long(postgres_url: str) -> None:
    with closing(Database(postgres_url, Options(statement_timeout_seconds=0.05))) as database:
        with pytest.raises(StoreError, match=r"took longer than store\.statement_timeout"), database.reading() as connection:
            connection.exec_driver_sql("SELECT pg_sleep(10)")
        with database.reading() as connection:
            assert connection.exec_driver_sql("SELECT 1").scalar() == 1


def test_a_writer_that_waits_for_too_long(store: Store, postgres_url: str) -> None:
    poll(store, "a", [item("k")])
    with (
        closing(Database(postgres_url)) as other,
        open_store(postgres_url, now=NOW, options=Options(lock_timeout_seconds=0.05)) as waiting,
        other.writing(Guard.ITEMS),
    ):
        with pytest.raises(StoreError, match=r"was kept busy by another process for longer than store\.lock_timeout"):
            poll(waiting, "a", [item("l")])
        assert [one.key for one in waiting.items.export()] == ["k"], "readers go on"
    assert len(poll(store, "a", [item("l")]).new) == 1


def test_a_pool_that_is_used_up(postgres_url: str) -> None:
    options = Options(pool_size=1, pool_overflow=0, pool_timeout_seconds=0.05)
    says = r"all 1 connections to .* are in use; raise store\.pool_size"
    with (
        closing(Database(postgres_url, options)) as database,
        database.reading(),
        pytest.raises(StoreError, match=says),
        database.reading(),
    ):
        pass


def test_connections_that_were_cut_are_replaced(store: Store) -> None:
    poll(store, "a", [item("k")])
    cut(store)
    assert len(poll(store, "a", [item("l")]).new) == 1
    cut(store)
    assert [one.key for one in store.items.export()] == ["k", "l"]


def test_a_server_that_goes_away_in_the_middle_leaves_nothing_of_the_work(store: Store) -> None:
    poll(store, "a", [item("k")])

    def work() -> None:
        with store.items._db.writing(Guard.ITEMS) as connection:
            connection.exec_driver_sql("UPDATE items SET title = 'half'")
            cut(store)
            connection.exec_driver_sql("UPDATE items SET title = 'whole'")

    with pytest.raises(StoreError, match="does not answer; see that it runs"):
        work()
    assert [one.title for one in store.items.export()] == ["Title of k"]
    assert len(poll(store, "a", [item("l")]).new) == 1


def cut(store: Store) -> None:
    """End the store's connections on the server, as a restart of it does."""
    with store.items._db.reading() as connection:
        name = connection.exec_driver_sql("SHOW application_name").scalar_one()
    with postgres.connected() as connection:
        query = "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE application_name = %s"
        assert all(connection.exec_driver_sql(query, (name,)).scalars())


# --- locks between processes ------------------------------------------------------------------------------------------------

HOLDER = """
import sys, time
from datetime import datetime, UTC
from aggregator.store.opening import open_store
store = open_store(sys.argv[1], now=datetime.now(UTC))
with store.lock("organise", wait=True):
    print("held", flush=True)
    time.sleep(600)
"""


def test_a_lock_is_held_by_one_process_and_ends_with_it(store: Store, postgres_url: str) -> None:
    process = subprocess.Popen([sys.executable, "-c", HOLDER, postgres_url], cwd=ROOT, stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b"held\n"
    assert f"process {process.pid}" in (store.lock_holder("organise") or "")
    with pytest.raises(LockedError, match=f"is busy .*process {process.pid}"), store.lock("organise", wait=False, refusal="it is busy"):
        pass
    with store.lock("digest-daily", wait=False):
        assert store.lock_holder("digest-daily") is not None
    process.kill()
    process.wait()
    process.stdout.close()
    with store.lock("organise", wait=True):  # nobody has to tidy up behind it
        pass
    assert store.lock_holder("organise") is None


def test_stores_in_two_schemas_do_not_share_their_locks(store: Store, bare_postgres_url: str) -> None:
    with open_store(bare_postgres_url, now=NOW) as other, store.lock("run", wait=False), other.lock("run", wait=False):
        assert other.lock_holder("run") is not None
    assert poll(store, "a", [item("k")]).new == (1,)


# --- what is read ---------------------------------------------------------------------------------------------------------------


def test_a_reader_sees_one_state_and_may_not_write(store: Store) -> None:
    poll(store, "a", [item("k")])
    with store.items._db.reading() as connection:
        before = connection.exec_driver_sql("SELECT count(*) FROM items").scalar()
        poll(store, "a", [item("l")])
        assert connection.exec_driver_sql("SELECT count(*) FROM items").scalar() == before == 1
    with pytest.raises(StoreError, match="may only be read"), store.items._db.reading() as connection:
        connection.exec_driver_sql("DELETE FROM items")


def test_the_order_of_texts_is_that_of_their_bytes_whatever_the_language_of_the_database(store: Store) -> None:
    links = ["https://a.example/Z", "https://a.example/a", "https://a.example/é", "https://a.example/_", "https://a.example/B", "HTTPS://A"]
    poll(store, "a", [item(str(n), link=link) for n, link in enumerate(links)])
    assert [each.link for each in store.items.unsorted()] == sorted(links, key=str.encode)


# --- texts ----------------------------------------------------------------------------------------------------------------------


def test_texts_that_it_cannot_hold_are_mended_wherever_they_come_from(store: Store) -> None:
    poll(store, "a", [item("k\0ey", "Nul \0 and half \ud83d a pair", summary="\udc00", authors=("A\0nn",))])
    assert poll(store, "a", [item("k\0ey", "Nul \0 and half \ud83d a pair", summary="\udc00")]).new == (), "the same key is the same item"
    found = next(iter(store.items.export()))
    assert (found.title, found.summary) == ("Nul \ufffd and half \ufffd a pair", "\ufffd")
    store.items.save_full_text(1, "full\0text")
    assert store.items.get([1])[0].full_text == "full\ufffdtext"
    state = replace(store.feeds.state("a"), error="bad \0 answer", title="\0")
    keep(store, state)
    assert store.feeds.state("a").error == "bad \ufffd answer"
    store.digests.record(
        DigestRecord("daily\0", NOW, NOW, NOW, "plain", None, 0, ()),
        [Delivery("key", "daily", "folder", Period(NOW, NOW + HOUR), {"plain": "a\0b"})],
    )
    assert store.digests.waiting()[0].parts == {"plain": "a\0b"}
    with pytest.raises(NotFoundError):
        store.feeds.state("\0\ud800")
    assert store.items.search("\0 \ud800 half") == [store.items.get([1])[0]]


@pytest.mark.parametrize("size", [2_600, 2_800, 8_000, 100_000])
def test_keys_and_addresses_of_any_length_are_told_apart(store: Store, size: int) -> None:
    """An index of PostgreSQL holds at most 2,704 bytes, and these cannot be compressed."""
    long = incompressible(size)
    poll(store, "a", [item(f"{long}{n}", "One", link=f"https://news.example/{long}{n}") for n in "ab"])
    assert poll(store, "a", [item(f"{long}a", "One, edited", link=f"https://news.example/{long}a"), item(f"{long}c")]).edited == (1,)
    assert poll(store, "b", [item("other", link=f"https://news.example/{long}b")]).appeared == (2,)
    assert store.items.known_links("a", [f"https://news.example/{long}b"]) == {f"https://news.example/{long}b": f"{long}b"}
    subscribe(store, "a", "b")
    assert store.feeds.ensure_source("x", f"https://x.example/{long}", title=None, language=None, now=NOW).id == (
        store.feeds.ensure_source("y", f"https://x.example/{long}", title=None, language=None, now=NOW).id
    )
    store.maintenance.prune(NOW + HOUR)
    assert poll(store, "a", [item(f"{long}a"), item(f"{long}b")]).known == 2, "their keys are remembered"
    assert store.maintenance.check() == []


def incompressible(size: int) -> str:
    import hashlib

    text = "".join(hashlib.sha256(str(n).encode()).hexdigest() for n in range(size // 64 + 1))
    return text[:size]


# --- care -------------------------------------------------------------------------------------------------------------------------


def fill(store: Store, count: int = 300) -> None:
    poll(store, "a", [item(str(n), f"Title {n}", summary=f"word{n} " * 60, arrived_at=NOW + n * HOUR) for n in range(count)])


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        ("UPDATE items SET title = 'quite another' WHERE id = 3", "The search index does not fit the items"),
        ("DELETE FROM items_fts WHERE item_id = 3", "The search index does not fit the items"),
        ("DELETE FROM unsorted_items WHERE item_id = 3", "1 items are in no story and do not wait for one either."),
        ("UPDATE appearances SET item_id = NULL WHERE item_id = 3", "1 items appear in no feed."),
        ("UPDATE appearances SET item_id = 999 WHERE item_id = 3", "A row of appearances refers to a row of items that is not there."),
        (
            "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'ix_items_arrived_at'::regclass",
            "The index ix_items_arrived_at is not",
        ),
    ],
)
def test_the_check_finds_and_the_repair_mends(store: Store, damage: str, sentence: str) -> None:
    fill(store, 5)
    with postgres.connected() as connection:
        if not connection.exec_driver_sql("SELECT rolsuper FROM pg_roles WHERE rolname = current_user").scalar():
            pytest.skip("needs a user who may turn off what PostgreSQL sees to")
    with store.items._db.writing() as connection:
        connection.exec_driver_sql("SET LOCAL session_replication_role = replica")  # as no program should: without references
        connection.exec_driver_sql("SET LOCAL allow_system_table_mods = on")
        connection.exec_driver_sql(damage)
    assert any(each.startswith(sentence) for each in store.maintenance.check())
    mended = store.maintenance.repair(None)
    assert not [each for each in mended if each[0] in "-0"], "only what was mended is counted"
    assert bool(mended) or "pg_index" in damage
    assert store.maintenance.check() == []


def test_a_prune_to_a_size_ends_although_files_do_not_shrink(store: Store) -> None:
    fill(store)
    used = store.maintenance._used_bytes()
    done = store.maintenance.prune_to(used // 2, chunk=20)
    assert 60 <= done.items < 300
    assert store.maintenance._used_bytes() <= used // 2
    store.maintenance.shrink()
    assert store.maintenance.prune_to(used // 2).items == 0, "the second night forgets nothing more"
    assert min(each.arrived_at or NOW for each in store.items.export()) == NOW + done.items * HOUR


def test_a_vacuum_makes_the_files_small(store: Store) -> None:
    fill(store, 600)
    store.maintenance.prune(NOW + 590 * HOUR)
    before, after = store.maintenance.vacuum()
    assert after < before
    assert store.maintenance.check() == []


def test_a_backup_can_be_restored(store: Store, postgres_url: str, tmp_path: Path) -> None:
    if not has("pg_dump") or not has("pg_restore"):
        pytest.skip("needs PostgreSQL's client programs")
    fill(store, 5)
    kept = list(store.items.export())
    target = tmp_path / "new" / "copy.dump"
    store.maintenance.backup(target)
    assert target.stat().st_mode & 0o077 == 0
    assert [each.name for each in target.parent.iterdir()] == ["copy.dump"]
    schema = postgres.schema_of(postgres_url)
    script = subprocess.run(["pg_restore", "--no-owner", "-f", "-", str(target)], capture_output=True, text=True, check=True).stdout
    with postgres.new_schema("restored") as url:
        name = postgres.schema_of(url)
        with postgres.connected() as connection:
            connection.exec_driver_sql(f'DROP SCHEMA "{name}"')
        words = script.replace(schema, name)
        subprocess.run(["psql", "-q", "-v", "ON_ERROR_STOP=1", libpq(postgres.server())], input=words, text=True, check=True)
        with open_store(url, now=NOW) as restored:
            assert list(restored.items.export()) == kept
            assert [each.id for each in restored.items.search("word3")] == [4]
            assert restored.maintenance.check() == []


def libpq(url: str) -> str:
    return make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)


def has(program: str) -> bool:
    import shutil

    return shutil.which(program) is not None


def test_a_backup_without_pg_dump_says_how(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(StoreError, match=r"pg_dump is not on this machine; install PostgreSQL's client programs, or back up on the server"):
        store.maintenance.backup(tmp_path / "copy.dump")
    assert list(tmp_path.iterdir()) == []


def test_a_backup_that_fails_shows_no_password_and_leaves_nothing(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "bin").mkdir()
    program = tmp_path / "bin" / "pg_dump"
    program.write_text('#!/bin/sh\necho "$@" > "$0.args"\necho "pg_dump: error: no room" >&2\nexit 1\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    store.items._db.kind.url = make_url("postgresql://u:s3cret@h/x?password=s3cret")  # type: ignore[attr-defined]
    with pytest.raises(StoreError, match=r"pg_dump could not copy .*: pg_dump: error: no room"):
        store.maintenance.backup(tmp_path / "copy.dump")
    assert SECRET not in (tmp_path / "bin" / "pg_dump.args").read_text()
    assert not list(tmp_path.glob("copy*"))


def test_ids_go_on_where_a_whole_store_that_was_taken_in_ended(store: Store) -> None:
    from tests.store.test_whole import CLEANING
    from tests.store.test_whole import fill as fill_whole

    with open_store("sqlite://", now=NOW) as other:
        fill_whole(other)
        lines = list(other.whole.lines(lambda url: url))
    store.whole.restore(lines, CLEANING, name="it")
    subscribe(store, "a", "b", "c")
    assert store.feeds.state("c").id == 3
    poll(store, "a", [item("one", "Once more")], now=NOW + 2 * HOUR)
    assert store.items.titles(1)[-1][0] == "Śnieg, wind & rain"
    assert store.maintenance.check() == []


def test_time_is_what_it_was(store: Store) -> None:
    """Moments are exact to the microsecond, whatever the server's time zone is."""
    at = NOW.replace(microsecond=123_457)
    poll(store, "a", [item("k", at=at)])
    with store.items._db.writing() as connection:
        connection.exec_driver_sql("SET LOCAL TIME ZONE 'Pacific/Auckland'")
        assert connection.exec_driver_sql("SELECT published_at FROM items").scalar() == int(at.timestamp()) * 1_000_000 + 123_457
    assert store.items.get([1])[0].published_at == at
