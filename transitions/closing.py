"""What closes a discharged stay's transition, and what opens it again.

The time after a discharge falls into spells: from the discharge to the next inpatient stay, and again from the end of a stay that has no transition
of its own. The first thing that closes a spell closes the transition. Nothing here closes by the clock alone: a hold only *ends* by it, and a visit
that is reported as kept counts when its start has come.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from operator import itemgetter
from typing import NamedTuple, cast, get_args

from transitions.contacts import are_enough, attempts, reached_at
from transitions.course import Course
from transitions.dispositions import Disposition
from transitions.follow_up import Booking
from transitions.model import ClosedAs, Contact, Stay, Visit
from transitions.policy import Policy
from transitions.windows import Clock, after, local_day, start_of_day, utc

INPATIENT = frozenset({"IMP", "ACUTE", "NONAC"})
_ENDED_BY_AGENCY = {"unable to contact": "unable-to-contact", "left region": "left-region"}
"""What an agency may say as the reason of a failed Task so that it closes the transition (any case, hyphens or spaces)."""


class Case(NamedTuple):
    """A discharged stay with what is known of the time after it."""

    stay: Stay
    course: Course
    disposition: Disposition
    bookings: Sequence[Booking]
    contacts: Sequence[Contact]
    policy: Policy


class Break(NamedTuple):
    """A time in which the client was somebody else's: the Task is ended at `until`, and a new one begins at `resume`."""

    until: datetime
    why: str
    resume: datetime


class Standing(NamedTuple):
    """How a discharged stay's transition stands. Moments in UTC."""

    anchor: datetime  # the discharge from which the clocks run
    opened: datetime  # since when it has been open, or was last
    closed: tuple[ClosedAs, datetime] | None = None  # as what, and when
    breaks: tuple[Break, ...] = ()
    lapsed: datetime | None = None  # a hold ended with no arrival seen
    emergency: Visit | None = None  # the first emergency visit that nobody has answered


class _Spell(NamedTuple):
    anchor: datetime
    opened: datetime
    until: datetime | None
    emergency: Visit | None


def standing(case: Case, clock: Clock) -> Standing:
    """Closed, and as what; or open, since when and with which clocks."""
    course, policy = case.course, case.policy
    discharged = cast(datetime, course.anchor)
    anchor, opened = discharged, course.since
    breaks: list[Break] = []
    held = case.disposition.fate == "held"
    for visit in inpatient_again(case.stay, discharged, policy):
        until = max(utc(cast(datetime, visit.admitted)), opened)
        spell = _Spell(anchor, opened, until, _emergency(case, anchor, until, held))
        closed = _first(case, spell)
        if closed is not None:
            return Standing(anchor, opened, closed, tuple(breaks))
        arrived = held and until <= after(discharged, policy.hold)
        if visit.discharged is None or visit.tracked:
            return Standing(anchor, opened, ("transferred" if arrived else "readmitted", until), tuple(breaks))
        anchor = opened = utc(visit.discharged)
        breaks.append(Break(until, "transferred" if arrived else "readmitted", opened))
        held = False
    spell = _Spell(anchor, opened, None, _emergency(case, anchor, None, held))
    closed = _first(case, spell)
    if closed is not None:
        return Standing(anchor, opened, closed, tuple(breaks))
    lapsed = None
    if held:
        lapsed = after(discharged, policy.hold)
        if not clock.passed(lapsed):
            return Standing(anchor, opened, ("transferred", opened), tuple(breaks))
        breaks.append(Break(opened, "transferred", lapsed))
        opened = max(opened, lapsed)
    return Standing(anchor, opened, None, tuple(breaks), lapsed, spell.emergency)


def inpatient_again(stay: Stay, discharged: datetime, policy: Policy) -> list[Visit]:
    """The inpatient stays after this discharge, oldest first. One may begin a hold's length before it: hospitals' clocks and clerks differ."""
    if not stay.other_visits:
        return []
    earliest = after(discharged, -policy.hold)
    found = [
        each
        for each in stay.other_visits
        if _is_inpatient(each)
        and each.admitted is not None
        and utc(each.admitted) >= earliest
        and (each.discharged is None or utc(each.discharged) > discharged)
    ]
    return sorted(found, key=lambda each: (utc(cast(datetime, each.admitted)), each.id))


