"""Who writes next. SQLite lets any process take the write lock, and whoever has just had it is the quickest to take it again; so under load a
command beside `serve`, or a token beside the inbox, might wait for ever. Here whoever waits goes first.

It takes two locks for that: one to be next, one to write. Who waits to write holds the first; who wants to write again waits for the first.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from gateway.errors import Unavailable

_PAUSE = 0.001


class Turns:
    """The write transactions of one store file: one at a time in this process, and fairly among processes."""

    def __init__(self, path: Path, busy: float) -> None:
        self._busy = busy
        self._next, self._writing = threading.Lock(), threading.Lock()
        self._next_process = os.open(path.with_name(path.name + "-next"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._close = weakref.finalize(self, os.close, self._next_process)  # also for a store that nobody closed

    @contextmanager
    def transaction(self, connection: sqlite3.Connection) -> Iterator[None]:
        """BEGIN IMMEDIATE to COMMIT, or ROLLBACK if anything raises. Raises `Unavailable` after waiting `busy` seconds in vain."""
        with self._alone():
            self._begin(connection)
            try:
                yield
                connection.execute("COMMIT")
            finally:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")

    def close(self) -> None:
        """Waits for the transaction that is under way, and allows no other."""
        self._writing.acquire()
        self._close()

    @contextmanager
    def _alone(self) -> Iterator[None]:
        deadline = time.monotonic() + self._busy
        if not self._next.acquire(timeout=self._busy):
            raise _busy()
        try:
            taken = self._writing.acquire(timeout=max(0.0, deadline - time.monotonic()))
        finally:
            self._next.release()
        if not taken:
            raise _busy()
        try:
            yield
        finally:
            self._writing.release()

    def _begin(self, connection: sqlite3.Connection) -> None:
        deadline = time.monotonic() + self._busy
        while not _done(lambda: fcntl.flock(self._next_process, fcntl.LOCK_EX | fcntl.LOCK_NB)):
            if time.monotonic() > deadline:
                raise _busy()
            time.sleep(_PAUSE)
        try:
            connection.execute("BEGIN IMMEDIATE")
        finally:
            fcntl.flock(self._next_process, fcntl.LOCK_UN)


def _done(attempt: Callable[[], object]) -> bool:
    try:
        attempt()
    except BlockingIOError:
        return False
    return True


def _busy() -> Unavailable:
    return Unavailable("The store is busy", advice="Send again later.")
