"""Resources broken by named operators. Each takes a copy of a valid one and spoils one thing in it; the choice among its places is by a seed."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from random import Random
from typing import NamedTuple

from cross_check import breaking_json as json
from cross_check import breaking_rules as rules
from cross_check.comparing import Case
from cross_check.definitions import Definition, Json, Types
from cross_check.spots import Operator


class Valid(NamedTuple):
    """A resource that is valid under a profile (None: under R4 alone)."""

    id: str
    resource: Json
    profile: Definition | None


def broken(sources: Sequence[Valid], types: Types, each: int, seed: int) -> list[Case]:
    """`each` broken resources for every operator that finds so many places, of as many resource types and profiles as can be."""
    found = []
    for name, operator in OPERATORS.items():
        random = Random(f"{seed} {name}")
        made = 0
        for source in _mixed(sources, random):
            if made == each:
                break
            spoiled = copy.deepcopy(source.resource)
            if operator(spoiled, list(types.walk(spoiled)), source.profile, random) and spoiled != source.resource:
                found.append(Case(f"{source.id} / {name}", source.profile.url if source.profile else None, spoiled, name))
                made += 1
    return found


def _mixed(sources: Sequence[Valid], random: Random) -> list[Valid]:
    """The sources in a random order in which every profile's turn comes equally often."""
    by_profile: dict[str, list[Valid]] = {}
    for source in random.sample(sources, len(sources)):
        by_profile.setdefault(source.profile.url if source.profile else source.resource["resourceType"], []).append(source)
    turns = [(place, name, source) for name, group in by_profile.items() for place, source in enumerate(group)]
    return [source for _, _, source in sorted(turns, key=lambda turn: turn[:2])]


OPERATORS: dict[str, Operator] = {
    operator.__name__.replace("_", "-"): operator
    for operator in (
        rules.required_removed,
        rules.required_emptied,
        rules.slice_removed,
        rules.slice_doubled,
        rules.pattern_changed,
        rules.required_code_misspelt,
        rules.concept_misspelt,
        rules.reference_turned,
        rules.reference_malformed,
        json.primitive_of_wrong_type,
        json.malformed,
        json.single_in_array,
        json.array_unwrapped,
        json.array_nested,
        json.object_for_primitive,
        json.primitive_for_object,
        json.unknown_element,
        json.emptied,
        json.null_value,
        json.choice_doubled,
        json.choice_of_wrong_type,
        rules.extension_broken,
        json.companion_broken,
        rules.type_changed,
        rules.contained_broken,
        rules.invariant_broken,
    )
}
