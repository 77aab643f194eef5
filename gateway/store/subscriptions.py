"""Subscriptions in SQL: each call a transaction of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any

import orjson

from gateway.store import subscription_sql as sql
from gateway.store.connection import Connection
from gateway.store.outbox import Changed, Decide, EventRow, Revise, SubscriptionRow
from gateway.store.sql import LAST_POSITION

MARGIN = 5_000_000
"""Microseconds that a lease lasts beyond its subscription's patience."""


class Locks:
    """What is locked where several processes write; where one writes at a time, nothing."""

    for_update = ""
    """What a statement ends with that reads a row in order to change it."""

    def writers(self, connection: Connection) -> None:
        """Waits until nobody writes transitions who has not seen the subscriptions as they will be."""

    def fan_out(self, connection: Connection) -> bool:
        """Takes at most `limit` changes from the outbox, counts the events that they are, and makes their subscriptions due, unless they wait after a
        failure. How many were taken; 0 also while another process does the same."""
        """True for whoever takes changes from the outbox."""
        return True


class Subscriptions:
    """Each call is a short transaction of its own; see `gateway.store.outbox` for the words. `writing` gives a connection inside a write
    transaction, `reading` one to look at. Never call one inside `Store.write` of the same thread: it would wait for itself."""

    def __init__(
        self,
        writing: Callable[[], AbstractContextManager[Connection]],
        reading: Callable[[], AbstractContextManager[Connection]],
        locks: Locks | None = None,
    ) -> None:
        self._writing, self._reading, self._locks = writing, reading, locks or Locks()

    def add(self, row: SubscriptionRow) -> None:
        """Adds it. What is committed from now on to its recipient's view is put into the outbox."""
        with self._writing() as connection:
            self._locks.writers(connection)
            connection.execute(sql.ADD, _values(replace(row, since=_last_position(connection))))

    def get(self, id: str) -> SubscriptionRow | None:
        """One, None where there is none."""
        with self._reading() as connection:
            return _one(connection.execute(sql.GET, (id,)).fetchone())

    def listed(self, client: str | None = None) -> list[SubscriptionRow]:
        """In order of making; of one client, or of all."""
        with self._reading() as connection:
            found = connection.execute(sql.ALL) if client is None else connection.execute(sql.OF_CLIENT, (client,))
            return [_row(values) for values in found]

    def revise(self, id: str, change: Revise, lease: int | None = None) -> SubscriptionRow | None:
        """Replaces a row by what `change` makes of it, and returns that; None where there is none, or `lease` is said and not its lease any more."""
        with self._writing() as connection:
            if lease is None:  # who has a lease only ends a watch, or goes on with it
                self._locks.writers(connection)
            row = _one(connection.execute(sql.GET + self._locks.for_update, (id,)).fetchone())
            if row is None or (lease is not None and row.lease != lease):
                return None
            changed = change(row)
            if row.status == "off" != changed.status:
                changed = replace(changed, since=_last_position(connection))
            connection.execute(sql.SET, (*_values(changed)[1:], id))
        return changed

    def delete(self, id: str) -> bool:
        """It and its events. False: there was none."""
        with self._writing() as connection:
            # a fan-out under way ends first, so that it leaves no event behind
            connection.execute(sql.GET + self._locks.for_update, (id,)).fetchone()
            connection.execute(sql.DROP_EVENTS, (id,))
            return connection.execute(sql.DROP, (id,)).rowcount > 0

    def fan_out(self, decide: Decide, now: int, limit: int) -> int:
        with self._reading() as looking:
            if looking.execute(sql.ANY_CHANGE).fetchone() is None:
                return 0
        with self._writing() as connection:
            if not self._locks.fan_out(connection):
                return 0
            changes = [Changed(*values) for values in connection.execute(sql.OUTBOX, (limit,)).fetchall()]
            recipients = sorted({each.recipient for each in changes})
            standing = {name: self._of_recipient(connection, name) for name in recipients}
            counted: dict[str, SubscriptionRow] = {}
            for change in changes:
                watching = [row for row in standing[change.recipient] if row.since < change.position]
                for row, detail in decide(watching, change):
                    row = counted.get(row.id, row)
                    counted[row.id] = row = replace(row, events=row.events + 1, due=_sooner(row, now))
                    connection.execute(sql.ADD_EVENT, EventRow(row.id, row.events, change.transition, change.position, now, detail))
            for row in counted.values():
                connection.execute(sql.SET, (*_values(row)[1:], row.id))
            if changes:
                connection.execute(sql.DROP_CHANGES, (changes[-1].position,))
        return len(changes)

    def _of_recipient(self, connection: Connection, recipient: str) -> list[SubscriptionRow]:
        return [_row(values) for values in connection.execute(sql.OF_RECIPIENT + self._locks.for_update, (recipient,)).fetchall()]

    def claim(self, now: int, limit: int) -> list[SubscriptionRow]:
        """Those that are due and that nobody has a lease on, each with a lease of its own: until `now`, its `patience` and a margin."""
        with self._reading() as looking:
            due = [_row(values) for values in looking.execute(sql.DUE, (now, now, limit))]
        if not due:
            return []
        leased = []
        with self._writing() as connection:
            for row in due:
                until = now + row.patience + MARGIN
                if connection.execute(sql.LEASE, (until, row.id, row.lease)).rowcount > 0:
                    leased.append(row.id)
            found = [_one(connection.execute(sql.GET, (id,)).fetchone()) for id in leased]
        return [row for row in found if row is not None]

    def next_due(self) -> int | None:
        """When the next one can be claimed."""
        with self._reading() as connection:
            return min((max(due, lease) for due, lease in connection.execute(sql.NEXT_DUE)), default=None)

    def watching(self) -> bool:
        """Is there a subscription that is not off?"""
        with self._reading() as connection:
            return connection.execute(sql.ANY_WATCHING).fetchone() is not None

    def free(self) -> None:
        """Ends all leases: for the one process that serves a file, when it starts."""
        with self._writing() as connection:
            connection.execute(sql.FREE)

    def events(self, id: str, after: int, until: int, limit: int) -> list[EventRow]:
        """Those with numbers above `after` and up to `until`, in order."""
        with self._reading() as connection:
            return [EventRow(*values) for values in connection.execute(sql.EVENTS, (id, after, until, limit))]

    def purge(self, recorded_before: int) -> None:
        """Forgets events recorded before a moment; numbers stay."""
        with self._writing() as connection:
            connection.execute(sql.DROP_OLD_EVENTS, (recorded_before,))

    def endpoints(self, client: str) -> list[str]:
        """The addresses below which a client may be notified."""
        with self._reading() as connection:
            return [prefix for (prefix,) in connection.execute(sql.ENDPOINTS, (client,))]

    def allow_endpoint(self, client: str, prefix: str) -> None:
        """Lets a client be notified below an address."""
        with self._writing() as connection:
            connection.execute(sql.ADD_ENDPOINT, (client, prefix))

    def forbid_endpoint(self, client: str, prefix: str) -> bool:
        """Takes that back. False: it was not allowed."""
        with self._writing() as connection:
            return connection.execute(sql.DROP_ENDPOINT, (client, prefix)).rowcount > 0