def _is_inpatient(visit: Visit) -> bool:
    return not visit.cancelled and (visit.visit_class in INPATIENT or (visit.visit_class == "" and visit.tracked))


def _emergency(case: Case, anchor: datetime, until: datetime | None, held: bool) -> Visit | None:
    """The first emergency visit in the window after which nobody has reached the client. A held client's is taken for the way to the other ward."""
    stay, policy = case.stay, case.policy
    if not stay.other_visits:
        return None
    earliest = after(anchor, policy.hold) if held else anchor
    latest = start_of_day(local_day(anchor, stay.zone), policy.measure_days + 1, stay.zone)
    if until is not None:
        latest = min(latest, until)
    found = [
        (utc(each.admitted), each.id, each)
        for each in stay.other_visits
        if each.visit_class == "EMER" and not each.cancelled and each.admitted is not None and earliest <= utc(each.admitted) < latest
    ]
    reached = max(reached_at(case.contacts, case.bookings, anchor), default=None) if found else None
    unanswered = [each for each in found if reached is None or reached < each[0]]
    return min(unanswered, key=itemgetter(0, 1))[2] if unanswered else None


def _first(case: Case, spell: _Spell) -> tuple[ClosedAs, datetime] | None:
    """What closes the spell first. A death without a date comes last: it says only that it has been."""
    stay = case.stay
    reopened = max((utc(each.at) for each in stay.decisions if each.what == "reopen"), default=None) if stay.decisions else None
    found = [(max(moment, spell.opened), closed_as) for moment, closed_as in _closings(case, spell) if reopened is None or moment > reopened]
    if stay.client.deceased and stay.client.died is not None:
        found.append((max(utc(stay.client.died), spell.opened), "died"))
    found = [each for each in found if spell.until is None or each[0] < spell.until]
    if found:
        moment, closed_as = min(found)
        return closed_as, moment
    if stay.client.deceased and stay.client.died is None and spell.until is None:
        return "died", spell.opened
    return None


def _closings(case: Case, spell: _Spell) -> Iterator[tuple[datetime, ClosedAs]]:
    stay, policy = case.stay, case.policy
    if case.disposition.fate in ("died", "hospice"):
        corrected = stay.disposition_recorded  # until then somebody may have been asked to act
        yield case.course.since if corrected is None else utc(corrected), cast(ClosedAs, case.disposition.fate)
    if case.bookings and spell.emergency is None:
        first_day = start_of_day(local_day(spell.anchor, stay.zone), 1, stay.zone)
        for booking in case.bookings:
            if booking.state == "kept" and booking.start is not None and booking.start >= first_day:
                yield booking.start, "follow-up-kept"
    for said_at, closed_as in _said_closed(stay):
        moment = utc(said_at)
        if moment < spell.opened:
            continue
        if closed_as == "unable-to-contact":
            tries = attempts((each for each in case.contacts if utc(each.at) <= moment), spell.anchor)
            if not are_enough(tries, stay.zone, policy):
                continue
        yield moment, closed_as


def _said_closed(stay: Stay) -> Iterator[tuple[datetime, ClosedAs]]:
    """What people decided, and what agencies gave as the reason of a failed Task."""
    for decision in stay.decisions:
        if decision.what == "close" and decision.value in get_args(ClosedAs):
            yield decision.at, cast(ClosedAs, decision.value)
    for claim in stay.claims:
        if claim.status == "failed":
            reason = _ENDED_BY_AGENCY.get(claim.reason.casefold().replace("-", " ").strip(" ."))
            if reason is not None:
                yield claim.at, cast(ClosedAs, reason)


def closed_in_hospital(stay: Stay, course: Course) -> tuple[ClosedAs, datetime] | None:
    """What closes a transition whose discharge is still expected: death, or a person's decision. The discharge itself opens it anew."""
    reopened = max((utc(each.at) for each in stay.decisions if each.what == "reopen"), default=None)
    found = [
        (utc(at), closed_as)
        for at, closed_as in _said_closed(stay)
        if closed_as != "unable-to-contact" and utc(at) >= course.since and (reopened is None or utc(at) > reopened)
    ]
    if stay.client.deceased:
        found.append((max(course.since, utc(stay.client.died)) if stay.client.died is not None else course.since, "died"))
    if not found:
        return None
    moment, closed_as = min(found)
    return closed_as, moment
