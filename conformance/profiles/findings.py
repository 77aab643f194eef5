"""What a check finds: a severity, a place, a rule and a sentence. A finding never quotes a value of the resource."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Literal, NamedTuple

Severity = Literal["error", "warning", "information"]

_STEP = re.compile(r"(\d+)")


class Finding(NamedTuple):
    """One finding.

    `location` is FHIRPath (`CareTeam.participant[0].role`); of an element that is missing, where it would stand. `rule` is the key of an
    invariant (`us-core-1`) or one of: binding, cardinality, code, contained, extension, fixed, pattern, profile, reference, slice, structure,
    type, value.
    """

    severity: Severity
    location: str
    rule: str
    text: str


def in_order(found: Iterable[Finding]) -> list[Finding]:
    """The findings once each, by place; list items in the order of their numbers."""
    return sorted(dict.fromkeys(found), key=lambda one: (_natural(one.location), one.rule, one.text))


def _natural(location: str) -> list[tuple[int, str]]:
    return [(int(part), "") if part.isdigit() and part.isascii() else (-1, part) for part in _STEP.split(location)]
