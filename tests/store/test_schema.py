"""Opening: new, current, older and newer databases, and files that are none."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from aggregator.errors import SchemaError, StoreError
from aggregator.store.engine import Database
from aggregator.store.opening import open_store
from aggregator.store.schema import MIGRATIONS, current_revision, describe_schema, ensure_schema, revisions
from tests.shared import ROOT
from tests.store.make import NOW, group, item, poll

NEXT = '''"""A migration that only this test knows."""

from alembic import op

revision = "9999"
down_revision = "{before}"


def upgrade() -> None:
    op.execute("ALTER TABLE hosts ADD COLUMN note TEXT")
    {more}
'''


def with_one_more(folder: Path, more: str = "pass") -> Path:
    """The migrations and one after them."""
    shutil.copytree(MIGRATIONS, folder, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "versions" / "9999_test.py").write_text(NEXT.format(before=revisions()[-1], more=more))
    return folder


@pytest.fixture(params=["sqlite", "postgres"])
def bare_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of a database that nothing was ever put into."""
    return str(request.getfixturevalue("bare_postgres_url")) if request.param == "postgres" else str(tmp_path / "store.db")


def schema_of(url: str | Path) -> tuple[dict[str, object], str | None, set[str], list[tuple[str, int]]]:
    database = Database(str(url))
    with database.reading() as connection:
        described = describe_schema(connection)
        revision = current_revision(connection, database)
        virtual: set[str] = set()
        if database.path:
            virtual = set(connection.exec_driver_sql("SELECT sql FROM sqlite_master WHERE sql LIKE 'CREATE VIRTUAL%%'").scalars())
        meta = [(key, value) for key, value in connection.exec_driver_sql("SELECT key, value FROM meta ORDER BY key")]
    database.close()
    return described, revision, virtual, meta


def change(url: str, statement: str) -> None:
    database = Database(url)
    with database.writing() as connection:
        connection.exec_driver_sql(statement)
    database.close()


def test_a_new_schema_equals_a_migrated_one(bare_url: str, tmp_path: Path) -> None:
    from alembic import command
    from alembic.config import Config

    database = Database(bare_url)
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    with database.writing() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
    migrated = schema_of(bare_url)
    drop_all(database)
    database.close()
    open_store(bare_url, now=NOW).close()
    made = schema_of(bare_url)
    assert made == migrated
    assert len(made[0]) > 12


def drop_all(database: Database) -> None:
    if database.path:
        database.path.unlink()
        return
    with database.writing() as connection:
        for name in database.kind.tables(connection):
            connection.exec_driver_sql(f'DROP TABLE "{name}" CASCADE')


def test_opening_again_changes_nothing_and_loads_no_alembic(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    open_store(str(path), now=NOW).close()
    code = (
        "import sys; from datetime import datetime, UTC; from aggregator.store.opening import open_store\n"
        f"store = open_store({str(path)!r}, now=datetime.now(UTC)); assert not store.maintenance.upgrade.changed\n"
        "assert 'alembic' not in sys.modules; store.close()"
    )
    before = path.read_bytes()
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)
    assert path.read_bytes() == before


def test_an_older_database_is_upgraded_with_its_data_a_file_after_a_copy(bare_url: str, tmp_path: Path) -> None:
    with open_store(bare_url, now=NOW) as store:
        poll(store, "a", [item("k")])
        group(store, [1])
    database = Database(bare_url)
    done = ensure_schema(database, now=NOW, copy_aside=True, folder=with_one_more(tmp_path / "migrations"))
    with database.reading() as connection:
        assert connection.exec_driver_sql("SELECT note FROM hosts").all() == []
        assert connection.exec_driver_sql("SELECT count(*) FROM items").scalar() == 1
    database.close()
    assert (done.before, done.after, done.changed) == (revisions()[-1], "9999", True)
    if "://" in bare_url:
        assert done.copy is None
        return
    assert done.copy is not None
    assert done.copy.name == f"store.db.before-upgrade-{revisions()[-1]}-20231227T120000Z"
    with open_store(str(done.copy), now=NOW) as old:
        assert [one.key for one in old.items.export()] == ["k"]


def test_a_migration_that_fails_leaves_the_old_schema(bare_url: str, tmp_path: Path) -> None:
    open_store(bare_url, now=NOW).close()
    before = schema_of(bare_url)
    database = Database(bare_url)
    folder = with_one_more(tmp_path / "migrations", 'raise RuntimeError("half-way")')
    with pytest.raises(RuntimeError, match="half-way"):
        ensure_schema(database, now=NOW, copy_aside=False, folder=folder)
    database.close()
    assert schema_of(bare_url) == before


