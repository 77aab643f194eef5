"""Whose a flag is, until when, and what to do next: nobody's flag is nobody's.

A flag that rises by the clock rises because a deadline was missed: its due time is that deadline, and it is the coordinator's from the start.
One that rises by what was said is its owner's until it is due, and then it rises to the coordinator.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime

from transitions.describe import clears, next_step
from transitions.flags import Raised, Window
from transitions.model import Assignment, Flag, FlagCode, Owner
from transitions.policy import Policy
from transitions.windows import Clock, after

MISSED_DEADLINES = frozenset[FlagCode](
    {"not-picked-up", "no-contact", "outcome-unknown", "no-follow-up-7-days", "no-follow-up-30-days", "arrival-not-seen"}
)
"""Flags that rise when a deadline of the policy has passed."""

_SCHEDULING = frozenset[FlagCode]({"no-follow-up-scheduled", "follow-up-too-late"})
_OWNERS: Mapping[FlagCode, Owner] = {
    "disposition-unknown": "hospital",  # only the hospital can say where the client went
    "kind-unconfirmed": "coordinator",
    "service-unknown": "coordinator",
    "identity-uncertain": "coordinator",
}
"""Whose a flag is by what it is about; every other is the agency's whose turn it is."""


def whose(turn: Assignment) -> str | None:
    """The agency that still has something to do in this turn; None where its Task is completed, or it is the coordinator's."""
    return None if turn.status == "completed" else turn.agency


def owned(
    raised: Iterable[Raised], agency: str | None, anchor: datetime | None, days: Window, anticipated: bool, policy: Policy, clock: Clock
) -> Iterator[Flag]:
    """The flags, each with owner, due time (UTC) and next step. `anchor`: the discharge, expected or real; None where nobody knows when."""
    for code, since, evidence in raised:
        due = _due(code, since, anchor, anticipated, policy)
        owner = _owner(code, agency, due, clock)
        late = code in _SCHEDULING and clock.passed(days.visit_end)
        last = days.last_visit_day
        yield Flag(code, since, evidence, clears(code, last, late=late), owner, due, next_step(code, last, late=late))


def _owner(code: FlagCode, agency: str | None, due: datetime, clock: Clock) -> Owner:
    mine = _OWNERS.get(code, "agency" if agency is not None else "coordinator")
    if mine == "coordinator" or code in MISSED_DEADLINES or clock.passed(due):
        return "coordinator"
    return mine


def _due(code: FlagCode, since: datetime, anchor: datetime | None, anticipated: bool, policy: Policy) -> datetime:
    """A visit is to be booked by the time at which the client is to have been contacted; on the ward, before the client leaves."""
    if code in MISSED_DEADLINES:
        return since
    soon = after(since, policy.pick_up)
    if code not in _SCHEDULING:
        return soon
    if anticipated:
        return after(since, policy.first_contact) if anchor is None else anchor
    return soon if anchor is None else max(soon, after(anchor, policy.first_contact))
