"""The profiles that a serving gateway holds resources to in $validate: US Core, by `conformance`, which only commands know."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from gateway.errors import Usage
from gateway.fhir.outcome import Issue

if TYPE_CHECKING:
    from conformance.profiles import Finding, Profiles

_CODES = {
    "cardinality": "required",
    "structure": "structure",
    "contained": "structure",
    "code": "code-invalid",
    "binding": "code-invalid",
    "extension": "extension",
    "type": "value",
    "value": "value",
    "fixed": "value",
    "pattern": "value",
    "slice": "value",
    "reference": "value",
    "profile": "not-found",
}
"""A finding's rule -> the code of http://hl7.org/fhir/ValueSet/issue-type; the key of an invariant is `invariant`."""


@cache
def _us_core() -> Profiles:
    from conformance.profiles import load

    return load()


def check_profile(resource: dict[str, Any], canonical: str) -> list[Issue] | None:
    """What R4, the profiles that a resource claims and `canonical` ("" for none) have against it; None where that one is not known."""
    profiles = _us_core()
    try:
        named = [profiles.canonical(canonical)] if canonical else []
    except Usage:
        return None
    return [_issue(each) for each in profiles.check(resource, named)]


def _issue(finding: Finding) -> Issue:
    return Issue(_CODES.get(finding.rule, "invariant"), f"{finding.text} ({finding.rule})", finding.location, finding.severity)
