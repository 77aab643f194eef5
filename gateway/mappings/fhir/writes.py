"""REST writes by agencies and coordinators -> statements. Pure.

    POST PUT PATCH DELETE Appointment       appointment, booked by the agency
    POST PUT PATCH DELETE Communication     contact
    PUT PATCH Task                          claim
    POST PUT PATCH Consent                  consent

A write refers to the gateway's own ids. The person is named by the key `urn:gateway:id:Patient|<id>`, the stay by `facts["encounter"]`
("Encounter/<id>"): whoever folds resolves them by the id. The subject's key is `about["key"]`, minted by the API when the resource is created and
kept as its identifier (`own_system`), so that a later PUT by the same organization finds it and a rebuild makes the same id.

`about` (of the inbox row): method, type, id, client, role, organization, recipient, if-match, key; for PATCH also patch, the text that was sent: the
body is then the patched resource, made from the version that if-match names, so that a rebuild need not know that version. A DELETE has no body: its
`patient` ("Patient/…") says whose it was. `references` (JSON) says what the body's references turned out to name, where that had to be found out:
entries of the same transaction by their fullUrl, search results, addresses below our own base.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from gateway.errors import Invalid, Unsupported
from gateway.fhir import elements
from gateway.fhir.outcome import Issue, Rejected
from gateway.fhir.references import ENCOUNTER, PATIENT
from gateway.mappings.feeds.profile import FeedProfile
from gateway.mappings.fhir import beside, codes, tables
from gateway.mappings.fhir.bundle import collect
from gateway.mappings.fhir.content import without_place
from gateway.records.statements import Heading, Identify, Json, Statement, Translation

OPEN_TO_AGENCIES = ("status", "businessStatus", "statusReason", "note", "output")
"""What an agency may write of a Task; the gateway writes the rest."""
CASE_MANAGER = "768832004"
"""SNOMED CT for case manager: the one kind of Task.output that is taken."""

_BOOKKEEPING = ("id", "meta", "text", "lastModified", "implicitRules")
_RESERVED = "urn:gateway:"
TASK_SYSTEM = "urn:care-transition-gateway:task"
"""Identifier system of the gateway's Tasks; the value is "<transition>#<number>" (`mappings.care.task`)."""


def own_system(organization: str) -> str:
    """The identifier system of what an organization's own systems created here."""
    return f"{_RESERVED}write:{organization}"


def person_key(reference: str) -> str:
    """The key of a person named by the gateway's own id: "Patient/17" -> "urn:gateway:id:Patient|17"."""
    return f"{_RESERVED}id:Patient|{reference.partition('/')[2]}"


def translate_write(body: Json, about: Mapping[str, str], received: int, identify: Identify) -> Translation:
    """What one write says. `body` is the resource, {} of a DELETE; `received` in microseconds, the commit's time.

    What the caller may write of a Task is asked before (`check_claim`), against the version that `about["if-match"]` then pins.
    """
    kind, by = about["type"], about["organization"] if about["role"] == "agency" else ""
    sender = f"{about['role']}/{about['organization'] or about['client']}"
    heading = Heading(sender, "", f"{about['method']} {kind}", "", received, "commit")
    body = elements.relinked(body, json.loads(about.get("references", "{}")))
    if about["method"] == "DELETE":
        statement = Statement(_KINDS[kind], (about["key"],), (person_key(about["patient"]),), facts={"effect": "delete"})
    elif kind == "Task":
        statement = _claim(about["id"], body, by)
    elif kind in _KINDS:
        statement = _own(kind, body, about["key"], by)
    else:
        raise Unsupported("Resources of this type are not written over REST", location="resourceType")
    return Translation(heading, (statement,))


_KINDS: Mapping[str, Any] = {"Appointment": "appointment", "Communication": "contact", "Consent": "consent"}


def _own(kind: str, body: Json, key: str, by: str) -> Statement:
    """A resource that the writer's own system keeps."""
    person = person_key(patient_of(body))
    facts: dict[str, Any] = {}
    own = without_place({name: value for name, value in body.items() if name not in _BOOKKEEPING})
    if kind == "Appointment":
        own, by_default = beside.with_end(own)
        told = collect(body, "", "")
        facts = dict(beside.appointment_facts(told.told[0], told, FeedProfile(), by))
        if by_default:
            facts["default_end"] = True
    elif kind == "Communication":
        facts = dict(beside.contact_facts(body, by))
    encounter = next((elements.relative(str(one.get("reference", ""))) for one in _encounters(body)), "")
    if encounter:
        facts["encounter"] = encounter
    own["identifier"] = [_identifier(key), *foreign_identifiers(body)]
    return Statement(_KINDS[kind], (key,), (person,), own=own, whole=True, facts=facts)


