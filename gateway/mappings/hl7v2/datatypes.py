"""HL7 v2 data types -> R4 data types: CWE, XPN, XAD, XTN, CX, EI, CQ and their older forms (CE, CM, ST, IS), which are shorter."""

from __future__ import annotations

import re
from functools import lru_cache

from gateway.fhir.confidential_address import MARK
from gateway.mappings import tables
from gateway.mappings.hl7v2 import keys
from gateway.mappings.hl7v2.context import Context
from gateway.mappings.hl7v2.values import MOST, Composite
from gateway.mappings.tables import Coding
from gateway.records.statements import Json

V2 = "http://terminology.hl7.org/CodeSystem/v2-"
_CENSUS_TRACT = "http://hl7.org/fhir/StructureDefinition/iso21090-ADXP-censusTract"
_SYSTEMS = tables.targets("0396-coding-system")
_NAME_USES = tables.targets("0200-name-type")
_ADDRESS_USES = tables.targets("0190-address-type")
_ADDRESS_TYPES = tables.column("0190-address-type", "kind")
_CONFIDENTIAL = tables.column("0190-address-type", "confidential")
_TELECOM_USES = tables.targets("0201-telecom-use")
_TELECOM_SYSTEMS = tables.targets("0202-telecom-equipment")
_EQUIPMENT_USES = tables.column("0202-telecom-equipment", "use")
_HL7_TABLE = re.compile(r"(?:HL7-?|V2-)?(0[0-9]{3})")
IDENTIFIER_TYPES: dict[str, Json] = {
    code: {"coding": [{"system": V2 + "0203", "code": target, "display": keys.TYPE_NAMES[code]}]} for code, target in keys.TYPES.items()
}


def clean_code(code: str) -> str:
    """A code as FHIR's `code` may be: single spaces only."""
    return " ".join(code.split())


@lru_cache(maxsize=4096)
def code_system(name: str, facility: str) -> str:
    """The URI of a coding system's name (table 0396); one that only its sender knows gets a name under that facility; "" for none."""
    if not name:
        return ""
    upper = name.upper()
    known = _SYSTEMS.get(upper)
    if known:
        return known
    table = _HL7_TABLE.fullmatch(upper)
    if table:
        return V2 + table[1]
    by_oid = keys.universal("", name, "") if name[0] in "012" and "." in name else ""
    if by_oid.startswith("urn:oid:"):
        return by_oid
    return f"urn:gateway:codes:{facility}:{keys.escape(name)}"


def system_of(context: Context, name: str) -> str:
    """The URI of a coding system's name, by the feed's own names first."""
    own = context.local(name, "coding-system", "0396") if context.sender.codes else ""
    return code_system(own or name, context.facility)


def coding(context: Context, code: str, text: str, system: str, default: str = "") -> Coding:
    """One Coding; `default` is the system of codes whose sender names none."""
    uri = system_of(context, system) if system else default
    if " " in code or "\n" in code or "\t" in code:
        code = clean_code(code)
    found: Coding = {"system": uri, "code": code} if uri else {"code": code}
    if text:
        found["display"] = text
    return found


def concept(context: Context, cwe: Composite | None, default: str = "") -> Json | None:
    """CWE, CE, CNE, IS or ST -> CodeableConcept with all its codings; `default` is the system of a code whose sender names none.

    A code without a system is kept as a Coding without one. The text is what the sender's user saw: original text, else the first label.
    What it gives may be given again, and is not to be changed.
    """
    if cwe is None:
        return None
    known = cwe.known
    if default not in known:
        known[default] = _concept(context, cwe, default)
    found: Json | None = known[default]
    return found


def _concept(context: Context, cwe: Composite, default: str) -> Json | None:
    code, text, other_code = cwe[0], cwe[1], cwe[3]
    found: Json = {}
    if code:
        found["coding"] = codings = [coding(context, code, text, cwe[2], default)]
        if other_code:
            codings.append(coding(context, other_code, cwe[4], cwe[5]))
        if cwe[9]:
            codings.append(coding(context, cwe[9], cwe[10], cwe[11]))
    elif other_code:
        found["coding"] = [coding(context, other_code, cwe[4], cwe[5])]
    words = cwe[8] or text or cwe[4]
    if words:
        found["text"] = words
    return found or None


def local_system(context: Context, where: str) -> str:
    """The system of codes that only this sender knows, by the field they stand in ("PV1-10")."""
    return f"urn:gateway:codes:{context.facility}:{where}"


def lead(concept: Json) -> Json:
    """The first Coding of a CodeableConcept; an empty one where it is text alone."""
    codings: list[Json] = concept.get("coding") or [{}]
    return codings[0]


