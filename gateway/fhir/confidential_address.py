"""Addresses that are marked confidential: whoever harms the client must not learn where they live."""

from __future__ import annotations

from typing import Any

AD_USE = "http://hl7.org/fhir/StructureDefinition/iso21090-AD-use"
"""HL7's extension of Address for uses that Address.use has no code for; its value CONF is a confidential address."""
MARK: dict[str, Any] = {"url": AD_USE, "valueCode": "CONF"}


def is_confidential(address: dict[str, Any]) -> bool:
    """Whether an Address bears the mark."""
    return any(one.get("url") == AD_USE and one.get("valueCode") == "CONF" for one in address.get("extension", ()))


def any_confidential(resource: dict[str, Any]) -> bool:
    """Whether any address of a Patient, RelatedPerson … bears the mark."""
    addresses = resource.get("address")
    return isinstance(addresses, list) and any(is_confidential(one) for one in addresses)


def together(latest: list[list[dict[str, Any]]], addresses: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The addresses that stand, with what any sender's latest word says to be confidential: others send the same address without the mark."""
    marked = [one for said in latest for one in said if is_confidential(one)]
    if not marked:
        return addresses
    streets = {_street(one) for one in marked}
    kept = [
        {**one, "extension": [MARK, *one.get("extension", ())]} if _street(one) in streets and not is_confidential(one) else one for one in addresses
    ]
    standing = {_street(one) for one in kept}
    return [*kept, *{_street(one): one for one in marked if _street(one) not in standing}.values()]


def _street(address: dict[str, Any]) -> str:
    """The first line, whatever its case and blanks."""
    return " ".join(str(next(iter(address.get("line", ())), "")).casefold().split())