def _identifier(key: str) -> Json:
    system, _, value = key.partition("|")
    return {"system": system, "value": value}


def foreign_identifiers(body: Json) -> list[Json]:
    """The identifiers that a writer gave; those of the gateway's own systems are the gateway's to give."""
    return [one for one in body.get("identifier", []) if not str(one.get("system", "")).startswith(_RESERVED)]


def _encounters(body: Json) -> list[Any]:
    element = ENCOUNTER.get(body["resourceType"], "").removesuffix("[]")
    return [one for one in elements.values(body, element) if isinstance(one, dict)] if element else []


def patient_of(body: Json) -> str:
    """The "Patient/…" that a write is about. Raises Invalid where it names none, or two."""
    kind = body["resourceType"]
    element = PATIENT[kind].removesuffix("[]")
    said = [one.get("actor") if kind == "Appointment" else one for one in elements.values(body, element) if isinstance(one, dict)]
    found = {
        literal for one in said if isinstance(one, dict) and (literal := elements.relative(str(one.get("reference", "")))).startswith("Patient/")
    }
    if len(found) != 1:
        raise Invalid("It must be about one patient", location=f"{kind}.{element}", advice="Refer to the Patient by the id that you read here.")
    return found.pop()


# --- claims -----------------------------------------------------------------------------------------------------------


def _claim(id: str, body: Json, by: str) -> Statement:
    """An agency's word on its Task: facts {task, transition, status, business_status, reason, note, output, agency}, `note` being Annotations and
    `output` who its case manager is."""
    own = {"resourceType": "Task", "id": id, **{name: body[name] for name in OPEN_TO_AGENCIES if name in body}}
    coded = next((str(one["code"]) for one in elements.codings(body.get("businessStatus")) if one.get("code")), "")
    facts: dict[str, Any] = {
        "task": id,
        "transition": transition_of(body),
        "number": _assignment_of(body),
        "status": body.get("status", ""),
        "business_status": coded or codes.words(body.get("businessStatus")),
        "reason": codes.words(body.get("statusReason")),
        "note": body.get("note", []),
        "output": body.get("output", []),
        "agency": by,
    }
    return Statement("claim", (f"{_RESERVED}id:Task|{id}",), (person_key(patient_of(body)),), own=own, facts=facts)


def _assignment_of(task: Json) -> int:
    """The number of the assignment that the Task is of, as the same identifier says; 0 where it says none."""
    numbers = (str(one["value"]).rpartition("#")[2] for one in task.get("identifier", []) if one.get("system") == TASK_SYSTEM)
    return next((int(number) for number in numbers if number.isascii() and number.isdigit()), 0)


def transition_of(task: Json) -> str:
    """The transition's id, as the gateway's identifier on its Task says."""
    return next((str(one["value"]).rpartition("#")[0] for one in task.get("identifier", []) if one.get("system") == TASK_SYSTEM), "")


def check_claim(body: Json, current: Json) -> None:
    """Raise Rejected where a Task is changed beyond what an agency may write, or to a status that cannot follow."""
    names = {*body, *current} - {*OPEN_TO_AGENCIES, *_BOOKKEEPING}
    issues = [
        Issue("business-rule", "The gateway alone writes this element of a Task.", f"Task.{name}")
        for name in sorted(names)
        if body.get(name) != current.get(name)
    ]
    now, wanted = str(current.get("status")), str(body.get("status"))
    if now != wanted and wanted not in tables.task_states().get(now, frozenset()):
        issues.append(Issue("business-rule", "This status cannot follow the Task's present one.", "Task.status"))
    if wanted == "rejected" and now != "rejected" and not codes.words(body.get("statusReason")):
        issues.append(Issue("required", "Who declines says why.", "Task.statusReason.text"))
    issues += [
        Issue(
            "business-rule", "An output of this Task is its case manager (SNOMED CT 768832004), by valueReference.display.", f"Task.output[{number}]"
        )
        for number, output in enumerate(body.get("output", []))
        if not _names_case_manager(output)
    ]
    if issues:
        raise Rejected(issues)


def _names_case_manager(output: Json) -> bool:
    """By name, and by identifier where there is one; a literal reference would lead nowhere, as the agency's staff are not kept here."""
    named = output.get("valueReference") or {}
    coded = any(one.get("code") == CASE_MANAGER and one.get("system") == "http://snomed.info/sct" for one in elements.codings(output.get("type")))
    return coded and str(named.get("display") or "").strip() != "" and "reference" not in named
