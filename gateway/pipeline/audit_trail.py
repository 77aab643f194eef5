"""The audit trail: an AuditEvent for every answer that shows records, committed with the journey's next group.

An answer does not wait for that commit. It is not given where its event cannot be handed over, nor while the commit of an earlier one has failed:
those are held here, and written first.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future

import orjson
import structlog

from gateway.errors import Unavailable
from gateway.pipeline.journey import Journey
from gateway.pipeline.own import DEVICE
from gateway.privacy.audit import Disclosure, event_of
from gateway.records.times import moment
from gateway.store.interface import Change, Writer

log = structlog.get_logger(__name__)

_NOBODYS = 0
"""The partition that is no client's."""


class AuditTrail:
    """Takes disclosures from any thread. `clock` is the care clock (microseconds UTC)."""

    def __init__(self, journey: Journey, clock: Callable[[], int]) -> None:
        self._journey = journey
        self._clock = clock
        self._owed: deque[bytes] = deque()  # of answers that were given, and whose commit failed
        self._paying = threading.Lock()

    def add(self, disclosure: Disclosure) -> None:
        """Hand the event over. Raises Unavailable where it is not certain to be kept: then nothing may be shown."""
        body = orjson.dumps(event_of(disclosure, moment(self._clock()), f"Device/{DEVICE}"))
        if self._owed:
            self._pay()
            raise Unavailable("What was shown before has not been written down yet", advice="Ask again in a moment.")
        written = self._write([body])
        if written.done() and (refusal := written.exception()) is not None:
            raise refusal
        written.add_done_callback(lambda done: self._hold(body) if done.exception() is not None else None)

    def _write(self, bodies: Sequence[bytes]) -> Future[None]:
        def work(writer: Writer, _: int) -> None:
            writer.apply(Change(_NOBODYS, audit=bodies))

        return self._journey.run(work, news=False)

    def _hold(self, body: bytes) -> None:
        self._owed.append(body)
        log.error("disclosures are not written down; nothing more is shown until they are", disclosures=len(self._owed))

    def _pay(self) -> None:
        """Try again to write what is owed, unless somebody does already."""
        if not self._paying.acquire(blocking=False):
            return
        bodies = tuple(self._owed)

        def settled(done: Future[None]) -> None:
            if done.exception() is None:
                for _ in bodies:
                    self._owed.popleft()
            self._paying.release()

        self._write(bodies).add_done_callback(settled)
