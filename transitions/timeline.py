"""What happened, in order: the stay, who was asked and what they said, appointments and contacts, the flags that stand, and how it ended. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from transitions.contacts import has_reached
from transitions.describe import CLOSED_AS, FLAGS
from transitions.dispositions import disposition
from transitions.model import Assignment, Contact, Decision, Evidence, FollowUp, Stay, Transition, Visit
from transitions.windows import local_time, utc

Kind = Literal["stay", "visit", "turn", "answer", "appointment", "contact", "decision", "flag", "closed"]

_CLASSES = {"EMER": "an emergency department", "AMB": "an outpatient visit", "OBSENC": "observation", "PRENC": "a planned stay"}
_MEANS = {"phone": "Call", "visit": "Visit", "telehealth": "Video call", "message": "Message", "letter": "Letter"}
_DECIDED = {
    "close": "Closed: {value}",
    "reopen": "Opened again",
    "psychiatric": "Psychiatric stay: {value}",
    "route": "Sent to {value}",
    "confirm-kind": "Appointment is {value}",
    "disposition": "Disposition is {value}",
    "unanswered": "Time to answer is over",
}


_TAKEN_BACK = {"discharge": ("Discharge reported", "Discharge cancelled"), "expectation": ("Discharge expected", "Discharge no longer expected")}


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that happened, or will. `at` in UTC; an appointment's text says its time in the facility's zone."""

    at: datetime
    kind: Kind
    text: str
    reference: str | None = None
    agency: str = ""  # whose id the text names, where it names one


def timeline(transition: Transition) -> tuple[Entry, ...]:
    """Everything with a date that is known of a transition, oldest first; what lies ahead comes last. A void one has its stay and its past turns."""
    stay = transition.stay
    found = [
        *_stay(stay),
        *(entry for visit in stay.other_visits for entry in _visit(visit)),
        *(entry for turn in transition.assignments for entry in _turn(turn)),
        *(
            Entry(utc(each.at), "answer", _worded(f"{each.agency or 'The coordinator'}: {each.status}", each.reason), None, each.agency)
            for each in stay.claims
        ),
        *(entry for each in transition.follow_ups for entry in _appointment(each, stay.zone)),
        *(_contact(each) for each in transition.contacts),
        *(_decision(each) for each in stay.decisions),
        *(Entry(flag.since, "flag", FLAGS[flag.code], _reference(flag.evidence)) for flag in transition.flags),
    ]
    if transition.closed_as is not None and transition.since is not None:
        found.append(Entry(transition.since, "closed", f"Closed: {CLOSED_AS[transition.closed_as]}"))
    return tuple(sorted(found, key=_place))


_ORDER: dict[Kind, int] = {"stay": 0, "visit": 1, "decision": 2, "answer": 3, "appointment": 4, "contact": 5, "turn": 6, "flag": 7, "closed": 8}
"""What comes first of that which happened at one moment."""


def _place(entry: Entry) -> tuple[datetime, int, str]:
    """Turns of one moment stay in their own order: one ends, and the next begins."""
    return entry.at, _ORDER[entry.kind], "" if entry.kind == "turn" else f"{entry.text} {entry.reference}"


def _stay(stay: Stay) -> Iterator[Entry]:
    if stay.admitted is not None:
        yield Entry(utc(stay.admitted), "stay", _worded("Admitted", stay.hospital), _reference(stay.evidence[:1]))
    for before, now in zip(stay.placements, stay.placements[1:], strict=False):
        if now.unit and now.unit != before.unit:
            yield Entry(utc(now.since), "stay", f"Moved to {now.unit}")
    expected = stay.pending_since or stay.expectation_recorded
    if expected is not None:
        when = "" if stay.expected_discharge is None else local_time(stay.expected_discharge, stay.zone)
        yield Entry(utc(expected), "stay", _worded("Discharge expected", when), _reference(stay.expectation_evidence))
    for past in stay.taken_back:
        told, taken_back = _TAKEN_BACK[past.what]
        yield Entry(utc(past.made), "stay", _worded(told, "" if past.expected is None else local_time(past.expected, stay.zone)))
        yield Entry(utc(past.at), "stay", taken_back)
    if stay.discharged is not None:
        yield Entry(utc(stay.discharged), "stay", f"Discharged: {disposition(stay).words}", _reference(stay.discharge_evidence))
    if stay.disposition_recorded is not None:
        yield Entry(utc(stay.disposition_recorded), "stay", f"Disposition corrected: {disposition(stay).words}")
    if stay.error_recorded is not None:
        yield Entry(utc(stay.error_recorded), "stay", "Admission cancelled" if stay.state == "admission-cancelled" else "Entered in error")


def _visit(visit: Visit) -> Iterator[Entry]:
    if visit.cancelled:
        return
    words = _worded(_CLASSES.get(visit.visit_class, "a hospital stay"), visit.hospital)
    if visit.admitted is not None:
        yield Entry(utc(visit.admitted), "visit", f"Came to {words}", f"Encounter/{visit.id}")
    if visit.discharged is not None:
        yield Entry(utc(visit.discharged), "visit", f"Left {words}", f"Encounter/{visit.id}")


def _turn(turn: Assignment) -> Iterator[Entry]:
    agency = turn.agency or ""
    yield Entry(turn.since, "turn", _worded(f"{agency or 'The coordinator'} has the client", turn.why), None, agency)
    if turn.until is not None:
        yield Entry(turn.until, "turn", f"No longer with {agency or 'the coordinator'}: {turn.ended}", None, agency)


def _appointment(each: FollowUp, zone: str) -> Iterator[Entry]:
    """When it was first told of, moved, and last changed; and when it is."""
    what = next((code.text for code in each.services if code.text), "Appointment" if each.reference.startswith("Appointment/") else "Visit")
    when = "" if each.start is None else local_time(each.start, zone)
    told = utc(each.first_recorded or each.recorded)
    changed = utc(each.recorded)
    yield Entry(told, "appointment", _worded(f"{what}: booked" if changed != told else f"{what}: {each.status}", when), each.reference)
    if each.moved is not None:
        yield Entry(utc(each.moved), "appointment", _worded(f"{what}: moved", when), each.reference)
    if changed != told and (each.moved is None or changed != utc(each.moved) or each.status != "booked"):
        yield Entry(changed, "appointment", _worded(f"{what}: {each.status}", when), each.reference)
    if each.start is not None and each.status not in ("cancelled", "entered-in-error"):
        yield Entry(utc(each.start), "appointment", f"{what}: its time", each.reference)


def _contact(each: Contact) -> Entry:
    words = f"{_MEANS.get(each.means, 'Contact')}: {'the client was reached' if has_reached(each) else 'the client was not reached'}"
    return Entry(utc(each.at), "contact", _worded(words, each.by), each.reference, each.by)


def _decision(each: Decision) -> Entry:
    words = _DECIDED.get(each.what, each.what).replace("{value}", each.value or "the coordinator")
    agency = each.value if each.what == "route" else ""
    return Entry(utc(each.at), "decision", _worded(f"{words}, decided by {each.by}", each.reason), each.about or None, agency)


def _worded(words: str, more: str) -> str:
    return f"{words} ({more})" if more else words


def _reference(evidence: Iterable[Evidence]) -> str | None:
    return next((each.reference for each in evidence if each.reference), None)
