"""Criteria: what one `name:modifier=a,b` of a query asks of a type."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from typing import Any, NamedTuple

from gateway.errors import Malformed
from gateway.fhir import elements
from gateway.fhir.search.dates import asked_date
from gateway.fhir.search.parameters import Parameter, parameters
from gateway.fhir.search.quantities import asked_amount
from gateway.fhir.search.strings import plain
from gateway.fhir.search.tokens import asked_token, unescape

MODIFIERS = {
    "token": ("", "not", "missing"),
    "reference": ("", "identifier", "missing"),
    "date": ("", "missing"),
    "string": ("", "exact", "contains", "missing"),
    "uri": ("", "missing"),
    "quantity": ("", "missing"),
}
"""What each kind of parameter takes; a reference also takes the name of a type that it may point to."""

_COMMA = re.compile(r"(?<!\\),")


class Criterion(NamedTuple):
    """Holds of a resource when any of its values does. `asked` are the values as their kind reads them."""

    parameter: Parameter
    modifier: str  # "" | "missing" | "not" | …; or the target type of a reference
    asked: Collection[Any]


def criterion(type: str, name: str, text: str, base_url: str = "", now: int = 0) -> Criterion | None:
    """The criterion that `name=text` asks of a type; None when the type has no such parameter. `base_url` is what our own references may begin with,
    `now` (microseconds UTC) what `ap` is told by. Raises Malformed for a modifier or value that cannot be."""
    stem, _, modifier = name.partition(":")
    parameter = parameters(type).get(stem)
    if parameter is None:
        return None
    if modifier not in MODIFIERS[parameter.kind] and not (parameter.kind == "reference" and modifier in parameter.targets):
        raise Malformed("The search parameter takes no such modifier", location=f"{type}?{stem}", advice=_takes(parameter))
    values = _COMMA.split(text)
    if not all(values):
        raise Malformed("The search parameter has no value", location=f"{type}?{stem}")
    asked = [one for value in values for one in _asked(parameter, modifier, value, base_url, now)]
    return Criterion(parameter, modifier, tuple(asked))


def references(parameter: Parameter, literals: Iterable[str]) -> Criterion:
    """The criterion that a reference is one of these ("Patient/17")."""
    return Criterion(parameter, "", frozenset(literals))


def _takes(parameter: Parameter) -> str:
    """What may stand after the colon."""
    known = [f":{one}" for one in (*MODIFIERS[parameter.kind], *(parameter.targets if parameter.kind == "reference" else ())) if one]
    return f"It takes {', '.join(known)}."


def _asked(parameter: Parameter, modifier: str, text: str, base_url: str, now: int) -> list[Any]:
    """What a value asks for; an id alone asks for a reference to any of the types that it may point to."""
    if modifier == "missing":
        if text not in ("true", "false"):
            raise Malformed("The modifier :missing takes true or false", location=f"{parameter.type}?{parameter.name}")
        return [text == "true"]
    match parameter.kind:
        case "reference":
            return [asked_token(text)] if modifier == "identifier" else _literals(parameter, modifier, unescape(text), base_url)
        case "token":
            return [asked_token(text)]
        case "date":
            return [_known(parameter, asked_date(text, now), "This is no date as FHIR writes it")]
        case "quantity":
            return [_known(parameter, asked_amount(text), "This is no quantity as FHIR writes it: number|system|code")]
        case "string":
            return [unescape(text) if modifier == "exact" else plain(unescape(text))]
    return [unescape(text)]


def _known(parameter: Parameter, asked: Any, otherwise: str) -> Any:
    if asked is None:
        raise Malformed(otherwise, location=f"{parameter.type}?{parameter.name}")
    return asked


def _literals(parameter: Parameter, target: str, text: str, base_url: str) -> list[str]:
    """The references that a value may name: "Type/id", whatever version it says, or what stands word for word in a foreign or canonical one."""
    text = text.removeprefix(f"{base_url}/") if base_url else text
    literal = elements.relative(text)
    if literal:
        return [literal] if target in ("", literal.partition("/")[0]) else [""]
    if "/" in text or ":" in text or not parameter.targets:
        return [text]
    return [f"{one}/{text}" for one in ([target] if target else parameter.targets)]
