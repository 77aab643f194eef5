"""Stores for these tests. A migrated SQLite file is copied, and a migrated PostgreSQL schema emptied, because migrating takes longer than most tests.

Tests that hold for every store are marked with `on_every_store`, and are run on SQLite and on PostgreSQL.
"""

from __future__ import annotations

import atexit
import functools
import hashlib
import os
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import psycopg
import pytest

from gateway.store.interface import Input, Store
from gateway.store.postgres import open_postgres
from gateway.store.sqlite import open_sqlite
from tests.postgres_server import schema, server

on_every_store = pytest.mark.usefixtures("database")

SQLITE, POSTGRES = "sqlite", "postgres"
_chosen = [SQLITE]


@contextmanager
def chosen(database: str) -> Iterator[None]:
    """`fresh` gives stores of this kind."""
    if database == POSTGRES:
        server()
    _chosen.append(database)
    yield
    _chosen.pop()


def examples(number: int) -> int:
    """So many on SQLite; an eighth of them on PostgreSQL, where a fresh store takes eight times as long."""
    return number if _chosen[-1] == SQLITE else number // 8


def to_the_first_version(path: Path) -> None:
    """Make a closed SQLite store one that the first version wrote: its tables and columns, and what stands in them."""
    from alembic import command
    from alembic.config import Config
    from sqlalchemy import create_engine
    from sqlalchemy.pool import NullPool

    from gateway.store.migrate import SCRIPTS

    first = path.with_suffix(".first")
    config = Config()
    config.set_main_option("script_location", str(SCRIPTS))
    config.set_main_option("path_separator", "os")
    with create_engine(f"sqlite:///{first}", poolclass=NullPool).begin() as config.attributes["connection"]:
        command.upgrade(config, "0001")
    with closing(sqlite3.connect(first)) as connection, connection:
        connection.execute("ATTACH ? AS later", (str(path),))
        for (table,) in connection.execute("SELECT name FROM main.sqlite_master WHERE type = 'table' AND name <> 'alembic_version'").fetchall():
            columns = ", ".join(name for (name,) in connection.execute("SELECT name FROM pragma_table_info(?)", (table,)))
            connection.execute(f"DELETE FROM main.{table}")
            connection.execute(f"INSERT INTO main.{table} ({columns}) SELECT {columns} FROM later.{table}")
    first.replace(path)


@functools.cache
def _template() -> Path:
    path = Path(tempfile.mkdtemp()) / "template.db"
    open_sqlite(path).close()
    return path


@contextmanager
def fresh(*, busy: float = 5.0) -> Iterator[Store]:
    """An empty store of its own."""
    with _fresh_postgres(busy) if _chosen[-1] == POSTGRES else _fresh_sqlite(busy) as store:
        yield store


@contextmanager
def _fresh_sqlite(busy: float) -> Iterator[Store]:
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "gateway.db"
        shutil.copy(_template(), path)
        store = open_sqlite(path, busy=busy)
        try:
            yield store
        finally:
            store.close()


_free: list[str] = []
_made = ExitStack()
atexit.register(_made.close)
_number = iter(range(10**6))


@contextmanager
def empty_schema() -> Iterator[str]:
    """The URL of a schema with empty tables."""
    url = _free.pop() if _free else _made.enter_context(schema(server(), f"gateway_test_{os.getpid()}_{next(_number)}"))
    open_postgres(url).close()
    try:
        yield url
    finally:
        with psycopg.connect(url) as connection:
            tables = [name for (name,) in connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = current_schema()")]
            for table in set(tables) - {"alembic_version"}:
                connection.execute(f'DELETE FROM "{table}"')
        _free.append(url)


@contextmanager
def _fresh_postgres(busy: float) -> Iterator[Store]:
    with empty_schema() as url:
        store = open_postgres(url, busy=busy)
        try:
            yield store
        finally:
            store.close()


def an_input(raw: bytes = b"MSH|1", **fields: object) -> Input:
    """An input of feed `st-mary` with control ID `1`, unless said otherwise."""
    values: dict[str, object] = {"id": 0, "kind": "hl7v2", "feed": "st-mary", "control_id": "1", "received": 5, **fields}
    return Input(digest=hashlib.sha256(raw).digest(), raw=raw, **values)  # type: ignore[arg-type]
