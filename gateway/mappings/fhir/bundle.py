"""The resources of one FHIR input and who refers to whom: urn:uuid, relative, absolute, contained, conditional and logical references. Pure.

Keys. A resource is known by its identifiers, `system|value` as sent, and by the sender's own id, `urn:gateway:feed:<feed>:<Type>|<id>`, so that
a later input that says "Encounter/77" alone still names the same stay. What the sender says once and without either is known by its content.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

import orjson

from gateway.errors import Invalid
from gateway.records.statements import Json

SHARED = ("Practitioner", "PractitionerRole", "Organization", "Location", "HealthcareService")
"""Types that are known to many people's records."""

PLACEHOLDERS = frozenset({"999-99-9999", "999999999", "123-45-6789", "unknown", "none", "n/a", "na", "temp", "test"})
NPI = "http://hl7.org/fhir/sid/us-npi"
SSN = "http://hl7.org/fhir/sid/us-ssn"


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
    _by_name: dict[str, Told] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for each in self.told:
            if each.container is None:
                for name in (each.url, f"{each.type}/{each.resource.get('id', '')}"):
                    self._by_name.setdefault(name, each)
        self._by_name.pop("", None)

    def keys(self, told: Told) -> tuple[str, ...]:
        """The keys of a resource, strongest first."""
        found = [*identifier_keys(told.resource.get("identifier"), self.facility)]
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
        return self._by_name.get(plain) or (self._by_name.get(f"{base}/{plain}") if base else None) or self._by_name.get("/".join(plain.split("/")[-2:]))

    def _elsewhere(self, literal: str, reference: Json) -> Target | None:
        """A reference to something that this input does not hold, known by its identifier or the sender's id."""
        type, keys = str(reference.get("type", "")), list(identifier_keys([reference.get("identifier")], self.facility))
        if "?" in literal:
            type, _, query = literal.partition("?")
            name, _, value = query.partition("=")
            if name == "identifier" and "|" in value:
                keys.insert(0, value)
        elif literal and not literal.startswith(("#", "urn:")):
            type, id = literal.partition("/_history/")[0].split("/")[-2:]
            keys.append(self.own_key(type, id))
        elif literal.startswith("urn:") and type:
            keys.append(self.own_key(type, literal))
        return Target(type, tuple(keys)) if keys else None


def identifier_keys(identifiers: object, facility: str) -> Iterator[str]:
    """`system|value` of each identifier that can tell things apart; one without a system belongs to the sending facility.

    An NPI comes first and a social security number last; placeholders join nothing.
    """
    listed = identifiers if isinstance(identifiers, list) else [identifiers]
    usable = [one for one in listed if isinstance(one, dict) and one.get("value") and not placeholder(str(one["value"])) and one.get("use") != "old"]
    for one in sorted(usable, key=lambda each: (each.get("system") == SSN, each.get("system") != NPI)):
        yield f"{one.get('system') or f'urn:gateway:facility:{facility}'}|{one['value']}"


def placeholder(value: str) -> bool:
    """Whether an identifier's value is one that stands for none: 000…, 999-99-9999, unknown."""
    plain = value.strip().casefold()
    return plain in PLACEHOLDERS or not plain.strip("0-. ") or (len(plain) > 3 and not plain.strip("9-. "))


def collect(value: Json, feed: str, facility: str) -> Input:
    """The resources that an input holds: a Bundle's entries, or one resource by itself, each with what it contains of the shared types."""
    told: list[Told] = []
    if value["resourceType"] == "Bundle":
        for number, entry in enumerate(value.get("entry", [])):
            place = f"Bundle.entry[{number}]"
            method = entry.get("request", {}).get("method", "PUT")
            if method in ("GET", "HEAD"):
                continue
            if method in ("DELETE", "PATCH") or "resource" not in entry:
                raise Invalid("Only whole resources are taken in a feed's Bundle", location=place, advice="Send each as POST or PUT with its resource.")
            told.append(Told(entry["resource"], f"{place}.resource", str(entry.get("fullUrl", ""))))
    else:
        told.append(Told(value, value["resourceType"]))
    inner = [
        Told(one, f"{each.place}.contained[{number}]", container=each.resource)
        for each in told
        for number, one in enumerate(each.resource.get("contained", []))
        if one.get("resourceType") in SHARED
    ]
    return Input(feed, facility, told + inner)
