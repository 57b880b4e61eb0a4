"""EDGE: what PostgreSQL does in its own way: the pool, snapshots, advisory locks, text it can hold, and its errors as sentences.

psycopg 3 speaks to the server. A password may stand in the address, in PGPASSWORD, or in the file that PGPASSFILE names
(~/.pgpass); no message ever shows one.
"""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolError

from aggregator.errors import LockedError, StoreError
from aggregator.store.engine import Guard, Options

if TYPE_CHECKING:
    from psycopg import Connection as Driver

_TABLES = text("SELECT tablename FROM pg_tables WHERE schemaname = current_schema()")
# of one database may be several stores, each in a schema of its own
_SPACE = "hashtext('aggregator ' || current_schema())"
_GUARDED = {guard: f"SELECT pg_advisory_xact_lock({_SPACE}, {int(guard)})" for guard in Guard}
_TRY_LOCK = f"SELECT pg_try_advisory_lock({_SPACE}, hashtext(%s))"
_LOCK = f"SELECT pg_advisory_lock({_SPACE}, hashtext(%s))"
_HELD = (
    "SELECT a.application_name FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid WHERE l.locktype = 'advisory' AND l.granted"
    " AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())"
    f" AND l.classid = ({_SPACE}::bigint & 4294967295)::oid AND l.objid = (hashtext(:name)::bigint & 4294967295)::oid"
)

_GONE = "does not answer; see that it runs and can be reached, then try again: what was not stored is as before"
_FULL = "could not write because its disk is full; free some space there and try again, nothing was changed"
_MANY = "takes no more connections; lower store.pool_size, end other programs, or raise the server's max_connections"
_READ_ONLY = "may only be read (a standby, or default_transaction_read_only is on); name the primary server"
_PASSWORD = "did not accept the user or password; correct them in the address, in PGPASSWORD or in the file of PGPASSFILE (~/.pgpass)"
_SLOW = "took longer than store.statement_timeout over one statement; try again, or allow more"
_LOCKED = "was kept busy by another process for longer than store.lock_timeout; wait until that is done, then try again"
_DAMAGED = "is damaged; put a backup in its place, or save what `aggregator items export` can still read"
_STARTING = "is just starting or stopping; try again in a moment"
_NO_DATABASE = "is not there; make it with `createdb --encoding=UTF8 NAME`, or name another database"
_SECURE = "and this program do not agree on encryption; see sslmode in docs/postgresql.md"
_BY_STATE: tuple[tuple[str, str], ...] = (
    ("08", _GONE),
    ("57P01", _GONE),
    ("57P02", _GONE),
    ("57P03", _STARTING),
    ("57P05", _GONE),
    ("28", _PASSWORD),
    ("3D000", _NO_DATABASE),
    ("3F000", "has no schema to keep tables in; make the schema that search_path names"),
    ("42501", "refused: this user may not do that; make the user the owner of the database or of its schema"),
    ("53100", _FULL),
    ("53200", "ran out of memory; try again, or give the server more"),
    ("53300", _MANY),
    ("55P03", _LOCKED),
    ("25006", _READ_ONLY),
    ("40P01", "stopped this work because it and another waited for each other; try again, nothing was changed"),
    ("40001", "stopped this work because another one changed the same rows; try again, nothing was changed"),
    ("58030", "could not read or write its disk; check that and the space on it, then try again"),
    ("XX001", _DAMAGED),
    ("XX002", "has a damaged index; `aggregator db check --repair` builds it anew"),
)
"""The beginning of an SQLSTATE (appendix A of PostgreSQL's manual), and what to tell a person."""
_BY_TEXT: tuple[tuple[str, str], ...] = (
    ("password authentication failed|no password supplied|authentication failed", _PASSWORD),
    ("no pg_hba.conf entry", "does not let this user in from here; add a line to its pg_hba.conf, see docs/postgresql.md"),
    ('role ".*" does not exist', "knows no user of that name; make it with `createuser NAME`, or name another in the address"),
    ('database ".*" does not exist', _NO_DATABASE),
    ("too many|connection slots", _MANY),
    ("starting up|shutting down|not accepting connections", _STARTING),
    ("resolve host|translate host", "cannot be found: no such host; correct the host in the address"),
    (
        "connection refused|no such file",
        "does not answer: nothing listens there; start the server, or correct the address",
    ),
    ("ssl (connection )?is required|does not support ssl|ssl error|no encryption|certificate", _SECURE),
    ("closed the connection|connection is (closed|lost)|terminating connection|could not (receive|send)|consuming input", _GONE),
    ("unreachable|no route", _GONE),
    ("timeout expired", "did not answer in time; see that it can be reached, or allow more by store.connect_timeout"),
)
"""The same by a part of the message, for what goes wrong before there is an SQLSTATE."""


