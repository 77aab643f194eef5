"""Quantities: a number in its precision, with or without a unit. http://hl7.org/fhir/R4/search.html#quantity"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any, NamedTuple

from gateway.fhir.search.dates import Range, lies, split_prefix

_NUMBER = re.compile(r"[+-]?\d{1,30}(?:\.\d{1,30})?(?:[eE][+-]?\d{1,2})?", re.ASCII)


_OF_POINTS = {"sa": "gt", "eb": "lt"}
"""A number has no extent: to start after it is to be greater."""


class Amount(NamedTuple):
    """What `[prefix]number|system|code` asks for; system and code "" where they are not said."""

    range: Range
    system: str
    code: str


def asked_amount(text: str) -> Amount | None:
    """What a quantity value asks for, None when it is none. 5.4 asks for 5.35 up to 5.45; `ap` for a tenth to either side."""
    number, *unit = text.split("|")
    prefix, written = split_prefix(number)
    if not _NUMBER.fullmatch(written) or len(unit) not in (0, 2):
        return None
    value = Decimal(written)
    exponent = value.as_tuple().exponent
    prefix = _OF_POINTS.get(prefix, prefix)
    half = Decimal(1).scaleb(exponent if isinstance(exponent, int) else 0) / 2
    if prefix == "ap":
        half = abs(value) / 10
    elif prefix not in ("eq", "ne"):
        half = Decimal(0)
    return Amount(Range(prefix, float(value - half), float(value + half)), *(unit or ("", "")))


def amount_holds(value: Any, asked: Amount) -> bool:
    """Whether a Quantity is the one asked for; its code or its unit may say the unit."""
    if not isinstance(value, dict) or not isinstance(value.get("value"), int | float):
        return False
    if asked.system and value.get("system") != asked.system:
        return False
    if asked.code and asked.code not in (value.get("code"), value.get("unit")):
        return False
    stands = float(value["value"])
    if asked.range.prefix == "eq":
        return asked.range.low <= stands < asked.range.high
    if asked.range.prefix == "ne":
        return not asked.range.low <= stands < asked.range.high
    return lies(stands, stands, asked.range) or (asked.range.prefix == "ap" and stands == asked.range.low)
