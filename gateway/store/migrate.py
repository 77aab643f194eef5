"""Brings a store's tables to the newest revision.

SQLAlchemy and Alembic are imported only when there is something to do: `REVISION` is compared with the stored one first.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gateway.errors import Usage

if TYPE_CHECKING:
    import psycopg
    from sqlalchemy import Connection, Engine

REVISION = "0007"
"""The newest revision among the migrations (a test holds the two together)."""

SCRIPTS = Path(__file__).parent / "migrations"

_ALEMBIC = threading.Lock()
"""Alembic keeps what it works on in its modules: one migration at a time in a process."""


def stored_revision(connection: sqlite3.Connection) -> str | None:
    """The revision that the store was last brought to; None for an empty one."""
    if connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'alembic_version'").fetchone() is None:
        return None
    row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    return None if row is None else str(row[0])


def stored_revision_of_postgres(connection: psycopg.Connection[Any]) -> str | None:
    """The same of a PostgreSQL schema."""
    if connection.execute(b"SELECT to_regclass('alembic_version')").fetchall() == [(None,)]:
        return None
    row = connection.execute(b"SELECT version_num FROM alembic_version").fetchone()
    return None if row is None else str(row[0])


def migrate_sqlite(connection: sqlite3.Connection) -> None:
    """Runs every migration that is missing, in one transaction: an interrupted one leaves the store as it was.

    The connection is in autocommit mode. The write lock is taken first, so that of two processes opening an empty store one waits for the other.
    """
    from sqlalchemy import create_engine
    from sqlalchemy.pool import StaticPool

    with _connected(create_engine("sqlite://", creator=lambda: connection, poolclass=StaticPool)) as shared:
        shared.exec_driver_sql("BEGIN IMMEDIATE")
        _upgrade(shared, stored_revision(connection))
        shared.commit()


def migrate_postgres(connection: psycopg.Connection[Any], lock: int) -> None:
    """The same on PostgreSQL. `lock` is the number of the advisory lock that is taken first. The connection is in autocommit mode, which is left for
    as long as it takes: SQLAlchemy takes the driver's transactions for its own, and would have none.

    Raises `Usage` for a database that does not keep text as UTF-8.
    """
    from sqlalchemy import create_engine
    from sqlalchemy.pool import StaticPool

    if connection.info.parameter_status("server_encoding") != "UTF8":
        raise Usage("store.url names a database that is not in UTF-8", location="store.url", advice="Create one WITH ENCODING 'UTF8'.")
    connection.autocommit = False
    try:
        with _connected(create_engine("postgresql+psycopg://", creator=lambda: connection, poolclass=StaticPool)) as shared:
            shared.exec_driver_sql("SELECT pg_advisory_xact_lock(%s)", (lock,))
            _upgrade(shared, stored_revision_of_postgres(connection))
            shared.commit()
    finally:
        connection.rollback()
        connection.autocommit = True


@contextmanager
def _connected(engine: Engine) -> Iterator[Connection]:
    with _ALEMBIC, engine.connect() as shared:  # connecting ends any transaction, so it begins inside
        yield shared


def _upgrade(shared: Connection, stored: str | None) -> None:
    from alembic import command
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", str(SCRIPTS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    if stored is not None and stored not in known:
        raise Usage("The store was written by a newer version of the gateway", advice="Install that version.")
    config.attributes["connection"] = shared
    command.upgrade(config, "head")
