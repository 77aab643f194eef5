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


class Presence(NamedTuple):
    """How often an element that a profile marks as must-support is there. `path` is FHIRPath, with the name of a slice after a colon."""

    path: str
    present: int


def is_meant(run: Run, profile: Profile, resource: Json) -> bool:
    """Whether a resource has the values that tell a profile from the others of its type."""
    for name in _TELLING:
        node = profile.root.elements.get(name)
        if node and node.element:
            found = items(profile.type, node.element, resource)
            if (name in _BY_PRESENCE and node.min and not found) or not _agrees(run, node, found):
                return False
    return True


def _agrees(run: Run, node: Constraint, found: list[Item]) -> bool:
    if node.pattern is not None or node.fixed is not None:
        trial = run.trial()
        for item in found:
            constraints.one(trial, item, node)
        if not found or any(finding.rule in ("pattern", "fixed") for finding in trial.found):
            return False
    within = slices.members(run.trial(), "", node, found, constraints.conforms) if node.slices else {}
    return all(within[name] for name in within if node.slices[name].min)


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
