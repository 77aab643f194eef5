"""AuditEvents: who read, searched, was given or was refused what, when, for which purpose, under which consent. Pure.

They are kept as they are, for the operator alone; a disclosure by consent is among them, as the list that 42 CFR 2.24 asks of an intermediary.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from datetime import datetime
from typing import Literal

from gateway.privacy.labels import CONFIDENTIALITY, coding_of
from gateway.records.statements import Json

Act = Literal["read", "vread", "history", "search", "create", "update", "patch", "delete", "export", "poll", "disclose", "break-glass"]

REST = "http://hl7.org/fhir/restful-interaction"
TYPE = {"system": "http://terminology.hl7.org/CodeSystem/audit-event-type", "code": "rest", "display": "RESTful Operation"}
DISCLOSE = {"system": "http://terminology.hl7.org/CodeSystem/iso-21089-lifecycle", "code": "disclose", "display": "Disclose Record Lifecycle Event"}
PURPOSE = "http://terminology.hl7.org/CodeSystem/v3-ActReason"
ENTITY = "http://terminology.hl7.org/CodeSystem/audit-entity-type"
ROLE = "http://terminology.hl7.org/CodeSystem/object-role"
ACTIONS = {"create": "C", "update": "U", "patch": "U", "delete": "D", "search": "E", "export": "E"}
INTERACTIONS = {"search": "search-type", "history": "history-instance", "export": "operation", "poll": "search-type"}


def audit_event(
    act: Act,
    *,
    who: str,
    recorded: datetime,
    gateway: str,
    organization: str = "",
    patients: Sequence[str] = (),
    resources: Sequence[str] = (),
    query: str = "",
    purpose: str = "TREAT",
    consents: Sequence[str] = (),
    permitted: bool = True,
    reason: str = "",
) -> Json:
    """One AuditEvent.

    `who` is the client's or user's id, `organization` its Organization's id, `gateway` the reference of the gateway's Device ("Device/…").
    `patients`, `resources` and `consents` are references; `query` the search as asked; `reason` what a user gave for break-glass.
    """
    agent: Json = {
        "who": {"identifier": {"system": "urn:care-transition-gateway:client", "value": who}},
        "requestor": True,
        "purposeOfUse": [{"coding": [coding_of(PURPOSE, purpose)]}],
    }
    if consents:
        agent["policy"] = sorted(consents)
    agents = [agent]
    if organization:
        agents.append({"who": {"reference": f"Organization/{organization}"}, "requestor": False})
    event: Json = {
        "resourceType": "AuditEvent",
        "meta": {"security": [coding_of(CONFIDENTIALITY, "R")]},
        "type": DISCLOSE if act in ("disclose", "break-glass") else TYPE,
        "action": ACTIONS.get(act, "R"),
        "recorded": recorded.isoformat(timespec="milliseconds"),
        "outcome": "0" if permitted else "4",
        "agent": agents,
        "source": {"observer": {"reference": gateway}},
    }
    if act not in ("disclose", "break-glass"):
        event["subtype"] = [{"system": REST, "code": INTERACTIONS.get(act, act)}]
    if act == "break-glass":
        event["purposeOfEvent"] = [{"coding": [coding_of(PURPOSE, "BTG")], **({"text": reason} if reason else {})}]
    entities = [entity(reference, "1", "1") for reference in patients]
    entities += [entity(reference, "2", "4") for reference in resources]
    entities += [{**entity(reference, "2", "4"), "description": "the consent that the disclosure rests on"} for reference in sorted(consents)]
    if query:
        asked = base64.b64encode(query.encode()).decode()
        entities.append({"type": {"system": ENTITY, "code": "2"}, "role": {"system": ROLE, "code": "24"}, "query": asked})
    if entities:
        event["entity"] = entities
    return event


def entity(reference: str, kind: str, role: str) -> Json:
    """What was touched: kind 1 a person, 2 a system object; role 1 the patient, 4 a domain resource."""
    return {"what": {"reference": reference}, "type": {"system": ENTITY, "code": kind}, "role": {"system": ROLE, "code": role}}
