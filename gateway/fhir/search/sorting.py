"""What resources are sorted by. http://hl7.org/fhir/R4/search.html#sort"""

from __future__ import annotations

from typing import Any

from gateway.fhir.search.dates import stands_for
from gateway.fhir.search.matching import literal_of, standing
from gateway.fhir.search.parameters import Json, Parameter
from gateway.fhir.search.strings import plain, strings
from gateway.fhir.search.tokens import tokens

SortKey = str | float | None


def sort_key(resource: Json, parameter: Parameter, descending: bool) -> SortKey:
    """What the resource is sorted by: the least of its values, or the greatest when descending; None where it has none."""
    keys = [key for value in standing(resource, parameter) for key in _keys(parameter, value, descending)]
    return (max(keys) if descending else min(keys)) if keys else None


def _keys(parameter: Parameter, value: Any, descending: bool) -> list[Any]:
    match parameter.kind:
        case "date":
            has = stands_for(value)
            return [] if has is None else [has[descending]]
        case "string":
            return [plain(one) for one in strings(value)]
        case "token":
            return [code for _, code in tokens(value)]
        case "quantity":
            amount = value.get("value") if isinstance(value, dict) else None
            return [float(amount)] if isinstance(amount, int | float) else []
    return [literal_of(value)]
