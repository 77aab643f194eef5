"""PostgreSQL connections: how they are opened, how statements are sent, and what its errors become."""

from __future__ import annotations

import hashlib
import select
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg.types.numeric import Int8BinaryDumper, Int8Dumper
from psycopg.types.string import StrBinaryDumper, StrDumper

from gateway.errors import Unavailable, Usage
from gateway.store.connection import Rows
from gateway.store.interface import Busy
from gateway.store.postgres.dialect import in_postgres

CONNECT_SECONDS = 5
IDLE_SECONDS = 60
"""How long a transaction may stand still before the server ends it: a gateway that hangs must not keep all others from committing."""

_PAGE = 200
"""Rows that a walk through many fetches at once."""

Question = tuple[str, Sequence[Any]]
"""A statement and its parameters."""


class Link:
    """See `connection.Connection`: one session, in autocommit mode, for any thread, one at a time."""

    def __init__(self, url: str, busy: float) -> None:
        self._raw = _connect(url)
        self._ahead: dict[str, tuple[tuple[Any, ...], list[Any]]] = {}
        self._walks = 0
        try:
            (row,) = self._raw.execute(_SETTINGS, (str(int(busy * 1000)), str(IDLE_SECONDS * 1000))).fetchall()
        except psycopg.Error:
            self._raw.close()
            raise
        self._space = str(row[0]).encode()

    def execute(self, statement: str, parameters: Sequence[Any] = ()) -> Rows:
        ahead = self._ahead.pop(statement, None) if self._ahead else None
        if ahead is not None and ahead[0] == tuple(parameters):
            return _Answer(ahead[1])
        return self._raw.execute(in_postgres(statement), parameters, binary=True)

    def ask(self, questions: Sequence[Question], *, prepare: bool | None = None) -> list[list[Any]]:
        """All of them in one round trip; the rows that each gave."""
        execute = self._raw.execute
        if len(questions) == 1:  # a pipeline of one costs twice as much
            ((statement, parameters),) = questions
            cursor = execute(in_postgres(statement), parameters, prepare=prepare, binary=True)
            return [cursor.fetchall() if cursor.description else []]
        with self._raw.pipeline():
            cursors = [execute(in_postgres(statement), parameters, prepare=prepare, binary=True) for statement, parameters in questions]
        return [cursor.fetchall() if cursor.description else [] for cursor in cursors]

    def foresee(self, questions: Sequence[Question], answers: Sequence[list[Any]]) -> None:
        """Remembers answers for whoever asks one of these questions next, the last one of each statement; until `forget_answers`."""
        self._ahead.update((statement, (tuple(parameters), rows)) for (statement, parameters), rows in zip(questions, answers, strict=True))

    def forget_answers(self) -> None:
        """What was foreseen holds no more."""
        self._ahead.clear()

    def walk(self, statement: str, parameters: Sequence[Any]) -> Iterator[Any]:
        """Rows that are fetched as they are asked for, inside a transaction."""
        self._walks += 1
        fetch = (f"FETCH {_PAGE} FROM walk{self._walks}", ())
        _, rows = self.ask([(f"DECLARE walk{self._walks} NO SCROLL CURSOR FOR {statement}", parameters), fetch], prepare=False)
        while rows:
            yield from rows
            rows = self.ask([fetch], prepare=False)[0] if len(rows) == _PAGE else []

    def copy_rows(self, statement: str, types: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
        """COPY … FROM STDIN in binary, of columns of these types."""
        with self._raw.cursor().copy(statement.encode()) as copy:
            copy.set_types(types)
            for row in rows:
                copy.write_row(row)

    def commit(self, last: Sequence[Question] = ()) -> None:
        """The last statements and COMMIT, in one round trip. Raises `Unavailable` where PostgreSQL rolled back instead."""
        with self._raw.pipeline():
            for statement, parameters in last:
                self._raw.execute(in_postgres(statement), parameters)
            done = self._raw.execute(b"COMMIT")
        if done.statusmessage != "COMMIT":
            raise Unavailable("The store could not take everything, and so took nothing", advice="Send again later.")

    def rollback(self) -> None:
        """Ends a transaction, if there is one and the session lives."""
        self._ahead.clear()
        if not self.broken and self._raw.info.transaction_status != psycopg.pq.TransactionStatus.IDLE:
            self._raw.execute(b"ROLLBACK")

    @property
    def failed(self) -> bool:
        """Has a statement failed, so that nothing more can be asked in this transaction?"""
        return self._raw.info.transaction_status == psycopg.pq.TransactionStatus.INERROR

    @property
    def raw(self) -> psycopg.Connection[Any]:
        """The driver's own connection: for migrations and COPY."""
        return self._raw

    def lives(self) -> bool:
        """Does an idle session still stand? It has nothing to say but that it is over."""
        if self._raw.closed:
            return False
        poll = select.poll()
        poll.register(self._raw.fileno(), select.POLLIN)
        return not poll.poll(0)

    @property
    def broken(self) -> bool:
        """Is the session over?"""
        return self._raw.closed

    def close(self) -> None:
        self._raw.close()

    def number(self, *parts: bytes) -> int:
        """The number of an advisory lock: another one for each schema of a database."""
        digest = hashlib.blake2b(digest_size=8, key=self._space)
        for part in parts:
            digest.update(len(part).to_bytes(4, "big") + part)
        return int.from_bytes(digest.digest(), "big", signed=True)


_SETTINGS = b"""
SELECT current_schema()::regnamespace::oid, set_config('lock_timeout', %s, false), set_config('idle_in_transaction_session_timeout', %s, false),
    set_config('enable_seqscan', 'off', false), set_config('jit', 'off', false),
    set_config('synchronous_commit', coalesce(nullif(current_setting('synchronous_commit'), 'off'), 'on'), false)
"""


class _Answer:
    """See `connection.Rows`: rows that were fetched before."""

    def __init__(self, rows: list[Any]) -> None:
        self._rows = rows
        self.rowcount = len(rows)

    def fetchone(self) -> Any:
        return self._rows[0] if self._rows else None

    def fetchall(self) -> list[Any]:
        return self._rows

    def __iter__(self) -> Iterator[Any]:
        return iter(self._rows)


class _Text(StrDumper):
    def dump(self, obj: str) -> Any:
        return super().dump(obj.replace("\0", "\u2400"))


class _BinaryText(StrBinaryDumper):
    def dump(self, obj: str) -> Any:
        return super().dump(obj.replace("\0", "\u2400"))


_DEFAULTS: dict[str, str | int | None] = {
    "connect_timeout": CONNECT_SECONDS,
    "application_name": "gateway",
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "tcp_user_timeout": 10_000,
}
"""Of libpq, where the URL does not say otherwise: a server that vanishes is noticed."""


def _connect(url: str) -> psycopg.Connection[Any]:
    try:
        parameters = psycopg.conninfo.conninfo_to_dict(url)
    except psycopg.ProgrammingError:
        raise Usage("store.url cannot be read", location="store.url", advice="Write postgresql://USER@HOST:PORT/DATABASE.") from None
    known = psycopg.conninfo.make_conninfo("", **{**_DEFAULTS, **parameters, "client_encoding": "UTF8"})
    connection = psycopg.connect(known, autocommit=True, prepare_threshold=0)
    connection.prepared_max = 300
    for dumper in (Int8Dumper, Int8BinaryDumper):  # one type for all whole numbers, so that a statement is prepared once
        connection.adapters.register_dumper(int, dumper)
    for text in (_Text, _BinaryText):
        connection.adapters.register_dumper(str, text)
    return connection


_BUSY = {"40001", "40P01"}
"""SQLSTATE: serialization_failure, deadlock_detected (PostgreSQL, appendix A)."""
_UNAVAILABLE = ("08", "40", "53", "55", "57", "58", "XX")
"""Classes of SQLSTATE: connection exception, rollback, insufficient resources, not in prerequisite state, intervention, system and internal error."""
_READ_ONLY = "25006"


def unavailable(error: psycopg.Error) -> Unavailable:
    """What a caller is told: the kind of trouble, never PostgreSQL's own words (they may hold values, names or addresses)."""
    state = error.sqlstate or ""
    if state in _BUSY:
        return Busy("Another process wrote of the same people", advice="Send again in a moment.")
    if state == "55P03":
        return Unavailable("The store is locked by another process", advice="Send again later.")
    if state == "53100":
        return Unavailable("The disk that holds the store is full", advice="Make room, then send again.")
    if state.startswith("28"):
        return Unavailable("PostgreSQL does not let this gateway in", advice="Look at the user, the password and pg_hba.conf.")
    if state == "3D000":
        return Unavailable("PostgreSQL has no such database", advice="Create the database that store.url names.")
    if state == _READ_ONLY:
        return Unavailable("PostgreSQL takes no writes: it is a standby", advice="Name the primary in store.url.")
    return Unavailable("PostgreSQL cannot be reached, or cannot commit now", advice="Send again later.")


@contextmanager
def translated() -> Iterator[None]:
    """Turns trouble with the server into `Unavailable`. A broken constraint or a statement that cannot be is a programming error, and stays one."""
    try:
        yield
    except psycopg.Error as error:
        state = error.sqlstate
        gone = state is None and isinstance(error, psycopg.OperationalError)
        if gone or (state is not None and (state.startswith(_UNAVAILABLE) or state.startswith("28") or state in (_READ_ONLY, "3D000"))):
            raise unavailable(error) from None
        raise
