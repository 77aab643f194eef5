"""Validation at the edge: is this R4, and what is wrong where.

fhir.resources has no R4; R4B serves it for the shape. It lets required bindings and references pass, so these are checked here by
`bindings.csv` (R4's required value sets for the types that are taken in) and by the reference's own form. The resource itself is never
changed: what is stored is what was received. The models are imported at first use, because they are slow to load.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache
from importlib.resources import files
from typing import Any

from gateway.errors import Unsupported
from gateway.fhir import elements, invariants
from gateway.fhir.outcome import Issue, Rejected

Json = dict[str, Any]

ProfileCheck = Callable[[Json, str], "list[Issue] | None"]
"""(resource, a profile's canonical or "" for none) -> what R4, the profiles that it claims and that one have against it; None: it is not known.
Given by the composition root: profiles are `conformance`'s, of which nothing below the command line knows."""

_REFERENCE = re.compile(
    r"^(?:#[A-Za-z0-9\-.]{0,64}"
    r"|urn:(?:uuid|oid):[0-9a-fA-F\-.]+"
    r"|(?:https?://[^\s?#]+/)?[A-Z][A-Za-z]+/[A-Za-z0-9\-.]{1,64}(?:/_history/[A-Za-z0-9\-.]{1,64})?"
    r"|[A-Z][A-Za-z]+\?\S+)$"
)
"""Literal references: contained, urn, relative or absolute RESTful, and conditional (in transactions alone)."""

_TEXTS = {
    "missing": ("required", "This element is required."),
    "model_field_validation.missing": ("required", "This element is required."),
    "extra_forbidden": ("structure", "R4 has no such element here."),
    "list_type": ("structure", "This element repeats: a list without null is wanted."),
    "string_type": ("structure", "A string is wanted here."),
    "string_pattern_mismatch": ("value", "The value is not of the form that R4 gives for this type."),
    "model_type": ("structure", "An object is wanted here."),
    "model_validation_format": ("structure", "An object is wanted here."),
    "json_invalid": ("structure", "An object is wanted here."),
}
_OTHERWISE = ("value", "The value is not one that R4 allows here.")


def check(resource: Json) -> None:
    """Raise `Rejected` with every issue, or `Unsupported` for a resource type that R4 does not have."""
    found = issues(resource)
    if found:
        raise Rejected(found)


def check_written(resource: Json) -> None:
    """As `check`, for what a client writes here: R4's rules are held, too."""
    found = written_issues(resource)
    if found:
        raise Rejected(found)


def written_issues(resource: Json) -> list[Issue]:
    """What is wrong with a resource that a client would write; [] when it is R4 and breaks none of its rules."""
    return issues(elements.without_nulls(resource)) or invariants.broken(resource)


def issues(resource: Json) -> list[Issue]:
    """What is wrong with a resource, each with its place; [] when it is R4."""
    for place, kind in _types(resource):
        if not isinstance(kind, str) or kind not in resource_types():
            raise Unsupported("This is no resource type of FHIR R4", location=place, advice="Send a type of R4.")
    found = list(_shape(resource))
    if not found:
        for place, one in _resources(resource):
            inner = [*_bindings(one), *(() if ".contained[" in place else _references(one))]
            found += [Issue(each.code, each.text, place + each.location.removeprefix(one["resourceType"])) for each in inner]
    return found


@cache
def resource_types() -> frozenset[str]:
    """The names of R4's resource types (http://hl7.org/fhir/R4/resourcelist.html)."""
    return frozenset(files("gateway.fhir").joinpath("resource_types.txt").read_text(encoding="utf-8").split())


def _types(resource: Json) -> Iterator[tuple[str, Any]]:
    """(place, resourceType) of the resource, what it contains and, in a Bundle, what its entries hold."""
    stack: list[tuple[str, Json]] = [(str(resource.get("resourceType")), resource)]
    while stack:
        place, one = stack.pop()
        yield f"{place}.resourceType" if place != str(one.get("resourceType")) else "resourceType", one.get("resourceType")
        stack += _inner(place, one)


def _resources(resource: Json) -> Iterator[tuple[str, Json]]:
    stack: list[tuple[str, Json]] = [(str(resource["resourceType"]), resource)]
    while stack:
        place, one = stack.pop()
        yield place, one
        stack += _inner(place, one)


def _inner(place: str, one: Json) -> list[tuple[str, Json]]:
    contained, entries = one.get("contained"), one.get("entry")
    found = [(f"{place}.contained[{number}]", each) for number, each in enumerate(contained if isinstance(contained, list) else [])]
    if one.get("resourceType") == "Bundle":
        for number, entry in enumerate(entries if isinstance(entries, list) else []):
            if isinstance(entry, dict) and "resource" in entry:
                found.append((f"{place}.entry[{number}].resource", entry["resource"]))
    return [(where, each) for where, each in found if isinstance(each, dict)]


def _shape(resource: Json) -> Iterable[Issue]:
    """What the R4B model says. Its own texts quote values, so only the kind of error and the place are taken from it."""
    from fhir.resources.R4B import get_fhir_model_class
    from pydantic import ValidationError

    kind = resource["resourceType"]
    try:
        get_fhir_model_class(kind).model_validate(resource)
    except ValidationError as refusal:
        errors = refusal.errors(include_url=False, include_context=False, include_input=False)
        return [Issue(*_TEXTS.get(each["type"], _OTHERWISE), _place(kind, each["loc"])) for each in errors]
    except (KeyError, ValueError, TypeError, AttributeError, RecursionError):
        return [Issue("structure", "The resource does not have the shape of its type.", kind)]
    return []


def _place(kind: str, location: tuple[int | str, ...]) -> str:
    place = kind
    for step in location:
        if isinstance(step, int):
            place += f"[{step}]"
        elif step not in ("root", "__root__"):
            place += f".{step}"
    return place


@cache
def _required() -> dict[str, list[tuple[str, frozenset[str]]]]:
    with files("gateway.fhir").joinpath("bindings.csv").open(encoding="utf-8") as lines:
        table: dict[str, list[tuple[str, frozenset[str]]]] = {}
        for row in csv.DictReader(lines):
            table.setdefault(row["type"], []).append((row["path"], frozenset(row["codes"].split())))
    return table


def bound_elements(type: str) -> Sequence[tuple[str, frozenset[str]]]:
    """The elements of a type that R4 binds to codes, by path, each with its codes."""
    return _required().get(type, [])


def _bindings(resource: Json) -> Iterator[Issue]:
    table = _required()
    for path, codes in (*table.get(resource["resourceType"], ()), *table["*"]):
        for place, value in elements.located(resource, path):
            if isinstance(value, str) and value not in codes:
                yield Issue("code-invalid", "The code is not one of the value set that R4 requires here.", place)


def _references(resource: Json) -> Iterator[Issue]:
    """Literal references have one of the forms R4 knows, name a type that it has, and, where they point inside, point at something.

    What a resource contains is walked with it; what a Bundle's entries hold is walked on its own.
    """
    if resource["resourceType"] == "Bundle":
        return
    inside = {one.get("id") for one in resource.get("contained", [])}
    for place, reference in elements.references(resource):
        literal = reference["reference"]
        if not _REFERENCE.match(literal):
            yield Issue("value", "This is not a literal reference as R4 writes it.", f"{place}.reference")
        elif literal.startswith("#") and len(literal) > 1 and literal[1:] not in inside:
            yield Issue("not-found", "The resource contains nothing of this id.", f"{place}.reference")
        elif (target := _target(literal)) and target not in resource_types():
            yield Issue("value", "The reference names no resource type of R4.", f"{place}.reference")
        elif target and isinstance(reference.get("type"), str) and reference["type"] != target:
            yield Issue("value", "The reference's type and its literal disagree.", place)


def _target(literal: str) -> str:
    if literal.startswith(("#", "urn:")):
        return ""
    if "?" in literal:
        return literal.partition("?")[0]
    return literal.partition("/_history/")[0].split("/")[-2]
