"""The statements of `gateway.store.sql` in PostgreSQL's words, and those that write many rows at once."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

from gateway.store import sql
from gateway.store.subscription_sql import ADD_CHANGE


@lru_cache(2048)
def in_postgres(statement: str) -> bytes:
    """A statement as PostgreSQL takes it: without what only SQLite's planner has to be told, and with `%s` for its parameters."""
    words = re.sub(r" INDEXED BY \w+", "", statement).replace("CROSS JOIN", "JOIN").replace("+v.", "v.")
    return words.replace("instr(r.bytes, ?)", "position(? IN r.bytes)").replace("?", "%s").encode()


class Many(NamedTuple):
    """How the rows of one statement are written at once: each column is an array."""

    text: str
    key: tuple[int, ...] = ()  # the columns that tell rows apart where the last one stands for all
    sums: tuple[int, ...] = ()  # columns that are added up among rows with the same key
    latest: tuple[int, ...] = ()  # columns of which the greatest stands
    positions: tuple[int, ...] = ()  # columns that hold a position, provisional until it is settled
    heads: bool = False  # the last column holds heads, to be packed into two columns when they are settled


def _many(statement: str, types: str) -> str:
    """A statement for one row turned into one for many: `types` are those of its parameters."""
    names = types.split()
    rows = f"unnest({', '.join(f'%b::{name}[]' for name in names)})"
    if statement.startswith("INSERT"):
        return re.sub(r"VALUES \([?, ]*\)", f"SELECT * FROM {rows}", statement)  # noqa: S608 - constants of `sql`
    numbers = iter(range(1, len(names) + 1))
    body = re.sub(r"\?", lambda _: f"n.c{next(numbers)}", statement)
    source = f"{rows} AS n ({', '.join(f'c{number}' for number in range(1, len(names) + 1))})"
    word = "USING" if statement.startswith("DELETE") else "FROM"
    return body.replace(" WHERE ", f" {word} {source} WHERE ", 1)


def _with_id(statement: str) -> str:
    """An insertion whose rows bring their ids."""
    return statement.replace(" (", " (id, ", 1).replace("VALUES (", "VALUES (?, ", 1)


_HEAR = sql.HEAR.replace("?, 1, ?", "?, ?, ?").replace("inputs + 1", "inputs + excluded.inputs").replace("max(", "greatest(")
_LOOK = "UPDATE partition SET next_look = ? WHERE id = ?"
_TRANSITION = "text int8 int8 int8 text text int8 bytea"

_SET_HEADS = (
    "UPDATE resource SET heads = n.heads, terms = n.terms FROM unnest(%b::int8[], %b::bytea[], %b::bytea[]) AS n (id, heads, terms) "
    "WHERE resource.id = n.id"
)

BEFORE_THE_LOCK = {
    sql.ADD_INPUT: Many(_many(_with_id(sql.ADD_INPUT), "int8 text text text bytea int8 text text text bytea text text int8 text")),
    sql.SETTLE_INPUT: Many(_many(sql.SETTLE_INPUT, "text text text bytea text text int8 text int8"), key=(8,)),
    sql.ADD_RAW: Many(_many(sql.ADD_RAW, "int8 bytea")),
    sql.DROP_IDENTIFIER: Many(_many(sql.DROP_IDENTIFIER, "text int8")),
    sql.ADD_IDENTIFIER: Many(_many(sql.ADD_IDENTIFIER, "text int8")),
    sql.ADD_PARTITION: Many(_many("INSERT INTO partition (id) VALUES (?)", "int8")),
    sql.ADD_KEY: Many(_many(sql.ADD_KEY, "bytea int8")),
    sql.DROP_STATEMENTS: Many(_many(sql.DROP_STATEMENTS, "int8")),
    sql.ADD_STATEMENT: Many(_many(_with_id(sql.ADD_STATEMENT), "int8 int8 int8 bytea")),
}
"""What only its own partition or input is concerned with, in the order in which it is written."""

UNDER_THE_LOCK = {
    sql.HEAR: Many(_many(_HEAR, "text int8 int8 int8 int8"), key=(0, 1), sums=(2, 3), latest=(4,)),
    sql.SET_SHARED: Many(_many(sql.SET_SHARED, "text text bytea"), key=(0,)),
    sql.COUNT_REFERENCE: Many(_many(sql.COUNT_REFERENCE, "int8 text int8"), key=(0, 1), sums=(2,)),
    sql.ADD_BODY: Many(_many(sql.ADD_BODY, "int8 bytea"), positions=(0,)),
    sql.ADD_RESOURCE: Many(_many(sql.ADD_RESOURCE, "int8 int8 text int8 bytea bytea"), heads=True),
    sql.SET_RESOURCE: Many(_SET_HEADS, key=(0,), heads=True),
    sql.CLAIM_RESOURCE: Many(_many(sql.CLAIM_RESOURCE, "int8 int8"), key=(1,)),
    sql.ADD_VERSION: Many(_many(sql.ADD_VERSION, "int8 int8 int8 int8 int8 int8"), positions=(4, 5)),
    sql.DROP_TERM: Many(_many(sql.DROP_TERM, "int8 text int8")),
    sql.ADD_TERM: Many(_many(sql.ADD_TERM, "int8 text int8")),
    sql.ADD_TRANSITION: Many(_many(sql.ADD_TRANSITION, f"int8 text int8 int8 int8 {_TRANSITION}"), positions=(4,)),
    sql.SET_TRANSITION: Many(_many(sql.SET_TRANSITION, f"int8 int8 {_TRANSITION} int8"), key=(10,), positions=(1,)),
    sql.SET_MEASURED: Many(_many(sql.SET_MEASURED, "int8 text bytea"), key=(0,)),
    ADD_CHANGE: Many(_many(ADD_CHANGE, "int8 int8 text bytea bytea"), positions=(0,)),
    sql.WAKE: Many(_many(_LOOK, "int8 int8").replace("WHERE id", "WHERE next_look IS DISTINCT FROM n.c1 AND id"), key=(1,)),
    sql.ADD_AUDIT: Many(_many(_with_id(sql.ADD_AUDIT), "int8 int8 bytea"), positions=(0,)),
}
"""What has a position, or belongs to nobody alone, in the order in which it is written."""
