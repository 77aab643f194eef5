"""The one writer: inputs wait in a bounded queue, are committed in groups, and each sender is told after its group's commit."""

from __future__ import annotations

import queue
import threading
import uuid
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import replace
from typing import Any, NamedTuple, TypeVar

import structlog

from gateway.errors import GatewayError, Unavailable
from gateway.pipeline.configuration import Configuration
from gateway.pipeline.intake import WRITES, quarantine_fault, take
from gateway.pipeline.partitions import refold
from gateway.pipeline.received import Outcome, Received
from gateway.store.interface import Store, Writer

log = structlog.get_logger(__name__)

T = TypeVar("T")
Work = Callable[[Writer, int], Any]
"""One piece of work inside an open transaction, given the care clock's time (microseconds UTC)."""

GROUP = 64
WAITING = 4096
WAKE_AT_ONCE = 256


class _Job(NamedTuple):
    work: Work
    future: Future[Any]


class Journey:
    """Takes inputs from any thread; one thread of its own does all writing.

    `clock` is the care clock (microseconds UTC); `on_commit` is called, on the writer's thread, after every group that was committed.
    """

    def __init__(self, store: Store, configuration: Configuration, clock: Callable[[], int], on_commit: Callable[[], None] = lambda: None) -> None:
        self._store = store
        self._configuration = configuration
        self._clock = clock
        self._on_commit = on_commit
        self._jobs: queue.Queue[_Job | None] = queue.Queue(WAITING)
        self._thread = threading.Thread(target=self._run, name="writer", daemon=True)

    def start(self) -> None:
        """Start the writer."""
        self._thread.start()

    def stop(self) -> None:
        """Finish what was taken in, then stop."""
        self._jobs.put(None)
        self._thread.join()

    @property
    def waiting(self) -> int:
        """How many inputs wait for the writer."""
        return self._jobs.qsize()

    def submit(self, received: Received) -> Future[Outcome]:
        """Take an input. The future is done after the commit that holds it; it raises `Unavailable` when nothing was taken."""
        if received.kind != "hl7v2":
            received = replace(received, about={**received.about, "request": uuid.uuid4().hex})
        return self.run(lambda writer, now: self._take(writer, received, now))

    def wake(self) -> Future[int]:
        """Look again at every partition whose time has come; how many there were (at most a group's worth: call until 0)."""
        return self.run(self._wake)

    def run(self, work: Callable[[Writer, int], T]) -> Future[T]:
        """Do a piece of work on the writer's thread, inside its next transaction."""
        future: Future[T] = Future()
        try:
            self._jobs.put_nowait(_Job(work, future))
        except queue.Full:
            future.set_exception(Unavailable("too many messages are waiting", advice="Send again in a moment."))
        return future

    def _take(self, writer: Writer, received: Received, now: int) -> Outcome:
        try:
            with writer.savepoint():
                return take(writer, received, now, self._configuration)
        except GatewayError:
            raise
        except Exception as fault:  # noqa: BLE001 - a fault of ours must cost no message: it is logged, and the input kept whole
            log.error("input failed", fault=type(fault).__name__, where=_where(fault), kind=received.kind)
            if received.kind == WRITES:
                raise GatewayError("the gateway failed on this request", advice="It was not taken; the operator has been told.") from None
            with writer.savepoint():
                return quarantine_fault(writer, received, now, self._configuration)

    def _wake(self, writer: Writer, now: int) -> int:
        due = writer.due(now, WAKE_AT_ONCE)
        for partition in due:
            refold(writer, partition, now, self._configuration)
        return len(due)

    def _run(self) -> None:
        while (group := self._next_group()) is not None:
            self._commit(group)

    def _next_group(self) -> list[_Job] | None:
        first = self._jobs.get()
        if first is None:
            return None
        group = [first]
        while len(group) < GROUP:
            try:
                job = self._jobs.get_nowait()
            except queue.Empty:
                break
            if job is None:
                self._jobs.put(None)
                break
            group.append(job)
        return group

    def _commit(self, group: list[_Job]) -> None:
        """Do a group's work in one transaction; nobody hears of success before it is committed."""
        group = [job for job in group if job.future.set_running_or_notify_cancel()]
        done: list[tuple[_Job, Any]] = []
        failed: list[tuple[_Job, Exception]] = []
        now = self._clock()
        try:
            with self._store.write(now) as writer:
                for job in group:
                    try:
                        done.append((job, job.work(writer, now)))
                    except Unavailable:
                        raise
                    except GatewayError as refusal:
                        failed.append((job, refusal))
        except Exception as fault:  # noqa: BLE001 - whatever broke the transaction, every waiting sender must hear that nothing was taken
            if not isinstance(fault, Unavailable):
                log.error("commit failed", fault=type(fault).__name__, where=_where(fault))
            unavailable = fault if isinstance(fault, Unavailable) else Unavailable("the store failed", advice="Send again later.")
            for job in group:
                job.future.set_exception(unavailable)
            return
        for job, reason in failed:
            job.future.set_exception(reason)
        for job, value in done:
            job.future.set_result(value)
        self._on_commit()


def _where(fault: BaseException) -> str:
    """The last place of ours in a traceback: module and line, without any value."""
    place, trace = "", fault.__traceback__
    while trace is not None:
        name = trace.tb_frame.f_globals.get("__name__", "")
        if name.split(".")[0] in ("gateway", "transitions"):
            place = f"{name}:{trace.tb_lineno}"
        trace = trace.tb_next
    return place
