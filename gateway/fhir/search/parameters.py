"""The table of search parameters, and what stands in a resource where one of them looks."""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import Any, NamedTuple

Json = dict[str, Any]

_EVERY = "Resource"
"""The rows of the table that hold for every type."""

_STEP = re.compile(r"([A-Za-z_]+)(?:\[(\w+)=([^\]]*)\])?(?:\.|$)")


class Parameter(NamedTuple):
    """One search parameter of a type.

    `path` names elements from the type down ("participant.actor"); `a|b` gives both, `telecom[system=phone]` those with that value. `targets` are
    the types that a reference may point to, () for any. `indexed`: the parameter under whose name it is indexed (mostly itself), "" for none.
    """

    type: str
    name: str
    kind: str  # token | reference | date | string | uri | quantity
    path: str
    targets: tuple[str, ...]
    indexed: str


@cache
def parameters(type: str) -> Mapping[str, Parameter]:
    """The search parameters of a resource type, by name; none for a type that is not held."""
    own = _table().get(type)
    if own is None:
        return {}
    return {**own, **{name: each._replace(type=type) for name, each in _table()[_EVERY].items()}}


@cache
def searchable() -> Sequence[str]:
    """The resource types that have search parameters."""
    return sorted(_table().keys() - {_EVERY})


@cache
def _table() -> dict[str, dict[str, Parameter]]:
    table: dict[str, dict[str, Parameter]] = {}
    with files("gateway.fhir").joinpath("search_parameters.csv").open(encoding="utf-8") as lines:
        for row in csv.DictReader(lines):
            indexed = row["name"] if row["indexed"] == "yes" else row["indexed"]
            one = Parameter(row["type"], row["name"], row["kind"], row["path"], tuple(row["targets"].split()), indexed)
            table.setdefault(one.type, {})[one.name] = one
    return table


def found(resource: Json, path: str) -> list[Any]:
    """What stands at a parameter's path: lists flattened, absent levels skipped."""
    stands: list[Any] = []
    for steps in _steps(path):
        level: list[Any] = [resource]
        for name, key, wanted in steps:
            below: list[Any] = []
            for node in level:
                if isinstance(node, dict) and name in node:
                    child = node[name]
                    below += child if isinstance(child, list) else (child,)
            level = [one for one in below if isinstance(one, dict) and one.get(key) == wanted] if key else below
        stands += level
    return stands


@cache
def _steps(path: str) -> tuple[tuple[tuple[str, str, str], ...], ...]:
    """Each alternative of a path as (element, key that must say, this)."""
    return tuple(tuple((step[1], step[2] or "", step[3] or "") for step in _STEP.finditer(one)) for one in path.split("|"))
