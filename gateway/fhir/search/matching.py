"""Whether a resource meets a criterion."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

from gateway.fhir import elements
from gateway.fhir.search.criteria import Criterion
from gateway.fhir.search.dates import lies, stands_for
from gateway.fhir.search.parameters import Json, Parameter, found
from gateway.fhir.search.quantities import amount_holds
from gateway.fhir.search.strings import plain, strings
from gateway.fhir.search.tokens import same_token, tokens

Wanted = Collection[Any]


def matches(resource: Json, asked: Criterion) -> bool:
    """Whether the resource answers the criterion."""
    parameter, modifier, wanted = asked
    stands = standing(resource, parameter)
    if modifier == "missing":
        return (not stands) in wanted
    if modifier == "not":
        return not any(_token(value, "", wanted) for value in stands)
    holds = _KINDS[parameter.kind]
    return any(holds(value, modifier, wanted) for value in stands)


def standing(resource: Json, parameter: Parameter) -> list[Any]:
    """What the parameter finds in the resource: a reference only where it points to a type that the parameter may."""
    stands = found(resource, parameter.path)
    if parameter.kind == "reference" and parameter.targets:
        return [one for one in stands if isinstance(one, dict) and _may_be(one, parameter.targets)]
    return stands


def literals(resource: Json, parameter: Parameter) -> list[str]:
    """What the references that a parameter finds name: "Type/id"."""
    return [literal_of(one) for one in standing(resource, parameter)]


def literal_of(value: Any) -> str:
    """What a Reference or canonical names: "Type/id" of a relative one, else as it stands; "" for none."""
    text = str(value.get("reference", "")) if isinstance(value, dict) else str(value)
    return elements.relative(text) or text


def _may_be(reference: Json, targets: tuple[str, ...]) -> bool:
    literal = elements.relative(str(reference.get("reference", "")))
    return not literal or literal.partition("/")[0] in targets


def _token(value: Any, modifier: str, wanted: Wanted) -> bool:
    return any(same_token(has, one) for has in tokens(value) for one in wanted)


def _reference(value: Any, modifier: str, wanted: Wanted) -> bool:
    if modifier == "identifier":
        return isinstance(value, dict) and _token(value.get("identifier"), "", wanted)
    literal = literal_of(value)
    return bool(literal) and (literal in wanted or (isinstance(value, str) and value.partition("|")[0] in wanted))


def _date(value: Any, modifier: str, wanted: Wanted) -> bool:
    has = stands_for(value)
    return has is not None and any(lies(*has, one) for one in wanted)


def _string(value: Any, modifier: str, wanted: Wanted) -> bool:
    if modifier == "exact":
        return any(one in wanted for one in strings(value))
    written = [plain(one) for one in strings(value)]
    if modifier == "contains":
        return any(one in has for has in written for one in wanted)
    return any(has.startswith(tuple(wanted)) for has in written)


def _uri(value: Any, modifier: str, wanted: Wanted) -> bool:
    return value in wanted


def _quantity(value: Any, modifier: str, wanted: Wanted) -> bool:
    return any(amount_holds(value, one) for one in wanted)


_KINDS: Mapping[str, Callable[[Any, str, Wanted], bool]] = {
    "token": _token,
    "reference": _reference,
    "date": _date,
    "string": _string,
    "uri": _uri,
    "quantity": _quantity,
}
