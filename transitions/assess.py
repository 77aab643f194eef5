"""Assessment: a stay, what followed it, and the moment -> the transition, whole. Pure.

Everything that depends on time asks the clock, so the answer at any moment before `next_look` is the answer now.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from transitions import closing, risk
from transitions.course import Course, course_of, undischarged_since
from transitions.describe import CLOSED_AS
from transitions.dispositions import Disposition, disposition
from transitions.escalation import owned, whose
from transitions.flags import Done, after_discharge, before_discharge, due, relevant, window
from transitions.follow_up import Booking, read, summary
from transitions.model import Answer, Assignment, ClosedAs, Contact, Flag, FollowUp, Status, Stay, Transition
from transitions.policy import Policy
from transitions.psychiatric import psychiatric
from transitions.routing import Conclusion, candidates, coordinator_alone, route, routed_agencies
from transitions.windows import Clock


def assess(stay: Stay, follow_ups: Sequence[FollowUp], contacts: Sequence[Contact], as_of: datetime, policy: Policy) -> Transition | None:
    """What is to be said of the stay as of a moment; None where it has no transition.

    None: not a psychiatric stay; never an inpatient one; still in hospital with no end in view (see `outlook`); a discharge that is none
    (dispositions 09 and 30); or cancelled before its end came into view.
    """
    answer, reasons = psychiatric(stay, policy)
    if answer == "no":
        return None
    clock, ended = Clock(as_of), disposition(stay)
    course = course_of(stay, ended, policy, clock)
    if course is None:
        return None
    return _Assessment(stay, tuple(follow_ups), tuple(contacts), policy, clock, ended, course, answer, reasons).transition()


def outlook(stay: Stay, policy: Policy, as_of: datetime) -> datetime | None:
    """When a stay that has no transition yet may get one by itself, because its expected discharge comes into view; None if it cannot."""
    if psychiatric(stay, policy)[0] == "no":
        return None
    clock = Clock(as_of)
    course_of(stay, disposition(stay), policy, clock)
    return clock.next_look


def overdue(stay: Stay, policy: Policy, as_of: datetime) -> tuple[datetime | None, datetime | None]:
    """Since when no word of its discharge is a question to the hospital's feed, None if it is none; and when that can change by itself."""
    if psychiatric(stay, policy)[0] == "no":
        return None, None
    clock = Clock(as_of)
    return undischarged_since(stay, policy, clock), clock.next_look


class _Assessment:
    """One assessment at work: what it was given, and the parts of its answer."""

    def __init__(
        self,
        stay: Stay,
        follow_ups: tuple[FollowUp, ...],
        contacts: tuple[Contact, ...],
        policy: Policy,
        clock: Clock,
        ended: Disposition,
        course: Course,
        answer: Answer,
        reasons: tuple[str, ...],
    ) -> None:
        self.stay, self.follow_ups, self.contacts = stay, follow_ups, contacts
        self.policy, self.clock = policy, clock
        self.ended, self.course = ended, course
        self.answer, self.answer_reasons = answer, reasons
        self.named = candidates(stay, ended, course.tracked_since, policy)
        self.alone = coordinator_alone(stay, answer)

    def transition(self) -> Transition:
        """The transition in the phase that the stay is in."""
        if self.course.phase == "void":
            return self._void()
        return self._anticipated() if self.course.phase == "anticipated" else self._discharged()

    def _void(self) -> Transition:
        since = self.course.since
        assignments = self._route(conclusion=(since, None))
        return self._say("void", (), assignments, since, idle="The discharge was taken back; only the hospital's next word changes that.")

    def _anticipated(self) -> Transition:
        course = self.course
        days = window(course.anchor, course.since, self.stay.zone, self.policy)
        bookings = relevant(self._read(), days)
        closed = closing.closed_in_hospital(self.stay, course)
        if closed is not None:
            return self._closed(*closed, (), bookings)
        assignments = self._route()
        by_length = self.policy.typical_stay_days if course.by_length else None
        raised = before_discharge(self.stay, self.answer, bookings, days, course.since, by_length)
        flags = owned(raised, whose(assignments[-1]), course.anchor, days, True, self.policy, self.clock)
        idle = "Until the client leaves, only news or a decision changes this."
        return self._say("anticipated", bookings, assignments, course.since, tuple(flags), course.anchor or course.since, idle=idle)

    def _discharged(self) -> Transition:
        stay, policy = self.stay, self.policy
        all_bookings = self._read()
        how = closing.standing(closing.Case(stay, self.course, self.ended, all_bookings, self.contacts, policy), self.clock)
        days = window(how.anchor, how.opened, stay.zone, policy)
        bookings = relevant(all_bookings, days)
        if how.closed is not None:
            return self._closed(*how.closed, how.breaks, bookings)
        assignments = self._route(how.breaks)
        done = Done.of(how, bookings, all_bookings, self.follow_ups, self.contacts, assignments)
        raised = after_discharge(stay, how, self.ended, self.answer, bookings, self.contacts, done, days, policy, self.clock)
        flags = owned(raised, whose(assignments[-1]), how.anchor, days, False, policy, self.clock)
        return self._say("open", bookings, assignments, how.opened, tuple(flags), due(how, done, days, policy))

    def _closed(self, closed_as: ClosedAs, at: datetime, breaks: tuple[closing.Break, ...], bookings: tuple[Booking, ...]) -> Transition:
        assignments = self._route(breaks, (at, closed_as))
        idle = f"Closed: {CLOSED_AS[closed_as]}; only news or a decision opens it again."
        return self._say("closed", bookings, assignments, at, closed_as=closed_as, idle=idle)

    def _route(self, breaks: tuple[closing.Break, ...] = (), conclusion: Conclusion | None = None) -> tuple[Assignment, ...]:
        course = self.course
        return route(self.stay, self.named, self.alone, course.tracked_since, course.earlier, breaks, conclusion)

    def _read(self) -> tuple[Booking, ...]:
        if not self.follow_ups:
            return ()
        agencies = routed_agencies(self.stay, self.named, self.alone)
        return read(self.follow_ups, agencies, self.stay.decisions, self.policy, self.clock)

    def _say(
        self,
        status: Status,
        bookings: tuple[Booking, ...],
        assignments: tuple[Assignment, ...],
        since: datetime,
        flags: tuple[Flag, ...] = (),
        due: datetime | None = None,
        closed_as: ClosedAs | None = None,
        idle: str = "Every deadline has passed or been met; only news or a decision changes this.",
    ) -> Transition:
        """The transition in full; `idle` says why there is no next look, where there is none."""
        reasons: tuple[str, ...] = ()
        if status != "void":
            has_appointment = any(each.kind == "mental-health" and each.state in ("standing", "kept") for each in bookings)
            reasons = risk.reasons(self.stay, self.ended, has_appointment, self.follow_ups, self.policy)
        agency = assignments[-1].agency if assignments else None
        next_look = self.clock.next_look
        return Transition(
            id=self.stay.transition,
            stay=self.stay,
            status=status,
            follow_up=summary(bookings),
            flags=flags,
            tier=risk.tier_of(reasons),
            reasons=reasons,
            agency=agency,
            queue="coordinator" if agency is None else "agency",
            closed_as=closed_as,
            next_look=next_look,
            why_no_next_look=idle if next_look is None else "",
            due=due,
            assignments=assignments,
            psychiatric=self.answer,
            psychiatric_reasons=self.answer_reasons,
            follow_ups=self.follow_ups,
            visits=tuple(each.follow_up.reference for each in bookings),
            contacts=self.contacts,
            since=since,
            tracked_since=self.course.tracked_since,
        )
