"""The resources of one FHIR input and who refers to whom: urn:uuid, relative, absolute, contained, conditional and logical references. Pure.

Keys. A resource is known by its identifiers, keyed as HL7 v2's are, and by the sender's own id, `urn:gateway:feed:<feed>:<Type>|<id>`, so that
a later input that says "Encounter/77" alone still names the same stay. What the sender says once and without either is known by its content.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import orjson

from gateway.errors import Invalid
from gateway.fhir import elements
from gateway.mappings.hl7v2 import keys
from gateway.records.statements import Json

SHARED = ("Practitioner", "PractitionerRole", "Organization", "Location", "HealthcareService")
"""Types that are known to many people's records."""

KEYED = {"Encounter": "visit", "Appointment": "appointment:filler", "DocumentReference": "document"}
"""Types whose identifiers HL7 v2 gives as entity identifiers: their keys are made as `mappings.hl7v2.keys` makes them, so that both sides agree."""


class Told(NamedTuple):
    """One resource of the input: where it stands, and the resource that contains it."""

    resource: Json
    place: str  # "Bundle.entry[2].resource", or the type of a lone resource
    url: str = ""  # fullUrl
    container: Json | None = None

    @property
    def type(self) -> str:
        return str(self.resource.get("resourceType", ""))


class Target(NamedTuple):
    """What a reference names: the resource where the input holds it, its type and its keys either way."""

    type: str
    keys: tuple[str, ...]
    told: Told | None = None


@dataclass(slots=True)
class Input:
    """One FHIR input, indexed for resolving."""

    feed: str
    facility: str
    told: list[Told]
    authorities: Mapping[str, str] = field(default_factory=dict)
    beside: list[Told] = field(default_factory=list)  # what it refers to and another input tells of: type, id and identifiers alone
    _by_name: dict[str, Told] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for each in (*self.told, *self.beside):
            if each.container is None:
                for name in (each.url, f"{each.type}/{each.resource.get('id', '')}"):
                    self._by_name.setdefault(name, each)
        self._by_name.pop("", None)

    def keys(self, told: Told) -> tuple[str, ...]:
        """The keys of a resource, strongest first."""
        found = [*identifier_keys(told.resource.get("identifier"), self.facility, told.type, self.authorities)]
        if told.container is None and told.resource.get("id"):
            found.append(self.own_key(told.type, str(told.resource["id"])))
        elif told.url.startswith("urn:") and not found:
            found.append(self.own_key(told.type, told.url))
        if not found:
            content = hashlib.sha256(orjson.dumps(told.resource, option=orjson.OPT_SORT_KEYS)).hexdigest()
            found.append(self.own_key(told.type, f"sha256-{content[:40]}"))
        return tuple(dict.fromkeys(found))

    def own_key(self, type: str, id: str) -> str:
        """The key of a resource by the sender's own id."""
        return f"urn:gateway:feed:{self.feed}:{type}|{id}"

    def resolve(self, reference: Json | None, container: Json, base: str = "") -> Target | None:
        """What a Reference standing in `container` names; None when it names nothing that can be told apart (display alone)."""
        if not isinstance(reference, dict):
            return None
        literal = str(reference.get("reference", ""))
        told = self._contained(literal, container) if literal.startswith("#") else self._find(literal, base)
        if told is not None:
            return Target(told.type, self.keys(told), told)
        return self._elsewhere(literal, reference)

    def _contained(self, literal: str, container: Json) -> Told | None:
        for number, one in enumerate(container.get("contained", [])):
            if isinstance(one, dict) and one.get("id") == literal[1:]:
                return Told(one, f"contained[{number}]", container=container)
        return None

    def _find(self, literal: str, base: str) -> Told | None:
        if not literal:
            return None
        plain = literal.partition("/_history/")[0]
        return (
            self._by_name.get(plain) or (self._by_name.get(f"{base}/{plain}") if base else None) or self._by_name.get("/".join(plain.split("/")[-2:]))
        )

    def _elsewhere(self, literal: str, reference: Json) -> Target | None:
        """A reference to something that this input does not hold, known by its identifier or the sender's id."""
        type = str(reference.get("type", "")) or _type_in(literal)
        found = list(identifier_keys([reference.get("identifier")], self.facility, type, self.authorities))
        if "?" in literal:
            name, _, value = literal.partition("?")[2].partition("=")
            system, _, code = value.rpartition("|")
            if name == "identifier":
                found += identifier_keys([{"system": system, "value": code}], self.facility, type, self.authorities)
        elif literal and not literal.startswith(("#", "urn:")):
            found.append(self.own_key(type, literal.partition("/_history/")[0].rpartition("/")[2]))
        elif literal.startswith("urn:") and type:
            found.append(self.own_key(type, literal))
        return Target(type, tuple(found)) if found else None


