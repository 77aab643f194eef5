"""The CapabilityStatement, made from what is registered. http://hl7.org/fhir/R4/capabilitystatement.html

Each part of the API says what it offers (`Offer`) beside its routes; `router.OFFERS` lists them. Types and search parameters are those of the search
tables. So nothing is claimed that is not served, and nothing has to be written down twice.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import Any, NamedTuple

from gateway import __version__
from gateway.fhir import search
from gateway.smart import discovery

Json = dict[str, Any]

_OAUTH_URIS = "http://fhir-registry.smarthealthit.org/StructureDefinition/oauth-uris"
_SECURITY_SERVICE = "http://terminology.hl7.org/CodeSystem/restful-security-service"
_RELEASED = "2026-11-22"
_BESIDE = (
    "Beside FHIR, as JSON: GET /api/transitions (the feed); POST /api/transitions/{id}/decisions (the coordinator's); "
    "GET and PUT /api/agency (whether an agency takes new clients), /api/agencies/{id} for the coordinator."
)
_R4_PARAMETER = "http://hl7.org/fhir/SearchParameter/"
_ORDER = ("read", "vread", "update", "patch", "delete", "history-instance", "history-type", "create", "search-type")
"""As R4 lists type-level interactions."""


EVERY = "*"
"""Every type that is held: those of the search tables."""


class Operation(NamedTuple):
    """An operation: its name without the dollar sign, its canonical, and the types it is called on (`EVERY`); () for the whole system."""

    name: str
    definition: str
    types: tuple[str, ...] = ()


class Offer(NamedTuple):
    """What one part of the API offers."""

    interactions: Mapping[str, Sequence[str]] = {}  # type, or EVERY -> codes of http://hl7.org/fhir/restful-interaction
    system: Sequence[str] = ()  # likewise, of the whole system: "transaction", "batch"
    operations: Sequence[Operation] = ()
    guides: Sequence[str] = ()  # CapabilityStatements of guides that are kept to
    more: Mapping[str, Json] = {}  # type, or EVERY -> further elements of rest.resource: conditionalCreate and the like


READING = Offer(
    interactions={EVERY: ("read", "vread", "history-instance", "history-type", "search-type")},
    system=("history-system",),
    guides=("http://hl7.org/fhir/us/core/CapabilityStatement/us-core-server",),
    more={EVERY: {"conditionalRead": "full-support"}},
)
"""What holds for every type that can be searched."""


def statement(base_url: str, offers: Iterable[Offer]) -> Json:
    """What this server does, for whoever asks."""
    offers = (READING, *offers)
    types = sorted({*search.searchable(), *(type for each in offers for type in each.interactions)} - {EVERY})
    rest: Json = {
        "mode": "server",
        "documentation": _BESIDE,
        "security": _security(base_url),
        "resource": [_resource(type, offers) for type in types],
        "interaction": [{"code": code} for each in offers for code in each.system],
        "operation": [_operation(one) for each in offers for one in each.operations if not one.types],
    }
    guides = [guide for each in offers for guide in each.guides]
    return {
        "resourceType": "CapabilityStatement",
        "status": "active",
        "date": _RELEASED,
        "kind": "instance",
        **({"instantiates": guides} if guides else {}),
        "software": {"name": "care transition gateway", "version": __version__},
        "implementation": {"description": "Care transitions in mental health", "url": f"{base_url}/fhir"},
        "fhirVersion": "4.0.1",
        "format": ["application/fhir+json", "json"],
        "patchFormat": ["application/json-patch+json"],
        "rest": [{name: value for name, value in rest.items() if value}],
    }


def _security(base_url: str) -> Json:
    """SMART's older clients find the endpoints here alone. The extension, as R4 has it, knows no more of ours than these two."""
    uris = [
        {"url": "authorize", "valueUri": f"{base_url}{discovery.AUTHORIZE}"},
        {"url": "token", "valueUri": discovery.token_url(base_url)},
    ]
    return {
        "extension": [{"url": _OAUTH_URIS, "extension": uris}],
        "cors": True,
        "service": [{"coding": [{"system": _SECURITY_SERVICE, "code": "SMART-on-FHIR"}], "text": "OAuth2 by SMART App Launch"}],
    }


def _resource(type: str, offers: Sequence[Offer]) -> Json:
    names = (type, EVERY) if type in search.searchable() else (type,)
    codes = {code for each in offers for name in names for code in each.interactions.get(name, ())}
    operations = [one for each in offers for one in each.operations if set(names) & set(one.types)]
    said: Json = {
        "type": type,
        "interaction": [{"code": code} for code in _ORDER if code in codes],
        "versioning": "versioned",
        "readHistory": "vread" in codes,
        "updateCreate": False,
        **({"supportedProfile": list(profiles)} if (profiles := _us_core().get(type)) else {}),
    }
    for each in offers:
        for name in reversed(names):
            said.update(each.more.get(name, {}))
    parameters = search.parameters(type).values()
    if included := [f"{type}:{one.name}" for one in parameters if one.kind == "reference"]:
        said["searchInclude"] = included
    if backwards := [f"{source}:{one.name}" for source in search.searchable() for one in search.parameters(source).values() if _refers_to(one, type)]:
        said["searchRevInclude"] = backwards
    if type in search.searchable():
        listed = [("_id", "token"), ("_lastUpdated", "date"), *((one.name, one.kind) for one in parameters)]
        said["searchParam"] = [{"name": name, "definition": definition(type, name), "type": kind} for name, kind in listed]
    if operations:
        said["operation"] = [_operation(one) for one in operations]
    return said


def definition(type: str, name: str) -> str:
    """The canonical of a search parameter: R4 names most of them after type and parameter, and defines some for several types at once."""
    if name.startswith("_"):
        return f"{_R4_PARAMETER}Resource-{name[1:]}"
    return _shared_definitions().get((type, name), f"{_R4_PARAMETER}{type}-{name}")


@cache
def _shared_definitions() -> Mapping[tuple[str, str], str]:
    with files("gateway.fhir").joinpath("search_definitions.csv").open(encoding="utf-8") as lines:
        return {(type, row["name"]): row["definition"] for row in csv.DictReader(lines) for type in row["types"].split()}


@cache
def _us_core() -> Mapping[str, Sequence[str]]:
    """The profiles of US Core 6.1.0 for each type that is held: what is made here keeps to them."""
    with files("gateway.fhir").joinpath("us_core_profiles.csv").open(encoding="utf-8") as lines:
        table: dict[str, list[str]] = {}
        for row in csv.DictReader(lines):
            table.setdefault(row["type"], []).append(row["profile"])
    return table


def _refers_to(parameter: search.Parameter, type: str) -> bool:
    """Whether it is a reference that is followed backwards to this type."""
    return bool(parameter.indexed) and parameter.kind == "reference" and (not parameter.targets or type in parameter.targets)


def _operation(one: Operation) -> Json:
    return {"name": one.name, "definition": one.definition}
