"""The base check: a resource against R4's own definition of its type, element by element.

Source: HL7 FHIR R4, 2.6.2 JSON Representation of Resources; 2.1 Resource definitions.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

from conformance.profiles import codes, constraints, extensions, invariants, references
from conformance.profiles.items import resource_type
from conformance.profiles.model import Property, Structure
from conformance.profiles.primitives import CHECKS
from conformance.profiles.run import Run

Json = dict[str, Any]


def resource(run: Run, location: str, value: Json) -> None:
    """Check one resource of a known type against that type."""
    structure = run.model.structure(value["resourceType"])
    _object(run, location, value, structure)
    extensions.check(run, location, value, (structure.path,), structure.name)
    if "contained" in value:
        _contained(run, location, value)
    rules = structure.rules if value is run.container else tuple(rule for rule in structure.rules if rule.key != _NARRATED)
    invariants.check(run, location, rules, value, structure.path)


_NARRATED = "dom-6"
"""The advice to have a narrative: a contained resource is told of in its container's."""


def _object(run: Run, location: str, value: Json, structure: Structure) -> None:
    properties = structure.properties
    if not value:
        run.error(location, "structure", "An object is never empty in FHIR; leave the element out.")
    elif len(value) == 1 and "id" in value and structure.name != "Element":
        run.error(location, "ele-1", "An element has a value or elements of its own, beside its id.")
    for name, one in value.items():
        prop = properties.get(name)
        if prop is None:
            if name != "resourceType" or not structure.is_resource:
                run.error(f"{location}.{name}" if isinstance(name, str) and name.isidentifier() else location, "structure", _unknown(structure))
        elif prop.element.repeats:
            if type(one) is list:
                _list(run, f"{location}.{prop.label}", one, prop, value)
            else:
                run.error(f"{location}.{prop.label}", "structure", "This element repeats: a list is wanted.")
        elif type(one) is list:
            run.error(f"{location}.{prop.label}", "structure", "This element does not repeat: no list is wanted.")
        else:
            _value(run, f"{location}.{prop.label}", one, prop)
    for element, names in structure.required:
        if not any(name in value for name in names):
            run.error(f"{location}.{element.label}", "cardinality", "This element is required.")
    for element, names in structure.choices:
        if len(value) > 1 and sum(name in value or f"_{name}" in value for name in names) > 1:
            run.error(f"{location}.{element.label}", "cardinality", "Only one of the types of this element may be there.")


def _unknown(structure: Structure) -> str:
    return f"R4 has no such element in {structure.path}."


def _list(run: Run, location: str, values: list[Any], prop: Property, parent: Json) -> None:
    if not values:
        run.error(location, "structure", "A list is never empty in FHIR; leave the element out.")
    for number, one in enumerate(values):
        if one is None:
            _null(run, f"{location}[{number}]", number, prop, parent)
        else:
            _value(run, f"{location}[{number}]", one, prop)


def _null(run: Run, location: str, number: int, prop: Property, parent: Json) -> None:
    """null stands in a list only where the primitive, or its sibling, has something to say at the same place."""
    label = prop.element.name
    other = parent.get(label if prop.of_primitive else f"_{label}") if prop.primitive or prop.of_primitive else None
    if not isinstance(other, list) or number >= len(other) or other[number] is None:
        run.error(location, "structure", "null stands only for a primitive whose extensions stand at the same place of its sibling list.")


def _value(run: Run, location: str, value: Any, prop: Property) -> None:
    element = prop.element
    if prop.primitive:
        if fault := CHECKS[prop.primitive](value):
            run.error(location, *fault)
        elif element.binding:
            codes.bound(run, location, prop.primitive, value, element.binding)
        if element.rules:
            invariants.check(run, location, element.rules, value, element.path)
    elif type(value) is not dict:
        run.error(location, "type", "An object is wanted here.")
    elif prop.content is None or prop.content.is_resource:
        _inner(run, location, value, prop)
    else:
        _object(run, location, value, prop.content)
        _of_type(run, location, value, prop)
        if "extension" in value or "modifierExtension" in value:
            extensions.check(run, location, value, (element.path, prop.content.path), prop.type.code)
        if prop.content.rules or element.rules:
            invariants.check(run, location, prop.content.rules, value, prop.content.path)
            invariants.check(run, location, element.rules, value, prop.content.path)


def _of_type(run: Run, location: str, value: Json, prop: Property) -> None:
    """What holds for a data type, wherever it stands."""
    element, kind = prop.element, prop.type.code
    if prop.of_primitive:
        return
    if element.binding:
        codes.bound(run, location, kind, value, element.binding)
    if prop.type.profiles and kind != "Extension":
        constraints.profiled(run, location, value, prop.type.profiles)
    if kind in codes.CODED:
        codes.coding(run, location, value)
    elif kind == "Reference":
        references.literal(run, location, value)
        references.allowed(run, location, value, prop.type)


def _inner(run: Run, location: str, value: Json, prop: Property) -> None:
    """A resource inside a resource: contained, in a Bundle's entry, or a parameter."""
    if resource_type(value) not in run.model.resources:
        run.error(f"{location}.resourceType", "structure", "This is no resource type of R4.")
        return
    if prop.element.name == "contained":
        resource(run.within(value, run.container), location, value)
    else:
        resource(run.within(value), location, value)


def _contained(run: Run, location: str, value: Json) -> None:
    """What R4 says of contained resources (dom-2 to dom-5)."""
    inside = value["contained"] if isinstance(value["contained"], list) else []
    outside = {name: one for name, one in value.items() if name != "contained"}
    pointers = [_pointers(one) for one in inside]
    spoken = Counter(_pointers(outside))
    for found in pointers:
        spoken.update(found)
    for number, (one, own) in enumerate(zip(inside, pointers, strict=True)):
        if not isinstance(one, dict):
            continue
        where = f"{location}.contained[{number}]"
        meta = one.get("meta")
        meta = meta if isinstance(meta, dict) else {}
        if "contained" in one:
            run.error(f"{where}.contained", "dom-2", "A contained resource contains nothing itself.")
        if "versionId" in meta or "lastUpdated" in meta:
            run.error(f"{where}.meta", "dom-4", "A contained resource has no version and no time of update.")
        if "security" in meta:
            run.error(f"{where}.meta", "dom-5", "A contained resource has no security label of its own.")
        wanted = f"#{one.get('id')}"
        if not isinstance(one.get("id"), str):
            run.error(f"{where}.id", "contained", "A contained resource has an id, by which it is referred to.")
        elif spoken[wanted] - (wanted in own) < 1 and "#" not in own:
            run.error(where, "dom-3", "A contained resource is referred to from the resource that contains it, or refers to it.")


def _pointers(value: Any) -> set[str]:
    """The fragments (`#id`, or `#` alone) that a value points at anywhere."""
    found: set[str] = set()
    waiting = [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, str):
            if one.startswith("#"):
                found.add(one)
        else:
            waiting += one.values() if isinstance(one, dict) else one if isinstance(one, list) else ()
    return found
