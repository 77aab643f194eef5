"""MSH, EVN, PID-33, PID-34, SCH-20, TXA-22, TXA-23 -> Provenance: which message said all this, when, why, and by whose hand.

One for a message, in the Bundle of `convert`; records that the gateway keeps have Provenance of their own, which names messages by identifier.
"""

from __future__ import annotations

from datetime import UTC, datetime

from gateway.mappings import tables
from gateway.mappings.hl7v2 import datatypes, keys, shared
from gateway.mappings.hl7v2.context import Context
from gateway.records.statements import Heading, Json

MESSAGE = "urn:care-transition-gateway:message"
_AGENT = "http://terminology.hl7.org/CodeSystem/provenance-participant-type"
_UNKNOWN: Json = {"extension": [{"url": "http://hl7.org/fhir/StructureDefinition/data-absent-reason", "valueCode": "unknown"}]}
_REASONS = tables.codings("0062-event-reason")
_COPIED: list[Json] = [
    {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v3-ParticipationType", "code": "IRCP", "display": "information recipient"}]}
]
_TYPES: dict[str, Json] = {
    code: {"coding": [{"system": _AGENT, "code": code, "display": display}]}
    for code, display in (("author", "Author"), ("enterer", "Enterer"), ("performer", "Performer"))
}


def of(context: Context, heading: Heading) -> Json:
    """The message's Provenance, without its targets and id."""
    said: Json = {
        "resourceType": "Provenance",
        "recorded": datetime.fromtimestamp(heading.recorded / 1_000_000, UTC).isoformat(timespec="milliseconds"),
        "activity": {"coding": [{"display": f"event - {heading.event}"}]},
        "agent": [{"type": _TYPES["author"], "who": shared.hospital(context)}],
        "entity": [
            {"role": "source", "what": {"identifier": {"system": MESSAGE, "value": f"{heading.sender}/{heading.control_id or heading.recorded}"}}}
        ],
    }
    _event(context, heading, said)
    _people(context, said)
    return said


def _event(context: Context, heading: Heading, said: Json) -> None:
    """When it occurred, where, and why it was told."""
    evn, pid = context.message.first("EVN"), context.message.first("PID")
    changed = context.moment(pid, 33) if pid is not None else None
    if heading.occurred or changed:
        said["occurredDateTime"] = heading.occurred or (changed.text if changed else "")
    if evn is None:
        return
    if context.text(evn, 4).upper() == "U":
        said["reason"] = [_UNKNOWN]
    elif reason := datatypes.tabled(context, context.one(evn, 4), _REASONS, ("event-reason", "0062"), "EVN-4"):
        said["reason"] = [reason]
    where = context.text(evn, 7)
    if where:
        said["location"] = shared.elsewhere(context, where)


def _people(context: Context, said: Json) -> None:
    """Who entered it (EVN-5, SCH-20), which facility changed the person's record (PID-34), and who has copies of a document (TXA-23)."""
    for name, field in (("EVN", 5), ("SCH", 20)):
        segment = context.message.first(name)
        for xcn in context.every(segment, field) if segment is not None else ():
            who = shared.practitioner(context, xcn)
            if who:
                said["agent"].append({"type": _TYPES["enterer"], "who": who})
    pid = context.message.first("PID")
    facility = context.one(pid, 34) if pid is not None else None
    if facility is not None and facility[0]:
        made: Json = {"resourceType": "Organization", "active": True, "name": facility[0]}
        system = keys.universal(facility[0], facility[1], facility[2])
        if system:
            made["identifier"] = [{"system": "urn:ietf:rfc:3986", "value": system}]
        reference = context.share("Organization", f"urn:gateway:name:{context.facility}|{facility[0].upper()}", made)
        said["agent"].append({"type": _TYPES["performer"], "who": {**reference, "display": facility[0]}})
    txa = context.message.first("TXA")
    for xcn in context.every(txa, 23) if txa is not None else ():
        who = shared.practitioner(context, xcn)
        if who:
            said["agent"].append({"role": _COPIED, "who": who})
            said["reason"] = [{"text": "Copies were distributed"}]
