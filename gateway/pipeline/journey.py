"""The one writer: inputs wait in a bounded queue, are committed in groups, and each sender is told after its group's commit."""

from __future__ import annotations

import queue
import threading
import time
import uuid
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import replace
from typing import Any, NamedTuple, TypeVar

import structlog

from gateway.errors import GatewayError, Unavailable
from gateway.pipeline.ahead import Ahead, Ticket
from gateway.pipeline.configuration import Configuration
from gateway.pipeline.faults import where
from gateway.pipeline.intake import attempt
from gateway.pipeline.received import Outcome, Received
from gateway.pipeline.together import attempt_together
from gateway.pipeline.unanswered import look_again
from gateway.store.interface import Busy, Change, Store, Writer
from gateway.tracing import span

log = structlog.get_logger(__name__)

T = TypeVar("T")
Work = Callable[[Writer, int], Any]
"""One piece of work inside an open transaction, given the care clock's time (microseconds UTC)."""

GROUP = 64
WAITING = 4096
WAKE_AT_ONCE = 256
TRIES = 20
"""How often a piece of work is begun, where another process is writing of the same people each time."""
AFTER_A_FAULT = 3600 * 1_000_000
"""Microseconds until clients whose records could not be derived are looked at again."""


class _Job(NamedTuple):
    work: Work
    future: Future[Any]
    news: bool  # whether it may change what somebody reads
    since: float  # when it was taken, seconds of the monotonic clock
    tries: int = 0  # how often another process was in the way


