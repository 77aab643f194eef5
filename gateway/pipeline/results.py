"""Steps 3 to 5 for one partition: its statements -> every view of every record and transition. Pure.

Each recipient's view is made by running assessment and derivation on what that recipient may know, so that nothing withheld can show
through a flag, a tier, an order or a plan.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, NamedTuple, cast

import orjson

from gateway import __version__
from gateway.fhir.search import terms
from gateway.mappings import assessment, follow_up
from gateway.mappings.care.context import CareContext
from gateway.mappings.care.derive import Derivations, derive
from gateway.mappings.care.feed_flag import feed_flag
from gateway.mappings.care.measure_report import case_json, measured
from gateway.mappings.care.transition_json import timeline_json, transition_json
from gateway.pipeline.configuration import Configuration
from gateway.privacy import supports
from gateway.privacy.consent import Verdict
from gateway.privacy.disclosure import disclose, next_change, withheld_from
from gateway.privacy.labels import label_person
from gateway.records.course import PRESENT
from gateway.records.order import Entry
from gateway.records.reconcile import reconcile
from gateway.records.record import PersonRecord, Source
from gateway.records.statements import Json
from gateway.records.times import microseconds, moment
from gateway.store.interface import ALL, NewVersion, TransitionRow
from transitions.assess import assess, outlook, overdue
from transitions.measure import case_of
from transitions.model import Transition, Visit
from transitions.psychiatric import psychiatric
from transitions.routing import is_named

_TIERS = {"urgent": 0, "high": 1, "standard": 2}
NEVER = 253402300799_000000
"""The end of the year 9999 in microseconds: sorts after every deadline."""


class Turn(NamedTuple):
    """An agency's turn at a transition that it has not answered."""

    transition: str
    patient: str  # "Patient/…"
    agency: str
    number: int  # of the assignment


@dataclass(slots=True)
class Results:
    """What a partition comes to at a moment."""

    versions: dict[tuple[str, str, str], NewVersion] = field(default_factory=dict)
    transitions: dict[tuple[str, str], TransitionRow] = field(default_factory=dict)
    next_look: int | None = None
    unanswered: list[Turn] = field(default_factory=list)  # though the policy's time since the discharge is over
    asked: list[Turn] = field(default_factory=list)  # by rule alone: an agency that takes no new clients is passed over

    def look(self, at: int | None) -> None:
        """Look again at `at` at the latest."""
        if at is not None and (self.next_look is None or at < self.next_look):
            self.next_look = at


def results(entries: list[Entry], as_of: int, configuration: Configuration) -> Results:
    """All views of all people in the partition as of a moment (microseconds UTC)."""
    found = Results()
    programs = frozenset(feed.name for feed in configuration.feeds if "*" in feed.part2_units)
    private = told_by_alone(entries, programs)
    for record in reconcile(entries, configuration.identify):
        person = label_person(of_programs(record, programs))
        consents_change = next_change(person, moment(as_of))
        found.look(microseconds(consents_change) if consents_change is not None else None)
        kept_from: frozenset[tuple[str, str]] = frozenset()
        while True:
            assessed = _assess(person, as_of, configuration, found, kept_from)
            views = [_for_agency(person, agency, visible, as_of, configuration, found, private) for agency, visible in _routed(assessed)]
            lost = frozenset((name, view.agency) for view in views for name in view.visible - view.transitions.keys()) - kept_from
            if not lost:
                break
            kept_from |= lost
        family = supports.verdicts(person, moment(as_of))
        derivations = Derivations()
        _view(ALL, person, assessed, configuration, found, family, derivations)
        _ask_hospitals(person, as_of, configuration, found)
        found.unanswered += _unanswered(person, assessed.values())
        found.asked += _asked(person, assessed.values())
        for view in views:
            _view(view.agency, view.person, view.transitions, configuration, found, family, derivations)
    return found


