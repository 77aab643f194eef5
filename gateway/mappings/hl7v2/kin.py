"""NK1-12, NK1-30 to 33, NK1-37, NK1-41 -> what else is said of a next of kin: numbers, and whom to ask at an organization."""

from __future__ import annotations

from gateway.er7.reader import Segment
from gateway.mappings.hl7v2 import datatypes, keys
from gateway.mappings.hl7v2.context import Context
from gateway.records.statements import Json


def add(context: Context, nk1: Segment, resource: Json) -> None:
    """Identifiers, and the contact person's name, numbers and address beside the organization's own."""
    identifiers = []
    for field, kind in ((12, "EI"), (33, "")):
        identifiers += [said[0] for cx in context.every(nk1, field) if (said := datatypes.identifier(context, cx, kind))]
    digits = keys.social_security(context.text(nk1, 37))
    if digits:
        identifiers.append({"system": keys.SSN, "value": digits, "type": datatypes.IDENTIFIER_TYPES["SS"]})
    if identifiers:
        resource["identifier"] = identifiers
    names = [one for xpn in context.every(nk1, 30) if (one := datatypes.name(context, xpn))]
    if names:
        resource["name"] = [*resource.get("name", ()), *names]
    points = [one for field in (31, 41) for xtn in context.every(nk1, field) if (one := datatypes.telecom(context, xtn))]
    if points:
        resource["telecom"] = [*resource.get("telecom", ()), *points]
    addresses = [one for xad in context.every(nk1, 32) if (one := datatypes.address(context, xad))]
    if addresses:
        resource["address"] = [*resource.get("address", ()), *addresses]
