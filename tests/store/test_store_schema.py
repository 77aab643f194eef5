"""The schema: migrations and metadata agree, an interrupted migration leaves nothing, and a current store opens without SQLAlchemy."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from gateway.errors import Usage
from gateway.store import migrate
from gateway.store.interface import HOUR, Heard
from gateway.store.serving import lock_for_serving
from gateway.store.sqlite import open_sqlite
from gateway.store.sqlite.connection import connect
from tests.store.stores import an_input, fresh, to_the_first_version


def test_the_migrations_lead_to_the_metadata() -> None:
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext
    from sqlalchemy import create_engine

    from gateway.store.schema import metadata

    with fresh() as store:
        engine = create_engine(f"sqlite:///{store._path}")
        with engine.connect() as connection:
            assert compare_metadata(MigrationContext.configure(connection), metadata) == []
            created = dict(row for row in connection.exec_driver_sql("SELECT name, sql FROM sqlite_master WHERE type = 'table'"))
        engine.dispose()
        # what a comparison does not see
        for name, table in metadata.tables.items():
            assert ("WITHOUT ROWID" in created[name]) == (not table.dialect_options["sqlite"]["with_rowid"]), name


def test_the_newest_revision_is_the_one_that_is_compared() -> None:
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", str(migrate.SCRIPTS))
    config.set_main_option("path_separator", "os")
    assert ScriptDirectory.from_config(config).get_heads() == [migrate.REVISION]


def test_every_table_can_be_written_out_for_postgresql() -> None:
    from sqlalchemy.dialects import postgresql
    from sqlalchemy.schema import CreateIndex, CreateTable

    from gateway.store.schema import metadata

    for table in metadata.sorted_tables:
        assert "CREATE TABLE" in str(CreateTable(table).compile(dialect=postgresql.dialect()))
        for index in table.indexes:
            written = str(CreateIndex(index).compile(dialect=postgresql.dialect()))
            assert (" WHERE " in written) == (index.dialect_options["sqlite"]["where"] is not None), index.name


def test_an_interrupted_migration_leaves_the_store_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from alembic import op

    made = []

    def fails_half_way(name: str, *arguments: object, **options: object) -> object:
        made.append(name)
        if len(made) == 10:
            raise KeyboardInterrupt
        return real(name, *arguments, **options)

    real = op.create_table
    monkeypatch.setattr(op, "create_table", fails_half_way)
    with pytest.raises(KeyboardInterrupt):
        open_sqlite(tmp_path / "gateway.db")
    with closing(sqlite3.connect(tmp_path / "gateway.db")) as look:
        assert look.execute("SELECT count(*) FROM sqlite_master").fetchone() == (0,)
    monkeypatch.undo()
    open_sqlite(tmp_path / "gateway.db").close()


OPENS = """
import sys
from pathlib import Path
from gateway.store.sqlite import open_sqlite
print(open_sqlite(Path(sys.argv[1])).installation_key().hex())
"""


def test_processes_and_threads_that_open_an_empty_path_at_once_all_succeed(tmp_path: Path) -> None:
    path = tmp_path / "gateway.db"
    others = [subprocess.Popen([sys.executable, "-c", OPENS, str(path)], stdout=subprocess.PIPE, text=True) for _ in range(2)]
    with ThreadPoolExecutor(3) as pool:
        opened = list(pool.map(lambda _: open_sqlite(path), range(3)))
    keys = {store.installation_key().hex() for store in opened} | {other.communicate()[0].strip() for other in others}
    for store in opened:
        store.close()
    assert [other.returncode for other in others] == [0, 0]
    assert len(keys) == 1


def test_a_store_of_a_newer_gateway_is_refused(tmp_path: Path) -> None:
    open_sqlite(tmp_path / "gateway.db").close()
    with closing(sqlite3.connect(tmp_path / "gateway.db")) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(Usage, match="newer"):
        open_sqlite(tmp_path / "gateway.db")


def test_an_older_store_is_not_migrated_under_a_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    open_sqlite(tmp_path / "gateway.db").close()
    monkeypatch.setattr("gateway.store.sqlite.REVISION", "newer")
    with lock_for_serving(tmp_path), pytest.raises(Usage, match="migrated"):
        open_sqlite(tmp_path / "gateway.db")


def test_a_current_store_opens_without_sqlalchemy(tmp_path: Path) -> None:
    open_sqlite(tmp_path / "gateway.db").close()
    program = (
        "import sys; from pathlib import Path; from gateway.store.sqlite import open_sqlite;"
        "store = open_sqlite(Path(sys.argv[1])); store.installation_key();"
        "print('sqlalchemy' in sys.modules, 'alembic' in sys.modules)"
    )
    answer = subprocess.run([sys.executable, "-c", program, str(tmp_path / "gateway.db")], capture_output=True, text=True, check=True)
    assert answer.stdout.split() == ["False", "False"]


def test_the_interface_loads_no_implementation() -> None:
    program = "import sys, gateway.store.interface; print([name for name in ('sqlalchemy', 'alembic', 'sqlite3') if name in sys.modules])"
    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "[]"


def test_commits_are_synced(tmp_path: Path) -> None:
    connection = connect(tmp_path / "x.db", 1)
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert connection.execute("PRAGMA synchronous").fetchone() == (2,)  # FULL
    connection.close()


def test_the_installation_key_is_made_once(tmp_path: Path) -> None:
    store = open_sqlite(tmp_path / "gateway.db")
    key = store.installation_key()
    store.close()
    again = open_sqlite(tmp_path / "gateway.db")
    assert len(key) == 32
    assert again.installation_key() == key
    again.close()


def test_reading_does_not_depend_on_how_much_history_there_is() -> None:
    """The plans of what pollers and case managers ask: an index each, no sorting and no scan."""
    from gateway.store import sql

    plans = {
        sql.FEED: (1, 5, 10),
        sql.FEED_POSITION: (1,),
        sql.READ: ("id", 1, 1),
        sql.DUE: (1, 10),
        sql.WORKLIST_ALL: (1, 50, 0),
        sql.WORKLIST_FLAGGED: (1, 50, 0),
        sql.WORKLIST_STATUS: (1, "open", 50, 0),
        sql.WORKLIST_BOTH: (1, "open", 50, 0),
        sql.IN_ORDER: (1, 1, 5, 9),
        sql.AS_OF: (1, 1, 5, 9, 9, 10),
        sql.ACCEPTED: ("1", "feed", b""),
        sql.REUSED: ("1", "feed", b""),
        sql.RESOURCES_OF_PARTITION: (1,),
        sql.TRANSITIONS_OF_PARTITION: (1,),
        sql.STATEMENTS: (1,),
    }
    with fresh() as store:
        connection = connect(store._path, 1)
        for statement, parameters in plans.items():
            steps = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {statement}", parameters)]
            scans = [step for step in steps if step.startswith("SCAN") and step != "SCAN page"]
            assert scans == [], (statement, steps)
            if statement in (sql.FEED, sql.DUE, sql.IN_ORDER, sql.AS_OF):
                assert not any("TEMP B-TREE" in step for step in steps), (statement, steps)
            if "page" in statement:
                assert any("SEARCH transition USING COVERING INDEX" in step for step in steps), (statement, steps)
        found_first = sql.OF_RESOURCES.format(sql.WITH_TERM.format("parameter = ? AND value = ?"))
        steps = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {found_first}", (1, "x", 1, 1, 0, 9))]
        assert "SEARCH v USING PRIMARY KEY (resource=? AND recipient=?)" in steps, steps
        for state in ("processed", "quarantined", "duplicate"):
            steps = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {sql.COUNTS[state]}", (9,))]
            assert any("COVERING INDEX" in step for step in steps), (state, steps)
        connection.close()


def test_opening_a_current_store_loads_nothing_that_only_a_migration_needs(tmp_path: Path) -> None:
    open_sqlite(tmp_path / "gateway.db").close()
    look = "import sys, pathlib, gateway.store.sqlite as s; s.open_sqlite(pathlib.Path(sys.argv[1])).close(); print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", look, str(tmp_path / "gateway.db")], capture_output=True, text=True, check=True).stdout.split()
    assert "gateway.store.sqlite" in loaded
    assert not {"sqlalchemy", "alembic"} & set(loaded)


def test_a_store_of_the_first_version_learns_from_its_inbox_when_feeds_were_heard(tmp_path: Path) -> None:
    with closing(open_sqlite(tmp_path / "gateway.db")) as store, store.write(10) as writer:
        writer.add_input(an_input(b"a", received=5))
        writer.add_input(an_input(b"b", control_id="2", received=HOUR + 9, state="quarantined"))
    to_the_first_version(tmp_path / "gateway.db")
    with closing(open_sqlite(tmp_path / "gateway.db")) as store, store.reading() as reader:
        assert reader.heard("st-mary", 10) == [Heard(1, 1, 1, HOUR + 9), Heard(0, 1, 0, 5)]