def local_name(concept: Json) -> str:
    """What tells one coded thing from another within its subject: "system|code", or the text."""
    first = lead(concept)
    return f"{first.get('system', '')}|{first.get('code') or concept.get('text', '')}"


def listed(context: Context, cwe: Composite | None, where: str, table: str = "", codes: frozenset[str] = frozenset()) -> Json | None:
    """A CodeableConcept of a user-defined table: of HL7's own system where the code is one of `codes`, else of the sender's, by the field `where`."""
    if cwe is None:
        return None
    known = cwe.known
    if where not in known:
        known[where] = _concept(context, cwe, V2 + table if cwe[0] in codes else local_system(context, where))
    found: Json | None = known[where]
    return found


def tabled(context: Context, cwe: Composite | None, table: dict[str, Coding], names: tuple[str, ...], where: str) -> Json | None:
    """A CodeableConcept by a code table of ours, the sender's own coding beside it where it is another.

    `names` are the profile's names for the table; a code that neither knows is the sender's own, of the field `where`.
    """
    if cwe is None:
        return None
    known = cwe.known
    if where not in known:
        known[where] = _tabled(context, cwe, table, names, where)
    found: Json | None = known[where]
    return found


def _tabled(context: Context, cwe: Composite, table: dict[str, Coding], names: tuple[str, ...], where: str) -> Json | None:
    code = cwe[0]
    standard = (context.local(code or cwe[1], *names) if names else "") or code
    found = table.get(standard.upper()) or (table.get(cwe[1].upper()) if cwe[1] else None) or (table.get(cwe[3].upper()) if cwe[3] else None)
    if found is None:
        return _concept(context, cwe, local_system(context, where))
    words = cwe[8] or cwe[1]
    result: Json = {"coding": [found]}
    if code and cwe[2] and system_of(context, cwe[2]) != found["system"]:
        own = _concept(context, cwe, "") or {}
        result["coding"] = [found, *(one for one in own.get("coding", ()) if (one.get("system"), one["code"]) != (found["system"], found["code"]))]
    result["text"] = words or found["display"]
    return result


def identifier(context: Context, cx: Composite, kind: str = "") -> tuple[Json, str] | None:
    """CX (id, check digit, scheme, authority, type …) -> (Identifier, key); the key is "" for a placeholder. None without an id.

    `kind` is the type (table 0203) that the field itself implies where CX.5 is silent.
    """
    value = cx[0]
    if not value:
        return None
    authority = cx.hierarchic(3)
    known = context.sender.assigned.get((authority, cx[4], kind))
    system, form = known or _assigned(context, authority, cx[4], kind)
    found: Json = {"system": system, "value": value}
    key = "" if keys.is_placeholder(value) else f"{system}|{value}"
    if system == keys.SSN:
        digits = keys.social_security(value)
        found["value"] = digits or value
        key = f"{system}|{digits}" if digits else ""
    if form is not None:
        found["type"] = form
    if cx[6] or cx[7]:
        found |= _validity(context, cx[6], cx[7])
    return found, key


def identifier_type(context: Context, stated: str) -> str:
    """The code of an identifier's type (table 0203); "" for one that nobody knows."""
    return keys.TYPES.get(context.standard(stated, "identifier-type", "0203"), "") if stated else ""


def _assigned(context: Context, authority: tuple[str, str, str], stated: str, kind: str) -> tuple[str, Json | None]:
    """(Identifier.system, Identifier.type) by assigning authority and type, which are the same for most people of a sender."""
    code = identifier_type(context, stated) or kind or keys.TYPES.get(authority[0].upper(), "")
    system = keys.system(authority, code, context.facility, context.sender.authorities)
    if system == keys.SSN:
        code = "SS"
    found = system, IDENTIFIER_TYPES[code] if code else {"text": stated} if stated else None
    if len(context.sender.assigned) < MOST:
        context.sender.assigned[authority, stated, kind] = found
    return found


def _validity(context: Context, start: str, end: str) -> Json:
    found = period(context, start, end)
    return {"period": found} if found else {}


def _validity_range(context: Context, said: Composite, component: int) -> Json:
    """DR, which names and addresses had up to version 2.6 in place of two components of their own."""
    parts = said.subcomponents.get(component, (said[component], ""))
    return _validity(context, parts[0], parts[1])


def period(context: Context, start: str, end: str) -> Json | None:
    """Two times as sent -> Period; what is no time is left out, and an end before its start too (FHIR per-1)."""
    from_, to = context.read(start), context.read(end)
    found: Json = {}
    if from_:
        found["start"] = from_.text
    if to and not (from_ and to.instant < from_.instant):
        found["end"] = to.text
    return found or None