class AgencyView(NamedTuple):
    """One agency's view of a person. What is among `visible` and not among `transitions` was routed to it by facts that it may not know: shown
    to nobody, that client would be lost, so it is kept from the agency and goes to the next, or to the coordinator."""

    agency: str
    visible: frozenset[str]
    person: PersonRecord
    transitions: dict[str, Transition]


def _routed(assessed: dict[str, Transition]) -> list[tuple[str, frozenset[str]]]:
    """Each agency with the transitions that are routed to it."""
    agencies = sorted({each.agency for each in assessed.values() if each.agency is not None})
    return [(agency, frozenset(name for name, each in assessed.items() if each.agency == agency)) for agency in agencies]


def _for_agency(
    person: PersonRecord,
    agency: str,
    visible: frozenset[str],
    as_of: int,
    configuration: Configuration,
    found: Results,
    private: frozenset[tuple[str, str]],
) -> AgencyView:
    """The person as an agency may know of them, and the transitions that are its own by what it may know."""
    shown = disclose(person, agency, visible, moment(as_of), private)
    theirs = _assess(shown.basis, as_of, configuration, found)
    return AgencyView(agency, visible, shown.person, {name: each for name, each in theirs.items() if name in visible and each.agency == agency})


def _unanswered(person: PersonRecord, assessed: Iterable[Transition]) -> Iterable[Turn]:
    for transition in assessed:
        if transition.agency is not None and any(flag.code == "not-picked-up" for flag in transition.flags):
            yield _turn(person, transition, transition.agency)


def _asked(person: PersonRecord, assessed: Iterable[Transition]) -> Iterable[Turn]:
    for transition in assessed:
        agency = transition.agency
        if agency is None or transition.status not in ("anticipated", "open") or transition.assignments[-1].status != "requested":
            continue
        if not is_named(transition.stay, agency):
            yield _turn(person, transition, agency)


def _turn(person: PersonRecord, transition: Transition, agency: str) -> Turn:
    return Turn(transition.id, f"Patient/{person.id}", agency, transition.assignments[-1].number)


def told_by_alone(entries: Iterable[Entry], programs: frozenset[str]) -> frozenset[tuple[str, str]]:
    """(system, value) of the identifiers of people that these feeds told of, and no other."""
    if not programs:
        return frozenset()
    by_programs: set[tuple[str, str]] = set()
    by_others: set[tuple[str, str]] = set()
    for entry in entries:
        told = by_programs if entry.translation.heading.sender in programs else by_others
        for statement in entry.translation.statements:
            keys = (key.partition("|") for key in (*statement.person, *statement.retires))
            told.update((system, value) for system, _, value in keys)
            if statement.kind == "person":
                told.update((str(one.get("system", "")), str(one.get("value", ""))) for one in (statement.own or {}).get("identifier", []))
    return frozenset(by_programs - by_others)


def of_programs(person: PersonRecord, programs: frozenset[str]) -> PersonRecord:
    """The record with everything that a Part 2 program told of marked so: its appointments and documents as well as its stays."""
    if not programs:
        return person

    def told(sources: Iterable[Source]) -> bool:
        return any(source.sender in programs for source in sources)

    lists = {
        name: tuple(replace(one, part2=one.part2 or told(one.sources)) for one in getattr(person, name))
        for name in ("appointments", "documents", "referrals", "care", "contacts", "observations")
    }
    stays = tuple(replace(stay, part2=stay.part2 or told(stay.sources)) for stay in person.stays)
    return replace(person, stays=stays, **cast(Any, lists))


