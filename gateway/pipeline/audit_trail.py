"""The audit trail: an AuditEvent for every answer that shows records, committed with the journey's next group.

An answer does not wait for that commit. It is not given where its event cannot be handed over, nor while the commit of an earlier one has failed:
those are held here, and written first.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future

import orjson
import structlog

from gateway.errors import Unavailable
from gateway.pipeline.journey import WAITING, Journey
from gateway.pipeline.own import DEVICE
from gateway.privacy.audit import Disclosure, event_of
from gateway.records.times import moment
from gateway.store.interface import Change, Writer

log = structlog.get_logger(__name__)

_NOBODYS = 0
"""The partition that is no client's."""


class AuditTrail:
    """Takes disclosures from any thread. `clock` is the care clock (microseconds UTC).

    Those that come while the writer is busy are committed together: one piece of work takes all that wait when its turn comes."""

    def __init__(self, journey: Journey, clock: Callable[[], int]) -> None:
        self._journey = journey
        self._clock = clock
        self._waiting: list[bytes] = []  # a piece of work that takes them is on its way
        self._owed: list[bytes] = []  # of answers that were given, and whose commit failed
        self._paying = False
        self._lock = threading.Lock()

    def add(self, disclosure: Disclosure) -> None:
        """Hand the event over. Raises Unavailable where it is not certain to be kept: then nothing may be shown."""
        body = orjson.dumps(event_of(disclosure, moment(self._clock()), f"Device/{DEVICE}"))
        with self._lock:
            owing = bool(self._owed)
            if not owing:
                self._wait(body)
        if owing:
            self._pay()
            raise Unavailable("What was shown before has not been written down yet", advice="Ask again in a moment.")

    def _wait(self, body: bytes) -> None:
        """Put it to those that wait; the first of them sends for the writer."""
        if len(self._waiting) >= WAITING:
            raise Unavailable("Too many disclosures are waiting to be written down", advice="Ask again in a moment.")
        self._waiting.append(body)
        if len(self._waiting) == 1:
            batch = _Batch(self._take)
            written = self._journey.run(batch.write, news=False)
            if written.done() and (refusal := written.exception()) is not None:
                self._waiting.clear()
                raise refusal
            written.add_done_callback(lambda done: self._hold(batch.bodies or self._take()) if done.exception() is not None else None)

    def _take(self) -> list[bytes]:
        with self._lock:
            taken, self._waiting = self._waiting, []
        return taken

    def _hold(self, bodies: list[bytes]) -> None:
        with self._lock:
            self._owed += bodies
        log.error("disclosures are not written down; nothing more is shown until they are", disclosures=len(self._owed))

    def _pay(self) -> None:
        """Try again to write what is owed, unless somebody does already."""
        with self._lock:
            if self._paying:
                return
            self._paying, bodies = True, list(self._owed)

        def settled(done: Future[None]) -> None:
            with self._lock:
                if done.exception() is None:
                    del self._owed[: len(bodies)]
                self._paying = False

        self._journey.run(_Batch(lambda: bodies).write, news=False).add_done_callback(settled)


class _Batch:
    """Events that are committed together: those that wait when it is begun. It may be begun again, where its group failed."""

    def __init__(self, take: Callable[[], list[bytes]]) -> None:
        self._take = take
        self.bodies: list[bytes] = []

    def write(self, writer: Writer, _: int) -> None:
        """Write them, in the writer's transaction."""
        self.bodies = self.bodies or self._take()
        writer.apply(Change(_NOBODYS, audit=self.bodies))
