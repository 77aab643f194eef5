"""The words of a care transition: frozen values, standard library only.

A transition is one inpatient stay seen from the day its end comes near until somebody has closed the gap. All times are aware datetimes (a naive
one is a programming error, which the first comparison refuses with TypeError); calendar days are counted in `Stay.zone`. Times that assessment
computes are in UTC; whoever shows them turns them into the stay's zone. A client may have many stays; each tracked one has one transition.

What is told is a frozen dataclass; what an assessment makes, and codes, which it looks up, are named tuples, which cost a third to make.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal, NamedTuple

Answer = Literal["yes", "no", "undecided"]
Tier = Literal["urgent", "high", "standard"]
Status = Literal["anticipated", "open", "closed", "void"]
FollowUpState = Literal["none", "booked", "kept", "missed", "cancelled", "outcome-unknown"]
Queue = Literal["agency", "coordinator"]
Owner = Literal["agency", "hospital", "coordinator"]
FlagCode = Literal[
    "no-follow-up-scheduled",
    "follow-up-too-late",
    "kind-unconfirmed",
    "not-picked-up",
    "no-contact",
    "missed-appointment",
    "outcome-unknown",
    "no-follow-up-7-days",
    "no-follow-up-30-days",
    "left-against-advice",
    "emergency-return",
    "arrival-not-seen",
    "disposition-unknown",
    "service-unknown",
    "identity-uncertain",
]
ClosedAs = Literal[
    "follow-up-kept",
    "readmitted",
    "transferred",
    "died",
    "hospice",
    "left-region",
    "unable-to-contact",
    "window-elapsed",
]


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a statement rests on: words for a person, and a reference ("Appointment/…", "message 17") where there is one."""

    text: str
    reference: str | None = None


class Code(NamedTuple):
    """A coded or merely worded concept. `system` is a FHIR code system URI, "" for text alone."""

    text: str = ""
    code: str = ""
    system: str = ""
    principal: bool = False


@dataclass(frozen=True, slots=True)
class Placement:
    """Where the client was from `since` on: unit and service as sent, with what the feed profile says of them, or of the whole house."""

    since: datetime
    unit: str = ""
    unit_kind: Literal["psychiatric", "other", ""] = ""
    service: str = ""
    service_kind: Literal["psychiatric", "other", ""] = ""
    visit_class: str = ""  # v3-ActCode: IMP EMER AMB PRENC OBSENC; "" when nobody said


@dataclass(frozen=True, slots=True)
class Visit:
    """Another stay or visit of the same client, as far as it matters to this one."""

    id: str
    visit_class: str
    hospital: str
    admitted: datetime | None
    discharged: datetime | None
    cancelled: bool  # the admission was cancelled or the visit entered in error
    psychiatric: Answer
    tracked: bool  # it has, or when it ends will have, a transition of its own
    diagnoses: tuple[Code, ...] = ()
    evidence: tuple[Evidence, ...] = ()
    discharge_cancelled: bool = False
    hospice: bool = False  # it ended with discharge to hospice care


@dataclass(frozen=True, slots=True)
class Observation:
    """A screening answer or score: LOINC code and value as number or words."""

    code: str
    at: datetime
    value: float | None = None
    text: str = ""
    evidence: tuple[Evidence, ...] = ()


@dataclass(frozen=True, slots=True)
class Claim:
    """What an agency (or the coordinator) said of a Task: accepted, rejected …, in the order of the gateway's receipt."""

    task: str  # Task id
    agency: str
    status: str  # FHIR Task.status
    at: datetime
    reason: str = ""
    business_status: str = ""
    evidence: tuple[Evidence, ...] = ()
    number: int = 0  # of the assignment whose Task it is; 0: told by agency and order alone


@dataclass(frozen=True, slots=True)
class Decision:
    """What a named person decided about this transition.

    `what`: "close" (value a ClosedAs), "reopen", "psychiatric" (value yes/no), "route" (value agency id or ""), "confirm-kind" (reference of the
    appointment or encounter in `about`, value mental-health/other), "disposition" (value NUBC FL17 code: where the client went, when the
    hospital does not say), "unanswered" (the written policy's alone: value is the number of the assignment whose agency had its time to answer).
    """

    what: str
    value: str
    at: datetime
    by: str
    about: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Client:
    """The person, as far as assessment and routing need them."""

    id: str
    name: str = ""
    birth_date: date | None = None
    postal_code: str = ""
    county: str = ""
    language: str = ""
    payers: tuple[str, ...] = ()
    deceased: bool = False
    died: datetime | None = None
    death_evidence: tuple[Evidence, ...] = ()
    identity_uncertain: tuple[Evidence, ...] = ()
    identity_uncertain_since: datetime | None = None


class TakenBack(NamedTuple):
    """A discharge, or the expectation of one, that was told and then taken back. Recorded times."""

    what: Literal["discharge", "expectation"]
    made: datetime  # when it was told
    at: datetime  # when it was taken back
    expected: datetime | None = None  # the day of an expectation by its date alone, which comes into view some days before; None: at once


