"""XCN, XON, PL -> Practitioner, Organization, Location: resources that many people's records refer to."""

from __future__ import annotations

from gateway.mappings.hl7v2 import datatypes, keys, senders
from gateway.mappings.hl7v2.context import Context
from gateway.mappings.hl7v2.senders import Known
from gateway.mappings.hl7v2.values import MOST, Composite
from gateway.records.statements import Json, Shared

_PHYSICAL = "http://terminology.hl7.org/CodeSystem/location-physical-type"
_BED: Json = {"coding": [{"system": _PHYSICAL, "code": "bd", "display": "Bed"}]}
_ROOM: Json = {"coding": [{"system": _PHYSICAL, "code": "ro", "display": "Room"}]}
_WARD: Json = {"coding": [{"system": _PHYSICAL, "code": "wa", "display": "Ward"}]}


def practitioner(context: Context, xcn: Composite | None) -> Json | None:
    """XCN -> a reference to a Practitioner, with the name to show. Without a family name, which US Core asks for, a reference by identifier alone."""
    if xcn is None:
        return None
    known: Known | None = xcn.known.get("practitioner")
    if known is None:
        known = xcn.known["practitioner"] = _practitioner(context, xcn)
    return context.named(known)


def _practitioner(context: Context, xcn: Composite) -> Known:
    human = datatypes.name(context, xcn, first=1)
    found, key = _identified(context, xcn)
    if human is None or "family" not in human:
        shown = {"display": " ".join(human["given"])} if human else {}
        if found is None:
            return Known(shown or None)
        return Known({"identifier": found, **shown})
    if found is None:
        found, key = by_name(context, human)
    resource: Json = {"resourceType": "Practitioner", "active": True, "name": [human], "identifier": [found]}
    display = " ".join((*human.get("prefix", ()), *human.get("given", ()), human["family"], *human.get("suffix", ())))
    return senders.shared(context.sender, "Practitioner", key, resource, display)


def _identified(context: Context, xcn: Composite) -> tuple[Json | None, str]:
    """The identifier within an XCN, and its key."""
    value = xcn[0]
    if not value or keys.is_placeholder(value):
        return None, ""
    kind = datatypes.identifier_type(context, xcn[12])
    system = keys.system(xcn.hierarchic(8), kind or "PRN", context.facility, context.sender.authorities)
    if system == keys.NPI:
        kind = "NPI"
        system = keys.of_number(system, value, context.facility)
    found: Json = {"system": system, "value": value}
    if kind:
        found["type"] = datatypes.IDENTIFIER_TYPES[kind]
    return found, f"{system}|{value}"


def by_name(context: Context, human: Json) -> tuple[Json, str]:
    """(identifier, key) of somebody whom a sender gives no number: the name by which it knows them. US Core wants an identifier of everybody."""
    system, words = f"urn:gateway:name:{context.facility}", " ".join((human["family"], *human.get("given", ()))).upper()
    return {"system": system, "value": words}, f"{system}|{words}"


def organization(context: Context, xon: Composite | None, identified: Composite | None = None) -> Json | None:
    """XON -> a reference to an Organization; `identified` is a CX that names it where the XON has no id (IN1-3 beside IN1-4)."""
    said = xon if xon is not None else identified
    if said is None:
        return None
    slot = ("organization", identified.raw if identified is not None else "")
    known: Known | None = said.known.get(slot)
    if known is None:
        known = said.known[slot] = _organization(context, xon, identified)
    return context.named(known)


def _organization(context: Context, xon: Composite | None, identified: Composite | None) -> Known:
    label = xon[0] if xon else ""
    if identified is not None:
        value, hd, kind = identified[0], identified.hierarchic(3), identified[4]
    else:
        assert xon is not None
        value, hd, kind = xon[9] or xon[2], xon.hierarchic(5), xon[6]
    if not label and not value:
        return Known(None)
    system = keys.system(hd, datatypes.identifier_type(context, kind) or "XX", context.facility, context.sender.authorities) if value else ""
    system = keys.of_number(system, value, context.facility)
    key = f"{system}|{value}" if value and not keys.is_placeholder(value) else f"urn:gateway:name:{context.facility}|{label.upper()}"
    resource: Json = {"resourceType": "Organization", "active": True, "name": label or value}
    if value:
        resource["identifier"] = [{"system": system, "value": value}]
    return senders.shared(context.sender, "Organization", key, resource, label or value)


def hospital(context: Context, named: str = "") -> Json:
    """The reference to the sending hospital: the profile's name for people, else what the message says (`named`), else MSH-4."""
    reference = context.named(_hospital(context, named))
    assert reference is not None
    return reference


def _hospital(context: Context, named: str) -> Known:
    known = context.sender.hospitals.get(named)
    if known is None:
        shown = context.profile.hospital or named or context.sender_key
        resource: Json = {"resourceType": "Organization", "active": True, "name": shown}
        known = senders.shared(context.sender, "Organization", f"urn:gateway:hospital|{context.facility}", resource, shown)
        if len(context.sender.hospitals) < MOST:
            context.sender.hospitals[named] = known
    return known


def location(context: Context, pl: Composite | None) -> Json | None:
    """PL (point of care, room, bed, facility, …, building, floor, description) -> a reference to a Location, with its ward above it."""
    if pl is None:
        return None
    known: Known | None = pl.known.get("location")
    if known is None:
        known = pl.known["location"] = _location(context, pl)
    return context.named(known)


def _location(context: Context, pl: Composite) -> Known:
    ward, room, bed, site, building, floor = pl[0], pl[1], pl[2], pl[3], pl[6], pl[7]
    shown = " ".join(part for part in (ward, room if room != ward else "", bed) if part) or pl[8] or building or site
    if not shown:
        return Known(None)
    # The status of the bed and the kind of person there (PL-5, PL-6) change from message to message and make no other place.
    key = f"urn:gateway:location:{context.facility}|{'^'.join((ward, room, bed, site, building, floor))}".rstrip("^")
    resource: Json = {"resourceType": "Location", "status": "active", "name": shown, "mode": "instance"}
    described = pl[8] or ", ".join(part for part in (building, floor and f"floor {floor}") if part)
    if described and described != shown:
        resource["description"] = described
    if bed:
        resource["physicalType"] = _BED
    elif room:
        resource["physicalType"] = _ROOM
    elif ward:
        resource["physicalType"] = _WARD
    behind: tuple[tuple[str, Shared], ...] = ()
    if ward and (room or bed):
        above: Json = {"resourceType": "Location", "status": "active", "name": ward, "mode": "instance", "physicalType": _WARD}
        above_key = f"urn:gateway:location:{context.facility}|{'^'.join((ward, '', '', site))}".rstrip("^")
        behind = senders.shared(context.sender, "Location", above_key, above).shared
        resource["partOf"] = {"reference": behind[0][0]}
    owner = _hospital(context, site)
    resource["managingOrganization"] = owner.reference
    return senders.shared(context.sender, "Location", key, resource, shown, behind + owner.shared)


def elsewhere(context: Context, shown: str) -> Json:
    """A reference to a place of which the message gives no more than a name or code (PV1-37)."""
    key = f"urn:gateway:location:{context.facility}|^^^^^^{shown}"
    return {**context.share("Location", key, {"resourceType": "Location", "status": "active", "name": shown}), "display": shown}
