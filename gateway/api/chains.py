"""Chains of one level: searching by what a referenced record says (`patient.name=…`), or by what refers here (`_has:Observation:patient:code=…`).

http://hl7.org/fhir/R4/search.html#chaining. The inner search is a search like any other: in the recipient's own view, with leave to search the type
that it reaches, asked before anything is looked for.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple, Protocol

from gateway.api.access import View
from gateway.api.grants import Grant, grant
from gateway.api.selections import Budget, Selection
from gateway.errors import Forbidden, Malformed
from gateway.fhir import search
from gateway.smart.access import Caller
from gateway.smart.scopes import Interaction

HAS = "_has"
_ALWAYS = ("_id", "_lastUpdated")


class Reach(Protocol):
    """An inner search, to be made before the outer one."""

    def narrow(self, outer: Selection, look: View, budget: Budget) -> None:
        """Make it, and narrow the outer one by what it found."""


class Chain(NamedTuple):
    """`subject:Patient.identifier=…`: the reference, and what is asked of each type that it may point to."""

    parameter: search.Parameter
    inner: tuple[Selection, ...]

    def narrow(self, outer: Selection, look: View, budget: Budget) -> None:
        found = [f"{one.type}/{record.resource['id']}" for one in self.inner for record in one.rows(look, budget)]
        outer.meet(search.references(self.parameter, found))


class Has(NamedTuple):
    """`_has:Observation:patient:code=…`: what is asked of the type that refers here, and by which reference."""

    parameter: search.Parameter
    inner: Selection

    def narrow(self, outer: Selection, look: View, budget: Budget) -> None:
        literals = (literal for record in self.inner.rows(look, budget) for literal in search.literals(record.resource, self.parameter))
        own = f"{outer.type}/"
        outer.among(list(dict.fromkeys(one.removeprefix(own) for one in literals if one.startswith(own))))


class Asking(NamedTuple):
    """Who asks, and what a query's values are read by."""

    caller: Caller
    base_url: str
    now: int  # microseconds UTC


def read_reach(asking: Asking, type: str, name: str, value: str) -> Reach | None:
    """The chain or _has that a parameter asks for; None where it is neither. Raises Malformed, and Forbidden where no scope opens the inner type."""
    if name.startswith(f"{HAS}:"):
        return _has(asking, type, name, value)
    head, dot, inner = name.partition(".")
    return _chain(asking, type, head, inner, value) if dot else None


def _chain(asking: Asking, type: str, head: str, inner: str, value: str) -> Chain | None:
    stem, _, target = head.partition(":")
    parameter = search.parameters(type).get(stem)
    if parameter is None or parameter.kind != "reference":
        return None
    _check_depth(type, inner)
    if target and target not in (parameter.targets or search.searchable()):
        raise Malformed("The reference does not point to this type", location=f"{type}?{stem}")
    types = [target] if target else [one for one in parameter.targets or search.searchable() if _knows(one, inner)]
    if not types:
        return None
    selections = tuple(Selection(leave) for leave in _leaves(asking.caller, types))
    known = [selection.narrow(inner, value, asking.base_url, asking.now) for selection in selections]
    return Chain(parameter, selections) if all(known) else None


def _has(asking: Asking, type: str, name: str, value: str) -> Has | None:
    parts = name.split(":", 3)
    if len(parts) < 4:
        raise Malformed("Write it as _has:Observation:patient:code", location=f"{type}?_has")
    _, source, reference, inner = parts
    parameter = search.parameters(source).get(reference)
    if parameter is None or parameter.kind != "reference" or (parameter.targets and type not in parameter.targets):
        raise Malformed("There is no such reference to this type", location=f"{type}?_has", advice="Write it as _has:Observation:patient:code.")
    _check_depth(type, inner)
    selection = Selection(grant(asking.caller, source, "s"))
    return Has(parameter, selection) if selection.narrow(inner, value, asking.base_url, asking.now) else None


def _check_depth(type: str, inner: str) -> None:
    if "." in inner or inner.startswith(HAS):
        raise Malformed("Chains are followed one level deep", location=f"{type}?…", advice="Search in two steps.")


def _knows(type: str, name: str) -> bool:
    stem = name.partition(":")[0]
    return stem in search.parameters(type) or stem in _ALWAYS


def _leaves(caller: Caller, types: Sequence[str]) -> Iterator[Grant]:
    """Leave to search each of the types: one that is meant alone must be granted, of several those that are."""
    if len(types) == 1:
        yield grant(caller, types[0], "s")
        return
    yield from granted(caller, types, "s")


def granted(caller: Caller, types: Sequence[str], interaction: Interaction) -> list[Grant]:
    """Leave for those of the types that a scope opens. Raises Forbidden where that is none."""
    leaves = []
    refused: Forbidden | None = None
    for type in types:
        try:
            leaves.append(grant(caller, type, interaction))
        except Forbidden as error:
            refused = error
    if not leaves and refused is not None:
        raise refused
    return leaves
