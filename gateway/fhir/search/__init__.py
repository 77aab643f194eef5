"""FHIR search as a pure matter: which parameters there are, what a criterion asks, whether a resource meets it, and what is indexed.

http://hl7.org/fhir/R4/search.html. Definitions are data (`gateway/fhir/search_parameters.csv`). A parameter or modifier that is not known is refused,
never ignored: an ignored filter returns what was not asked for.
"""

from __future__ import annotations

from gateway.fhir.search.criteria import MODIFIERS, Criterion, criterion, references
from gateway.fhir.search.dates import PREFIXES, split_prefix
from gateway.fhir.search.index import REFERS, Lookup, lookup, terms
from gateway.fhir.search.matching import literals, matches
from gateway.fhir.search.parameters import Parameter, parameters, searchable
from gateway.fhir.search.sorting import SortKey, sort_key

__all__ = [
    "MODIFIERS",
    "PREFIXES",
    "REFERS",
    "Criterion",
    "Lookup",
    "Parameter",
    "SortKey",
    "criterion",
    "literals",
    "lookup",
    "matches",
    "parameters",
    "references",
    "searchable",
    "sort_key",
    "split_prefix",
    "terms",
]
