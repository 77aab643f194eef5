"""An event is to be sent again. Pure, and without what only serving needs."""

from __future__ import annotations

from dataclasses import replace

from gateway.errors import Conflict
from gateway.store.outbox import SubscriptionRow


def send_again(row: SubscriptionRow, number: int, now: int) -> SubscriptionRow:
    """The subscription with one of its events to send again, before what waits. Raises Conflict where nothing is sent for it."""
    if row.status != "active":
        raise Conflict("nothing is sent for this subscription, because it is not active", advice="Its client sets it to active.")
    due = row.due if row.failures and row.due is not None else now
    return replace(row, again=(*(each for each in row.again if each != number), number), due=due)