class Journey:
    """Takes inputs from any thread; one thread of its own does all writing.

    `clock` is the care clock (microseconds UTC); `on_commit` is called, on the writer's thread, after every committed group that holds news; `ahead`
    works out HL7 v2 messages before their turn.
    """

    def __init__(
        self,
        store: Store,
        configuration: Configuration,
        clock: Callable[[], int],
        on_commit: Callable[[], None] = lambda: None,
        ahead: Ahead | None = None,
    ) -> None:
        self._store = store
        self._configuration = configuration
        self._clock = clock
        self._on_commit = on_commit
        self._ahead = ahead
        self._unwanted: deque[Ticket] = deque()  # of inputs that nobody waits for any more
        self._jobs: queue.Queue[_Job | None] = queue.Queue(WAITING)
        self._again: list[_Job] = []  # what another process was in the way of: first in the next group, where it waits for that one
        self._group: list[_Job] = []  # what is being committed
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

    @property
    def longest_wait(self) -> float:
        """For how many seconds the oldest piece of work has waited for its commit; 0 where none waits."""
        waiting = [*self._group, *self._again]
        with self._jobs.mutex:
            first = self._jobs.queue[0] if self._jobs.queue else None
        return max((time.monotonic() - job.since for job in (*waiting, first) if job is not None), default=0.0)

    def submit(self, received: Received) -> Future[Outcome]:
        """Take an input. The future is done after the commit that holds it; it raises `Unavailable` when nothing was taken."""
        if received.kind != "hl7v2":
            received = _numbered(received)
        elif self._ahead is not None and 0 < self.waiting < WAITING:  # where none waits, the writer takes it up at once
            ticket = self._ahead.show(received, self._clock())
            if ticket is not None:
                return self._submit_shown(received, ticket)
        return self.run(lambda writer, now: attempt(writer, received, now, self._configuration))

    def _submit_shown(self, received: Received, ticket: Ticket) -> Future[Outcome]:
        """Take an input that is worked out ahead: it is taken as of when it was shown, where anything came of that."""

        def work(writer: Writer, now: int) -> Outcome:
            foreseen = ticket.answer()
            return attempt(writer, received, now if foreseen is None else foreseen.as_of, self._configuration, foreseen=foreseen)

        future = self.run(work)
        future.add_done_callback(lambda done: self._unwanted.append(ticket) if done.cancelled() or done.exception() is not None else None)
        return future

    def submit_together(self, writes: Sequence[Received]) -> Future[list[Outcome]]:
        """Take several REST writes in one transaction, all or none. The future raises what the first that is refused is refused for."""
        numbered = [_numbered(each) for each in writes]
        return self.run(lambda writer, now: attempt_together(writer, numbered, now, self._configuration))

    def wake(self) -> Future[int]:
        """Look again at every partition whose time has come; how many there were (at most a group's worth: call until 0)."""
        return self.run(self._wake)

    def run(self, work: Callable[[Writer, int], T], *, news: bool = True) -> Future[T]:
        """Do a piece of work on the writer's thread, inside its next transaction. Without `news` (an AuditEvent), nobody who waits is woken by it."""
        future: Future[T] = Future()
        try:
            self._jobs.put_nowait(_Job(work, future, news, time.monotonic()))
        except queue.Full:
            future.set_exception(Unavailable("too many messages are waiting", advice="Send again in a moment."))
        return future

    def _wake(self, writer: Writer, now: int) -> int:
        due = writer.due(now, WAKE_AT_ONCE)
        for partition in due:
            try:
                with writer.savepoint():
                    look_again(writer, partition, now, self._configuration)
            except GatewayError:
                raise
            except Exception as fault:  # noqa: BLE001 - one client's fault must not stop the clock for all others
                log.error("transitions could not be looked at", fault=type(fault).__name__, where=where(fault), partition=partition)
                writer.apply(Change(partition=partition, next_look=now + AFTER_A_FAULT))
        return len(due)

    def _run(self) -> None:
        while (group := self._next_group()) is not None:
            self._commit(group)

    def _next_group(self) -> list[_Job] | None:
        while self._unwanted:
            self._unwanted.popleft().answer()  # makes room for what is wanted
        group, self._again = self._again, []
        if not group:
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
        self._group = group = [job for job in group if job.tries or job.future.set_running_or_notify_cancel()]
        try:
            self._do(group)
        except Busy as busy:
            for job in group:
                self._try_again(job, busy)
        except Unavailable as unavailable:
            _refuse(group, unavailable)
        except Exception as fault:  # noqa: BLE001 - whatever broke the transaction, no sender may wait for ever, nor pay for another's message
            log.error("commit failed", fault=type(fault).__name__, where=where(fault), inputs=len(group))
            for job in group:
                self._alone(job)
        finally:
            self._group = []

    def _try_again(self, job: _Job, reason: Busy) -> None:
        """A piece of work that is undone, because another process is writing of the same people."""
        if job.tries < TRIES:
            self._again.append(job._replace(tries=job.tries + 1))
        else:
            _refuse([job], reason)

    def _alone(self, job: _Job) -> None:
        """One piece of a group that failed, in a transaction of its own."""
        try:
            self._do([job])
        except Unavailable as unavailable:
            _refuse([job], unavailable)
        except Exception as fault:  # noqa: BLE001 - as above
            log.error("commit failed", fault=type(fault).__name__, where=where(fault), inputs=1)
            _refuse([job], Unavailable("The store failed", advice="Send again later."))

    def _do(self, group: list[_Job]) -> None:
        done: list[tuple[_Job, Any]] = []
        failed: list[tuple[_Job, Exception]] = []
        contended: list[tuple[_Job, Busy]] = []
        now = self._clock()
        with span("commit", inputs=len(group)), self._store.write(now) as writer:
            for job in group:
                try:
                    done.append((job, job.work(writer, now)))
                except Busy as other:
                    contended.append((job, other))
                except Unavailable:
                    raise
                except GatewayError as refusal:
                    failed.append((job, refusal))
        for job, busy in contended:
            self._try_again(job, busy)
        for job, reason in failed:
            job.future.set_exception(reason)
        for job, value in done:
            _raise_alarm(value)
            job.future.set_result(value)
        if any(job.news for job, _ in done):
            self._on_commit()


def _numbered(received: Received) -> Received:
    """With a name of its own, by which the inbox tells it from another of the same bytes."""
    return replace(received, about={**received.about, "request": uuid.uuid4().hex})


def _refuse(group: list[_Job], reason: Unavailable) -> None:
    log.error("nothing was taken", reason=reason.message, inputs=len(group))
    for job in group:
        job.future.set_exception(reason)


def _raise_alarm(value: object) -> None:
    """Whoever watches the log hears of every input that was quarantined; `gateway messages show` says the rest."""
    if isinstance(value, Outcome) and value.error is not None:
        log.warning("input quarantined", input=value.input, condition=value.error.condition)
