"""OBX-5 of the rarer types, and OBX-4, 10, 11, 15, 18 to 25, 29, 30, 33 -> what else an Observation says."""

from __future__ import annotations

from gateway.er7.reader import Segment
from gateway.mappings.hl7v2 import datatypes, keys, shared
from gateway.mappings.hl7v2.context import Context
from gateway.mappings.hl7v2.values import Composite
from gateway.records.statements import Json

_BASE = "http://hl7.org/fhir/StructureDefinition/"
_V5 = "http://hl7.org/fhir/5.0/StructureDefinition/extension-Observation."
_MEDIA = {"TEXT": "text", "IMAGE": "image", "APPLICATION": "application", "AUDIO": "audio", "VIDEO": "video", "TX": "text", "IM": "image"}
_NOT_ASKED: Json = {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/data-absent-reason", "code": "not-asked", "display": "Not Asked"}]}


def value(context: Context, obx: Segment, kind: str) -> Json | None:
    """The value of an OBX-2 of DR, NR, NA, SN with two numbers, ED or RP, as an element of Observation; None when it does not fit its type."""
    said = context.one(obx, 5)
    if said is None:
        return None
    if kind == "DR":
        period = datatypes.period(context, said[0], said[1])
        return {"valuePeriod": period} if period else None
    if kind == "NR":
        return _range(context, obx, said[0], said[1])
    if kind == "NA":
        return _sampled(context, obx, said)
    if kind == "SN":
        return _structured(context, obx, said)
    if kind in ("ED", "RP") and context.event.subject != "document":  # there it is the document's own content
        attachment = _attachment(context, obx, said, kind)
        return {"extension": [{"url": _V5 + "valueAttachment", "valueAttachment": attachment}]} if attachment else None
    return None


def _quantity(context: Context, obx: Segment, number: str) -> Json | None:
    unit = context.one(obx, 6)
    code, label, system = (unit[0], unit[1], datatypes.system_of(context, unit[2])) if unit is not None else ("", "", "")
    return datatypes.quantity(number, label, code, system)


def _range(context: Context, obx: Segment, low: str, high: str) -> Json | None:
    ends = {name: end for name, number in (("low", low), ("high", high)) if (end := _quantity(context, obx, number))}
    if len(ends) == 2 and ends["low"]["value"] > ends["high"]["value"]:
        return None  # rng-2; it is kept as text
    return {"valueRange": ends} if ends else None


def _structured(context: Context, obx: Segment, said: Composite) -> Json | None:
    """SN: two numbers with "-" between them are a range, with ":" or "/" a ratio."""
    if said[2] == "-" and not said[0]:
        return _range(context, obx, said[1], said[3])
    numerator, denominator = _quantity(context, obx, said[1]), datatypes.quantity(said[3], "", "", "")
    if said[2] in (":", "/") and not said[0] and numerator and denominator:
        return {"valueRatio": {"numerator": numerator, "denominator": denominator}}
    return None


def _sampled(context: Context, obx: Segment, said: Composite) -> Json | None:
    """NA: numbers without a time between them that anybody states are samples one unit apart."""
    numbers = [part for part in said.raw.split(context.message.delimiters.component) if part]
    if len(numbers) < 2 or any(datatypes.decimal(one) is None for one in numbers):
        return None
    return {"valueSampledData": {"origin": _quantity(context, obx, "0") or {"value": 0}, "period": 1, "dimensions": 1, "data": " ".join(numbers)}}


def _attachment(context: Context, obx: Segment, said: Composite, kind: str) -> Json | None:
    if kind == "RP":
        return {"url": said[0]} if said[0] and " " not in said[0] else None
    data = "".join(obx.value(5, 5).split())
    if said[3].upper() != "BASE64" or not data or len(data) % 4:
        return None
    media = _MEDIA.get(said[1].upper(), "application")
    return {"contentType": f"{media}/{said[2].lower() or 'octet-stream'}", "data": data}


def add(context: Context, obx: Segment, resource: Json) -> None:
    """What the fields after the value say: of the result, of who made it, and of what it was made on."""
    extensions: list[Json] = list(resource.get("extension", ()))
    for cwe in context.every(obx, 10):
        nature = datatypes.listed(context, cwe, "OBX-10", "0080")
        if nature:
            extensions.append({"url": _BASE + "observation-nature-of-abnormal-test", "valueCodeableConcept": nature})
    status = context.text(obx, 11).upper()
    if status == "X":
        resource["_status"] = {"extension": [_alternate("0085", "X")]}
    elif status == "N":
        resource["dataAbsentReason"] = _NOT_ASKED
    analysed = context.moment(obx, 19)
    if analysed:
        extensions.append({"url": _BASE + "observation-analysis-date-time", "valueDateTime": analysed.text})
    if context.text(obx, 4):
        sub_identifier = {"url": "original-sub-identifier", "valueString": context.values.text(obx.field(4))}
        extensions.append({"url": _BASE + "observation-v2-subid", "extension": [sub_identifier]})
    structure = datatypes.listed(context, context.one(obx, 30), "OBX-30", "0936")
    if structure:
        extensions.append({"url": _BASE + "observation-structure-type", "valueCodeableConcept": structure})
    _performers(context, obx, resource)
    site = datatypes.concept(context, context.one(obx, 20))
    if site:
        resource["bodySite"] = site
    _numbers(context, obx, resource)
    _specimens(context, obx, resource, extensions)
    if extensions:
        resource["extension"] = extensions


def _alternate(table: str, code: str) -> Json:
    coding = {"system": f"{datatypes.V2}{table}", "code": code}
    return {"url": _BASE + "alternate-codes", "valueCodeableConcept": {"coding": [coding]}}


def _performers(context: Context, obx: Segment, resource: Json) -> None:
    """OBX-15 and OBX-23: the organization, with its address (OBX-24) and its medical director (OBX-25)."""
    performers = list(resource.get("performer", ()))
    producer = context.one(obx, 15)
    if producer is not None and (producer[1] or producer[0]):
        key = f"urn:gateway:name:{context.facility}|{(producer[0] or producer[1]).upper()}"
        made: Json = {"resourceType": "Organization", "active": True, "name": producer[1] or producer[0]}
        performers.append({**context.share("Organization", key, made), "display": producer[1] or producer[0]})
    performing = shared.organization(context, context.one(obx, 23))
    if performing:
        known = context.shared.get(performing["reference"])
        addresses = [one for xad in context.every(obx, 24) if (one := datatypes.address(context, xad))]
        if addresses and known is not None:
            context.shared[performing["reference"]] = known._replace(resource={**known.resource, "address": addresses})
        performers.append(performing)
    director = shared.practitioner(context, context.one(obx, 25))
    if director:
        performers.append(director)
    if performers:
        resource["performer"] = [one for position, one in enumerate(performers) if one not in performers[:position]]


def _numbers(context: Context, obx: Segment, resource: Json) -> None:
    device = context.one(obx, 18)
    if device is not None and device[0]:
        resource["device"] = {"identifier": datatypes.entity(context, device, "")}
    number = context.one(obx, 21)
    if number is not None and number[0]:
        resource["identifier"] = [{"type": {"coding": [{"system": datatypes.V2 + "0203", "code": "FILL"}]}, **datatypes.entity(context, number, "")}]
    category = context.text(obx, 29).upper()
    if category:
        resource["category"] = [{"coding": [{"system": datatypes.V2 + "0936", "code": datatypes.clean_code(category)}]}]


def _specimens(context: Context, obx: Segment, resource: Json, extensions: list[Json]) -> None:
    """OBX-33 (EIP: placer's and filler's number): by number, as nobody sends the specimen itself here."""
    found = []
    for eip in context.every(obx, 33):
        for position in (0, 1):
            parts = eip.subcomponents.get(position) or [eip[position]]
            if parts[0]:
                namespace, universal, kind = (*parts[1:4], "", "", "")[:3]
                system = keys.universal(namespace, universal, kind) or f"urn:gateway:facility:{context.facility}:SPECIMEN"
                found.append({"identifier": {"system": system, "value": parts[0]}})
    if len(found) == 1:
        resource["specimen"] = found[0]
    elif found:
        resource["specimen"] = found[0]
        extensions += [{"url": _V5 + "specimen", "valueReference": one} for one in found[1:]]
