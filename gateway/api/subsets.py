"""Parts of resources: `_summary` and `_elements`. http://hl7.org/fhir/R4/search.html#summary

Which elements are a type's summary, and which are mandatory, is data (`gateway/fhir/summary_elements.csv`, facts of R4's definitions).
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any, NamedTuple

from gateway.errors import Malformed

Json = dict[str, Any]

SUMMARIES = ("true", "text", "data", "count", "false")
_SUBSETTED = {"system": "http://terminology.hl7.org/CodeSystem/v3-ObservationValue", "code": "SUBSETTED", "display": "subsetted"}
_ALWAYS = frozenset({"resourceType", "id", "meta", "implicitRules"})


class Subset(NamedTuple):
    """What is given of each resource. `summary` as `_summary` says it, "" where it does not; `elements` as `_elements` names them."""

    summary: str = ""
    elements: tuple[str, ...] = ()

    @property
    def counts(self) -> bool:
        """Whether no resource is given, only how many there are."""
        return self.summary == "count"

    @property
    def whole(self) -> bool:
        """Whether resources are given as they are."""
        return self.summary in ("", "false") and not self.elements

    def of(self, resource: Json) -> Json:
        """The resource as far as it is asked for, marked as a part of the whole."""
        if self is WHOLE or self.whole:
            return resource
        kept = {name: value for name, value in resource.items() if self._keeps(resource["resourceType"], name.removeprefix("_"))}
        if len(kept) == len(resource):
            return resource
        meta = resource.get("meta", {})
        return {**kept, "meta": {**meta, "tag": [*meta.get("tag", []), _SUBSETTED]}}

    def _keeps(self, type: str, element: str) -> bool:
        mandatory, summary = _table().get(type, (frozenset(), frozenset()))
        if element in _ALWAYS or (element in mandatory and self.summary != "data"):
            return True
        if self.elements:
            return element in self.elements
        match self.summary:
            case "text":
                return element == "text"
            case "data":
                return element != "text"
        return element in summary


WHOLE = Subset()


def read_subset(type: str, name: str, value: str, before: Subset) -> Subset:
    """What `_summary` or `_elements` adds to what was asked before. Raises Malformed."""
    if name == "_summary":
        if value not in SUMMARIES:
            raise Malformed("There is no such summary", location=f"{type}?_summary", advice=f"It is one of {', '.join(SUMMARIES)}.")
        subset = before._replace(summary=value)
    else:
        elements = tuple(one.removeprefix(f"{type}.") for one in value.split(","))
        if not all(one.isalnum() and one.isascii() for one in elements):
            raise Malformed("Elements are named as the type has them, without what lies below", location=f"{type}?_elements")
        subset = before._replace(elements=elements)
    if subset.elements and subset.summary not in ("", "false", "count"):
        raise Malformed("_summary and _elements are not asked together", location=f"{type}?_elements")
    return subset


@cache
def _table() -> Mapping[str, tuple[frozenset[str], frozenset[str]]]:
    """Type -> (mandatory elements, those of the summary)."""
    with files("gateway.fhir").joinpath("summary_elements.csv").open(encoding="utf-8") as lines:
        return {row["type"]: (frozenset(row["mandatory"].split()), frozenset(row["summary"].split())) for row in csv.DictReader(lines)}