class Postgres:
    """One database (or one schema of it) on a server. Implements engine.Kind."""

    one_writer = one_connection = False
    path: Path | None = None

    def __init__(self, url: URL, options: Options) -> None:
        try:
            import psycopg
        except ImportError as error:
            raise StoreError("a database on PostgreSQL needs its driver: pip install 'aggregator[postgres]'") from error
        self.errors: tuple[type[Exception], ...] = (psycopg.Error,)
        self.breaches: tuple[type[Exception], ...] = (psycopg.IntegrityError,)
        self._all_errors: tuple[type[Exception], ...] = (psycopg.Error, DBAPIError, PoolError)
        self._broken = (psycopg.OperationalError, psycopg.InterfaceError)
        self.url, self.options = url.set(drivername="postgresql+psycopg"), options
        self.name = _name_of(url)

    def make_engine(self) -> Engine:
        options = self.options
        engine = create_engine(
            self.url,
            pool_size=options.pool_size,
            max_overflow=options.pool_overflow,
            pool_timeout=options.pool_timeout_seconds,
            pool_pre_ping=True,  # after the server was started anew the old connections are replaced unseen
            connect_args=self._connect_args(),
        )
        event.listen(engine, "connect", self._set_up)
        event.listen(engine, "begin", _begin)
        return engine

    def _connect_args(self) -> dict[str, Any]:
        options, given = self.options, self.url.query
        told = _joined(given.get("options"), " ")
        limits = {"statement_timeout": options.statement_timeout_seconds, "lock_timeout": options.lock_timeout_seconds}
        words = [f"-c {name}={round(seconds * 1000)}" for name, seconds in limits.items() if name not in told]
        usual = {
            "connect_timeout": max(round(options.connect_timeout_seconds), 1),
            "application_name": f"aggregator on {socket.gethostname()[:36]}, process {os.getpid()}",
            # a server that vanished without a word is noticed in a minute, not in two hours
            "keepalives_idle": 30,
            "keepalives_interval": 10,
            "keepalives_count": 3,
        }
        return {name: value for name, value in usual.items() if name not in given} | {
            "client_encoding": "utf8",
            "options": " ".join([told, *words]).strip(),
        }

    def _set_up(self, connection: Driver[Any], _: Any) -> None:
        connection.adapters.register_dumper(str, _text_dumper())
        encoding = connection.info.parameter_status("server_encoding")
        if encoding != "UTF8":
            raise StoreError(f"{self.name} keeps text as {encoding}; make a database with `createdb --encoding=UTF8 --template=template0`.")

    def reader(self, engine: Engine) -> Engine:
        return engine.execution_options(reading=True)

    def writer(self, engine: Engine) -> Engine:
        return engine

    def guard(self, connection: Connection, guards: tuple[Guard, ...]) -> None:
        for guard in guards:
            connection.exec_driver_sql(_GUARDED[guard])

    def unhurry(self, connection: Connection) -> None:
        connection.exec_driver_sql("SET LOCAL statement_timeout = 0")

    def tables(self, connection: Connection) -> set[str]:
        return set(connection.scalars(_TABLES))

    def explain(self, error: BaseException) -> StoreError:
        """The sentence for what the server or the driver reported."""
        if isinstance(error, PoolError):
            most = self.options.pool_size + self.options.pool_overflow
            return StoreError(f"all {most} connections to {self.name} are in use; raise store.pool_size or store.pool_overflow.")
        state, message = getattr(error, "sqlstate", None), str(error).strip()
        if state is None and not isinstance(error, self._broken):
            known = None  # the driver's own complaint
        elif state is None:
            found = (sentence for part, sentence in _BY_TEXT if re.search(part, message, re.IGNORECASE))
            known = next(found, f"cannot be reached ({message.splitlines()[0] if message else 'no reason given'}); see docs/postgresql.md")
        elif "during recovery" in message:
            known = _READ_ONLY
        elif state == "57014":
            known = _SLOW if "timeout" in message else "stopped this work because somebody cancelled it; try again"
        else:
            known = next((sentence for begin, sentence in _BY_STATE if state.startswith(begin)), None)
        if known is not None:
            return StoreError(f"{self.name} {known}.")
        return StoreError(f"{self.name} refused the work: {message.splitlines()[0]}; `aggregator db check` looks for damage.")

    # --- locks between processes ------------------------------------------------------------------------------------------

    @contextmanager
    def lock(self, engine: Engine, name: str, *, wait: bool, refusal: str) -> Iterator[None]:
        """A session's advisory lock on a connection of its own: the server lets go of it when this process dies."""
        connection = self._connection_for_lock(engine, name, wait)
        if connection is None:
            holder = self.holder(engine, name)
            raise LockedError(f"{refusal}{f' ({holder})' if holder else ''}")
        try:
            yield
        finally:
            connection.close()

    def _connection_for_lock(self, engine: Engine, name: str, wait: bool) -> Driver[Any] | None:
        try:
            pooled = engine.raw_connection()
            connection: Driver[Any] = pooled.driver_connection  # type: ignore[assignment]
            pooled.detach()
            try:
                connection.autocommit = True
                # one waits for as long as it takes, and holds it without a word for as long as it takes
                connection.execute("SET lock_timeout = 0")
                connection.execute("SET statement_timeout = 0")
                row = connection.execute(_LOCK if wait else _TRY_LOCK, (name,)).fetchone()
            except BaseException:
                connection.close()
                raise
        except self._all_errors as error:
            raise self.explain(getattr(error, "orig", None) or error) from error
        if wait or (row is not None and row[0]):
            return connection
        connection.close()
        return None

    def holder(self, engine: Engine, name: str) -> str | None:
        with engine.connect() as connection:
            holder: str | None = connection.scalar(text(_HELD), {"name": name})
            return holder


