"""Delivers: takes changes from the outbox, and tells subscribers of the events that they are.

It runs in every gateway. The store gives each change, and each subscription that is due, to one of them. A gateway that ends, however it ends, leaves
what it had not delivered to the next, when its lease is over: delivery is at least once.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import orjson
import structlog

from gateway.api.access import view
from gateway.api.services import Changes, Watch
from gateway.errors import Invalid, Unavailable
from gateway.pipeline.faults import where
from gateway.privacy.audit import Audit, Disclosure
from gateway.records.statements import Identify
from gateway.smart.access import Caller
from gateway.smart.outbound import Resolve, resolve
from gateway.store.interface import Store
from gateway.store.outbox import Changed, EventRow, SubscriptionRow
from gateway.subscriptions import endpoints, notification, schedule, topics
from gateway.subscriptions.notification import Notice, Told, Type
from gateway.subscriptions.resource import Wish, wish
from gateway.subscriptions.schedule import SECOND, Breakers, Policy
from gateway.subscriptions.sending import Reply, send
from gateway.subscriptions.sight import subscriber, visible

log = structlog.get_logger(__name__)

CHANGES = 500
"""Taken from the outbox in one transaction."""
AT_ONCE, OF_ONE_CLIENT = 16, 4
"""Subscriptions that one gateway delivers to at the same time; a client whose endpoints hang must not keep the others waiting."""
IDLE, BUSY, BREATH = 5.0, 1.0, 0.05
"""Seconds between looks while nobody subscribes, while somebody does (another process may have written), and after a change, so that many are taken
together."""
PURGE = 3600 * SECOND

_TYPES: dict[str, Type] = {"handshake": "handshake", "heartbeat": "heartbeat"}


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the composition root gives. `clock` is the wall clock in microseconds UTC; `base_url` what links say."""

    store: Store
    identify: Identify
    base_url: Callable[[], str]
    audit: Audit
    changes: Changes
    clock: Callable[[], int]
    policy: Policy = field(default_factory=Policy)
    resolve: Resolve = resolve
    alone: bool = False  # the only process that serves this store


