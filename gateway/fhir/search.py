"""Search parameters: which there are (`search_parameters.csv`), what they find in a resource, and what is indexed. Pure.

http://hl7.org/fhir/R4/search.html. A parameter or modifier that is not known is refused, never ignored: an ignored filter returns what was
not asked for.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import Any, NamedTuple

import orjson

from gateway.errors import Malformed
from gateway.fhir import elements, times

Json = dict[str, Any]

REFERS = "_refers"
"""Index name of every relative reference of a resource, as "Type/id"."""

_REFERENCE = re.compile(rb'"reference":"([^"\\]+)"')

MODIFIERS = {
    "token": ("", "not", "missing"),
    "reference": ("", "identifier", "missing"),
    "date": ("", "missing"),
    "string": ("", "exact", "contains", "missing"),
}
PREFIXES = ("eq", "ne", "gt", "lt", "ge", "le", "sa", "eb")
_UNESCAPED_COMMA = re.compile(r"(?<!\\),")
_UNESCAPED_BAR = re.compile(r"(?<!\\)\|")


class Parameter(NamedTuple):
    """One search parameter of a type. `path` is an elements path; `targets` the types a reference may point to, () for any."""

    type: str
    name: str
    kind: str  # token | reference | date | string
    path: str
    targets: tuple[str, ...]
    indexed: bool


class Criterion(NamedTuple):
    """One `name:modifier=a,b` of a query: holds when any of its values does."""

    parameter: Parameter
    modifier: str  # "" | "missing" | "not" | …; or the target type of a reference
    values: tuple[str, ...]


@cache
def parameters(kind: str) -> Mapping[str, Parameter]:
    """The search parameters of a resource type, by name."""
    return _table().get(kind, {})


@cache
def _table() -> dict[str, dict[str, Parameter]]:
    table: dict[str, dict[str, Parameter]] = {}
    with files("gateway.fhir").joinpath("search_parameters.csv").open(encoding="utf-8") as lines:
        for row in csv.DictReader(lines):
            one = Parameter(row["type"], row["name"], row["kind"], row["path"], tuple(row["targets"].split()), row["indexed"] == "yes")
            table.setdefault(one.type, {})[one.name] = one
    return table


def searchable() -> Sequence[str]:
    """The resource types that have search parameters."""
    return sorted(_table())


# --- what is indexed --------------------------------------------------------------------------------------------------


def terms(resource: Json, body: bytes = b"") -> tuple[tuple[str, str], ...]:
    """The (parameter, value) pairs to index for a resource; `body` is its JSON, where the caller has it.

    A token is indexed as "code", and "system|code" where it has a system ("|code" where not); a reference as "Type/id"; a reference that is absent as
    ("owner:missing", "true") for Task's owner, which the coordinator's queue is asked by. `_refers` holds every relative reference.
    """
    found: dict[tuple[str, str], None] = {}
    for parameter in _indexed(resource.get("resourceType", "")):
        stands = elements.values(resource, parameter.path)
        for value in stands:
            for term in _terms_of(parameter, value):
                found[(parameter.name, term)] = None
        if parameter.name == "owner" and not stands:
            found[("owner:missing", "true")] = None
    for reference in _REFERENCE.findall(body or orjson.dumps(resource)):  # on the path of every commit: the bytes are read quicker than the tree
        if literal := elements.relative(reference.decode()):
            found[REFERS, literal] = None
    return tuple(found)


@cache
def _indexed(kind: str) -> tuple[Parameter, ...]:
    """The parameters of a type that are indexed."""
    return tuple(each for each in parameters(kind).values() if each.indexed)


def _terms_of(parameter: Parameter, value: Any) -> Iterator[str]:
    if parameter.kind == "token":
        for system, code in tokens(value):
            yield code
            if system is not None:
                yield f"{system}|{code}"
    elif parameter.kind == "reference" and isinstance(value, dict):
        literal = elements.relative(str(value.get("reference", "")))
        if literal and (not parameter.targets or literal.partition("/")[0] in parameter.targets):
            yield literal


def tokens(value: Any) -> list[tuple[str | None, str]]:
    """(system, code) of what a token parameter finds: "" is no system, None a plain code, whose system the element implies."""
    if isinstance(value, str):
        return [(None, value)]
    if isinstance(value, bool):
        return [(None, "true" if value else "false")]
    if not isinstance(value, dict):
        return []
    if "value" in value and "coding" not in value:  # Identifier
        return [(str(value.get("system") or ""), str(value["value"]))]
    return [(str(one.get("system") or ""), str(one["code"])) for one in elements.codings(value) if "code" in one]


# --- what is asked ----------------------------------------------------------------------------------------------------


def criterion(kind: str, name: str, text: str, base_url: str = "") -> Criterion | None:
    """The criterion that `name=text` asks of a type; None when the type has no such parameter. A modifier or value that cannot be is refused."""
    stem, _, modifier = name.partition(":")
    parameter = parameters(kind).get(stem)
    if parameter is None:
        return None
    if modifier not in MODIFIERS[parameter.kind] and not (parameter.kind == "reference" and modifier in parameter.targets):
        raise Malformed("The search parameter takes no such modifier", location=f"{kind}?{stem}")
    values = tuple(_value(parameter, modifier, one, base_url) for one in _UNESCAPED_COMMA.split(text))
    if not all(values):
        raise Malformed("The search parameter has no value", location=f"{kind}?{stem}")
    return Criterion(parameter, modifier, values)


def _value(parameter: Parameter, modifier: str, text: str, base_url: str) -> str:
    if modifier == "missing":
        if text not in ("true", "false"):
            raise Malformed("The modifier :missing takes true or false", location=f"{parameter.type}?{parameter.name}")
    elif parameter.kind == "date":
        if times.stretch(split_prefix(text)[1]) is None:
            raise Malformed("This is no date as FHIR writes it", location=f"{parameter.type}?{parameter.name}")
    elif parameter.kind == "reference" and modifier != "identifier":
        return text.removeprefix(f"{base_url}/") if base_url else text
    return text


def split_prefix(text: str) -> tuple[str, str]:
    """("gt", "2026-11-22") of a date value; the prefix is "eq" when none is written."""
    return (text[:2], text[2:]) if text[:2] in PREFIXES else ("eq", text)


def index_terms(asked: Criterion) -> tuple[str, tuple[str, ...]] | None:
    """(index name, values) that answer the criterion from the index alone; None when each resource must be looked at."""
    parameter = asked.parameter
    if not parameter.indexed:
        return None
    if asked.modifier == "missing":
        return ("owner:missing", ("true",)) if parameter.name == "owner" and asked.values == ("true",) else None
    if parameter.kind == "reference" and asked.modifier != "identifier":
        return parameter.name, tuple(literal for one in asked.values for literal in _literals(asked, one))
    if parameter.kind == "token" and not asked.modifier:
        plain = [_token(one) for one in asked.values]
        if all(code for _, code in plain) and not _is_code(parameter, plain):
            return parameter.name, tuple(code if system is None else f"{system}|{code}" for system, code in plain)
    return None


def _is_code(parameter: Parameter, asked: Sequence[tuple[str | None, str]]) -> bool:
    """Whether a system is asked of an element that is a plain code, whose terms have none."""
    return parameter.path in _PLAIN_CODES and any(system is not None for system, _ in asked)


_PLAIN_CODES = ("status", "intent", "priority", "gender", "lifecycleStatus")


def matches(resource: Json, asked: Criterion) -> bool:
    """Whether the resource answers the criterion."""
    stands = elements.values(resource, asked.parameter.path)
    if asked.parameter.kind == "reference" and asked.parameter.targets:
        stands = [one for one in stands if isinstance(one, dict) and _may_be(one, asked.parameter.targets)]
    if asked.modifier == "missing":
        return (not stands) == (asked.values[0] == "true")
    if asked.modifier == "not":
        return not any(_holds(asked, value, text) for value in stands for text in asked.values)
    return any(_holds(asked, value, text) for value in stands for text in asked.values)


def _may_be(reference: Json, targets: tuple[str, ...]) -> bool:
    literal = elements.relative(str(reference.get("reference", "")))
    return not literal or literal.partition("/")[0] in targets


def _holds(asked: Criterion, value: Any, text: str) -> bool:
    kind = asked.parameter.kind
    if kind == "token":
        return any(_same_token(has, _token(text)) for has in tokens(value))
    if kind == "reference":
        if asked.modifier == "identifier":
            return isinstance(value, dict) and any(_same_token(has, _token(text)) for has in tokens(value.get("identifier")))
        return isinstance(value, dict) and elements.relative(str(value.get("reference", ""))) in _literals(asked, text)
    if kind == "date":
        return date_holds(value, text)
    return _same_string(asked.modifier, str(value), _unescape(text))


def _literals(asked: Criterion, text: str) -> list[str]:
    if "/" in text:
        return [text]
    return [f"{target}/{text}" for target in ([asked.modifier] if asked.modifier else asked.parameter.targets)]


def _token(text: str) -> tuple[str | None, str]:
    """(system, code) asked for: None is any system, "" explicitly none."""
    pieces = _UNESCAPED_BAR.split(text, maxsplit=1)
    return (None, _unescape(pieces[0])) if len(pieces) == 1 else (_unescape(pieces[0]), _unescape(pieces[1]))


def _same_token(has: tuple[str | None, str], asked: tuple[str | None, str]) -> bool:
    """A plain code's system is implied by its element, so one asked for it is one of HL7's."""
    system, code = asked
    if code and code != has[1]:
        return False
    if system is None:
        return True
    return system == has[0] if has[0] is not None else system.startswith("http://hl7.org/fhir/")


def _same_string(modifier: str, value: str, text: str) -> bool:
    if modifier == "exact":
        return value == text
    has, wanted = value.casefold(), text.casefold()
    return wanted in has if modifier == "contains" else has.startswith(wanted)


def _unescape(text: str) -> str:
    return re.sub(r"\\([,|$\\])", r"\1", text)


def date_holds(value: Any, text: str) -> bool:
    """Whether a date, dateTime or Period stands to the asked one as its prefix says (eq: lies wholly within)."""
    prefix, wanted = split_prefix(text)
    asked, has = times.stretch(wanted), _stretch_of(value)
    if asked is None or has is None:
        return False
    first, end = has
    low, high = asked
    return {
        "eq": low <= first and end <= high,
        "ne": not (low <= first and end <= high),
        "gt": end > high,
        "ge": end > high or (low <= first and end <= high) or (first >= low),
        "lt": first < low,
        "le": first < low or (low <= first and end <= high),
        "sa": first >= high,
        "eb": end <= low,
    }[prefix]


_FOREVER = 1 << 62


def _stretch_of(value: Any) -> tuple[int, int] | None:
    if isinstance(value, str):
        return times.stretch(value)
    if isinstance(value, dict):
        start, end = (times.stretch(value[side]) if isinstance(value.get(side), str) else None for side in ("start", "end"))
        return (start[0] if start else -_FOREVER, end[1] if end else _FOREVER)
    return None
