"""PID, PD1 -> Patient, and the keys under which the person is known."""

from __future__ import annotations

from collections.abc import Sequence

from gateway.er7.reader import Segment
from gateway.mappings import tables
from gateway.mappings.hl7v2 import datatypes, described, keys, shared
from gateway.mappings.hl7v2.context import Context, place
from gateway.mappings.hl7v2.values import Composite
from gateway.records.statements import Fragment, Json, Statement

_CORE = "http://hl7.org/fhir/us/core/StructureDefinition/"
_BASE = "http://hl7.org/fhir/StructureDefinition/"
_CDC = "urn:oid:2.16.840.1.113883.6.238"
_GENDERS = tables.targets("0001-gender")
_MARITAL = tables.codings("0002-marital-status")
_RACES = tables.codings("0005-race")
_ETHNICITIES = tables.codings("0189-ethnicity")
_LANGUAGES = tables.codings("0296-language")
_NULLS = (
    (5, "name"),
    (7, "birthDate"),
    (8, "gender"),
    (11, "address"),
    (13, "telecom"),
    (15, "communication"),
    (16, "maritalStatus"),
    (29, "deceasedDateTime"),
    (30, "deceasedBoolean"),
)
# Shared by every resource that carries it, as the tables' codings are: never changed.
RESTRICTED: Json = {"security": [{"system": "http://terminology.hl7.org/CodeSystem/v3-Confidentiality", "code": "R", "display": "restricted"}]}


def identity(context: Context, pid: Segment) -> tuple[list[Json], tuple[str, ...]]:
    """(Patient.identifier, keys strongest first): see `_identity`."""
    return context.once(pid, _identity)


def _identity(context: Context, pid: Segment) -> tuple[list[Json], tuple[str, ...]]:
    """(Patient.identifier, keys strongest first) of PID-3, PID-2, PID-4, PID-19 and PID-20; placeholders are identifiers, and no keys.

    Account and visit numbers that stand among the repetitions of PID-3 are not the person's.
    """
    found: dict[tuple[str, str], Json] = {}
    person: dict[str, None] = {}
    for said in context.each(pid, 3, datatypes.identifier):
        _take(said, found, person)
    for field in (2, 4):
        kind = ""
        for cx in context.every(pid, field):
            if field != 3 and not cx[3] and not cx[4]:
                kind = "MR" if (f"urn:gateway:facility:{context.facility}:MR", cx[0]) in found else "PT"
            _take(datatypes.identifier(context, cx, kind), found, person)
    ssn = context.one(pid, 19)
    if ssn is not None:
        _take(_social_security(context, pid, ssn), found, person)
    licence = context.one(pid, 20)
    if licence is not None and licence[0]:
        _take(_driving_licence(context, licence), found, person)
    return list(found.values()), tuple(person)


def _take(said: tuple[Json, str] | None, found: dict[tuple[str, str], Json], person: dict[str, None]) -> None:
    if said is None:
        return
    identifier, key = said
    kind = identifier.get("type", {}).get("coding", ({},))[0].get("code")
    if kind in ("AN", "VN"):
        return
    found.setdefault((identifier["system"], identifier["value"]), identifier)
    if key:
        person[key] = None


def _social_security(context: Context, pid: Segment, cx: Composite) -> tuple[Json, str] | None:
    digits = keys.social_security(cx[0])
    if digits:
        return {"system": keys.SSN, "value": digits, "type": datatypes.IDENTIFIER_TYPES["SS"]}, f"{keys.SSN}|{digits}"
    if any(character in "123456789" for character in cx[0]) and not keys.is_placeholder(cx[0]):
        context.report(place(pid, 19), "103", "W", "This is not a social security number; it was kept and joins nobody.")
    return None


def _driving_licence(context: Context, dln: Composite) -> tuple[Json, str]:
    issuer = dln[1].upper()
    system = f"urn:gateway:authority:DL-{keys.escape(issuer)}" if issuer else f"urn:gateway:facility:{context.facility}:DL"
    found: Json = {"system": system, "value": dln[0], "type": datatypes.IDENTIFIER_TYPES["DL"]}
    ends = context.read(dln[2])
    if ends:
        found["period"] = {"end": ends.text}
    return found, "" if keys.is_placeholder(dln[0]) else f"{system}|{dln[0]}"