def _type_in(literal: str) -> str:
    """The type that a relative, absolute or conditional reference names, "" for others."""
    if not literal or literal.startswith(("#", "urn:")):
        return ""
    if "?" in literal:
        return literal.partition("?")[0]
    return literal.partition("/_history/")[0].split("/")[-2]


def identifier_keys(identifiers: object, facility: str, kind: str = "", authorities: Mapping[str, str] | None = None) -> Iterator[str]:
    """The key of each identifier that can tell things apart, as the same identifier in HL7 v2 would be keyed; placeholders join nothing.

    An NPI comes first and a social security number last. One without a system belongs to the sending facility.
    """
    listed = identifiers if isinstance(identifiers, list) else [identifiers]
    usable = [one for one in listed if isinstance(one, dict) and one.get("value") and one.get("use") != "old"]
    for one in sorted(usable, key=lambda each: (each.get("system") == keys.SSN, each.get("system") != keys.NPI)):
        system, value = str(one.get("system", "")), str(one["value"])
        if keys.is_placeholder(value):
            continue
        if kind in KEYED:
            yield f"urn:gateway:{_entity(kind, one)}:{_assigner(system, facility, authorities or {})}|{value}"
        elif system == keys.SSN:
            if digits := keys.social_security(value):
                yield f"{system}|{digits}"
        else:
            yield f"{system or f'urn:gateway:facility:{facility}:{_type(one)}'}|{value}"


def _entity(kind: str, identifier: Json) -> str:
    return "appointment:placer" if kind == "Appointment" and _type(identifier) == "PLAC" else KEYED[kind]


def _type(identifier: Json) -> str:
    """Its type in table 0203; a person's is a medical record number where it says none."""
    return next((str(one["code"]) for one in elements.codings(identifier.get("type")) if one.get("code")), "MR")


def _assigner(system: str, facility: str, authorities: Mapping[str, str]) -> str:
    """Who assigned it: the namespace that the feed profile gives the system, else the system, else the facility."""
    if not system:
        return facility
    return keys.escape(next((namespace for namespace, known in authorities.items() if known == system), system))


def collect(value: Json, feed: str, facility: str, authorities: Mapping[str, str] | None = None, beside: Iterable[Json] = ()) -> Input:
    """The resources that an input holds: a Bundle's entries, or one resource by itself, each with what it contains of the shared types.

    `beside`: entries that it refers to, where it is a piece of a larger one (`pieces`).
    """
    told: list[Told] = []
    if value["resourceType"] == "Bundle":
        for number, entry in enumerate(value.get("entry", [])):
            place = f"Bundle.entry[{number}]"
            method = entry.get("request", {}).get("method", "PUT")
            if method in ("GET", "HEAD"):
                continue
            if method in ("DELETE", "PATCH") or "resource" not in entry:
                raise Invalid(
                    "Only whole resources are taken in a feed's Bundle", location=place, advice="Send each as POST or PUT with its resource."
                )
            told.append(Told(entry["resource"], f"{place}.resource", str(entry.get("fullUrl", ""))))
    else:
        told.append(Told(value, value["resourceType"]))
    inner = [
        Told(one, f"{each.place}.contained[{number}]", container=each.resource)
        for each in told
        for number, one in enumerate(each.resource.get("contained", []))
        if one.get("resourceType") in SHARED
    ]
    referred = [Told(one["resource"], "", str(one.get("fullUrl", ""))) for one in beside]
    return Input(feed, facility, told + inner, authorities or {}, referred)
