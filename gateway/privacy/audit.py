"""AuditEvents: who read, searched, was given or was refused what, when, for which purpose, under which consent. Pure.

They are kept as they are, for the operator alone: no recipient's view holds one. A disclosure by consent is among them, as the list that
42 CFR 2.24 asks of an intermediary.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Literal, NamedTuple

from gateway.fhir import compartment
from gateway.privacy import disclosure
from gateway.privacy.labels import CONFIDENTIALITY, coding_of
from gateway.privacy.notice import consents_of
from gateway.records.statements import Json

Act = Literal["read", "vread", "history", "search", "create", "update", "patch", "delete", "export", "poll", "view", "disclose", "break-glass"]
"""What was done: an interaction of the FHIR API, a poll of the transitions feed ("poll"), a page looked at ("view"), …"""

REST = "http://hl7.org/fhir/restful-interaction"
TYPE = {"system": "http://terminology.hl7.org/CodeSystem/audit-event-type", "code": "rest", "display": "RESTful Operation"}
LIFECYCLE = "http://terminology.hl7.org/CodeSystem/iso-21089-lifecycle"
DISCLOSE = {"system": LIFECYCLE, "code": "disclose", "display": "Disclose Record Lifecycle Event"}
ACCESS = {"system": LIFECYCLE, "code": "access", "display": "Access/View Record Lifecycle Event"}
TYPES = {"disclose": DISCLOSE, "break-glass": DISCLOSE, "view": ACCESS}
PURPOSE = "http://terminology.hl7.org/CodeSystem/v3-ActReason"
ENTITY = "http://terminology.hl7.org/CodeSystem/audit-entity-type"
ROLE = "http://terminology.hl7.org/CodeSystem/object-role"
ACTIONS = {"create": "C", "update": "U", "patch": "U", "delete": "D", "search": "E", "export": "E"}
INTERACTIONS = {"search": "search-type", "history": "history-instance", "export": "operation", "poll": "search-type"}
CLIENT = "urn:care-transition-gateway:client"
CLIENT_ROLE = "urn:care-transition-gateway:role"
TRANSITION = "urn:care-transition-gateway:transition"
EXPORT = "urn:care-transition-gateway:export"
"""Identifier system of bulk exports' files, by job and file."""
INPUT = "urn:care-transition-gateway:input"
"""Identifier system of the inbox's rows, by number."""

PURPOSES = {"agency": disclosure.PURPOSE, "hospital": disclosure.PURPOSE, "coordinator": "CAREMGT", "operator": "HSYSADMIN"}
"""Role -> what it reads for (v3-ActReason): an agency for what its clients' consents are asked for, treatment."""


class Shown(NamedTuple):
    """What an answer or a page shows of records; nothing, by default."""

    resources: tuple[str, ...] = ()  # "Task/17/_history/2": the recipient's own version
    identifiers: tuple[tuple[str, str], ...] = ()  # (system, value) of what is no resource: transitions, inputs
    patients: tuple[str, ...] = ()  # "Patient/3": whom they are about
    consents: tuple[str, ...] = ()  # "Consent/5": what the disclosure rests on, where that is a consent


class Disclosure(NamedTuple):
    """One answer to somebody: what its AuditEvent says but for the time."""

    act: Act
    who: str  # the client's id, or the session's
    role: str
    organization: str  # "" for none
    shown: Shown
    query: str = ""  # as asked; "" where nothing but the resource's own address was
    user: str = ""  # the name by which somebody is logged in for whom the client asks; "" for none
    person: str = ""  # that user's own resource, "Practitioner/…"


Audit = Callable[[Disclosure], None]
"""Sees to it that an AuditEvent is kept. Raises Unavailable where that cannot be promised: then nothing may be shown."""


def shown(resources: Iterable[Json]) -> Shown:
    """What there is to tell of resources as somebody was shown them."""
    versions: list[str] = []
    patients: set[str] = set()
    consents: set[str] = set()
    for one in resources:
        versions.append(_versioned(one))
        patients.update(compartment.patients(one))
        if "extension" in one.get("meta", ()):
            consents.update(consents_of(one))
    return Shown(tuple(versions), patients=tuple(sorted(patients)), consents=tuple(sorted(consents)))


