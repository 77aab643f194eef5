"""RF1, PRD, CTD -> ServiceRequest: a referral, as its clinician wrote it (intent order)."""

from __future__ import annotations

from gateway.er7.reader import Segment
from gateway.errors import Invalid
from gateway.mappings import tables
from gateway.mappings.hl7v2 import clinical, datatypes, keys, shared
from gateway.mappings.hl7v2.context import Context
from gateway.mappings.hl7v2.values import Composite
from gateway.records.statements import Json, Statement

_STATUSES = tables.targets("0283-referral-status")
_PRIORITIES = tables.targets("0485-priority")
_REFERRING = frozenset(("RP", "REFERRING PROVIDER"))
_RECEIVING = frozenset(("RT", "REFERRED TO PROVIDER"))
_CATEGORY: Json = {"coding": [{"system": "http://snomed.info/sct", "code": "3457005", "display": "Patient referral"}], "text": "Referral"}
_REFERRAL: Json = {"text": "Referral"}


def statement(context: Context, person: tuple[str, ...], stay: str) -> Statement:
    """The referral. `facts["receivers"]`: every number and name of those it goes to (PRD with role RT), for routing; `facts["stay_key"]` its stay.

    Raises Invalid, with the place, when it has neither RF1 nor PRD: nobody knows what is asked then.
    """
    rf1 = context.message.first("RF1")
    providers = context.message.all("PRD")
    if rf1 is None and not providers:
        raise Invalid("A referral needs an RF1 segment, or PRD segments", location="RF1", condition="100")
    identifiers, names = _numbers(context, rf1) if rf1 is not None else ([], ())
    own: Json = {"resourceType": "ServiceRequest", "intent": "order", "category": [_CATEGORY]}
    if identifiers:
        own["identifier"] = identifiers
    status = _status(context, rf1)
    if status:
        own["status"] = status
    if rf1 is not None:
        _asked(context, rf1, own)
    own.setdefault("code", _REFERRAL)
    _reasons(context, own)
    receivers = _providers(context, providers, own)
    _contacts(context, own)
    facts: dict[str, object] = {"receivers": receivers} if receivers else {}
    if stay:
        facts["stay_key"] = stay
    if not names:
        context.report("RF1-6", "101", "W", "The referral has no number; no later message can change it.")
        names = (f"urn:gateway:referral:unnumbered:{context.facility}|{context.text(context.message.header, 10) or context.recorded}",)
    return Statement("referral", names, person, own, facts=facts)


def _numbers(context: Context, rf1: Segment) -> tuple[list[Json], tuple[str, ...]]:
    """RF1-6, the originator's number, and RF1-11, the other side's."""
    identifiers, names = [], []
    for field in (6, 11):
        number = context.one(rf1, field)
        key = keys.of_entity("referral", number, context.facility) if number is not None and number[0] else ""
        if key and number is not None:
            names.append(key)
            identifiers.append(datatypes.entity(context, number, key))
    return identifiers, tuple(dict.fromkeys(names))


def _status(context: Context, rf1: Segment | None) -> str:
    """I14 takes it back; else RF1-1; else what is new is active, and a change says nothing of the status."""
    if context.event.code == "I14":
        return "revoked"
    said = context.one(rf1, 1) if rf1 is not None else None
    known = (_STATUSES.get(context.standard(said[0], "referral-status", "0283")) or _STATUSES.get(said[1].upper())) if said is not None else None
    return known or ("active" if context.event.code == "I12" else "")


def _asked(context: Context, rf1: Segment, own: Json) -> None:
    priority = _PRIORITIES.get(context.code(rf1, 2, "priority", "0485"))
    if priority:
        own["priority"] = priority
    kind = datatypes.listed(context, context.one(rf1, 3), "RF1-3", "0281")
    if kind:
        own["code"] = kind
    details = [one for cwe in context.every(rf1, 4) if (one := datatypes.listed(context, cwe, "RF1-4", "0282"))]
    if details:
        own["orderDetail"] = details
    category = datatypes.listed(context, context.one(rf1, 5), "RF1-5", "0284")
    if category:
        own["category"] = [_CATEGORY, category]
    period = datatypes.period(context, rf1.value(7), rf1.value(8))
    if period:
        own["occurrencePeriod"] = period
    written = context.moment(rf1, 9)
    if written:
        own["authoredOn"] = written.text


