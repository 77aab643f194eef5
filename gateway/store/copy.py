"""Copies an SQLite store into an empty PostgreSQL database, table by table, and holds the two together before it commits."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

from sqlalchemy import BigInteger, LargeBinary, SmallInteger, Table

from gateway.errors import Unavailable, Usage
from gateway.store.postgres.ids import BLOCK
from gateway.store.postgres.store import PostgresStore
from gateway.store.schema import metadata
from gateway.store.sqlite.connection import translated

Progress = Callable[[str, int], None]
"""Told what is being copied, and how many there are by now."""


_AFTER_THE_LAST_ID = """
SELECT setval('id_block', coalesce(max(id), 0) / ? + 1, false) FROM (
    SELECT id FROM resource UNION ALL SELECT id FROM transition UNION ALL SELECT id FROM partition UNION ALL SELECT id FROM statement
) AS ids
"""


class Copied(NamedTuple):
    """A table that is the same in both."""

    table: str
    rows: int
    digest: str  # SHA-256 of its rows in order of their key


def copy_store(source: Path, target: PostgresStore, progress: Progress) -> list[Copied]:
    """Copies every table in one transaction. Neither store may be served meanwhile: the caller sees to that.

    Raises `Usage` where the target is not empty, and `Unavailable` where what arrived is not what was sent: then nothing is kept.
    """
    with (
        translated(),
        closing(sqlite3.connect(f"{source.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None)) as file,
        target.copying() as link,
    ):
        file.execute("BEGIN")
        tables = [metadata.tables[name] for name in sorted(metadata.tables)]
        for table in tables:
            if link.execute(f"SELECT 1 FROM {table.name} LIMIT 1").fetchone() is not None:  # noqa: S608 - a table of the schema
                raise Usage("the store to copy to is not empty", location=table.name, advice="Name an empty database.")
        copied = []
        for table in tables:
            link.copy_rows(f"COPY {table.name} ({_columns(table)}) FROM STDIN WITH (FORMAT BINARY)", _types(table), _counted(table, file, progress))
            sent = _digest(table.name, map(_kept, _rows(table, file.execute)))
            if _digest(table.name, link.walk(_select(table), ())) != sent:
                raise Unavailable(
                    f"What arrived of {table.name} is not what was sent; nothing was copied", advice="Look at both disks, and try again."
                )
            copied.append(sent)
        link.execute("SELECT setval('input_number', (SELECT coalesce(max(id), 0) + 1 FROM input), false)")
        link.execute(_AFTER_THE_LAST_ID, (BLOCK,))
        return copied


def _columns(table: Table) -> str:
    return ", ".join(column.name for column in table.columns)


def _select(table: Table) -> str:
    return f"SELECT {_columns(table)} FROM {table.name} ORDER BY {', '.join(column.name for column in table.primary_key)}"  # noqa: S608 - constants


def _types(table: Table) -> list[str]:
    """PostgreSQL's names of the columns' types."""
    names = ((SmallInteger, "int2"), (BigInteger, "int8"), (LargeBinary, "bytea"))
    return [next((name for kind, name in names if isinstance(column.type, kind)), "text") for column in table.columns]


def _rows(table: Table, execute: Callable[[str], Iterable[Any]]) -> Iterable[Any]:
    return execute(_select(table))


def _counted(table: Table, file: sqlite3.Connection, progress: Progress) -> Iterator[tuple[Any, ...]]:
    for number, row in enumerate(_rows(table, file.execute), 1):
        yield _kept(row)
        progress(f"rows of {table.name}", number)


def _kept(row: tuple[Any, ...]) -> tuple[Any, ...]:
    """A row as PostgreSQL keeps it (see `gateway.store.postgres` on U+0000)."""
    return tuple(value.replace("\0", "\u2400") if isinstance(value, str) else value for value in row)


def _digest(name: str, rows: Iterable[tuple[Any, ...]]) -> Copied:
    digest, count = hashlib.sha256(), 0
    for row in rows:
        digest.update(repr(tuple(row)).encode())
        count += 1
    return Copied(name, count, digest.hexdigest())