@dataclass(frozen=True, slots=True)
class Stay:
    """One stay in hospital with everything around it that can change what we say of it, follow-ups and contacts apart."""

    id: str  # Encounter id
    transition: str  # transition id, derived from the stay
    client: Client
    hospital: str
    zone: str  # IANA time zone of the facility; "UTC" when assumed
    state: Literal["planned", "in-hospital", "on-leave", "discharged", "admission-cancelled", "entered-in-error"]
    first_seen: datetime  # event time of the earliest statement
    admitted: datetime | None = None
    discharged: datetime | None = None  # None unless state is "discharged"
    discharge_recorded: datetime | None = None  # recorded time of the discharge
    discharge_cancelled: datetime | None = None  # recorded time of the latest A13, while no newer discharge stands
    error_recorded: datetime | None = None  # recorded time of the A11/A23 that ended it
    expected_discharge: datetime | None = None  # a standing expectation (PV2-9, or A16's EVN-6)
    pending_since: datetime | None = None  # recorded time of a standing A16: flags at once
    expectation_recorded: datetime | None = None
    ever_inpatient: bool = True  # it was, at some time, an inpatient stay (class IMP, or A01/A06 or an inpatient unit)
    ended_as_outpatient: bool = False  # A07 ended the inpatient stay with no A03; then `discharged` is that moment
    placements: tuple[Placement, ...] = ()
    diagnoses: tuple[Code, ...] = ()
    reasons: tuple[Code, ...] = ()  # PV2-3, Encounter.reasonCode
    disposition: Code | None = None  # code: NUBC FL17 two digits, "" when unknown; text as sent. None: nothing was said
    disposition_kind: str = ""  # see transitions.dispositions
    disposition_recorded: datetime | None = None  # when it was last said otherwise than with the discharge, by a correction; None: never
    other_visits: tuple[Visit, ...] = ()
    observations: tuple[Observation, ...] = ()
    claims: tuple[Claim, ...] = ()
    decisions: tuple[Decision, ...] = ()
    referred_to: tuple[str, ...] = ()  # agency ids named by a referral, newest first
    known_to: tuple[str, ...] = ()  # agency ids that have, or had, the client in another transition or in their care team, newest first
    withheld_from: frozenset[str] = frozenset()  # agency ids that may not know of this stay; "*" is all of them
    evidence: tuple[Evidence, ...] = ()  # the messages that told of the stay, newest last
    discharge_evidence: tuple[Evidence, ...] = ()
    expectation_evidence: tuple[Evidence, ...] = ()
    uncertain: tuple[Evidence, ...] = ()  # why the stay itself, or what was joined to it, is uncertain
    uncertain_since: datetime | None = None
    tie: bool = False  # a discharge and its cancellation could not be ordered
    expectation_withdrawn: datetime | None = None  # recorded time of an A25 that withdrew a standing A16 or PV2-9, while no newer expectation stands
    taken_back: tuple[TakenBack, ...] = ()  # every discharge and expectation that was told and did not stand, oldest first


@dataclass(frozen=True, slots=True)
class FollowUp:
    """An appointment, or an ambulatory visit that simply happened."""

    reference: str  # "Appointment/…" or "Encounter/…"
    status: str  # FHIR Appointment.status; an Encounter's is said in the same words (fulfilled, cancelled, booked)
    recorded: datetime  # recorded time of the latest word on it
    start: datetime | None = None
    end: datetime | None = None
    first_recorded: datetime | None = None
    services: tuple[Code, ...] = ()
    diagnoses: tuple[Code, ...] = ()
    specialties: tuple[Code, ...] = ()
    practitioners: tuple[str, ...] = ()
    place: str = ""
    place_kind: Literal["psychiatric", "other", ""] = ""
    mental_health: bool | None = None  # the feed profile's word, or a person's
    booked_by: str = ""  # agency id
    modality: str = ""  # "in-person" | "telehealth" | "telephone" | ""
    visit_class: str = ""
    evidence: tuple[Evidence, ...] = ()
    moved: datetime | None = None  # recorded time of the word that last changed its start; None: never, or not known


@dataclass(frozen=True, slots=True)
class Contact:
    """A try to reach the client after, or before, the discharge (Communication)."""

    reference: str
    at: datetime
    means: str  # "phone" | "visit" | "telehealth" | "message" | "letter" | ""
    reached: bool
    by: str = ""  # agency id
    evidence: tuple[Evidence, ...] = ()


class Flag(NamedTuple):
    """Something that is wrong for this client, since when, why we say so, and what would clear it; whose it is, until when, and what to do next.

    Past its due time it is the coordinator's, whosever it was.
    """

    code: FlagCode
    since: datetime
    evidence: tuple[Evidence, ...]
    clears: str
    owner: Owner = "coordinator"
    due: datetime | None = None
    next_step: str = ""


class FollowUpSummary(NamedTuple):
    state: FollowUpState
    start: datetime | None = None
    reference: str | None = None
    evidence: tuple[Evidence, ...] = ()


class Assignment(NamedTuple):
    """One turn of a transition at an agency: which Task number, which agency, from when, until when and why it ended."""

    number: int  # 1, 2, …: part of the Task's identity
    agency: str | None  # None: the coordinator's queue
    since: datetime
    why: str
    until: datetime | None = None
    ended: str = ""  # "declined" | "unanswered" | "routed" | "withheld" | "void" …
    status: str = "requested"  # FHIR Task.status as it stands
    reason: str = ""


class Transition(NamedTuple):
    """What is to be said of a stay at a moment."""

    id: str
    stay: Stay
    status: Status
    follow_up: FollowUpSummary
    flags: tuple[Flag, ...]
    tier: Tier
    reasons: tuple[str, ...]  # of the tier
    agency: str | None
    queue: Queue
    closed_as: ClosedAs | None
    next_look: datetime | None
    why_no_next_look: str  # "" unless next_look is None
    due: datetime | None  # the nearest deadline still open (list order: tier, then time left)
    assignments: tuple[Assignment, ...]  # oldest first; the last one is current
    psychiatric: Answer
    psychiatric_reasons: tuple[str, ...]
    follow_ups: tuple[FollowUp, ...] = ()
    visits: tuple[str, ...] = ()  # references of those that are, or may be, follow-up after this discharge
    contacts: tuple[Contact, ...] = ()
    since: datetime | None = None  # when the present status began
    tracked_since: datetime | None = None  # when it came into view: void ones too, before they were taken back