def _begin(connection: Connection) -> None:
    from psycopg import IsolationLevel

    driver: Any = connection.connection.driver_connection
    reading = connection.get_execution_options().get("reading", False)
    # a writer's statements each see what others have stored by then; what must not change meanwhile is behind a guard
    driver.isolation_level = IsolationLevel.REPEATABLE_READ if reading else IsolationLevel.READ_COMMITTED
    driver.read_only = True if reading else None  # None: as the server says


def _name_of(url: URL) -> str:
    """The address without password and options."""
    host = url.host or _joined(url.query.get("host"), ",")
    where = (f"[{host}]" if ":" in host else host) + (f":{url.port}" if url.port else "")
    return f"postgresql://{f'{url.username}@' if url.username else ''}{where}/{url.database or ''}"


def _joined(value: str | Sequence[str] | None, by: str) -> str:
    """What an address says once or several times."""
    return value if isinstance(value, str) else by.join(value or ())


def storable(text: str) -> str:
    """Text as the server can hold it. It refuses NUL, and UTF-8 has no halves of surrogate pairs; both become U+FFFD.

    Neither comes through the doors of this program: should one do so, it must not stop what else is stored with it.
    """
    if text.isascii():
        return text.replace("\0", "\ufffd") if "\0" in text else text
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace").replace("\0", "\ufffd")


def _text_dumper() -> Any:
    """What psycopg calls for each text it sends."""
    from psycopg.types.string import StrDumper

    class TextDumper(StrDumper):
        def dump(self, obj: str) -> bytes:
            try:
                data = obj.encode()
            except UnicodeEncodeError:
                return storable(obj).encode()
            return data.replace(b"\0", b"\xef\xbf\xbd") if b"\0" in data else data

    return TextDumper
