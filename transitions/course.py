"""Where a stay stands in its own life: not yet of interest, its end expected, ended, or ended only by mistake."""

from __future__ import annotations

from datetime import datetime
from typing import Literal, NamedTuple

from transitions.dispositions import Disposition
from transitions.model import Stay, TakenBack
from transitions.policy import Policy
from transitions.windows import Clock, local_day, start_of_day, utc


class Spell(NamedTuple):
    """A time in which the transition was in view, until what was told was taken back."""

    since: datetime
    until: datetime


class Course(NamedTuple):
    """What the stay's own messages come to. All moments in UTC."""

    phase: Literal["anticipated", "discharged", "void"]
    since: datetime  # when the phase began: expectation in view, discharge, or its cancellation
    anchor: datetime | None  # the discharge, expected or real, from which the clocks run; None: expected, nobody says when
    tracked_since: datetime  # when the transition first came into view, as far as the standing facts tell
    earlier: tuple[Spell, ...] = ()  # when it was in view before, and was taken back
    by_length: bool = False  # nobody expects the discharge; the stay is nearly as long as stays usually are


def course_of(stay: Stay, disposition: Disposition, policy: Policy, clock: Clock) -> Course | None:
    """The stay's course as of the clock; None while there is no transition to speak of."""
    if not stay.ever_inpatient:
        return None
    if stay.state in ("admission-cancelled", "entered-in-error"):
        return _ended_in_error(stay, policy)
    if stay.state == "discharged" and disposition.fate != "not-a-discharge":
        return _discharged(stay, policy)
    if stay.state == "planned":
        return None
    expected = _anticipated(stay, policy, clock)
    if expected is not None:
        return expected
    withdrawn = [utc(each) for each in (stay.discharge_cancelled, stay.expectation_withdrawn) if each is not None]
    return _void(stay, max(withdrawn), policy) if withdrawn else None


def _discharged(stay: Stay, policy: Policy) -> Course:
    """A discharge counts from when it was known or took place, whichever came first: an A03 may name a moment that lies ahead of it."""
    discharged = utc(stay.discharged or stay.discharge_recorded or stay.first_seen)
    since = discharged if stay.discharge_recorded is None else min(discharged, utc(stay.discharge_recorded))
    in_view = _in_view(stay, policy)
    return Course("discharged", since, discharged, since if in_view is None else min(since, in_view), _earlier(stay, policy))


def _ended_in_error(stay: Stay, policy: Policy) -> Course | None:
    """Void if there was a transition to make void: a discharge, or an expectation that had come into view."""
    ended = utc(stay.error_recorded or stay.discharge_cancelled or stay.first_seen)
    in_view = _in_view(stay, policy)
    if in_view is not None and in_view <= ended:
        return Course("void", ended, None, in_view, _earlier(stay, policy))
    was_ended = stay.discharge_recorded or stay.discharge_cancelled or stay.discharge_evidence or stay.taken_back
    return _void(stay, ended, policy) if was_ended or stay.expectation_withdrawn else None


def _void(stay: Stay, since: datetime, policy: Policy) -> Course | None:
    """Void, tracked since what was taken back last had come into view; None where an expectation was taken back before it ever did."""
    spells = _earlier(stay, policy)
    if spells:
        return Course("void", since, None, min(since, spells[-1].since), spells[:-1])
    return None if stay.taken_back and stay.discharge_cancelled is None else Course("void", since, None, since)


def _earlier(stay: Stay, policy: Policy) -> tuple[Spell, ...]:
    return tuple(spell for spell in (_spell(each, stay.zone, policy) for each in stay.taken_back) if spell.since <= spell.until)


def _spell(told: TakenBack, zone: str, policy: Policy) -> Spell:
    """It ends before it begins where an expected day was taken back before it came into view."""
    made, until = utc(told.made), utc(told.at)
    return Spell(min(made, until) if told.expected is None else max(made, _opens(told.expected, zone, policy)), until)


def _anticipated(stay: Stay, policy: Policy, clock: Clock) -> Course | None:
    """An expectation in view. After a cancelled discharge only a newer expectation counts, or the old one would outlive it."""
    since = _in_view(stay, policy, newer_than=utc(stay.discharge_cancelled) if stay.discharge_cancelled is not None else None)
    if since is None or not clock.passed(since):
        return None
    told = stay.expected_discharge is not None or stay.pending_since is not None
    expected = utc(stay.expected_discharge) if stay.expected_discharge is not None else None
    return Course("anticipated", since, expected, since, _earlier(stay, policy), not told)


def _in_view(stay: Stay, policy: Policy, newer_than: datetime | None = None) -> datetime | None:
    """When the expected discharge comes into view: with its A16 at once, by its date from some days before, as soon as it is said."""
    pending = utc(stay.pending_since) if stay.pending_since is not None else None
    if newer_than is not None and pending is not None and pending <= newer_than:
        pending = None
    if stay.expected_discharge is None:
        return pending or _by_length(stay, policy)
    told = utc(stay.expectation_recorded or stay.first_seen)
    if newer_than is not None and (told <= newer_than or utc(stay.expected_discharge) <= newer_than):
        return pending
    in_view = max(_opens(stay.expected_discharge, stay.zone, policy), told)
    return in_view if pending is None else min(pending, in_view)


def _opens(expected: datetime, zone: str, policy: Policy) -> datetime:
    """When an expected discharge comes into view by its date."""
    return start_of_day(local_day(expected, zone), -policy.anticipation_days, zone)


def _by_length(stay: Stay, policy: Policy) -> datetime | None:
    """When a stay nears its usual end. A discharge or an expectation that was taken back says that this one goes on."""
    taken_back = stay.discharge_cancelled is not None or stay.expectation_withdrawn is not None
    if policy.typical_stay_days is None or stay.admitted is None or taken_back:
        return None
    return start_of_day(local_day(stay.admitted, stay.zone), policy.typical_stay_days - policy.anticipation_days, stay.zone)


def undischarged_since(stay: Stay, policy: Policy, clock: Clock) -> datetime | None:
    """Since when (UTC) a stay that nobody has ended is longer than the policy's limit: a question to the hospital's feed, not about the client."""
    if not stay.ever_inpatient or stay.state not in ("in-hospital", "on-leave"):
        return None
    day = local_day(stay.admitted or stay.first_seen, stay.zone)
    limit = start_of_day(day, policy.longest_stay_days + 1, stay.zone)
    return limit if clock.passed(limit) else None
