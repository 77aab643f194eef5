"""FHIR in -> statements: notifications ($process-message), an EHR's transactions and batches, single resources. Pure.

    Patient                        person (its links: merge)
    Encounter                      stay
    Condition, Observation …       a part of the stay that it names, else of the person
    Appointment                    appointment
    CarePlan CareTeam ServiceRequest Goal     care, somebody else's own
    DocumentReference              document
    Communication                  contact
    Consent                        consent
    Practitioner Organization …    shared
    anything else                  stays in the inbox, and is reported

Statements of FHIR are `whole`: a resource replaces what the same sender said of its subject before. A part stands in a group of its own, so that
it replaces itself alone. Facts of appointments and the like carry `stay_key`, the first key of the encounter that the resource names.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from gateway.errors import Invalid, Malformed, Unsupported
from gateway.fhir import times, validation
from gateway.fhir.elements import without_nulls
from gateway.mappings.feeds.profile import FeedProfile
from gateway.mappings.fhir import beside
from gateway.mappings.fhir.bundle import SHARED, Input, Told, collect, identifier_keys
from gateway.mappings.fhir.content import base_of, content, without_place
from gateway.mappings.fhir.stays import stay_facts
from gateway.mappings.fhir.subjects import encounter_keys, person_keys, subject_keys
from gateway.records.statements import Fragment, Heading, Identify, Json, Report, Shared, Statement, Translation

TAKEN_BUNDLES = ("message", "transaction", "batch", "collection", "searchset", "document", "history")
IMPORT = "IMPORT"
"""`about["method"]` of what was read from a file: there it is no fault to tell of nobody's care."""
BESIDE_IT = "beside"
"""Where `about` keeps, as JSON, the entries that a piece of a Bundle refers to (`pieces.Piece.beside`)."""
EVENTS = "http://hl7.org/fhir/us/davinci-alerts/CodeSystem/notification-event"
PARTS = frozenset(
    [
        "Account",
        "AllergyIntolerance",
        "ClinicalImpression",
        "Condition",
        "Coverage",
        "DetectedIssue",
        "DiagnosticReport",
        "EpisodeOfCare",
        "FamilyMemberHistory",
        "Flag",
        "Immunization",
        "MedicationAdministration",
        "MedicationDispense",
        "MedicationRequest",
        "MedicationStatement",
        "Observation",
        "Procedure",
        "QuestionnaireResponse",
        "RelatedPerson",
        "RiskAssessment",
    ]
)
BESIDE: Mapping[str, Any] = {
    "Appointment": "appointment",
    "CarePlan": "care",
    "CareTeam": "care",
    "ServiceRequest": "care",
    "Goal": "care",
    "DocumentReference": "document",
    "Communication": "contact",
    "Consent": "consent",
}
_SILENT = ("MessageHeader", "Provenance", "OperationOutcome")
HELD = frozenset({"Patient", "Encounter", *BESIDE, *PARTS, *SHARED})
"""Types that become records; any other stays in the inbox."""
_DAY = 24 * 3600 * 1_000_000


class _Context(NamedTuple):
    given: Input
    profile: FeedProfile
    identify: Identify
    heading: Heading
    event: str  # notification-event code, "" outside messages


def translate_bundle(
    value: Json, profile: FeedProfile, received: int, identify: Identify, about: Mapping[str, str] | None = None, *, checked: bool = False
) -> Translation:
    """All that a Bundle or a single resource says. `received` in microseconds UTC; `about` is the inbox row's.

    Raises Invalid (every issue named), Unsupported or Malformed: the input is then quarantined whole. `checked`: it was validated before.
    """
    value, about = without_nulls(value), about or {}
    if not checked:
        validation.check(value)
    header = _header(value)
    facility = profile.name if profile.name != "default" else _sender_of(value, header)
    given = collect(value, profile.name, facility, profile.authorities, json.loads(about.get(BESIDE_IT, "[]")))
    heading, late = _heading(value, header, given, profile, facility, received)
    context = _Context(given, profile, identify, heading, heading.event if header else "")
    statements = tuple(_statements(context))
    shared = tuple(
        Shared(given.keys(each)[0], {"resourceType": each.type, **content(each, given, identify), "id": identify(each.type, given.keys(each)[0])})
        for each in given.told
        if each.type in SHARED
    )
    reports = (*late, *_reports(given))
    if not statements and not shared and about.get("method") != IMPORT:
        raise Unsupported(
            "Nothing in this input is about a person's care", location=value["resourceType"], advice="Send the Patient and what belongs to it."
        )
    return Translation(heading, statements, shared, reports)


