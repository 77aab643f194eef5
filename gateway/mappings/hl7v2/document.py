"""TXA with its OBX -> DocumentReference."""

from __future__ import annotations

import base64
import re

from gateway.er7.reader import Segment
from gateway.errors import Invalid
from gateway.mappings import tables
from gateway.mappings.hl7v2 import datatypes, keys, observations, shared
from gateway.mappings.hl7v2.context import Context
from gateway.records.statements import Json, Statement

_T = "http://terminology.hl7.org/CodeSystem/"
_TYPES = tables.codings("0270-document-type")
_COMPLETION = tables.targets("0271-document-completion")
_CONFIDENTIALITY = tables.targets("0177-confidentiality")
_CLINICAL_NOTE: list[Json] = [
    {
        "coding": [
            {
                "system": "http://hl7.org/fhir/us/core/CodeSystem/us-core-documentreference-category",
                "code": "clinical-note",
                "display": "Clinical Note",
            }
        ]
    }
]
_UNAVAILABLE = ("OB", "UN")
_ALTERNATE = "http://hl7.org/fhir/StructureDefinition/alternate-codes"
_MEDIA = {
    "TEXT": "text",
    "IMAGE": "image",
    "APPLICATION": "application",
    "AUDIO": "audio",
    "VIDEO": "video",
    "IM": "image",
    "AP": "application",
    "TX": "text",
}
_SUBTYPES = {"PDF": "pdf", "RTF": "rtf", "HTML": "html", "XML": "xml", "JPEG": "jpeg", "JPG": "jpeg", "PNG": "png", "TIFF": "tiff", "PLAIN": "plain"}
_BASE64 = re.compile(r"[A-Za-z0-9+/]*={0,2}")  # looked at in place: decoding megabytes would copy them twice
_TEXT_TYPES = ("TX", "FT", "ST", "")


def statement(context: Context, person: tuple[str, ...], beside: list[Json]) -> Statement:
    """The document; `beside` is what PV1 names of a visit that is no stay of its own. One without a number is known by its message alone.

    Raises Invalid, with the place, without TXA.
    """
    txa = context.message.first("TXA")
    if txa is None:
        raise Invalid("A document message needs a TXA segment", location="TXA", condition="100")
    number = context.one(txa, 12)
    key = keys.of_entity("document", number, context.facility) if number is not None and number[0] else ""
    own: Json = {"resourceType": "DocumentReference"}
    if number is not None and key:
        own["masterIdentifier"] = datatypes.entity(context, number, key)
    else:
        key = f"urn:gateway:document:unnumbered:{context.facility}|{context.text(context.message.header, 10) or context.recorded}"
        context.report("TXA-12", "101", "W", "The document has no number; no later message can change it.")
    own["status"] = _status(context, txa)
    own["category"] = _CLINICAL_NOTE
    kind = datatypes.tabled(context, context.one(txa, 2), _TYPES, ("document-type", "0270"), "TXA-2")
    if kind:
        own["type"] = kind
    _described(context, txa, own)
    content = _content(context, txa)
    if content:
        own["content"] = content
    if beside:
        own["context"] = {"related": beside}
    return Statement("document", (key,), person, own)


def _status(context: Context, txa: Segment) -> str:
    if context.event.code == "T11" or context.text(txa, 19).upper() == "CA":
        return "entered-in-error"
    return "superseded" if context.text(txa, 19).upper() in _UNAVAILABLE else "current"