def _last_position(connection: Connection) -> int:
    row = connection.execute(LAST_POSITION).fetchone()
    return 0 if row is None else int(row[0])


def _sooner(row: SubscriptionRow, now: int) -> int | None:
    """When a subscription with a new event is due: at once, unless it waits after a failure, or sends nothing in its status."""
    if row.status != "active" or (row.failures and row.due is not None):
        return row.due
    return now if row.due is None else min(now, row.due)


def _values(row: SubscriptionRow) -> tuple[Any, ...]:
    """The row in the order of `sql.COLUMNS`."""
    return (
        row.id,
        row.client,
        row.recipient,
        row.status,
        row.resource,
        orjson.dumps(row.headers).decode(),
        row.created,
        row.updated,
        row.patience,
        row.number,
        row.error,
        row.events,
        row.delivered,
        orjson.dumps(row.again).decode(),
        row.failures,
        row.failing_since,
        row.since,
        row.sent,
        row.due,
        row.lease,
    )


def _row(values: Iterable[Any]) -> SubscriptionRow:
    id, client, recipient, status, resource, headers, created, updated, patience, number, error, events, delivered, again, *rest = values
    return SubscriptionRow(
        id,
        client,
        recipient,
        status,
        bytes(resource),
        tuple(orjson.loads(headers)),
        created,
        updated,
        patience,
        number,
        error,
        events,
        delivered,
        tuple(orjson.loads(again)),
        *rest,
    )


def _one(values: Any) -> SubscriptionRow | None:
    return None if values is None else _row(values)