# --- who said it and when ---------------------------------------------------------------------------------------------


def _header(value: Json) -> Json | None:
    """The MessageHeader of a message Bundle: its first entry, with an event that is coded."""
    if value["resourceType"] != "Bundle":
        return None
    if value.get("type") not in TAKEN_BUNDLES:
        raise Unsupported("A Bundle of this type is not taken", location="Bundle.type", advice="Send a message, a transaction or a batch.")
    if value["type"] != "message":
        return None
    first: Json = next((one.get("resource", {}) for one in value.get("entry", [])), {})
    if first.get("resourceType") != "MessageHeader":
        raise Malformed("The first entry of a message is its MessageHeader", location="Bundle.entry[0]")
    if not first.get("eventCoding", {}).get("code"):
        raise Invalid("A message says by eventCoding what it is about", location="Bundle.entry[0].resource.eventCoding")
    return dict(first)


def _sender_of(value: Json, header: Json | None) -> str:
    """The facility of a sender that no profile names: what its message says of its source, else "default"."""
    if header is None:
        return "default"
    source = header.get("source", {})
    return str(source.get("endpoint") or source.get("name") or "default")


def _heading(
    value: Json, header: Json | None, given: Input, profile: FeedProfile, facility: str, received: int
) -> tuple[Heading, tuple[Report, ...]]:
    stamp = times.first(value.get("timestamp"))
    lead = _lead(given, header)
    candidates = [("meta.lastUpdated", _updated(lead.resource) if lead else None), ("Bundle.timestamp", stamp)]
    stated = [(name, at) for name, at in candidates if at is not None]
    sane = [(name, at) for name, at in stated if at <= received + _DAY]
    source, recorded = (sane or [("receipt", received)])[0]
    late = (Report(stated[0][0], "207", "W", "A time more than a day ahead of receipt was not used."),) if stated and stated[0] not in sane else ()
    event = header["eventCoding"]["code"] if header else str(value.get("type", "")) or value["resourceType"]
    control = (
        (header or {}).get("id") or value.get("identifier", {}).get("value")
        if isinstance(value.get("identifier"), dict)
        else (header or value).get("id")
    )
    heading = Heading(
        sender=profile.name,
        facility=facility,
        event=str(event),
        control_id=str(control or ""),
        recorded=recorded,
        recorded_from=source,
        message_time=stamp if stamp is not None and stamp <= received + _DAY else 0,
        test=_is_test(value, header),
    )
    return heading, late


def _lead(given: Input, header: Json | None) -> Told | None:
    """The resource whose recorded time is the input's: a message's focus, else its Encounter, else the only one it holds."""
    for reference in (header or {}).get("focus", []):
        target = given.resolve(reference, header or {})
        if target is not None and target.told is not None:
            return target.told
    encounters = [each for each in given.told if each.type == "Encounter"]
    return encounters[0] if len(encounters) == 1 else given.told[0] if len(given.told) == 1 else None


def _updated(resource: Json) -> int | None:
    return times.first(resource.get("meta", {}).get("lastUpdated"))


def _is_test(value: Json, header: Json | None) -> bool:
    """Labelled HTEST (v3-ActReason): a test message, as MSH-11 = T is."""
    marked = [label for one in (value, header or {}) for part in ("security", "tag") for label in one.get("meta", {}).get(part, [])]
    return any(one.get("code") == "HTEST" for one in marked)


# --- what it says -----------------------------------------------------------------------------------------------------


def _statements(context: _Context) -> Iterator[Statement]:
    given = context.given
    parts: dict[tuple[str, ...], list[Told]] = {}
    for told in given.told:
        if told.container is not None:
            continue
        if told.type == "Patient":
            yield from _person(told, context)
        elif told.type in BESIDE:
            yield _beside(told, context)
        elif told.type in PARTS:
            parts.setdefault(subject_keys(told, context.given), []).append(told)
    for told in given.told:
        if told.type == "Encounter" and told.container is None:
            keys = given.keys(told)
            mine = [one for subject in list(parts) if set(subject) & set(keys) for one in parts.pop(subject)]
            yield _stay(told, mine, context)
    for told_parts in parts.values():
        yield from _left_over(told_parts, context)