def _described(context: Context, txa: Segment, own: Json) -> None:
    date = context.moment(txa, 6) or context.moment(txa, 4)
    if date and len(date.text) > 10:
        own["date"] = date.text  # an instant: a bare day is none
    elif date:
        own["extension"] = [{"url": "http://hl7.org/fhir/6.0/StructureDefinition/extension-date", "valueDate": date.text}]
    availability = context.text(txa, 19).upper()
    if availability in ("CA", *_UNAVAILABLE):
        coding = {"system": datatypes.V2 + "0273", "code": availability}
        own["_status"] = {"extension": [{"url": _ALTERNATE, "valueCodeableConcept": {"coding": [coding]}}]}
    completion = _COMPLETION.get(context.code(txa, 17, "document-completion", "0271"))
    if completion:
        own["docStatus"] = completion
    confidentiality = context.code(txa, 18, "confidentiality", "0177")
    if confidentiality:
        own["securityLabel"] = [{"coding": [{"system": _T + "v3-Confidentiality", "code": _CONFIDENTIALITY.get(confidentiality, "R")}]}]
    authors: list[Json] = []
    for field in (9, 5):
        for xcn in context.every(txa, field):
            who = shared.practitioner(context, xcn)
            if who and who not in authors:
                authors.append(who)
    if authors:
        own["author"] = authors
    for field in (22, 10):
        authenticator = shared.practitioner(context, context.one(txa, field))
        if authenticator and "reference" in authenticator:
            own["authenticator"] = authenticator
            break
    title = context.text(txa, 25)
    if title:
        own["description"] = title
    file_name = context.text(txa, 16)
    if file_name:
        own["identifier"] = [{"system": f"urn:gateway:facility:{context.facility}:file", "value": file_name}]
    parent = context.one(txa, 13)
    if parent is not None and parent[0]:
        key = keys.of_entity("document", parent, context.facility)
        code = "replaces" if context.event.code in ("T09", "T10") else "appends"
        own["relatesTo"] = [{"code": code, "target": {"identifier": datatypes.entity(context, parent, key)}}]


def _content(context: Context, txa: Segment) -> list[Json]:
    """The OBX segments: runs of text are one attachment, each encapsulated document one of its own."""
    lines: list[str] = []
    found: list[Json] = []
    for obx in context.message.all("OBX"):
        kind = context.text(obx, 2).upper()
        if kind in ("ED", "RP"):
            attachment = _encapsulated(context, obx) if kind == "ED" else _pointer(context, obx)
            if attachment:
                found.append({"attachment": attachment})
        elif kind in _TEXT_TYPES:
            lines.append(observations.free_text(context, obx))
    if any(lines):
        text = "\n".join(lines).encode("utf-8")
        found.insert(0, {"attachment": {"contentType": "text/plain; charset=utf-8", "data": base64.b64encode(text).decode("ascii")}})
    title = context.text(txa, 25)
    presented = context.text(txa, 3).upper()
    for one in found if presented else ():
        one["format"] = {"system": datatypes.V2 + "0191", "code": datatypes.clean_code(presented)}
    for one in found if title else ():
        one["attachment"]["title"] = title
    return found


def _encapsulated(context: Context, obx: Segment) -> Json | None:
    """ED: source, type, subtype, encoding, data. Base64 stays as it is where it holds; text is encoded."""
    kind, subtype, encoding = (context.text(obx, 5, part).upper() for part in (2, 3, 4))
    data = obx.value(5, 5)
    if not data:
        return None
    if encoding == "BASE64":
        packed = "".join(data.split())
        if len(packed) % 4 or not _BASE64.fullmatch(packed):
            context.report(f"OBX[{obx.number}]-5", "102", "W", "The document is said to be in Base64 and is not; it was left out.")
            return None
    else:
        packed = base64.b64encode(data.encode("utf-8", "replace")).decode("ascii")
    media = _MEDIA.get(kind, "application")
    default = "plain" if media == "text" else "octet-stream"
    return {"contentType": f"{media}/{_SUBTYPES.get(subtype, default)}" if media != "application" or subtype != "RTF" else "text/rtf", "data": packed}


def _pointer(context: Context, obx: Segment) -> Json | None:
    """RP: a pointer is kept as the address that it is."""
    address = context.text(obx, 5)
    return {"url": address} if address and not any(character.isspace() for character in address) else None
