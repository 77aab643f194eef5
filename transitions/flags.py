"""Which flags stand, since when, why, and what would clear them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from transitions.closing import Standing
from transitions.contacts import attempts, reached_at
from transitions.contacts import evidence as contact_evidence
from transitions.dispositions import UNKNOWN, Disposition
from transitions.follow_up import CLEARING, Booking
from transitions.model import Answer, Assignment, Contact, Evidence, FlagCode, FollowUp, Stay
from transitions.policy import Policy
from transitions.routing import UNANSWERED, is_picked_up
from transitions.windows import END_OF_TIME, Clock, after, local_day, start_of_day, utc


class Window(NamedTuple):
    """The days after a discharge, in UTC. Day 0 is the day of discharge; END_OF_TIME where nobody knows when it will be."""

    first_day: datetime  # day 1 begins
    visit_end: datetime  # the last day of the visit window (7) has ended
    measure_end: datetime  # the last day of the measure's window (30) has ended
    last_visit_day: str  # ISO date, "" when not known


def window(anchor: datetime | None, since: datetime, zone: str, policy: Policy) -> Window:
    """The windows that run from a discharge, expected or real; without a date, whatever is booked for a day after `since` counts."""
    if anchor is None:
        return Window(start_of_day(local_day(since, zone), 1, zone), END_OF_TIME, END_OF_TIME, "")
    day = local_day(anchor, zone)
    try:
        last = (day + timedelta(days=policy.visit_days)).isoformat()
    except OverflowError:
        last = ""
    return Window(start_of_day(day, 1, zone), start_of_day(day, policy.visit_days + 1, zone), start_of_day(day, policy.measure_days + 1, zone), last)


def relevant(bookings: Sequence[Booking], days: Window) -> tuple[Booking, ...]:
    """The follow-ups that belong after this discharge: mental health or unknown, on day 1 or later, or of no stated day."""
    return tuple(each for each in bookings if each.kind != "other" and (each.start is None or each.start >= days.first_day))


class Done(NamedTuple):
    """What has been done for the client since the discharge. Moments in UTC."""

    kept: datetime | None  # the first visit that was kept
    reached: bool
    unanswered: Assignment | None  # the first turn that nobody has answered; the coordinator's own queue needs no answer

    @staticmethod
    def of(
        how: Standing,
        bookings: Sequence[Booking],
        all_bookings: Sequence[Booking],
        follow_ups: Sequence[FollowUp],
        contacts: Sequence[Contact],
        assignments: Sequence[Assignment],
    ) -> Done:
        """Read from `bookings` on day 1 or later, and from all that was told, the day of discharge included."""
        return Done(
            kept=min((each.start for each in bookings if each.state == "kept" and each.start is not None), default=None),
            reached=bool(reached_at(contacts, all_bookings, how.anchor)),
            unanswered=_unanswered(how, assignments, follow_ups, contacts),
        )


def _unanswered(how: Standing, assignments: Sequence[Assignment], follow_ups: Sequence[FollowUp], contacts: Sequence[Contact]) -> Assignment | None:
    """The turn that its agency let go by since the transition was opened, until another takes the client up; else the current one, if it waits."""
    current = assignments[-1]
    if is_picked_up(current, follow_ups, contacts):
        return None
    let_go = (each for each in assignments if each.ended == UNANSWERED and each.until is not None and each.until > how.opened)
    return next(let_go, None if current.agency is None else current)


def due(how: Standing, done: Done, days: Window, policy: Policy) -> datetime | None:
    """The earliest deadline that has not been met, passed or not: who is longest overdue has least time left."""
    deadlines = []
    if done.unanswered is not None:
        deadlines.append(after(max(how.opened, done.unanswered.since), policy.pick_up))
    if not done.reached:
        deadlines.append(after(how.anchor, policy.first_contact))
    if done.kept is None:
        deadlines.append(days.visit_end)
    return min(deadlines, default=None)


class Raised(NamedTuple):
    """A flag as it is raised: whose it is, until when and what to do about it is `escalation`'s to say."""

    code: FlagCode
    since: datetime
    evidence: tuple[Evidence, ...]


def before_discharge(
    stay: Stay, answer: Answer, bookings: Sequence[Booking], days: Window, since: datetime, by_length: int | None = None
) -> Iterator[Raised]:
    """The flags while the discharge is expected: what can still be mended on the ward. `by_length`: for stays usually last so many days."""
    why = stay.expectation_evidence or _said(stay, "the discharge is expected")
    if by_length is not None:
        why = (Evidence(f"The stay nears the {by_length} days that stays usually last; no discharge is announced"), *_said(stay, "admitted"))
    yield from _scheduling(bookings, days, since, why)
    yield from _uncertain(stay, answer, since)


