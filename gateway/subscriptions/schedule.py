"""What is to be sent for a subscription, and when. Pure but for the jitter of the pauses.

A subscription's events are delivered in order, one notification after the other. What fails is tried again after 1 s to 1 h, with full jitter, until
it has failed for as long as the policy says; then the subscription's status is `error`, with the reason, and stays so until somebody sets it to
`requested` or `active` again. Its events are counted on meanwhile.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal

from tenacity import RetryCallState, Retrying
from tenacity.wait import wait_random_exponential

from gateway.smart.outbound import Reach
from gateway.store.outbox import SubscriptionRow
from gateway.subscriptions.resource import Wish

SECOND = 1_000_000
HOUR = 3600 * SECOND
_WAIT = wait_random_exponential(multiplier=2, min=1, max=3600)
_LONGEST_ASKED = 24 * HOUR
"""An endpoint may ask for a longer pause (Retry-After), up to this."""
_IN_A_ROW = 5
"""Failures of an endpoint until it is left alone."""

Step = Literal["over", "handshake", "again", "events", "heartbeat", "nothing"]


@dataclass(frozen=True, slots=True)
class Policy:
    """The operator's. Hours and days of the wall clock."""

    reach: Reach = field(default_factory=Reach)
    give_up_hours: float = 72  # of failing in a row
    handshake_minutes: float = 10  # likewise, for an endpoint that was never reached
    keep_days: float = 30  # of events, for $events and for subscriptions that failed
    each_client: int = 100  # subscriptions that one client may have


def step(row: SubscriptionRow, wish: Wish, now: int) -> Step:
    """What is to be done for a subscription now."""
    if row.status == "off":
        return "nothing"
    if wish.ends is not None and wish.ends <= now:
        return "over"
    if row.status == "requested":
        return "handshake"
    if row.status == "error":
        return "nothing"
    if row.again:
        return "again"
    if row.events > row.delivered:
        return "events"
    return "heartbeat" if wish.heartbeat and row.sent + wish.heartbeat * SECOND <= now else "nothing"


def due(row: SubscriptionRow, wish: Wish, now: int) -> int | None:
    """When there is something to do for a subscription that does not wait after a failure."""
    if row.status == "off":
        return None
    moments = [wish.ends] if wish.ends is not None else []
    if row.status == "requested" or (row.status == "active" and (row.again or row.events > row.delivered)):
        moments.append(now)
    elif row.status == "active" and wish.heartbeat:
        moments.append(row.sent + wish.heartbeat * SECOND)
    return min(moments, default=None)


def began(row: SubscriptionRow, wish: Wish, now: int, status: str) -> SubscriptionRow:
    """A subscription as it begins, or begins anew: with a handshake, or off. What is under way for it is not settled any more."""
    begun = replace(row, status=status, error="", failures=0, failing_since=None, lease=0)
    return replace(begun, due=due(begun, wish, now))


def succeeded(row: SubscriptionRow, wish: Wish, now: int, delivered: int = 0, again: int = 0) -> SubscriptionRow:
    """The endpoint took it; `delivered`: the last event that it was told, `again`: one that it was told again."""
    rest = tuple(number for number in row.again if number != again)
    after = replace(
        row, status="active", error="", failures=0, failing_since=None, sent=now, delivered=max(row.delivered, delivered), again=rest, lease=0
    )
    return _numbered(row, replace(after, due=due(after, wish, now)), now)


def passed(row: SubscriptionRow, wish: Wish, now: int, delivered: int = 0, again: int = 0) -> SubscriptionRow:
    """There was nothing to tell: the subscriber may not see it any more."""
    rest = tuple(number for number in row.again if number != again)
    after = replace(row, delivered=max(row.delivered, delivered), again=rest, lease=0)
    return replace(after, due=due(after, wish, now))


def waits(row: SubscriptionRow, until: int) -> SubscriptionRow:
    """It was not tried."""
    return replace(row, due=until, lease=0)


def failed(row: SubscriptionRow, wish: Wish, now: int, reason: str, policy: Policy, asked: int = 0) -> SubscriptionRow:
    """The endpoint did not take it; `asked`: microseconds that it asks to be left alone for."""
    since = now if row.failing_since is None else row.failing_since
    longest = policy.handshake_minutes * 60 if row.status == "requested" else policy.give_up_hours * 3600
    failing = replace(row, failures=row.failures + 1, failing_since=since, error=reason, lease=0)
    if now - since >= longest * SECOND:
        return _numbered(row, stopped(failing, wish, now, "error", reason), now)
    pause = max(pause_after(failing.failures), min(asked, _LONGEST_ASKED))
    return _numbered(row, replace(failing, due=now + pause), now)


def stopped(row: SubscriptionRow, wish: Wish | None, now: int, status: str, reason: str) -> SubscriptionRow:
    """Nothing is sent any more, until somebody sets it to requested or active again."""
    ended = replace(row, status=status, error=reason, lease=0)
    return _numbered(row, replace(ended, due=due(ended, wish, now) if wish is not None else None), now)


def _numbered(before: SubscriptionRow, after: SubscriptionRow, now: int) -> SubscriptionRow:
    """A new version, where a reader sees a difference."""
    if (before.status, before.error) == (after.status, after.error):
        return after
    return replace(after, number=before.number + 1, updated=max(now, before.updated + 1))


def pause_after(failures: int) -> int:
    """Microseconds until the next attempt."""
    state = RetryCallState(Retrying(), None, (), {})
    state.attempt_number = min(failures, 60)
    return int(_WAIT(state) * SECOND)


@dataclass(slots=True)
class Breakers:
    """Which endpoints are left alone for now: several subscriptions may have one, and each would try for itself.

    After five failures in a row an endpoint is left alone; then one request tries it, and the others wait for what comes of that.
    """

    _failures: dict[str, int] = field(default_factory=dict)
    _until: dict[str, int] = field(default_factory=dict)

    def left_alone_until(self, endpoint: str, now: int, patience: int) -> int | None:
        """Until when an endpoint is left alone; None: try it. Whoever is told to try one that failed tries alone, for `patience` microseconds."""
        until = self._until.get(endpoint)
        if until is None:
            return None
        if now < until:
            return until
        self._until[endpoint] = now + patience
        return None

    def succeeded(self, endpoint: str) -> None:
        """It took something."""
        self._failures.pop(endpoint, None)
        self._until.pop(endpoint, None)

    def failed(self, endpoint: str, now: int) -> None:
        """It did not."""
        count = self._failures[endpoint] = self._failures.get(endpoint, 0) + 1
        if count >= _IN_A_ROW:
            self._until[endpoint] = now + pause_after(count - _IN_A_ROW + 3)
