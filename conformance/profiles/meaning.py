"""What a profile is meant for, and how much of what it supports a resource says.

Source: HL7 FHIR R4, 5.1.0.14 Discriminator; US Core, Must Support.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from conformance.profiles import constraints, slices
from conformance.profiles.items import Item, items
from conformance.profiles.model import Constraint, Profile
from conformance.profiles.run import Run

Json = dict[str, Any]

_TELLING = ("category", "code", "type", "patient")
"""The elements by which profiles of one type are told apart."""
_BY_PRESENCE = ("category", "patient")
"""Those of them that a profile requires where its base does not: without a category, or of no patient, it is something else."""

_TOLD_BY = ("fixed", "pattern", "slice")
"""The rules that a resource of another kind breaks; any other is a mistake in one of this kind."""


class Presence(NamedTuple):
    """How often an element that a profile marks as must-support is there. `path` is FHIRPath, with the name of a slice after a colon."""

    path: str
    present: int


def meant(run: Run, profiles: list[Profile], resource: Json) -> list[Profile]:
    """The profiles whose telling values a resource has; among them those that its code is one of, if there are such."""
    fitting = [(profile, fit) for profile in profiles if (fit := _fit(run, profile, resource))]
    best = max((fit for _, fit in fitting), default=0)
    return [profile for profile, fit in fitting if fit == best]


def _fit(run: Run, profile: Profile, resource: Json) -> int:
    """How well a resource fits what tells a profile from the others: 0 not, 1 but for its code (a value set may be left), 2 wholly."""
    trial = run.trial()
    for name in _TELLING:
        node = profile.root.elements.get(name)
        if node and node.element:
            found = items(profile.type, node.element, resource)
            if name in _BY_PRESENCE and node.min and not _present(trial, node, found):
                return 0
            constraints.group(trial, f"{profile.type}.{name}", node, found)
    if any(finding.severity == "error" and finding.rule in _TOLD_BY for finding in trial.found):
        return 0
    return 1 if any(finding.rule == "binding" and finding.location == f"{profile.type}.code" for finding in trial.found) else 2


def _present(run: Run, node: Constraint, found: list[Item]) -> bool:
    """Whether there is one of what a profile requires; where it slices that, one of a slice."""
    return any(slices.members(run.trial(), "", node, found, constraints.conforms).values()) if node.slices else bool(found)


def presence(run: Run, profile: Profile, resource: Json) -> list[Presence]:
    """How often each must-support element of a profile is there, in the order of the profile."""
    return [*_below(run, profile.root, [Item(profile.type, constraints.ROOT, resource)], profile.type)]


def _below(run: Run, node: Constraint, around: list[Item], path: str) -> Iterator[Presence]:
    for child in node.elements.values():
        if child.element:
            found = [each for item in around for each in items(item.location, child.element, item.object)]
            yield from _support(run, child, found, f"{path}.{child.element.label}")


def _support(run: Run, node: Constraint, found: list[Item], path: str) -> Iterator[Presence]:
    if node.must_support:
        yield Presence(path, len(found))
    yield from _below(run, node, found, path)
    if node.slices:
        for name, members in slices.members(run.trial(), path, node, found, constraints.conforms).items():
            yield from _support(run, node.slices[name], members, f"{path}:{name}")