def statement(
    context: Context, pid: Segment, pd1: Segment | None, identifiers: list[Json], person: tuple[str, ...], parts: dict[str, list[Fragment]]
) -> Statement:
    """What the message says of the person: the Patient in part, and what hangs on a person (RelatedPerson, AllergyIntolerance, Coverage …).

    `facts["effect"]` is "delete" for A29, and absent otherwise.
    `facts["zone"]` is the sender's: people are told in it when somebody joined or left.
    """
    own: Json = {"resourceType": "Patient"}
    if identifiers:
        own["identifier"] = identifiers
    said, deletes, extensions = context.once(pid, _patient)
    own |= said
    if pd1 is not None:
        practice, further = context.once(pd1, _practice)
        own |= practice
        extensions = [*extensions, *further]
    if extensions:
        own["extension"] = extensions
    facts = {"zone": context.zone_name}
    if context.event.person == "delete":
        facts["effect"] = "delete"
    return Statement("person", person, person, own, deletes, parts=parts, facts=facts)


def _patient(context: Context, pid: Segment) -> tuple[Json, tuple[str, ...], list[Json]]:
    """PID -> (elements, what `""` deletes, extensions)."""
    own: Json = {}
    _names(context, pid, own)
    _birth(context, pid, own)
    _reachable(context, pid, own)
    _described(context, pid, own)
    deletes = [element for field, element in _NULLS if pid.field(field) == '""'] if '""' in pid.fields else []
    if "telecom" in own and "telecom" in deletes:
        deletes.remove("telecom")
    _death(context, pid, own, deletes)
    return own, tuple(deletes), _extensions(context, pid)


def _names(context: Context, pid: Segment, own: Json) -> None:
    names = context.each(pid, 5, datatypes.name)
    names += context.each(pid, 9, datatypes.name, "nickname")
    if names:
        own["name"] = names


def _birth(context: Context, pid: Segment, own: Json) -> None:
    moment = context.moment(pid, 7)
    if moment:
        own["birthDate"] = moment.text[:10]
        if len(moment.text) > 10 and moment.text[11:19] != "00:00:00":
            own["_birthDate"] = {"extension": [{"url": _BASE + "patient-birthTime", "valueDateTime": moment.text}]}
    sex = context.one(pid, 8)
    if sex is not None:
        code = context.local(sex[0], "gender", "0001") or sex[0]
        gender = _GENDERS.get(code.upper()) or _GENDERS.get(sex[1].upper())
        if gender is None:
            context.report(place(pid, 8), "103", "W", "The code is not one of table 0001; the gender is given as unknown.")
        own["gender"] = gender or "unknown"
    order = context.text(pid, 25)
    if order.isascii() and order.isdigit() and len(order) < 3:
        own["multipleBirthInteger"] = int(order)
    else:
        multiple = yes(context.text(pid, 24))
        if multiple is not None:
            own["multipleBirthBoolean"] = multiple


def _reachable(context: Context, pid: Segment, own: Json) -> None:
    addresses = context.each(pid, 11, datatypes.address)
    county = context.text(pid, 12)
    if county:
        addresses = described.in_county(addresses, county)
    if addresses:
        own["address"] = addresses
    telecom: list[Json] = []
    for field, use in ((13, "home"), (14, "work"), (40, "")):
        for point, *beside in context.each(pid, field, _points, use):
            if point not in telecom:
                telecom.append(point)
            telecom += beside
    if telecom:
        own["telecom"] = telecom


def _points(context: Context, xtn: Composite, use: str) -> list[Json] | None:
    """The number, and the address that stands in the same repetition."""
    point = datatypes.telecom(context, xtn, use)
    if not point or "@" not in xtn[3] or point["system"] == "email":
        return [point] if point else None
    return [point, {"system": "email", "value": xtn[3], **({"use": point["use"]} if point.get("use") in ("home", "work") else {})}]


def _described(context: Context, pid: Segment, own: Json) -> None:
    language = datatypes.tabled(context, context.one(pid, 15), _LANGUAGES, ("language", "0296"), "PID-15")
    if language:
        own["communication"] = [{"language": language, "preferred": True}]
    marital = datatypes.tabled(context, context.one(pid, 16), _MARITAL, ("marital", "0002"), "PID-16")
    if marital:
        own["maritalStatus"] = marital


def _death(context: Context, pid: Segment, own: Json, deletes: list[str]) -> None:
    when = context.moment(pid, 29)
    dead = yes(context.text(pid, 30))
    if when is not None:
        own["deceasedDateTime"] = when.text
        deletes.append("deceasedBoolean")
        if dead is False:
            context.report(place(pid, 30), "103", "W", "PID-29 says when the person died and PID-30 that they did not; the death was taken.")
    elif dead is not None:
        own["deceasedBoolean"] = dead
        deletes.append("deceasedDateTime")