def _assess(
    person: PersonRecord, as_of: int, configuration: Configuration, found: Results, kept_from: frozenset[tuple[str, str]] = frozenset()
) -> dict[str, Transition]:
    """The person's transitions by id; `kept_from` are (transition, agency) pairs beside those that the client's consents leave out."""
    policy, now = configuration.policy, moment(as_of)
    who = assessment.client(person)
    agencies = tuple(each.id for each in policy.agencies)
    stays = []
    for record in person.stays:
        withheld = withheld_from(person, record, agencies, now) | {agency for name, agency in kept_from if name == record.transition}
        stays.append(assessment.stay(person, record, who, (), withheld, policy.agencies))
    visits: list[Visit] = []
    for record, stay in zip(person.stays, stays, strict=True):
        answer = psychiatric(stay, policy)[0]
        visits.append(assessment.visit(record, answer, answer != "no" and record.course.ever_inpatient))
    follow_ups, contacts = follow_up.follow_ups(person), follow_up.contacts(person)
    assessed = {}
    for stay in stays:
        if len(visits) > 1:
            stay = replace(stay, other_visits=tuple(each for each in visits if each.id != stay.id))
        transition = assess(stay, follow_ups, contacts, now, policy)
        if transition is None:
            ahead = outlook(stay, policy, now)
            found.look(microseconds(ahead) if ahead is not None else None)
        else:
            assessed[transition.id] = transition
            found.look(microseconds(transition.next_look) if transition.next_look is not None else None)
    return assessed


def _ask_hospitals(person: PersonRecord, as_of: int, configuration: Configuration, found: Results) -> None:
    """A Flag for the hospital's feed, for each stay that nobody has ended in all the policy's time; the operator's and the coordinator's alone."""
    who = assessment.client(person)
    for record in person.stays:
        if record.course.state not in PRESENT:
            continue
        since, look = overdue(assessment.stay(person, record, who, (), frozenset()), configuration.policy, moment(as_of))
        found.look(microseconds(look) if look is not None else None)
        if since is not None:
            _put(found, ALL, feed_flag(record, since, configuration.identify))


def _view(
    recipient: str,
    person: PersonRecord,
    assessed: dict[str, Transition],
    configuration: Configuration,
    found: Results,
    family: Mapping[str, Verdict],
    derivations: Derivations,
) -> None:
    """The person's records and transitions as this recipient sees them; `family` is what the client's consents say of the people around them."""
    for resource in _resources(person):
        _put(found, recipient, resource)
    reader = None if recipient == ALL else recipient
    context = CareContext(
        identify=configuration.identify,
        agencies={each.id: each.name for each in configuration.policy.agencies},
        policy=configuration.care,
        version=__version__,
        recipient=reader,
        areas=configuration.policy.areas,
        supports=family,
    )
    for record in person.stays:
        transition = assessed.get(record.transition)
        if transition is None:
            continue
        for resource in derive(person, record, transition, context, derivations):
            _put(found, recipient, resource)
        body = transition_json(transition, person, recipient=reader)
        if reader is None:
            body["timeline"] = timeline_json(transition)
        case = case_of(transition, configuration.policy) if reader is None else None
        if case is not None:
            body["measure"] = case_json(case)  # so the body differs wherever the case does
        found.transitions[recipient, transition.id] = TransitionRow(
            recipient=recipient,
            id=transition.id,
            body=orjson.dumps(body),
            status=transition.status,
            flagged=bool(transition.flags),
            tier=_TIERS[transition.tier],
            due=microseconds(transition.due) if transition.due is not None else NEVER,
            hospital=transition.stay.hospital,
            agency=transition.agency or "",
            measured=measured(case, body["patient"]) if case is not None else None,
        )


def _resources(person: PersonRecord) -> Iterable[Json]:
    yield person.patient
    yield from person.retired
    yield from person.related
    for record in person.stays:
        yield record.encounter
        yield from record.parts
    for group in (person.appointments, person.documents, person.referrals, person.care, person.contacts, person.consents, person.observations):
        yield from (each.resource for each in group)


def _put(found: Results, recipient: str, resource: Json) -> None:
    key = (recipient, resource["resourceType"], resource["id"])
    body = orjson.dumps(resource, option=orjson.OPT_SORT_KEYS)
    found.versions[key] = NewVersion(*key, body, partial(terms, resource, body))
