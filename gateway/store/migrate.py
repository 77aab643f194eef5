"""Brings a store's tables to the newest revision.

SQLAlchemy and Alembic are imported only when there is something to do: `REVISION` is compared with the stored one first.
"""

from __future__ import annotations

import sqlite3
import threading
from pathlib import Path

from gateway.errors import Usage

REVISION = "0002"
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


def migrate_sqlite(connection: sqlite3.Connection) -> None:
    """Runs every migration that is missing, in one transaction: an interrupted one leaves the store as it was.

    The connection is in autocommit mode. The write lock is taken first, so that of two processes opening an empty store one waits for the other.
    """
    with _ALEMBIC:
        _migrate(connection)


def _migrate(connection: sqlite3.Connection) -> None:
    from alembic import command
    from alembic.config import Config
    from alembic.script import ScriptDirectory
    from sqlalchemy import create_engine
    from sqlalchemy.pool import StaticPool

    config = Config()
    config.set_main_option("script_location", str(SCRIPTS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    engine = create_engine("sqlite://", creator=lambda: connection, poolclass=StaticPool)
    with engine.connect() as shared:  # connecting ends any transaction, so it begins here
        shared.exec_driver_sql("BEGIN IMMEDIATE")
        stored = stored_revision(connection)
        known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
        if stored is not None and stored not in known:
            raise Usage("The store was written by a newer version of the gateway", advice="Install that version.")
        config.attributes["connection"] = shared
        command.upgrade(config, "head")
        shared.commit()