def after_discharge(
    stay: Stay,
    how: Standing,
    disposition: Disposition,
    answer: Answer,
    bookings: Sequence[Booking],
    contacts: Sequence[Contact],
    done: Done,
    days: Window,
    policy: Policy,
    clock: Clock,
) -> Iterator[Raised]:
    """The flags of an open transition."""
    why = stay.discharge_evidence or _said(stay, "discharged")
    if done.kept is None:
        yield from _scheduling(bookings, days, how.opened, why)
        if bookings:
            yield from _missed(bookings, how.opened)
            yield from _outcome_unknown(bookings)
    yield from _overdue(how, contacts, done, days, why, policy, clock)
    if disposition.against_advice and done.kept is None:
        yield Raised("left-against-advice", how.opened, why)
    if how.emergency is not None and how.emergency.admitted is not None:
        found = how.emergency.evidence or (Evidence("Emergency visit", f"Encounter/{how.emergency.id}"),)
        yield Raised("emergency-return", utc(how.emergency.admitted), found)
    if how.lapsed is not None and not done.reached and done.kept is None:
        yield Raised("arrival-not-seen", how.lapsed, why)
    if disposition == UNKNOWN:
        yield Raised("disposition-unknown", how.opened, why)
    elif disposition.review:
        yield Raised("disposition-unknown", how.opened, (Evidence(f"Disposition: {disposition.words}; a person should look"), *why))
    yield from _uncertain(stay, answer, how.opened)


def _overdue(
    how: Standing,
    contacts: Sequence[Contact],
    done: Done,
    days: Window,
    why: tuple[Evidence, ...],
    policy: Policy,
    clock: Clock,
) -> Iterator[Raised]:
    """What should have happened by now: these rise by the clock, and none of them ends by it."""
    turn = done.unanswered
    if turn is not None:
        since = after(max(how.opened, turn.since), policy.pick_up)
        if clock.passed(since):
            yield Raised("not-picked-up", since, (Evidence(f"No answer from {turn.agency} to assignment {turn.number}"), *why))
    if not done.reached:
        since = max(how.opened, after(how.anchor, policy.first_contact))
        if clock.passed(since):
            yield Raised("no-contact", since, (*contact_evidence(attempts(contacts, how.anchor)), *why))
    if done.kept is None or done.kept >= days.visit_end:
        since = max(how.opened, days.visit_end)
        if clock.passed(since):
            yield Raised("no-follow-up-7-days", since, why)
    if done.kept is None or done.kept >= days.measure_end:
        since = max(how.opened, days.measure_end)
        if clock.passed(since):
            yield Raised("no-follow-up-30-days", since, why)


def _scheduling(bookings: Sequence[Booking], days: Window, opened: datetime, why: tuple[Evidence, ...]) -> Iterator[Raised]:
    """Nothing booked, booked too late, or booked of unknown kind. A booking that is too late is a flag of its own, in the other's place."""
    ours = [each for each in bookings if each.kind == "mental-health"]
    standing = [each for each in ours if each.state == "standing"]
    if any(each.start is not None and each.start < days.visit_end for each in standing):
        return
    lost = [(moment, each) for each in ours for moment in _lost_at(each)]  # since when what cleared the flag no longer does
    since = max((moment for moment, _ in lost), default=opened)
    if standing:
        told = min(each.told for each in standing)
        yield Raised("follow-up-too-late", max(opened, since, told), standing[0].evidence)
    else:
        evidence = (*(piece for _, each in lost for piece in each.evidence), *why)
        yield Raised("no-follow-up-scheduled", max(opened, since), evidence)
    unknown = [each for each in bookings if each.kind == "unknown" and each.follow_up.status in CLEARING and each.start is not None]
    if unknown:
        told = min(each.told for each in unknown)
        which = ((Evidence("what is to be confirmed", each.follow_up.reference), *each.follow_up.evidence) for each in unknown)
        yield Raised("kind-unconfirmed", max(opened, told), tuple(piece for pieces in which for piece in pieces))


def _lost_at(booking: Booking) -> Iterator[datetime]:
    """When a booking stopped clearing the scheduling flag."""
    if booking.state in ("missed", "cancelled"):
        yield utc(booking.follow_up.recorded)
    elif booking.state == "outcome-unknown" and booking.elapsed is not None:
        yield booking.elapsed


def _missed(bookings: Sequence[Booking], opened: datetime) -> Iterator[Raised]:
    """A missed visit, until another is booked after it."""
    missed = [each for each in bookings if each.state == "missed" and each.kind == "mental-health"]
    if missed:
        last = max(missed, key=lambda each: (utc(each.follow_up.recorded), each.follow_up.reference))
        standing = [each.start for each in bookings if each.state == "standing" and each.start is not None]
        if not any(last.start is None or start > last.start for start in standing):
            yield Raised("missed-appointment", max(opened, utc(last.follow_up.recorded)), last.evidence)


def _outcome_unknown(bookings: Sequence[Booking]) -> Iterator[Raised]:
    unknown = [each for each in bookings if each.state == "outcome-unknown"]
    if unknown:
        since = min(each.elapsed for each in unknown if each.elapsed is not None)
        yield Raised("outcome-unknown", since, tuple(piece for each in unknown for piece in each.evidence))


def _uncertain(stay: Stay, answer: Answer, opened: datetime) -> Iterator[Raised]:
    if answer == "undecided":
        yield Raised("service-unknown", opened, _said(stay, "no sign of the kind of stay"))
    about = (*stay.client.identity_uncertain, *stay.uncertain)
    if stay.tie:
        about = (*about, Evidence("A discharge and its cancellation bear the same time; the discharge stands"))
    if about:
        since = [utc(each) for each in (stay.client.identity_uncertain_since, stay.uncertain_since) if each is not None]
        yield Raised("identity-uncertain", max(opened, min(since, default=opened)), about)


def _said(stay: Stay, words: str) -> tuple[Evidence, ...]:
    return stay.evidence or (Evidence(f"The record of the stay: {words}", f"Encounter/{stay.id}"),)
