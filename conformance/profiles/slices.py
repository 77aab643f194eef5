"""Slices: which values of a list belong to which, and what follows from it.

Source: HL7 FHIR R4, 5.1.0.14 Discriminator (value, exists, pattern, type, profile), 2.24 ElementDefinition.slicing (rules, ordered).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

from conformance.profiles import codes, references
from conformance.profiles.items import Item, fits, resource_type
from conformance.profiles.model import Constraint, Slicing
from conformance.profiles.run import Run

Json = dict[str, Any]

_STEP = re.compile(r"extension\('([^']*)'\)|ofType\((\w+)\)|(resolve)\(\)|(\$this)|(\w+)")


Conforms = Callable[[Run, str, Json], bool]
"""Whether a value conforms to the profile of a URL."""


def members(run: Run, location: str, node: Constraint, found: list[Item], conforms: Conforms) -> dict[str, list[Item]]:
    """The values of each slice. What the slicing itself forbids is noted."""
    slicing = node.slicing or _implied(node)
    names = [name for name in node.slices if "/" not in name or not any(name.startswith(f"{other}/") for other in node.slices)]
    within: dict[str, list[Item]] = {name: [] for name in names}
    order: list[int] = []
    for item in found:
        name = next((name for name in names if _belongs(run, item, node.slices[name], slicing, conforms)), None)
        order.append(len(names) if name is None else names.index(name))
        if name is not None:
            within[name].append(item)
        elif slicing.rules == "closed":
            run.error(item.location, "slice", f"This is none of the slices that the profile allows: {', '.join(names)}.")
    if order != sorted(order) and (slicing.ordered or slicing.rules == "openAtEnd"):
        run.error(location, "slice", f"The slices have to stand in this order: {', '.join(names)}.")
    return within


def _implied(node: Constraint) -> Slicing:
    """Extensions are sliced by their URL and choices by their type, if nothing else is said."""
    return Slicing((("value", "url"),) if node.element and node.element.name.endswith("xtension") else (("type", "$this"),))


def _belongs(run: Run, item: Item, node: Constraint, slicing: Slicing, conforms: Conforms) -> bool:
    """Whether every discriminator finds what the slice says of it. A slice of which nothing is said holds nothing."""
    return bool(slicing.by) and all(_agrees(run, item, node, how, path, conforms) for how, path in slicing.by)


def _agrees(run: Run, item: Item, node: Constraint, how: str, path: str, conforms: Conforms) -> bool:
    steps = [match.group(0) for match in _STEP.finditer(path)]
    if how == "profile":
        return _conforms(run, item, _node(run, node, steps), conforms)
    if how == "type":
        return _typed(run, item, node, steps)
    values = [*_walk(run, item.value if item.value is not None else item.object, steps)]
    if how == "exists":
        wanted = _node(run, node, steps)
        return wanted is not None and bool(values) == (wanted.min > 0 and wanted.max > 0)
    return _valued(run, values, node, steps)


def _valued(run: Run, values: list[Any], node: Constraint, steps: list[str]) -> bool:
    """The value that a slice states at a path: fixed, a pattern (there or above), or the codes of a required binding."""
    said = False
    for depth in range(len(steps) + 1):
        at = _node(run, node, steps[:depth])
        if at is None:
            return said or (steps == ["url"] and any(url in values for kind in node.types for url in kind.profiles))
        rest = steps[depth:]
        if at.fixed is not None or at.pattern is not None:
            stated = at.fixed if at.fixed is not None else at.pattern
            wanted = [*_walk(run, stated, rest)]
            said = said or bool(wanted)
            exact = at.fixed is not None
            if not all(any(value == each if exact else fits(value, each) for value in values) for each in wanted):
                return False
        elif not rest and at.binding and at.binding.strength == "required":
            said = True
            if not any(_has(run, value, at) for value in values):
                return False
        elif not rest and at.elements and not said:
            return all(_valued(run, [*_inside(values, name)], node, [*steps, name]) for name, below in at.elements.items() if _says(below))
    return said


def _says(node: Constraint) -> bool:
    return node.fixed is not None or node.pattern is not None or any(map(_says, node.elements.values()))


def _inside(values: list[Any], name: str) -> Iterator[Any]:
    for value in values:
        found = value.get(name) if isinstance(value, dict) else None
        yield from found if isinstance(found, list) else [found] if found is not None else []


def _has(run: Run, value: Any, node: Constraint) -> bool:
    """Whether a value is one of a required binding's codes; of codes that nobody here knows it is taken to be."""
    if not node.binding:
        return False
    if isinstance(value, str):
        return run.terminology.has(node.binding.value_set, None, value) is not False
    verdicts = [
        run.terminology.has(node.binding.value_set, coding.get("system"), coding["code"])
        for coding in codes.codings(value)
        if isinstance(coding.get("code"), str) and isinstance(coding.get("system"), str)
    ]
    return any(verdict is not False for verdict in verdicts)