def entity(context: Context, ei: Composite, key: str) -> Json:
    """EI (id, namespace, universal id, its type) -> Identifier; where the authority has no system of its own, that of the subject's `key`."""
    found = keys.universal(ei[1], ei[2], ei[3])
    return {"system": found or key.rpartition("|")[0] or f"urn:gateway:facility:{context.facility}:U", "value": ei[0]}


def name(context: Context, xpn: Composite, default_use: str = "", first: int = 0) -> Json | None:
    """XPN -> HumanName; with `first` 1, the name within an XCN, which has an id before it."""
    family, given, further, suffix, prefix, degree, kind = xpn[first : first + 7]
    if first:
        kind = xpn[9]
    found: Json = {}
    use = _NAME_USES.get(context.standard(kind, "name-type", "0200")) if kind else default_use
    if use:
        found["use"] = use
    if family:
        found["family"] = family
    if given or further:
        found["given"] = [one for one in (given, further) if one]
    if prefix:
        found["prefix"] = [prefix]
    professional = "" if first else xpn[13]
    if suffix or degree or professional:
        found["suffix"] = [one for one in (suffix, degree, professional) if one]
    if not first and (xpn[11] or xpn[12]):
        found |= _validity(context, xpn[11], xpn[12])
    elif not first and xpn[9]:
        found |= _validity_range(context, xpn, 9)
    return found if family or given or further else None


def address(context: Context, xad: Composite, default_use: str = "") -> Json | None:
    """XAD -> Address. A street in parts (SAD) is one line; the county is the district."""
    found: Json = {}
    kind = (context.local(xad[6], "address-type", "0190") or xad[6]).upper()
    use = _ADDRESS_USES.get(kind, default_use)
    if use:
        found["use"] = use
    form = _ADDRESS_TYPES.get(kind)
    if form:
        found["type"] = form
    street, other, city, state, postal, country = xad[:6]
    if xad.subcomponents and (parts := xad.subcomponents.get(0)):
        street = parts[0] or " ".join(one for one in (parts[2:3] + parts[1:2]) if one)
    district, further = xad[8], xad[18]
    if street or other or further:
        found["line"] = [line for line in (street, other, further) if line]
    if city:
        found["city"] = city
    if district:
        found["district"] = district
    if state:
        found["state"] = state
    if postal:
        found["postalCode"] = postal
    if country:
        found["country"] = country
    if not (city or state or postal or country or district or street or other or further or xad[0]):
        return None
    if xad[12] or xad[13]:
        found |= _validity(context, xad[12], xad[13])
    elif xad[11]:
        found |= _validity_range(context, xad, 11)
    if xad[9]:
        found["_line"] = [{"extension": [{"url": _CENSUS_TRACT, "valueString": xad[9]}]}, *(None for _ in found.get("line", ())[1:])]
    if kind in _CONFIDENTIAL:
        found["extension"] = [MARK]
    return found


def telecom(context: Context, xtn: Composite, default_use: str = "") -> Json | None:
    """XTN -> ContactPoint: the address or number as sent, else put together from its parts; None without either."""
    equipment, use = context.standard(xtn[2], "telecom-equipment", "0202"), context.standard(xtn[1], "telecom-use", "0201")
    system = _TELECOM_SYSTEMS.get(equipment) or ("email" if use == "NET" else "phone")
    value = ""
    if system == "email" or (xtn[3] and not xtn[0] and not xtn[6] and not xtn[11]):
        value, system = xtn[3] or xtn[0] or xtn[11], "email"
    if not value:
        value = xtn[11] or xtn[0]
        if not value:
            value = " ".join([part for part in (f"+{xtn[4]}" if xtn[4] else "", xtn[5], xtn[6]) if part])
            if value and xtn[7]:
                value += f" ext. {xtn[7]}"
    if not value:
        return None
    if "@" in value and system == "phone":
        system = "email"
    found: Json = {"system": system, "value": value}
    known = _EQUIPMENT_USES.get(equipment) or _TELECOM_USES.get(use, default_use)
    if known:
        found["use"] = known
    return found


def quantity(value: str, unit: str, code: str, system: str) -> Json | None:
    """A number as sent and its unit -> Quantity; None when it is no number. Integers stay integers."""
    number = decimal(value)
    if number is None:
        return None
    found: Json = {"value": number}
    if unit or code:
        found["unit"] = unit or code
    if code and system == "http://unitsofmeasure.org":
        found |= {"system": system, "code": clean_code(code)}
    return found


_DECIMAL = re.compile(r"[+-]?(?:[0-9]{1,15}(?:\.[0-9]{0,12})?|\.[0-9]{1,12})")


def decimal(value: str) -> int | float | None:
    """NM -> number: leading plus, bare points and padding zeros are the standard's; None when it is no number."""
    if not _DECIMAL.fullmatch(value):
        return None
    return float(value) if "." in value else int(value)
