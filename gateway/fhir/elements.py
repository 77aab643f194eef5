"""Finding things in a resource: elements by a dotted path, references wherever they stand. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

Json = dict[str, Any]

RELATIVE = re.compile(r"^([A-Z][A-Za-z]+)/([A-Za-z0-9\-.]{1,64})(?:/_history/[A-Za-z0-9\-.]{1,64})?$")
"""A relative literal reference: type and id, with or without a version."""


def values(resource: Json, path: str) -> list[Any]:
    """What stands at `path` ("name.given", "period"), lists flattened, absent levels skipped. `a|b` gives both."""
    found: list[Any] = []
    for one in path.split("|"):
        level: list[Any] = [resource]
        for name in one.split("."):
            level = [child for node in level if isinstance(node, dict) and name in node for child in _each(node[name])]
        found += level
    return found


def _each(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def located(resource: Json, path: str) -> Iterator[tuple[str, Any]]:
    """As `values`, each with its place: ("Patient.name[0].given[1]", "Ann")."""
    level: list[tuple[str, Any]] = [(str(resource.get("resourceType", "")), resource)]
    for name in path.split("."):
        level = [found for place, node in level if isinstance(node, dict) and name in node for found in _placed(f"{place}.{name}", node[name])]
    yield from level


def _placed(place: str, value: Any) -> list[tuple[str, Any]]:
    return [(f"{place}[{number}]", one) for number, one in enumerate(value)] if isinstance(value, list) else [(place, value)]


def references(resource: Json) -> Iterator[tuple[str, Json]]:
    """Every Reference that has a literal `reference`, with its place, contained resources included."""
    stack: list[tuple[str, Any]] = [(str(resource.get("resourceType", "")), resource)]
    while stack:
        place, node = stack.pop()
        if isinstance(node, dict):
            if isinstance(node.get("reference"), str):
                yield place, node
            stack += [(f"{place}.{name}", child) for name, child in node.items() if isinstance(child, (dict, list))]
        elif isinstance(node, list):
            stack += [(f"{place}[{number}]", child) for number, child in enumerate(node)]


def relative(reference: str) -> str:
    """ "Type/id" of a relative literal reference, "" when it is another kind."""
    matched = RELATIVE.match(reference)
    return f"{matched[1]}/{matched[2]}" if matched else ""


def relinked(resource: Json, names: Mapping[str, str]) -> Json:
    """The resource with what its references name replaced by `names`; a `urn:` among these wherever it stands as a whole value (a uri, an id of
    another entry: http://hl7.org/fhir/R4/http.html#trules). The given one is not changed."""
    return dict(_relinked(resource, names, "")) if names else resource


def _relinked(value: Any, names: Mapping[str, str], element: str) -> Any:
    if isinstance(value, dict):
        return {name: _relinked(child, names, name) for name, child in value.items()}
    if isinstance(value, list):
        return [_relinked(child, names, element) for child in value]
    if isinstance(value, str) and (element == "reference" or value.startswith("urn:")):
        return names.get(value, value)
    return value


def without_nulls(resource: Json) -> Json:
    """The resource without members that are null. FHIR's JSON has none (http://hl7.org/fhir/R4/json.html#null); where a sender writes one, it says
    nothing. In a list a null holds the place of a value whose extension is told beside it, and stays."""
    return {name: _without_nulls(value) for name, value in resource.items() if value is not None}


def _without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return without_nulls(value)
    return [_without_nulls(one) for one in value] if isinstance(value, list) else value


def codings(concept: Any) -> list[Json]:
    """The codings of a CodeableConcept, a Coding or a list of either."""
    found: list[Json] = []
    for one in _each(concept if concept is not None else []):
        if isinstance(one, dict):
            found += one["coding"] if isinstance(one.get("coding"), list) else [one] if "code" in one else []
    return [each for each in found if isinstance(each, dict)]
