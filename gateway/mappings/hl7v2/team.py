"""ROL, PRT, IN3-21 -> members of a CareTeam, Patient.generalPractitioner, PractitionerRole, RelatedPerson.

Where a segment stands says whose team it is: before PV1 the person's, after it the stay's, after a problem, goal or pathway the person's again.
A fragment is one member (`records.placing` makes the team of them), so that action codes add, correct and take out members one by one.
"""

from __future__ import annotations

from typing import NamedTuple

from gateway.er7.reader import Segment
from gateway.fhir.required import complete
from gateway.mappings import tables
from gateway.mappings.hl7v2 import datatypes, shared
from gateway.mappings.hl7v2.actions import action
from gateway.mappings.hl7v2.context import Context
from gateway.mappings.hl7v2.participants import provider_role
from gateway.mappings.hl7v2.values import Composite
from gateway.records.placing import local
from gateway.records.statements import Fragment, Json

_ROLES = tables.codings("0443-provider-role")
_RELATIONSHIPS = tables.codings("0063-relationship")
_CONTACTS = tables.codings("0131-contact-role")
_PRIMARY_CARE = frozenset(("PP", "FHCP", "PCP"))
_SUBJECTS = frozenset(("PRB", "GOL", "PTH"))
_OTHERS = frozenset(("OBR", "ORC", "OBX", "PR1", "RF1", "IN1"))  # what stands after these took part in them, and is in no team
_PREFERRED = "http://hl7.org/fhir/StructureDefinition/iso21090-preferred"
_EVENT_LOCATION = "http://hl7.org/fhir/StructureDefinition/event-location"
_CASE_MANAGER: Json = {"coding": [{"system": "http://snomed.info/sct", "code": "768832004", "display": "Case manager"}], "text": "Case manager"}
_BY_CONTACT = {"B": ("phone", "work"), "C": ("phone", "mobile"), "E": ("email", ""), "F": ("fax", ""), "H": ("phone", "home"), "O": ("phone", "work")}


class _Fields(NamedTuple):
    """Where a segment keeps what; 0: nowhere."""

    instance: int
    action: int
    reason: int
    role: int
    person: int
    kind: int
    unit: int
    organization: int
    location: int
    start: int
    end: int
    address: int
    telecom: int
    preferred: int = 0
    numbers: int = 0


_FIELDS = {
    "ROL": _Fields(1, 2, 8, 3, 4, 9, 10, 14, 13, 5, 6, 11, 12),
    "PRT": _Fields(1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 12, 14, 15, 23, 24),
}
_NAMES = frozenset(("PV1", "PID", *_SUBJECTS, *_OTHERS, *_FIELDS))


def members(context: Context) -> tuple[list[Fragment], list[Fragment]]:
    """(the person's team, the stay's team), in the order told."""
    of_person: list[Fragment] = []
    of_stay: list[Fragment] = []
    current: list[Fragment] | None = of_person
    for segment in context.message.segments:
        name = segment.name
        if name not in _NAMES:
            continue
        if name == "PV1":
            current = of_stay
        elif name in _SUBJECTS or name == "PID":
            current = of_person
        elif name in _OTHERS:
            current = None
        elif name in _FIELDS and current is not None:
            current += context.once(segment, _told)
    return of_person, of_stay


def general_practitioners(context: Context) -> list[Json]:
    """References to those whom ROL or PRT before PV1 call the person's primary care."""
    found: list[Json] = []
    for segment in context.message.segments:
        if segment.name == "PV1":
            break
        fields = _FIELDS.get(segment.name)
        if fields and context.code(segment, fields.role, "provider-role", "0443") in _PRIMARY_CARE and action(context, segment, fields.action) != "D":
            who = _member(context, segment, fields, None)
            if who and who.get("reference", "").startswith("Practitioner") and who not in found:
                found.append(who)
    return found


def case_managers(context: Context) -> list[Fragment]:
    """IN3-21: the payer's case manager."""
    found = []
    for in3 in context.message.all("IN3"):
        who = context.text(in3, 21)
        if who:
            member: Json = {"role": [_CASE_MANAGER], "member": {"display": who}}
            found.append(Fragment({"resourceType": "CareTeam", "participant": [member]}, f"IN3-21|{who.upper()}"))
    return found


