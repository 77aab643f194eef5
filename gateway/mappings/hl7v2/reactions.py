"""AL1-2, AL1-4, IAM-12, IAM-14, IAM-15, IAM-17, IAM-27 and their like -> what else an AllergyIntolerance says."""

from __future__ import annotations

from gateway.er7.reader import Segment
from gateway.mappings import tables
from gateway.mappings.hl7v2 import datatypes
from gateway.mappings.hl7v2.context import Context
from gateway.records.placing import PERSON, local
from gateway.records.statements import Fragment, Json

_ALTERNATE = "http://hl7.org/fhir/StructureDefinition/alternate-codes"
_STATUSES = {"A": "active", "AC": "active", "ACTIVE": "active", "I": "inactive", "IN": "inactive", "INACTIVE": "inactive", "R": "resolved"}
_RELATIONSHIPS = tables.codings("0063-relationship")
_CLINICAL = "http://terminology.hl7.org/CodeSystem/allergyintolerance-clinical"


def codes_as_sent(context: Context, segment: Segment, resource: Json) -> None:
    """The sender's own codes beside the FHIR codes that were made of them (fields 2 and 4)."""
    for field, table, element in ((2, "0127", "category"), (4, "0128", "criticality")):
        said = datatypes.listed(
            context, context.one(segment, field), f"{segment.name}-{field}", table, frozenset(("DA", "FA", "MA", "SV", "MO", "MI"))
        )
        if said and element in resource:
            extension = {"extension": [{"url": _ALTERNATE, "valueCodeableConcept": said}]}
            resource[f"_{element}"] = [extension] if isinstance(resource[element], list) else extension


def add(context: Context, iam: Segment, resource: Json) -> None:
    """IAM's own fields: when it began in words, its state, who reported it, and the code of its inventory."""
    words = context.text(iam, 12)
    if words and "onsetDateTime" not in resource:
        resource["onsetString"] = words
    status = _STATUSES.get(context.text(iam, 17).upper()) or _STATUSES.get(context.text(iam, 17, 2).upper())
    if status and "clinicalStatus" in resource:
        resource["clinicalStatus"] = {"coding": [{"system": _CLINICAL, "code": status}]}
    name = _reporter(context, iam)
    if _is_self(context, iam):
        resource["recorder"] = {"reference": PERSON}
    elif name and context.text(iam, 15):
        resource["recorder"] = {"reference": local("RelatedPerson", name)}
    elif name:
        resource["recorder"] = {"display": " ".join(part for part in (context.text(iam, 14, 2), context.text(iam, 14)) if part)}
    alternate = datatypes.concept(context, context.one(iam, 27))
    if alternate and alternate.get("coding"):
        code = resource["code"]
        more = [one for one in alternate["coding"] if one not in code.get("coding", ())]
        resource["code"] = {**code, "coding": [*code.get("coding", ()), *more]}


def reporters(context: Context) -> list[Fragment]:
    """IAM-14 with IAM-15: a relative who reported an allergy."""
    found: dict[str, Fragment] = {}
    for iam in context.message.all("IAM"):
        name = _reporter(context, iam)
        relation = datatypes.tabled(context, context.one(iam, 15), _RELATIONSHIPS, ("relationship", "0063"), "relationship")
        human = next((one for xpn in context.every(iam, 14) if (one := datatypes.name(context, xpn))), None)
        if name and relation and human and not _is_self(context, iam):
            resource: Json = {"resourceType": "RelatedPerson", "active": True, "name": [human], "relationship": [relation]}
            found.setdefault(name, Fragment(resource, name))
    return list(found.values())


def _is_self(context: Context, iam: Segment) -> bool:
    return context.text(iam, 15).upper() in ("SEL", "SELF")


def _reporter(context: Context, iam: Segment) -> str:
    words = " ".join(part for part in (context.text(iam, 14, 2), context.text(iam, 14)) if part)
    return f"IAM-14|{words.upper()}" if words else ""
