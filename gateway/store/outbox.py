"""Subscriptions and what is owed to them, as a store keeps them.

Words. A recipient is *watched* while somebody subscribes to its view. Each change of a watched recipient's transition is put into the *outbox* by the
transaction that makes it. From there `fan_out` takes it, in order of position, and gives it to the subscriptions that it is an *event* of; each
counts its own events. What is sent when is kept with the subscription (`due`); whoever sends holds a *lease* on it meanwhile.

Times are microseconds since 1970 UTC by the wall clock, unless said otherwise.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple


@dataclass(frozen=True, slots=True)
class SubscriptionRow:
    """A client's Subscription, and how far it has got."""

    id: str
    client: str
    recipient: str  # whose view it is of
    status: str  # "requested" | "active" | "error" | "off"
    resource: bytes  # JSON as the client wrote it, without id, meta, status, error and headers
    headers: tuple[str, ...]  # of requests to the endpoint; secrets are among them
    created: int
    updated: int
    patience: int  # microseconds that one request to the endpoint may take
    number: int = 1  # versionId
    error: str = ""  # the last failure, in plain words
    events: int = 0  # the number of the last event
    delivered: int = 0  # the number of the last event that was delivered
    again: tuple[int, ...] = ()  # events that are to be sent again
    failures: int = 0  # since the last success
    failing_since: int | None = None
    since: int = 0  # changes after this position are its events
    sent: int = 0  # when the endpoint last took something
    due: int | None = None  # when there is something to do
    lease: int = 0  # until when somebody does it


class Changed(NamedTuple):
    """A transition as a recipient saw it before and after a change; None: not at all. `position` is by the care clock."""

    position: int
    recipient: str
    transition: str
    before: bytes | None
    after: bytes | None


class EventRow(NamedTuple):
    """One event of a subscription. `at` is the position of the change, `recorded` when it was counted, `detail` the topic's own."""

    subscription: str
    number: int
    transition: str
    at: int
    recorded: int
    detail: str


Decide = Callable[[Sequence[SubscriptionRow], Changed], Iterable[tuple[SubscriptionRow, str]]]
"""Which of a recipient's subscriptions a change is an event of, each with the event's detail."""

Revise = Callable[[SubscriptionRow], SubscriptionRow]
"""What a subscription becomes."""