def _node(run: Run, node: Constraint, steps: list[str]) -> Constraint | None:
    """What a slice says at a path; of an extension's parts, what the extension's own definition says."""
    for step in steps:
        if step == "$this" or step.startswith(("ofType", "resolve")):
            continue
        below = node.elements.get(step) or node.elements.get(f"{step}[x]")
        if below is None and step.startswith("extension("):
            below = next((one for one in _extensions(node) if _url(run, one) == step[11:-2]), None)
        if below is None:
            profiles = [url for kind in node.types for url in kind.profiles if run.model.knows(url)]
            root = run.model.profile(profiles[0]).root if profiles else None
            below = (root.elements.get(step) or root.elements.get(f"{step}[x]")) if root else None
        if below is None:
            return None
        node = below
    return node


def _extensions(node: Constraint) -> list[Constraint]:
    return [*node.elements["extension"].slices.values()] if "extension" in node.elements else []


def _url(run: Run, node: Constraint) -> Any:
    found = _node(run, node, ["url"])
    return found.fixed if found else None


def _walk(run: Run, value: Any, steps: list[str]) -> Iterator[Any]:
    """The values at a path of an instance, or of a fixed value or pattern."""
    if not steps:
        yield value
        return
    step, *rest = steps
    if step == "$this" or step.startswith("ofType"):
        yield from _walk(run, value, rest)
    elif step.startswith("resolve"):
        if isinstance(value, dict) and (found := references.target(run, value)) is not None:
            yield from _walk(run, found, rest)
    elif isinstance(value, dict):
        if step.startswith("extension("):
            names, wanted = ["extension"], step[11:-2]
        else:
            names, wanted = [name for name in value if name == step or (name.startswith(step) and name[len(step) : len(step) + 1].isupper())], ""
        for name in names:
            ones = value.get(name)
            for each in ones if isinstance(ones, list) else [ones]:
                if each is not None and (not wanted or (isinstance(each, dict) and each.get("url") == wanted)):
                    yield from _walk(run, each, rest)


def _typed(run: Run, item: Item, node: Constraint, steps: list[str]) -> bool:
    """The type of the value, of the resource there, or of what a reference points at is one of the slice's."""
    at = _node(run, node, steps)
    if at is None:
        return False
    if steps[-1:] == ["resolve()"]:
        targets = {run.model.type_of(url) for kind in at.types for url in kind.targets}
        return any(isinstance(one, dict) and references.target_type(run, one) in targets for one in _walk(run, item.value, steps[:-1]))
    kinds = {kind.code for kind in at.types}
    if steps in ([], ["$this"]) and item.kind.code in kinds:
        return True
    return any(resource_type(one) in kinds for one in _walk(run, item.value, steps))


def _conforms(run: Run, item: Item, node: Constraint | None, conforms: Conforms) -> bool:
    profiles = [url for kind in node.types for url in (*kind.profiles, *kind.targets)] if node else []
    value = references.target(run, item.value) if isinstance(item.value, dict) and "reference" in item.value else item.value
    return isinstance(value, dict) and any(conforms(run, url, value) for url in profiles)