def test_a_newer_database_is_refused_and_left_alone(bare_url: str, tmp_path: Path) -> None:
    open_store(bare_url, now=NOW).close()
    change(bare_url, "UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(SchemaError, match=r"was written by a newer version .* update the program"):
        open_store(bare_url, now=NOW)
    assert [each.name for each in tmp_path.iterdir() if "before" in each.name] == []
    assert schema_of(bare_url)[1] == "9999"


def test_a_database_of_another_program_is_refused_and_left_alone(bare_url: str) -> None:
    change(bare_url, "CREATE TABLE bookmarks (url TEXT)")
    with pytest.raises(StoreError, match=r"is a database of another program; name another (file|one)"):
        open_store(bare_url, now=NOW)
    database = Database(bare_url)
    with database.reading() as connection:
        assert database.kind.tables(connection) == {"bookmarks"}
    database.close()


def test_a_file_that_is_no_database_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("my notes, not a database\n" * 100)
    with pytest.raises(StoreError, match=r"notes\.txt is not a database of this program; move it away"):
        open_store(str(path), now=NOW)
    assert path.read_text().startswith("my notes")


def test_an_empty_file_becomes_a_database(tmp_path: Path) -> None:
    path = tmp_path / "empty.db"
    path.touch()
    open_store(str(path), now=NOW).close()
    assert path.stat().st_size > 0


def test_a_folder_is_no_database(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"is a folder; name a file in it"):
        open_store(str(tmp_path), now=NOW)


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match=r"file/sub/store\.db cannot be opened or made: Not a directory"):
        open_store(str(tmp_path / "file" / "sub" / "store.db"), now=NOW)


def test_a_file_without_permission_is_named(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    open_store(str(path), now=NOW).close()
    path.chmod(0)
    user = os.geteuid()
    if user == 0:  # root may read everything: be nobody for a moment
        os.seteuid(65534)
    try:
        with pytest.raises(StoreError, match=r"store\.db (could not be opened; check|cannot be opened or made: Permission denied)"):
            open_store(str(path), now=NOW)
    finally:
        os.seteuid(user)


@pytest.mark.parametrize(
    ("url", "sentence"),
    [("mysql://localhost/x", "keeps its data in SQLite or PostgreSQL, not in mysql"), ("sqlite://host:port/x", "is no database address")],
)
def test_an_address_of_no_use_is_named(url: str, sentence: str) -> None:
    with pytest.raises(StoreError, match=sentence):
        open_store(url, now=NOW)


def test_a_damaged_database_is_named(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    with open_store(str(path), now=NOW) as store:
        poll(store, "a", [item(str(number), summary="x" * 500) for number in range(300)])
    size = path.stat().st_size
    with path.open("r+b") as file:  # the schema at its head stays
        file.seek(size // 2)
        file.write(b"\xff" * (size // 3))
    with open_store(str(path), now=NOW) as store:
        assert store.maintenance.check()[0].startswith("SQLite finds damage")
        with pytest.raises(StoreError, match=r"store\.db is damaged; put a backup in its place"):
            list(store.items.export())


def test_processes_that_open_a_new_database_together_all_succeed(bare_url: str) -> None:
    code = (
        "from datetime import datetime, UTC; from aggregator.store.opening import open_store\n"
        f"open_store({bare_url!r}, now=datetime.now(UTC)).close()"
    )
    assert run_together(code) == [(b"", 0)] * 4


def test_processes_that_upgrade_a_database_together_upgrade_it_once(bare_url: str, tmp_path: Path) -> None:
    open_store(bare_url, now=NOW).close()
    folder = with_one_more(tmp_path / "migrations")
    code = (
        "from pathlib import Path; from tests.store.make import NOW\n"
        "from aggregator.store.engine import Database; from aggregator.store.schema import ensure_schema\n"
        f"database = Database({bare_url!r}); ensure_schema(database, now=NOW, copy_aside=False, folder=Path({str(folder)!r}))"
    )
    assert run_together(code) == [(b"", 0)] * 4
    assert schema_of(bare_url)[1] == "9999"


def run_together(code: str) -> list[tuple[bytes, int]]:
    """What four processes said and how they ended."""
    running = [subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stderr=subprocess.PIPE) for _ in range(4)]
    return [(each.communicate()[1], each.returncode) for each in running]
