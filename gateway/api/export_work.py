"""The work on exports: each is given its moment, and looked through once to say what its files are.

A worker takes a page at a time, so that it can be stopped at any. It keeps its job on lease; what a stopped process had begun is begun anew by
whoever finds the lease over.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterator
from dataclasses import replace

import orjson
import structlog

from gateway.api.access import view
from gateway.api.export_content import DELETED, ERROR, OUTPUT, Extent, Page, Stretch, extent, page
from gateway.api.export_request import Asked, leave, loaded
from gateway.errors import Unavailable
from gateway.pipeline.faults import where
from gateway.smart import scopes
from gateway.smart.access import Caller
from gateway.store.exports import ExportRow
from gateway.store.interface import Store

log = structlog.get_logger(__name__)

LEASE = 30
"""Seconds for which a job is its worker's, unless it says that it is still at it."""
TELL = 1.0
"""Seconds between two words on how far it is."""
FILE = 50_000
"""Resources a file, about: a file ends with a page."""


class Worker:
    """Works exports, one at a time. `clock` is the care clock (microseconds UTC), which `transactionTime` goes by; `wall` gives seconds."""

    def __init__(self, store: Store, clock: Callable[[], int], wall: Callable[[], float] = time.time, file: int = FILE) -> None:
        self._store, self._clock, self._wall, self._file = store, clock, wall, file
        self._name = secrets.token_hex(8)
        self._work: Iterator[None] | None = None

    def step(self) -> bool:
        """Do a page's worth; whether there may be more to do. Raises Unavailable, with the job to be begun anew when its lease is over."""
        if self._work is None:
            self._work = self._next()
        if self._work is None:
            return False
        try:
            next(self._work, None)
        except BaseException:
            self._work = None
            raise
        return True

    def _next(self) -> Iterator[None] | None:
        now = int(self._wall())
        row = self._store.exports.claim(self._name, now, now + LEASE)
        if row is None:
            self._store.exports.sweep(now)
        return None if row is None else self._guarded(row)

    def _guarded(self, row: ExportRow) -> Iterator[None]:
        """The work on one job. A fault of ours ends it, and whoever asked is told so."""
        try:
            yield from self._made(row)
        except Unavailable:
            raise
        except Exception as fault:  # noqa: BLE001 - one job's fault must not keep all others waiting
            log.error("an export failed", fault=type(fault).__name__, where=where(fault))
            self._store.exports.settle(row.id, self._name, "failed")
        self._work = None

    def _made(self, row: ExportRow) -> Iterator[None]:
        asked, moment = loaded(row.asked), self._moment()
        if not self._tell(row, moment, "beginning"):
            return
        with view(self._store, row.recipient) as look:
            of = extent(look, asked, moment)
        files = [Stretch(ERROR, "OperationOutcome", 0, 0, len(asked.notes))] if asked.notes else []
        count, told = 0, self._wall()
        for number, type in enumerate(asked.types):
            making = _Files(type, of, self._file)
            for found in self._pages(row, of, type):
                making.add(found)
                count += len(found.found)
                if abs(self._wall() - told) >= TELL:
                    told = self._wall()
                    if not self._tell(row, moment, f"{count} resources, {number} of {len(asked.types)} types"):
                        return
                yield
            files += making.made()
        self._store.exports.settle(row.id, self._name, "done", orjson.dumps([tuple(each) for each in files]).decode())

    def _moment(self) -> int:
        """A moment after everything that is committed by now, and before everything that will be: see `Writer.tick`. Only when its own transaction
        is over does that hold, so nothing is looked at before."""
        with self._store.write(self._clock()) as writer:
            return writer.tick()

    def _tell(self, row: ExportRow, moment: int, progress: str) -> bool:
        return self._store.exports.renew(row.id, self._name, int(self._wall()) + LEASE, moment, progress)

    def _pages(self, row: ExportRow, of: Extent, type: str) -> Iterator[Page]:
        leaves, after = leave(whoever_asked(row, of.asked), type), of.asked.since
        while True:
            with view(self._store, row.recipient) as look:
                found = page(look, of, leaves, type, after, of.moment)
            yield found
            if found.following is None:
                return
            after = found.following


class _Files:
    """The files of one type, as its pages come."""

    def __init__(self, type: str, of: Extent, most: int) -> None:
        self._type, self._of, self._most = type, of, most
        self._files: list[Stretch] = []
        self._begins, self._count, self._deleted = of.asked.since, 0, 0

    def add(self, found: Page) -> None:
        """One more page."""
        self._count += len(found.found)
        self._deleted += len(found.deleted)
        if self._count >= self._most and found.following is not None:
            self._end(found.following)

    def _end(self, until: int) -> None:
        if self._count:
            self._files.append(Stretch(OUTPUT, self._type, self._begins, until, self._count))
        self._begins, self._count = until, 0

    def made(self) -> list[Stretch]:
        """All of them; none is empty."""
        self._end(self._of.moment)
        if self._deleted:
            self._files.append(Stretch(DELETED, self._type, self._of.asked.since, self._of.moment, self._deleted))
        return self._files


def whoever_asked(row: ExportRow, asked: Asked) -> Caller:
    """Who asked for a job, as far as leave goes: the scopes that the token had."""
    nobody = Caller(row.client, "", "", (), (), 0)
    return replace(nobody, scopes=scopes.parse(asked.scopes), user=asked.user, patient=asked.patient)