class Dispatcher:
    """Runs inside `delivering`; `wake` says that something was written through this process."""

    def __init__(self, about: Surroundings) -> None:
        self._about = about
        self._breakers = Breakers()
        self._running: dict[asyncio.Task[None], str] = {}  # the client of each
        self._woken: asyncio.Event | None = None
        self._purged = 0

    @property
    def policy(self) -> Policy:
        """The operator's."""
        return self._about.policy

    def now(self) -> int:
        """The wall clock, in microseconds UTC."""
        return self._about.clock()

    def wake(self) -> None:
        """Look now. From the loop's own thread."""
        if self._woken is not None:
            self._woken.set()

    async def run(self) -> None:
        """Deliver until cancelled, whatever the store's troubles meanwhile."""
        self._woken = asyncio.Event()
        if self._about.alone:
            await asyncio.to_thread(self._about.store.subscriptions.free)
        with self._about.changes.watch() as watch:
            while True:
                self._woken.clear()
                try:
                    pause, watching = await self.look()
                except Unavailable:
                    log.warning("the store could not be asked; trying again", what="subscriptions")
                    pause, watching = BUSY, False
                except Exception as fault:  # noqa: BLE001 - whatever it was, no subscriber may wait for ever
                    log.error("subscriptions could not be looked at", fault=type(fault).__name__, where=where(fault))
                    pause, watching = IDLE, False
                await self._rest(watch if watching else None, pause)
                if watching:
                    await asyncio.sleep(BREATH)

    async def _rest(self, watch: Watch | None, seconds: float) -> None:
        """Until somebody wakes it, or commits where that is of interest, or the seconds are over."""
        assert self._woken is not None
        waiting = [asyncio.ensure_future(self._woken.wait()), *([asyncio.ensure_future(watch.wait(seconds))] if watch is not None else [])]
        try:
            await asyncio.wait(waiting, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for one in waiting:
                one.cancel()
            await asyncio.gather(*waiting, return_exceptions=True)

    async def look(self) -> tuple[float, bool]:
        """Count new events and start what is due. How many seconds to wait at most, and whether commits are of interest meanwhile."""
        subscriptions, now = self._about.store.subscriptions, self._about.clock()
        if not await asyncio.to_thread(subscriptions.watching):
            return IDLE, False
        while await asyncio.to_thread(subscriptions.fan_out, self._decide, now, CHANGES):
            pass
        if now - self._purged > PURGE:
            self._purged = now
            await asyncio.to_thread(subscriptions.purge, now - int(self.policy.keep_days * 24) * schedule.HOUR)
        room = AT_ONCE - len(self._running)
        claimed = await asyncio.to_thread(subscriptions.claim, now, room) if room > 0 else []
        for row in claimed:
            full = list(self._running.values()).count(row.client) >= OF_ONE_CLIENT
            task = asyncio.create_task(self._guarded(self._put_off(row) if full else self._deliver(row), row))
            self._running[task] = row.client
            task.add_done_callback(self._done)
        following = await asyncio.to_thread(subscriptions.next_due) if room > len(claimed) else None
        return (BUSY if following is None else min(BUSY, max(0.0, (following - now) / SECOND))), True

    async def settled(self) -> None:
        """When nothing is under way."""
        while self._running:
            await asyncio.wait(self._running)

    async def close(self) -> None:
        """Ends what is under way; it is not lost, but sent again."""
        for task in self._running:
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._running.pop(task, None)
        self.wake()

    def _decide(self, rows: Sequence[SubscriptionRow], change: Changed) -> Iterator[tuple[SubscriptionRow, str]]:
        """Which subscriptions a change is an event of."""
        try:
            yield from self._events_of(rows, change)
        except Exception as fault:  # noqa: BLE001 - one change that cannot be understood must not keep all others from being told
            log.error("a change could not be told", fault=type(fault).__name__, where=where(fault), position=change.position)

    def _events_of(self, rows: Sequence[SubscriptionRow], change: Changed) -> list[tuple[SubscriptionRow, str]]:
        if change.after is None:
            return []
        before, after = orjson.loads(change.before) if change.before is not None else None, orjson.loads(change.after)
        found = []
        for row in rows:
            wanted = self._wish(row)
            detail = topics.event(wanted.topic, wanted.criteria, before, after) if wanted is not None else None
            if detail is not None:
                found.append((row, " ".join(detail)))
        return found

    def _wish(self, row: SubscriptionRow) -> Wish | None:
        try:
            return wish(row.resource)
        except Invalid:
            return None

    # --- one subscription that is due

    async def _guarded(self, work: Coroutine[Any, Any, None], row: SubscriptionRow) -> None:
        try:
            await work
        except Unavailable:
            log.warning("a notification was put off: the store could not be asked, or the audit trail takes nothing", subscription=row.id)
        except Exception as fault:  # noqa: BLE001 - one subscription's fault must not stop the others; its lease runs out, and it is tried again
            log.error("a notification failed", fault=type(fault).__name__, where=where(fault), subscription=row.id)

    async def _put_off(self, row: SubscriptionRow) -> None:
        await self._settle(row, partial(schedule.waits, until=self._about.clock() + SECOND))

    async def _deliver(self, row: SubscriptionRow) -> None:
        now, wanted = self._about.clock(), self._wish(row)
        if wanted is None:
            await self._settle(row, partial(schedule.stopped, wish=None, now=now, status="error", reason="There is no such topic here any more."))
            return
        match schedule.step(row, wanted, now):
            case "over":
                await self._settle(row, partial(schedule.stopped, wish=wanted, now=now, status="off", reason=""))
            case "nothing":
                await self._settle(row, partial(schedule.passed, wish=wanted, now=now))
            case step:
                await self._tell(row, wanted, step, now)

    async def _tell(self, row: SubscriptionRow, wanted: Wish, step: str, now: int) -> None:
        caller, reason = await asyncio.to_thread(self._permitted, row, wanted)
        if caller is None:
            await self._settle(row, partial(schedule.stopped, wish=wanted, now=now, status="error", reason=reason))
            return
        until = self._breakers.left_alone_until(wanted.endpoint, now, row.patience)
        if until is not None:
            await self._settle(row, partial(schedule.waits, until=until))
            return
        events = await asyncio.to_thread(self._events, row, wanted, step)
        told = await asyncio.to_thread(self._visible, caller, row, events)
        last, again = (0, row.again[0]) if step == "again" else (_last(row, events, wanted, step), 0)
        if not told and step in ("again", "events"):
            await self._settle(row, partial(schedule.passed, wish=wanted, now=now, delivered=last, again=again))
            return
        notice = Notice(self._about.base_url(), row, wanted.topic.name, wanted.content)
        body = orjson.dumps(notification.bundle(notice, _TYPES.get(step, "event-notification"), told, now))
        shown = notification.disclosed(notice, told)
        if any(shown):
            self._about.audit(Disclosure("disclose", caller.client, caller.role, caller.organization, shown))
        seconds, wall = wanted.timeout, now / SECOND
        reply = await send(wanted.endpoint, row.headers, wanted.payload, body, seconds, wall, self.policy.reach, self._about.resolve)
        await self._answered(row, wanted, reply, last, again)

    async def _answered(self, row: SubscriptionRow, wanted: Wish, reply: Reply, last: int, again: int) -> None:
        now = self._about.clock()
        if not reply.refusal:
            self._breakers.succeeded(wanted.endpoint)
            await self._settle(row, partial(schedule.succeeded, wish=wanted, now=now, delivered=last, again=again))
            return
        self._breakers.failed(wanted.endpoint, now)
        if reply.gone:
            settled = await self._settle(row, partial(schedule.stopped, wish=wanted, now=now, status="error", reason=reply.refusal))
        else:
            settled = await self._settle(
                row, partial(schedule.failed, wish=wanted, now=now, reason=reply.refusal, policy=self.policy, asked=reply.wait)
            )
        if settled is not None and settled.status == "error":
            log.warning("a subscription is dead", subscription=row.id, client=row.client, reason=reply.refusal)

    async def _settle(self, row: SubscriptionRow, change: Callable[[SubscriptionRow], SubscriptionRow]) -> SubscriptionRow | None:
        """What came of it; nothing, where the client changed its subscription meanwhile."""
        return await asyncio.to_thread(self._about.store.subscriptions.revise, row.id, change, row.lease)

    def _permitted(self, row: SubscriptionRow, wanted: Wish) -> tuple[Caller | None, str]:
        """The subscriber, if it still may be told, and told there; else why not."""
        store = self._about.store
        caller = subscriber(store.credentials.client(row.client))
        if caller is None or caller.recipient != row.recipient:
            return None, "The client has no access any more, or another one than when it subscribed."
        if not endpoints.is_below(wanted.endpoint, store.subscriptions.endpoints(row.client)):
            return None, "The endpoint is not among those that the client's registration allows."
        return caller, ""

    def _events(self, row: SubscriptionRow, wanted: Wish, step: str) -> list[EventRow]:
        subscriptions = self._about.store.subscriptions
        if step == "again":
            return subscriptions.events(row.id, row.again[0] - 1, row.again[0], 1)
        return subscriptions.events(row.id, row.delivered, row.events, wanted.most) if step == "events" else []

    def _visible(self, caller: Caller, row: SubscriptionRow, events: Sequence[EventRow]) -> list[Told]:
        if not events:
            return []
        with view(self._about.store, row.recipient) as look:
            return visible(look, caller, self._about.identify, events)


def _last(row: SubscriptionRow, events: Sequence[EventRow], wanted: Wish, step: str) -> int:
    """The last event that a notification settles: all there are, where fewer came than could; some may have been forgotten meanwhile."""
    if step != "events":
        return 0
    return events[-1].number if len(events) == wanted.most else row.events


@asynccontextmanager
async def delivering(dispatcher: Dispatcher) -> AsyncIterator[None]:
    """Delivers until the context ends."""
    task = asyncio.create_task(dispatcher.run())
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        await dispatcher.close()
