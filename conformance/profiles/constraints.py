"""A profile's constraints: what it says beyond the base type, of the elements it speaks of.

Source: HL7 FHIR R4, 2.24 ElementDefinition (min, max, type, fixed[x], pattern[x], binding, constraint); 5.1.0.14 Discriminator.
"""

from __future__ import annotations

from typing import Any

from conformance.profiles import codes, invariants, references, slices
from conformance.profiles.items import Item, fits, items, resource_type
from conformance.profiles.model import Constraint, Type
from conformance.profiles.run import Run

Json = dict[str, Any]
ROOT = Type("")
"""The type of the item that a whole resource is."""


def check(run: Run, location: str, root: Constraint, value: Json) -> None:
    """Check an object (a resource, an extension, a data type) against a profile's root."""
    if root.rules:
        invariants.check(run, location, root.rules, value, root.kind)
    _below(run, location, root, value)


def _below(run: Run, location: str, node: Constraint, value: Json) -> None:
    for child in node.elements.values():
        if child.element:
            group(run, f"{location}.{child.element.label}", child, items(location, child.element, value))


def group(run: Run, location: str, node: Constraint, found: list[Item], slice_name: str = "") -> None:
    """Check all values of an element, or of a slice, at once: how many there are, what each is, and how they fall into slices."""
    rule, what = ("slice", f"The slice {slice_name}") if slice_name else ("cardinality", "This element")
    if len(found) < node.min:
        run.error(location, rule, f"{what} is required{f' {node.min} times' if node.min > 1 else ''}.")
    if len(found) > node.max:
        run.error(location, rule, f"{what} may not be there." if node.max == 0 else f"{what} may be there at most {node.max} times.")
    for item in found:
        one(run, item, node)
    if node.slices:
        for name, members in slices.members(run, location, node, found, conforms).items():
            group(run, location, node.slices[name], members, name)


def one(run: Run, item: Item, node: Constraint) -> None:
    """Check one value against what a profile says of it."""
    if node.types and not _of_a_type(run, item, node.types):
        return
    if node.fixed is not None and item.value != node.fixed:
        run.error(item.location, "fixed", f"The value is fixed to {_shown(node.fixed)}.")
    if node.pattern is not None and not fits(item.value, node.pattern):
        run.error(item.location, "pattern", f"The value has to contain {_shown(node.pattern)}.")
    if node.binding and item.value is not None:
        codes.bound(run, item.location, item.kind.code, item.value, node.binding)
    if node.rules and item.value is not None and node.element:
        path = node.element.content.path if node.element.content else item.kind.code
        invariants.check(run, item.location, node.rules, item.value, path)
    if node.elements:
        _below(run, item.location, node, item.object)


def _of_a_type(run: Run, item: Item, types: tuple[Type, ...]) -> bool:
    is_a = resource_type(item.value) or item.kind.code
    kinds = [kind for kind in types if kind.code in (is_a, "Resource")]
    if not kinds:
        run.error(item.location, "type", f"The type is one of {', '.join(kind.code for kind in types)} here.")
        return False
    if kinds[0].targets and isinstance(item.value, dict):
        references.allowed(run, item.location, item.value, kinds[0])
    if kinds[0].profiles and kinds[0].code != "Extension" and isinstance(item.value, dict):
        profiled(run, item.location, item.value, kinds[0].profiles)
    return True


def profiled(run: Run, location: str, value: Json, profiles: tuple[str, ...]) -> None:
    """The value conforms to one of the profiles that its type names, if all of them are known."""
    if all(map(run.model.knows, profiles)) and not any(conforms(run, url, value) for url in profiles):
        check(run, location, run.model.profile(profiles[0]).root, value)


def conforms(run: Run, url: str, value: Json) -> bool:
    """Whether a value conforms to a profile, without a word about it; an unknown profile nobody conforms to."""
    if not run.model.knows(url):
        return False
    trial = run.trial()
    check(trial, "", run.model.profile(url).root, value)
    return not any(finding.severity == "error" for finding in trial.found)


def _shown(wanted: Any) -> str:
    """What a profile wants, as short text: the codes of codings, else the values."""
    if isinstance(wanted, dict):
        return " ".join(_shown(each) for each in wanted.values())
    if isinstance(wanted, list):
        return ", ".join(map(_shown, wanted))
    return str(wanted)
