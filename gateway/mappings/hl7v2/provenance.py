"""MSH, SFT, EVN, PID-33, PID-34, SCH-20, TXA-22, TXA-23 -> Provenance: which message said all this, when, why, and by whose hand.

One for a message, in the Bundle of `convert`; records that the gateway keeps have Provenance of their own, which names messages by identifier.
"""

from __future__ import annotations

from datetime import UTC, datetime

from gateway.er7.reader import Segment
from gateway.fhir.required import NOT_SAID
from gateway.mappings import tables
from gateway.mappings.hl7v2 import datatypes, keys, shared
from gateway.mappings.hl7v2.context import Context
from gateway.records.statements import Heading, Json

MESSAGE = "urn:care-transition-gateway:message"
_AGENT = "http://terminology.hl7.org/CodeSystem/provenance-participant-type"
_REASONS = tables.codings("0062-event-reason")
_COPIED: list[Json] = [
    {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v3-ParticipationType", "code": "IRCP", "display": "information recipient"}]}
]
_TYPES: dict[str, Json] = {
    code: {"coding": [{"system": _AGENT, "code": code, "display": display}]}
    for code, display in (("assembler", "Assembler"), ("author", "Author"), ("enterer", "Enterer"), ("performer", "Performer"))
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
    if heading.occurred:
        said["occurredDateTime"] = heading.occurred
    if context.message.first("SFT") is not None:
        _software(context, said)
    evn, pid = context.message.first("EVN"), context.message.first("PID")
    if evn is not None and len(evn) > 3:
        _event(context, evn, said)
    if pid is not None and len(pid) > 32:
        _changed(context, pid, said)
    if context.event.subject in ("appointment", "document"):
        _people(context, said)
    return said


def _software(context: Context, said: Json) -> None:
    """SFT: what put the message together, each product with its version and vendor, known by its binary ID."""
    for sft in context.message.all("SFT"):
        product = " ".join(part for part in (context.text(sft, 3), context.text(sft, 2)) if part)
        words = ", ".join(part for part in (product, context.text(sft, 1), context.text(sft, 5)) if part)
        number = context.text(sft, 4)
        who: Json = {"type": "Device", **({"identifier": {"value": number}} if number else {}), **({"display": words} if words else {})}
        if len(who) > 1:
            said["agent"].append(_for_hospital(context, "assembler", who))


def _event(context: Context, evn: Segment, said: Json) -> None:
    """Why it was told, who entered it, and where it occurred."""
    if context.text(evn, 4).upper() == "U":
        said["reason"] = [NOT_SAID]
    elif reason := datatypes.tabled(context, context.one(evn, 4), _REASONS, ("event-reason", "0062"), "EVN-4"):
        said["reason"] = [reason]
    _entered(context, evn, 5, said)
    where = context.text(evn, 7)
    if where:
        said["location"] = shared.elsewhere(context, where)


def _entered(context: Context, segment: Segment, field: int, said: Json) -> None:
    for xcn in context.every(segment, field):
        who = shared.practitioner(context, xcn)
        if who:
            said["agent"].append(_for_hospital(context, "enterer", who))


def _for_hospital(context: Context, part: str, who: Json) -> Json:
    """An agent; US Core asks on whose behalf people and devices act (provenance-1)."""
    return {"type": _TYPES[part], "who": who, "onBehalfOf": shared.hospital(context)}


def _changed(context: Context, pid: Segment, said: Json) -> None:
    """When the person's record was last changed, and by which facility."""
    changed = context.moment(pid, 33)
    if changed:
        said.setdefault("occurredDateTime", changed.text)
    facility = context.one(pid, 34)
    if facility is None or not facility[0]:
        return
    made: Json = {"resourceType": "Organization", "active": True, "name": facility[0]}
    system = keys.universal(facility[0], facility[1], facility[2])
    if system:
        made["identifier"] = [{"system": "urn:ietf:rfc:3986", "value": system}]
    reference = context.share("Organization", f"urn:gateway:name:{context.facility}|{facility[0].upper()}", made)
    said["agent"].append({"type": _TYPES["performer"], "who": {**reference, "display": facility[0]}})


def _people(context: Context, said: Json) -> None:
    """Who entered an appointment (SCH-20), and who has copies of a document (TXA-23)."""
    sch, txa = context.message.first("SCH"), context.message.first("TXA")
    if sch is not None:
        _entered(context, sch, 20, said)
    for xcn in context.every(txa, 23) if txa is not None else ():
        who = shared.practitioner(context, xcn)
        if who:
            said["agent"].append({"role": _COPIED, "who": who, "onBehalfOf": NOT_SAID})
            said["reason"] = [{"text": "Copies were distributed"}]