def took_part(context: Context, prt: Segment, observation: Json) -> None:
    """PRT after an OBX: who observed, and where."""
    fields = _FIELDS["PRT"]
    for xcn in context.every(prt, fields.person):
        who = shared.practitioner(context, xcn)
        if who and who not in observation.get("performer", ()):
            observation["performer"] = [*observation.get("performer", ()), who]
    where = shared.location(context, context.one(prt, fields.location))
    if where is None:
        address = context.one(prt, fields.address)
        text = ", ".join(part for part in address[:5] if part) if address is not None else ""
        where = shared.elsewhere(context, text) if text else None
    if where:
        observation["extension"] = [*observation.get("extension", ()), {"url": _EVENT_LOCATION, "valueReference": where}]


def _told(context: Context, segment: Segment) -> list[Fragment]:
    """The members that one segment tells of: each repetition of the person, else the organization."""
    fields = _FIELDS[segment.name]
    doing = action(context, segment, fields.action)
    role = provider_role(context, segment, fields.role)
    kind = datatypes.listed(context, context.one(segment, fields.kind), f"{segment.name}-{fields.kind}")
    people = context.every(segment, fields.person)
    number = context.text(segment, fields.instance)
    found: list[Fragment] = []
    for position, xcn in enumerate(people or (None,)):
        name = f"{segment.name}-{fields.instance}|{number}#{position}" if number else _name(context, segment, fields, xcn)
        relation = _relation(context, segment, fields)
        related = _related(context, segment, fields, xcn, relation, name) if xcn is not None and relation else None
        who = {"reference": local("RelatedPerson", name), "display": _label(xcn)} if related else _member(context, segment, fields, xcn)
        if who is None:
            continue
        if related:
            found.append(Fragment(related, name, doing))
        one: Json = {"member": who}
        period = datatypes.period(context, segment.value(fields.start), segment.value(fields.end))
        if period:
            one["period"] = period
        behalf = _organization(context, segment, fields)
        if behalf and who.get("reference", "").startswith("Practitioner/"):  # ctm-1: only a Practitioner acts for somebody
            one["onBehalfOf"] = behalf
        found.append(Fragment(_of_team(context, segment, fields, _in_roles(one, relation or role, kind)), name, doing))
    return found


def _in_roles(member: Json, role: Json | None, kind: Json | None) -> list[Json]:
    """The member once for each role, for US Core takes one; of a PractitionerRole, the kind of provider is its specialty."""
    if role and member["member"].get("reference", "").startswith("PractitionerRole/"):
        kind = None
    return [{**member, "role": [each]} for each in (role, kind) if each] or [member]


def _of_team(context: Context, segment: Segment, fields: _Fields, members: list[Json]) -> Json:
    resource: Json = {"resourceType": "CareTeam", "participant": members}
    reason = datatypes.concept(context, context.one(segment, fields.reason))
    if reason:
        resource["reasonCode"] = [reason]
    return resource


def _name(context: Context, segment: Segment, fields: _Fields, xcn: Composite | None) -> str:
    """What tells one member from another where no instance number does: the role and who it is."""
    who = xcn.raw.upper() if xcn is not None else context.text(segment, fields.organization).upper()
    return f"{segment.name}|{context.text(segment, fields.role).upper()}|{who}"


def _label(xcn: Composite | None) -> str:
    return " ".join(part for part in (xcn[2], xcn[1]) if part) or xcn[0] if xcn is not None else ""


def _relation(context: Context, segment: Segment, fields: _Fields) -> Json | None:
    """The role as a family relationship or a contact's, where it is one and no provider's."""
    said = context.one(segment, fields.role)
    if said is None or said[0].upper() in _ROLES or said[2].upper() not in ("HL70063", "HL70131"):
        return None
    return datatypes.tabled(context, said, _RELATIONSHIPS if said[2].upper() == "HL70063" else _CONTACTS, (), f"{segment.name}-{fields.role}")


def _related(context: Context, segment: Segment, fields: _Fields, xcn: Composite, relation: Json, name: str) -> Json | None:
    human = datatypes.name(context, xcn, first=1)
    if human is None:
        return None
    resource: Json = {"resourceType": "RelatedPerson", "active": True, "name": [human], "relationship": [relation]}
    number = context.one(segment, fields.instance)
    if number is not None and number[0]:
        resource["identifier"] = [datatypes.entity(context, number, "")]
    period = datatypes.period(context, segment.value(fields.start), segment.value(fields.end))
    if period:
        resource["period"] = period
    return resource | _reachable(context, segment, fields)


