"""What is indexed of a resource, and what of a criterion the index can answer."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import Any, NamedTuple

import orjson

from gateway.fhir import elements, times
from gateway.fhir.search.criteria import Criterion
from gateway.fhir.search.dates import Range
from gateway.fhir.search.parameters import Json, Parameter, found, parameters, searchable
from gateway.fhir.search.strings import plain, strings
from gateway.fhir.search.tokens import IMPLIED, tokens

REFERS = "_refers"
"""Index name of every relative reference of a resource, as "Type/id"."""

LONGEST = 100
"""Characters of a string that are indexed: who searches by more is looked up by these and then compared."""

_REFERENCE = re.compile(rb'"reference":"([^"\\]+)"')


class Lookup(NamedTuple):
    """What to ask the index for: resources with any of the values under a name. `beginnings`: values that begin so are meant. Where it is not
    `exact`, the resources found have to be looked at, for some may not meet the criterion."""

    name: str
    values: tuple[str, ...]
    beginnings: bool = False
    exact: bool = True


def terms(resource: Json, body: bytes = b"") -> tuple[tuple[str, str], ...]:
    """The (parameter, value) pairs to index for a resource; `body` is its JSON, where the caller has it.

    A token is indexed as "code", and "system|code" where it has a system ("|code" where not); a reference as "Type/id"; a string as it is compared; a
    birth date as it is written; a reference that is absent as ("owner:missing", "true") for Task's owner, which the coordinator's queue is asked by.
    `_refers` holds every relative reference.
    """
    pairs: dict[tuple[str, str], None] = {}
    for parameter in _indexed(resource.get("resourceType", "")):
        stands = found(resource, parameter.path)
        for value in stands:
            for term in _terms_of(parameter, value):
                pairs[(parameter.name, term)] = None
        if parameter.name == "owner" and not stands:
            pairs[("owner:missing", "true")] = None
    for reference in _REFERENCE.findall(body or orjson.dumps(resource)):  # on the path of every commit: the bytes are read quicker than the tree
        if literal := elements.relative(reference.decode()):
            pairs[REFERS, literal] = None
    return tuple(pairs)


@cache
def _indexed(type: str) -> tuple[Parameter, ...]:
    """The parameters of a type that are indexed under their own name."""
    return tuple(each for each in parameters(type).values() if each.indexed == each.name)


def _terms_of(parameter: Parameter, value: Any) -> Iterator[str]:
    if parameter.kind == "token":
        for system, code in tokens(value):
            yield _term(None, code)
            if system is not None:
                yield _term(system, code)
    elif parameter.kind == "reference":
        literal = elements.relative(str(value.get("reference", ""))) if isinstance(value, dict) else ""
        if literal and (not parameter.targets or literal.partition("/")[0] in parameter.targets):
            yield literal
    elif parameter.kind == "string":
        yield from (plain(one)[:LONGEST] for one in strings(value))
    else:
        yield str(value)


def _term(system: str | None, code: str) -> str:
    """A token as it is indexed. A bar within a code is no separator, and is told from one."""
    plain_code = code.replace("|", "\\|")
    return plain_code if system is None else f"{system}|{plain_code}"


def lookup(asked: Criterion) -> Lookup | None:
    """What the index answers of a criterion; None where each resource must be looked at."""
    parameter = asked.parameter
    if not parameter.indexed:
        return None
    if asked.modifier == "missing":
        return Lookup("owner:missing", ("true",)) if parameter.name == "owner" and all(asked.asked) else None
    match parameter.kind:
        case "reference" if asked.modifier != "identifier":
            return _of_references(parameter, asked)
        case "token" if not asked.modifier:
            return _of_tokens(parameter, asked)
        case "string" if asked.modifier != "contains":
            beginnings = tuple(plain(one)[:LONGEST] for one in asked.asked)
            return Lookup(parameter.indexed, beginnings, beginnings=True, exact=False) if all(beginnings) else None
        case "date":
            return _of_days(parameter, asked)
    return None


def _of_references(parameter: Parameter, asked: Criterion) -> Lookup | None:
    """A foreign address is in no index. A type that is not held is referred to nowhere, unless the parameter may point to any."""
    if any(one and not elements.relative(one) for one in asked.asked):
        return None
    types = parameters(parameter.type)[parameter.indexed].targets
    literals = tuple(one for one in asked.asked if one and (not parameter.targets or one.partition("/")[0] in searchable()))
    if types and not all(one.partition("/")[0] in types for one in literals):
        return None
    return Lookup(parameter.indexed, literals)


def _of_tokens(parameter: Parameter, asked: Criterion) -> Lookup | None:
    """A plain code has no system in the index, so one of HL7's own systems may stand for a code without."""
    if not all(code for _, code in asked.asked):
        return None
    values = [_term(system, code) for system, code in asked.asked]
    implied = [_term(None, code) for system, code in asked.asked if system is not None and system.startswith(IMPLIED)]
    return Lookup(parameter.indexed, (*values, *implied), exact=not implied)


def _of_days(parameter: Parameter, asked: Criterion) -> Lookup | None:
    """Days, months and years are looked up by their beginning: an element of type date is indexed as it is written."""
    beginnings = [_written(one) for one in asked.asked]
    return Lookup(parameter.indexed, tuple(beginnings), beginnings=True) if all(beginnings) else None


def _written(asked: Range) -> str:
    """The day, month or year that a range is; "" when it is none of these."""
    if asked.prefix != "eq":
        return ""
    day = times.instant(int(asked.low))[:10]
    return next((text for text in (day, day[:7], day[:4]) if times.stretch(text) == (asked.low, asked.high)), "")