def yes(value: str) -> bool | None:
    """Table 0136, and what senders write instead."""
    upper = value.upper()
    if upper in ("Y", "YES", "TRUE", "1", "T"):
        return True
    return False if upper in ("N", "NO", "FALSE", "0", "F") else None


def _extensions(context: Context, pid: Segment) -> list[Json]:
    found = []
    race = _us_core(context, context.every(pid, 10), "us-core-race", _RACES, ("race", "0005"))
    if race:
        found.append(race)
    ethnicity = _us_core(context, context.every(pid, 22), "us-core-ethnicity", _ETHNICITIES, ("ethnicity", "0189"))
    if ethnicity:
        found.append(ethnicity)
    mother = context.one(pid, 6)
    if mother is not None and mother[0]:
        found.append({"url": _BASE + "patient-mothersMaidenName", "valueString": mother[0]})
    religion = datatypes.listed(context, context.one(pid, 17), "PID-17")
    if religion:
        found.append({"url": _BASE + "patient-religion", "valueCodeableConcept": religion})
    born = context.text(pid, 23)
    if born:
        found.append({"url": _BASE + "patient-birthPlace", "valueAddress": {"text": born}})
    for field, extension in ((26, "patient-citizenship"), (28, "patient-nationality")) if any(pid.fields[26:29]) else ():
        for cwe in context.every(pid, field):
            country = datatypes.concept(context, cwe)
            if country:
                found.append({"url": _BASE + extension, "extension": [{"url": "code", "valueCodeableConcept": country}]})
    return found + described.extensions(context, pid) if len(pid) > 34 else found


def _us_core(context: Context, said: Sequence[Composite], extension: str, table: dict[str, tables.Coding], names: tuple[str, ...]) -> Json | None:
    """US Core's race or ethnicity: the OMB categories that the codes name, other CDC codes as details, and the text, which it always wants."""
    if len(said) == 1:  # as of most people
        known = said[0].known
        if extension not in known:
            known[extension] = _categories(context, said, extension, table, names)
        alone: Json | None = known[extension]
        return alone
    return _categories(context, said, extension, table, names) if said else None


def _categories(context: Context, said: Sequence[Composite], extension: str, table: dict[str, tables.Coding], names: tuple[str, ...]) -> Json | None:
    inner: list[Json] = []
    words: list[str] = []
    for cwe in said:
        code = context.local(cwe[0], *names) or cwe[0]
        known = table.get(code.upper()) or table.get(cwe[3].upper())
        if known and extension == "us-core-ethnicity" and any(one["url"] == "ombCategory" for one in inner):
            known = None
        if known:
            inner.append({"url": "ombCategory", "valueCoding": known})
        elif cwe[2].upper() in ("CDCREC", "HL70005", "HL70189") and len(code) == 6 and code[4] == "-" and (code[:4] + code[5]).isdigit():
            inner.append({"url": "detailed", "valueCoding": {"system": _CDC, "code": code, **({"display": cwe[1]} if cwe[1] else {})}})
        word = cwe[8] or cwe[1] or (known["display"] if known else cwe[0] or cwe[4])
        if word:
            words.append(word)
    if not words:
        return None
    return {"url": _CORE + extension, "extension": [*inner, {"url": "text", "valueString": ", ".join(words)}]}


def _practice(context: Context, pd1: Segment) -> tuple[Json, list[Json]]:
    """PD1 -> (elements, extensions): who cares for the person in general, and what else FHIR has a place for."""
    own: Json = {}
    extensions: list[Json] = []
    general = [one for xon in context.every(pd1, 3) if (one := shared.organization(context, xon))]
    general += [one for xcn in context.every(pd1, 4) if (one := shared.practitioner(context, xcn))]
    if general:
        own["generalPractitioner"] = general
    handicap = datatypes.concept(context, context.one(pd1, 6))
    if handicap:
        extensions.append({"url": _BASE + "patient-disability", "valueCodeableConcept": handicap})
    worship = context.text(pd1, 14)
    if worship:
        extensions.append({"url": _BASE + "patient-congregation", "valueString": worship})
    if yes(context.text(pd1, 12)):
        own["meta"] = RESTRICTED
    return own, extensions