def _reachable(context: Context, segment: Segment, fields: _Fields) -> Json:
    found: Json = {}
    addresses = [one for xad in context.every(segment, fields.address) if (one := datatypes.address(context, xad))]
    if addresses:
        found["address"] = addresses
    telecom = _telecom(context, segment, fields)
    if telecom:
        found["telecom"] = telecom
    return found


def _telecom(context: Context, segment: Segment, fields: _Fields) -> list[Json]:
    """Numbers and addresses; the one that is to be used first (PRT-23) is marked."""
    points = [one for xtn in context.every(segment, fields.telecom) if (one := datatypes.telecom(context, xtn, "work"))]
    wanted = _BY_CONTACT.get(context.text(segment, fields.preferred).upper()) if fields.preferred else None
    if wanted:
        for position, point in enumerate(points):
            if point.get("system") == wanted[0] and wanted[1] in ("", point.get("use")):
                points[position] = {**point, "extension": [{"url": _PREFERRED, "valueBoolean": True}]}
                break
    return points


def _member(context: Context, segment: Segment, fields: _Fields, xcn: Composite | None) -> Json | None:
    """A reference to the Practitioner, to what they are at a place (PractitionerRole) where the segment says that, else to the organization."""
    xcn = xcn if xcn is not None else context.one(segment, fields.person)
    who = shared.practitioner(context, xcn)
    if who is None:
        return _organization(context, segment, fields)
    reference = who.get("reference", "")
    if not reference:
        return who
    addresses = [one for xad in context.every(segment, fields.address) if (one := datatypes.address(context, xad))]
    known = context.shared.get(reference)
    if addresses and known is not None:
        context.shared[reference] = known._replace(resource={**known.resource, "address": addresses})
    role: Json = {}
    specialty = datatypes.listed(context, context.one(segment, fields.kind), f"{segment.name}-{fields.kind}")
    if specialty:
        role["specialty"] = [specialty]
    there = shared.location(context, context.one(segment, fields.location))
    if there:
        role["location"] = [there]
    telecom = _telecom(context, segment, fields)
    if telecom:
        role["telecom"] = telecom
    numbers = [_licence(context, pln) for pln in context.every(segment, fields.numbers) if pln[0]] if fields.numbers else []
    if numbers:
        role["identifier"] = numbers
    return _practitioner_role(context, segment, fields, who, role) if role else who


def _practitioner_role(context: Context, segment: Segment, fields: _Fields, who: Json, role: Json) -> Json:
    code = provider_role(context, segment, fields.role)
    behalf = _organization(context, segment, fields)
    resource: Json = {"resourceType": "PractitionerRole", "active": True, "practitioner": who, **role}
    if code:
        resource["code"] = [code]
    if behalf:
        resource["organization"] = behalf
    place = f"{context.text(segment, fields.role).upper()}|{(behalf or {}).get('reference', '')}"
    shown = {"display": who["display"]} if "display" in who else {}
    return {**context.share("PractitionerRole", f"urn:gateway:role:{context.facility}|{who['reference']}|{place}", complete(resource)), **shown}


def _licence(context: Context, pln: Composite) -> Json:
    """PLN: number, its type, the state that gave it out."""
    found: Json = {"system": f"urn:gateway:facility:{context.facility}:{pln[1].upper() or 'U'}", "value": pln[0]}
    if pln[1].upper() in datatypes.IDENTIFIER_TYPES:
        found["type"] = datatypes.IDENTIFIER_TYPES[pln[1].upper()]
    ends = context.read(pln[3])
    if ends:
        found["period"] = {"end": ends.text}
    return found


def _organization(context: Context, segment: Segment, fields: _Fields) -> Json | None:
    """The organization, with the kind of unit it is; a unit that is only named by its kind is none."""
    reference = shared.organization(context, context.one(segment, fields.organization))
    if reference is None:
        return None
    kind = datatypes.listed(context, context.one(segment, fields.unit), f"{segment.name}-{fields.unit}")
    known = context.shared.get(reference["reference"])
    resource = dict(known.resource) if known is not None else {}
    if kind:
        resource["type"] = [kind]
    if not segment.field(fields.person):
        resource |= _reachable(context, segment, fields)
    if known is not None:
        context.shared[reference["reference"]] = known._replace(resource=resource)
    return reference
