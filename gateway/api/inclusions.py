"""Inclusions: what a page's records refer to (`_include`), and what refers to them (`_revinclude`). http://hl7.org/fhir/R4/search.html#revinclude

They are read in the recipient's own view, and only of types that a scope opens: reading what is referred to needs leave to read, finding what refers
here leave to search.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from gateway.api.access import Seen, View
from gateway.api.chains import granted
from gateway.api.grants import Grant, grant
from gateway.api.selections import Budget, Selection
from gateway.errors import Malformed, TooLarge
from gateway.fhir import search
from gateway.smart.access import Caller

PARAMETERS = ("_include", "_revinclude", "_include:iterate", "_revinclude:iterate")
_AT_ONCE = 200
"""Records that are looked for at once."""


class Inclusion(NamedTuple):
    """`_include=Task:patient`, `_revinclude=Provenance:target`. `grants`: of the types that it reaches; `only`: the types from which it goes."""

    parameter: search.Parameter
    grants: tuple[Grant, ...]
    reverse: bool
    iterate: bool
    only: str = ""  # of a _revinclude: the type that is to be referred to

    def reach(self, look: View, records: Sequence[Seen], budget: Budget) -> Iterator[Seen]:
        """What it reaches from these records."""
        return self._backwards(look, records, budget) if self.reverse else self._forwards(look, records, budget)

    def _forwards(self, look: View, records: Sequence[Seen], budget: Budget) -> Iterator[Seen]:
        own = [one.resource for one in records if one.resource["resourceType"] == self.parameter.type]
        literals = dict.fromkeys(literal for resource in own for literal in search.literals(resource, self.parameter))
        for leave in self.grants:
            ids = [literal.partition("/")[2] for literal in literals if literal.startswith(f"{leave.type}/")]
            for first in range(0, len(ids), _AT_ONCE):
                yield from Selection(leave, terms=[("_id", ids[first : first + _AT_ONCE])]).rows(look, budget)

    def _backwards(self, look: View, records: Sequence[Seen], budget: Budget) -> Iterator[Seen]:
        types = (self.only,) if self.only else self.parameter.targets
        literals = [f"{one.resource['resourceType']}/{one.resource['id']}" for one in records if not types or one.resource["resourceType"] in types]
        for first in range(0, len(literals), _AT_ONCE):
            selection = Selection(self.grants[0])
            selection.meet(search.references(self.parameter, literals[first : first + _AT_ONCE]))
            yield from selection.rows(look, budget)


def read_inclusion(caller: Caller, type: str, name: str, value: str) -> Inclusion:
    """What an _include or _revinclude reaches, with leave for it. Raises Malformed and Forbidden."""
    stem, _, modifier = name.partition(":")
    reverse, iterate = stem == "_revinclude", modifier == "iterate"
    source, _, rest = value.partition(":")
    reference, _, target = rest.partition(":")
    parameter = search.parameters(source).get(reference)
    if parameter is None or parameter.kind != "reference" or (target and parameter.targets and target not in parameter.targets):
        raise Malformed("There is no such reference to include", location=f"{type}?{stem}", advice=f"Write it as {_example(type, reverse)}.")
    if reverse:
        if not parameter.indexed:
            raise Malformed("This reference is not followed backwards", location=f"{type}?{stem}", advice="Search the other type by it.")
        if not iterate and parameter.targets and type not in parameter.targets:
            raise Malformed("This reference does not point here", location=f"{type}?{stem}")
        return Inclusion(parameter, (grant(caller, source, "s"),), reverse, iterate, target)
    if not iterate and source != type:
        raise Malformed("The reference is another type's", location=f"{type}?{stem}", advice="Write _include:iterate for what is itself included.")
    wanted = (target,) if target else parameter.targets
    grants = (grant(caller, wanted[0], "r"),) if len(wanted) == 1 else tuple(granted(caller, wanted or search.searchable(), "r"))
    return Inclusion(parameter, grants, reverse, iterate)


def _example(type: str, reverse: bool) -> str:
    return "_revinclude=Provenance:target" if reverse else f"_include={type}:patient"


def included(look: View, inclusions: Sequence[Inclusion], found: Sequence[Seen], most: int, budget: Budget) -> list[Seen]:
    """The records that the inclusions reach from a page, each once and none that the page has. Raises TooLarge beyond `most`."""
    here = {_key(one) for one in found}
    result: dict[tuple[str, str], Seen] = {}
    fresh, following = list(found), inclusions
    while fresh and following:
        reached = {_key(one): one for inclusion in following for one in inclusion.reach(look, fresh, budget)}
        fresh = [one for key, one in reached.items() if key not in here and key not in result]
        result.update((_key(one), one) for one in fresh)
        if len(result) > most:
            raise TooLarge("This page would include too many resources", location="_include", advice="Ask for fewer by _count.")
        following = [one for one in inclusions if one.iterate]
    return list(result.values())


def _key(one: Seen) -> tuple[str, str]:
    return one.resource["resourceType"], one.resource["id"]