def _versioned(resource: Json) -> str:
    version = resource.get("meta", {}).get("versionId")
    return f"{resource['resourceType']}/{resource['id']}" + (f"/_history/{version}" if version else "")


def event_of(disclosed: Disclosure, recorded: datetime, gateway: str) -> Json:
    """The AuditEvent of one answer; `gateway` is the reference of the gateway's Device."""
    return audit_event(
        disclosed.act,
        who=disclosed.who,
        recorded=recorded,
        gateway=gateway,
        organization=disclosed.organization,
        role=disclosed.role,
        patients=disclosed.shown.patients,
        resources=disclosed.shown.resources,
        identifiers=disclosed.shown.identifiers,
        query=disclosed.query,
        purpose=PURPOSES[disclosed.role],
        consents=disclosed.shown.consents,
        user=disclosed.user,
        person=disclosed.person,
    )


def audit_event(
    act: Act,
    *,
    who: str,
    recorded: datetime,
    gateway: str,
    organization: str = "",
    role: str = "",
    patients: Sequence[str] = (),
    resources: Sequence[str] = (),
    identifiers: Sequence[tuple[str, str]] = (),
    query: str = "",
    purpose: str = "TREAT",
    consents: Sequence[str] = (),
    permitted: bool = True,
    reason: str = "",
    user: str = "",
    person: str = "",
) -> Json:
    """One AuditEvent. Where a user is behind it, the user is who asked, and the client what asked.

    `who` is the client's id or the session's name, `organization` its Organization's id, `gateway` the reference of the gateway's Device;
    `user` and `person` the name and the reference of who is logged in, "" for nobody.
    `patients`, `resources` and `consents` are references; `identifiers` (system, value) of what is no resource; `query` the search as asked;
    `reason` what a user gave for break-glass.
    """
    agent: Json = {
        "who": {"identifier": {"system": CLIENT, "value": who}},
        "requestor": True,
        "purposeOfUse": [{"coding": [coding_of(PURPOSE, purpose)]}],
    }
    if role:
        agent["role"] = [{"coding": [{"system": CLIENT_ROLE, "code": role}]}]
    if consents:
        agent["policy"] = sorted(consents)
    agents = [agent]
    if user:
        asking = {**agent, "who": {"reference": person}, "altId": user}
        agents = [asking, {"who": agent["who"], "requestor": False}]
    if organization:
        agents.append({"who": {"reference": f"Organization/{organization}"}, "requestor": False})
    event: Json = {
        "resourceType": "AuditEvent",
        "meta": {"security": [coding_of(CONFIDENTIALITY, "R")]},
        "type": TYPES.get(act, TYPE),
        "action": ACTIONS.get(act, "R"),
        "recorded": recorded.isoformat(timespec="milliseconds"),
        "outcome": "0" if permitted else "4",
        "agent": agents,
        "source": {"observer": {"reference": gateway}},
    }
    if act not in TYPES:
        event["subtype"] = [{"system": REST, "code": INTERACTIONS.get(act, act)}]
    if act == "break-glass":
        event["purposeOfEvent"] = [{"coding": [coding_of(PURPOSE, "BTG")], **({"text": reason} if reason else {})}]
    entities = [entity({"reference": reference}, "1", "1") for reference in patients]
    entities += [entity({"reference": reference}, "2", "4") for reference in resources]
    entities += [entity({"identifier": {"system": system, "value": value}}, "2", "4") for system, value in identifiers]
    rests_on = "the consent that the disclosure rests on"
    entities += [{**entity({"reference": reference}, "2", "4"), "description": rests_on} for reference in sorted(consents)]
    if query:
        asked = base64.b64encode(query.encode()).decode()
        entities.append({"type": {"system": ENTITY, "code": "2"}, "role": {"system": ROLE, "code": "24"}, "query": asked})
    if entities:
        event["entity"] = entities
    return event


def entity(what: Json, kind: str, role: str) -> Json:
    """What was touched, a Reference: kind 1 a person, 2 a system object; role 1 the patient, 4 a domain resource."""
    return {"what": what, "type": {"system": ENTITY, "code": kind}, "role": {"system": ROLE, "code": role}}
