"""Which appointment or visit is mental-health follow-up, and what it comes to: standing, kept, missed, cancelled, or nobody said.

Only mental-health follow-up on a day after the day of discharge counts. Of an unknown kind, it is shown and clears nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Literal, NamedTuple

from transitions.model import Code, Decision, Evidence, FollowUp, FollowUpState, FollowUpSummary
from transitions.policy import Policy
from transitions.windows import END_OF_TIME, Clock, after, utc

Kind = Literal["mental-health", "other", "unknown"]
State = Literal["standing", "kept", "missed", "cancelled", "outcome-unknown", "none"]

CAME = frozenset({"arrived", "checked-in", "fulfilled"})
"""The client was there."""

CLEARING = frozenset({"booked", "arrived", "checked-in", "fulfilled"})
"""The only statuses that can clear the scheduling flag."""

_INPATIENT = frozenset({"IMP", "ACUTE", "NONAC", "EMER", "PRENC", "OBSENC"})
_PASSED_OVER = frozenset({"entered-in-error"})


class Booking(NamedTuple):
    """A follow-up as read: what kind it is and what it comes to at the moment of assessment. Moments in UTC."""

    follow_up: FollowUp
    kind: Kind
    state: State
    start: datetime | None
    elapsed: datetime | None  # when its outcome is overdue: start and the policy's 24 h
    told: datetime  # when it was first told of, or last moved

    @property
    def came(self) -> bool:
        """The client is known to have been there, whatever came of it."""
        return self.follow_up.status in CAME

    @property
    def evidence(self) -> tuple[Evidence, ...]:
        """The messages that told of it, or the reference alone; never empty."""
        return self.follow_up.evidence or (Evidence(f"{self.follow_up.status} appointment", self.follow_up.reference),)


def kind_of(follow_up: FollowUp, agencies: frozenset[str], decisions: Iterable[Decision], policy: Policy) -> Kind:
    """What kind of follow-up it is. `agencies` are those to which the client is routed.

    A person's word decides, then the feed profile's. A service or specialty that is plainly something else ("dental") is never mental health, whoever
    booked it; after that any sign of mental health counts.
    """
    decided = [each for each in decisions if each.what == "confirm-kind" and each.about == follow_up.reference]
    if decided:
        return "mental-health" if max(decided, key=lambda each: each.at).value == "mental-health" else "other"
    if follow_up.visit_class in _INPATIENT:
        return "other"
    if follow_up.mental_health is not None:
        return "mental-health" if follow_up.mental_health else "other"
    by_service = _by_service((*follow_up.services, *follow_up.specialties), policy)
    if by_service != "unknown":
        return by_service
    if follow_up.booked_by and follow_up.booked_by in agencies:
        return "mental-health"
    return _by_circumstances(follow_up, policy)


def read(
    follow_ups: Iterable[FollowUp], agencies: frozenset[str], decisions: Sequence[Decision], policy: Policy, clock: Clock
) -> tuple[Booking, ...]:
    """The follow-ups, read, in the order of their start; which order they came in does not matter."""
    found = [_booking(each, agencies, decisions, policy, clock) for each in follow_ups if each.status not in _PASSED_OVER]
    if len(found) > 1:
        found.sort(key=lambda each: (each.start or END_OF_TIME, each.follow_up.reference))
    return tuple(found)


def summary(bookings: Sequence[Booking]) -> FollowUpSummary:
    """The state of follow-up: kept, else the next visit that stands, else what became of the latest."""
    if not bookings:
        return _NOTHING
    for wanted, name in _ORDER:
        chosen = [each for each in bookings if each.state == wanted and each.kind == "mental-health"]
        if chosen:
            booking = chosen[0] if wanted in ("kept", "standing") else chosen[-1]
            return FollowUpSummary(name, booking.start, booking.follow_up.reference, booking.evidence)
    unknown = [each for each in bookings if each.kind == "unknown" and each.follow_up.status in CLEARING]
    return FollowUpSummary("none", evidence=tuple(piece for each in unknown for piece in each.evidence))


_NOTHING = FollowUpSummary("none")
_ORDER: tuple[tuple[State, FollowUpState], ...] = (
    ("kept", "kept"),
    ("standing", "booked"),
    ("outcome-unknown", "outcome-unknown"),
    ("missed", "missed"),
    ("cancelled", "cancelled"),
)


def _booking(follow_up: FollowUp, agencies: frozenset[str], decisions: Sequence[Decision], policy: Policy, clock: Clock) -> Booking:
    start = utc(follow_up.start) if follow_up.start is not None else None
    elapsed = after(start, policy.outcome) if start is not None else None
    kind = kind_of(follow_up, agencies, decisions, policy)
    told = utc(follow_up.moved or follow_up.first_recorded or follow_up.recorded)
    return Booking(follow_up, kind, _state(follow_up.status, start, elapsed, clock if kind == "mental-health" else None), start, elapsed, told)


def _state(status: str, start: datetime | None, elapsed: datetime | None, clock: Clock | None) -> State:
    """What it comes to. Kept only when its start has come; without a start it can be neither kept nor stand in any window."""
    if status == "noshow":
        return "missed"
    if status == "cancelled":
        return "cancelled"
    if status not in CLEARING or start is None or elapsed is None or clock is None:
        return "none"
    if status == "fulfilled":
        return "kept" if clock.passed(start) else "standing"
    return "outcome-unknown" if clock.passed(elapsed) else "standing"


def _by_service(services: Sequence[Code], policy: Policy) -> Kind:
    """By service or specialty; one that reads as both says nothing."""
    mental, other = False, False
    for code in services:
        mental = mental or _has_code(code, policy) or policy.is_mental_health_service(code.text) or policy.is_mental_health_service(code.code)
        other = other or policy.is_other_service(code.text) or policy.is_other_service(code.code)
    if mental == other:
        return "unknown"
    return "mental-health" if mental else "other"


def _by_circumstances(follow_up: FollowUp, policy: Policy) -> Kind:
    """By place, practitioner or diagnosis; a diagnosis elsewhere, or a place that is known to be another, makes it something else."""
    if follow_up.place_kind == "psychiatric":
        return "mental-health"
    if policy.is_mental_health_service(follow_up.place) or any(policy.is_mental_health_service(each) for each in follow_up.practitioners):
        return "mental-health"
    meanings = [policy.vocabulary.meaning(each) for each in follow_up.diagnoses]
    if any("mental-illness" in each or "self-harm" in each or "suicidal-ideation" in each for each in meanings):
        return "mental-health"
    is_elsewhere = follow_up.place_kind == "other" or policy.is_other_service(follow_up.place)
    if is_elsewhere or any(policy.is_other_service(each) for each in follow_up.practitioners):
        return "other"
    if meanings and all(each.known and "other-mental" not in each for each in meanings):
        return "other"
    return "unknown"


def _has_code(code: Code, policy: Policy) -> bool:
    return bool(code.system) and any(code.system == system and code.code.startswith(start) for system, start in policy.mental_health_service_codes)