def _reasons(context: Context, own: Json) -> None:
    """RF1-10, RF1-14 and the diagnoses that are sent along; notes."""
    rf1 = context.message.first("RF1")
    reasons: list[Json] = []
    if rf1 is not None:
        reasons += [one for cwe in context.every(rf1, 10) if (one := datatypes.listed(context, cwe, "RF1-10", "0336"))]
        words = context.text(rf1, 14)
        if words:
            reasons.append({"text": words})
    if context.message.first("DG1") is not None:
        reasons += [fragment.resource["code"] for fragment in clinical.diagnoses(context)[0] if fragment.action != "D"]
    if reasons:
        own["reasonCode"] = reasons
    notes = [text for nte in context.message.all("NTE") if (text := "\n".join(filter(None, map(context.values.text, nte.repetitions(3)))))]
    if notes:
        own["note"] = [{"text": text} for text in notes]


def _providers(context: Context, providers: list[Segment], own: Json) -> list[str]:
    """Who refers, and to whom; every number and name of the receivers is returned."""
    receivers: dict[str, None] = {}
    performers: list[Json] = []
    for prd in providers:
        roles = {word.upper() for cwe in context.every(prd, 1) for word in (cwe[0], cwe[1]) if word}
        who, names = _provider(context, prd)
        if who is None:
            continue
        if roles & _REFERRING:
            own.setdefault("requester", who)
        elif roles & _RECEIVING:
            performers += [who, *(one for one in (_organization(context, prd),) if one and one["reference"] != who.get("reference"))]
            receivers.update(dict.fromkeys(names))
    if performers:
        own["performer"] = performers
    return list(receivers)


def _provider(context: Context, prd: Segment) -> tuple[Json | None, list[str]]:
    """The Practitioner, else the Organization, that a PRD names, with every number and name it gives."""
    numbers = [pln for pln in context.every(prd, 7) if pln[0]]
    organization = context.one(prd, 10)
    names = [pln[0] for pln in numbers]
    if organization is not None:
        names += [one for one in (organization[9], organization[2], organization[0]) if one]
    human = next((one for xpn in context.every(prd, 2) if (one := datatypes.name(context, xpn))), None)
    if human is None or "family" not in human:
        return _organization(context, prd), names
    names.append(" ".join((*human.get("given", ()), human["family"])))
    identifiers = [_number(context, pln) for pln in numbers] or [shared.by_name(context, human)[0]]
    key = f"{identifiers[0]['system']}|{identifiers[0]['value']}"
    resource: Json = {"resourceType": "Practitioner", "active": True, "name": [human], "identifier": identifiers}
    resource |= _reachable(context, prd, 3, 5)
    return {**context.share("Practitioner", key, resource), "display": names[-1]}, names


def _number(context: Context, pln: Composite) -> Json:
    kind = pln[1].upper()
    system = keys.system((pln[2], "", ""), kind or "PRN", context.facility, context.sender.authorities)
    found: Json = {"system": keys.of_number(system, pln[0], context.facility), "value": pln[0]}
    if kind in datatypes.IDENTIFIER_TYPES:
        found["type"] = datatypes.IDENTIFIER_TYPES[kind]
    return found


def _organization(context: Context, prd: Segment) -> Json | None:
    reference = shared.organization(context, context.one(prd, 10))
    known = context.shared.get(reference["reference"]) if reference else None
    if reference and known is not None:
        context.shared[reference["reference"]] = known._replace(resource=known.resource | _reachable(context, prd, 11, 13))
    return reference


def _reachable(context: Context, segment: Segment, address: int, telecom: int) -> Json:
    found: Json = {}
    addresses = [one for xad in context.every(segment, address) if (one := datatypes.address(context, xad))]
    if addresses:
        found["address"] = addresses
    points = [one for xtn in context.every(segment, telecom) if (one := datatypes.telecom(context, xtn, "work"))]
    if points:
        found["telecom"] = points
    return found


def _contacts(context: Context, own: Json) -> None:
    """CTD: whom to ask about it. ServiceRequest has no place for a contact but its note."""
    for ctd in context.message.all("CTD"):
        human = next((one for xpn in context.every(ctd, 2) if (one := datatypes.name(context, xpn))), None)
        points = [one["value"] for xtn in context.every(ctd, 5) if (one := datatypes.telecom(context, xtn))]
        who = " ".join((*human.get("given", ()), human.get("family", ""))).strip() if human else ""
        role = context.text(ctd, 1, 2) or context.text(ctd, 1)
        words = ", ".join(part for part in (who, role, *points) if part)
        if words:
            own["note"] = [*own.get("note", ()), {"text": f"Contact: {words}"}]