def _person(told: Told, context: _Context) -> Iterator[Statement]:
    keys = context.given.keys(told)
    own = content(told, context.given, context.identify)
    own.pop("link", None)  # which Patients are one follows from the merge statements
    yield Statement("person", keys, keys, own=own, whole=True, recorded=_recorded(told, context))
    for link in told.resource.get("link", []):
        other = context.given.resolve(link.get("other"), told.resource, base_of(told))
        if other is None or not other.keys or set(other.keys) & set(keys):
            continue
        if link.get("type") == "replaces":
            yield Statement("merge", keys, keys, retires=other.keys, recorded=_recorded(told, context))
        elif link.get("type") == "replaced-by":
            yield Statement("merge", other.keys, other.keys, retires=keys, recorded=_recorded(told, context))


def _stay(told: Told, parts: list[Told], context: _Context) -> Statement:
    facts = stay_facts(told, context.given, context.profile, context.event, _recorded(told, context) or context.heading.recorded)
    own = without_place(content(told, context.given, context.identify))
    own.pop("diagnosis", None)  # follows from the Conditions
    return Statement(
        "stay",
        context.given.keys(told),
        person_keys(told, context.given),
        own=own,
        whole=True,
        parts=_groups(parts, context),
        facts=facts,
        recorded=_recorded(told, context),
    )


def _beside(told: Told, context: _Context) -> Statement:
    own = without_place(content(told, context.given, context.identify))
    facts: dict[str, Any] = {}
    if BESIDE[told.type] == "care":
        own["meta"] = {**own.get("meta", {}), "source": told.resource.get("meta", {}).get("source") or f"urn:gateway:feed:{context.profile.name}"}
    if told.type == "Appointment":
        own, by_default = beside.with_end(own)
        facts = dict(beside.appointment_facts(told, context.given, context.profile))
        if by_default:
            facts["default_end"] = True
    elif told.type == "ServiceRequest":
        facts = beside.request_facts(told, context.given)
    elif told.type == "Communication":
        facts = dict(beside.contact_facts(told.resource, ""))
    encounter = encounter_keys(told, context.given)
    if encounter:
        facts["stay_key"] = encounter[0]
    return Statement(
        BESIDE[told.type],
        context.given.keys(told),
        person_keys(told, context.given),
        own=own,
        whole=True,
        facts=facts,
        recorded=_recorded(told, context),
    )


def _left_over(parts: list[Told], context: _Context) -> Iterator[Statement]:
    """Parts of a stay whose Encounter is not in the input, or of the person."""
    first = parts[0]
    person, encounter, recorded = person_keys(first, context.given), encounter_keys(first, context.given), _recorded(first, context)
    if not encounter:
        yield Statement("person", person, person, parts=_groups(parts, context), recorded=recorded)
        return
    facts = {"effect": "none", "facility": context.given.facility, "zone": context.profile.timezone or "UTC"}
    yield Statement("stay", encounter, person, parts=_groups(parts, context), facts=facts, recorded=recorded)


def _groups(parts: list[Told], context: _Context) -> dict[str, list[Fragment]]:
    found: dict[str, list[Fragment]] = {}
    for told in parts:
        local = context.given.keys(told)[0]
        resource = without_place(content(told, context.given, context.identify))
        found[f"{told.type}|{local}"] = [Fragment(resource, local)]
    return found


def _recorded(told: Told, context: _Context) -> int:
    """The resource's own recorded time, where it has one that is sane and not the heading's."""
    at = _updated(told.resource)
    sane = at is not None and at <= max(context.heading.recorded, context.heading.message_time) + _DAY
    return at if at is not None and sane and at != context.heading.recorded else 0


def _reports(given: Input) -> Iterator[Report]:
    for told in given.told:
        if told.type not in HELD and told.type not in _SILENT:
            yield Report(told.place, "207", "I", f"A {told.type} is kept in the inbox alone.")
        if told.type == "Patient" and not any(identifier_keys(told.resource.get("identifier"), given.facility)):
            yield Report(f"{told.place}.identifier", "101", "W", "No identifier can tell this person apart.")
