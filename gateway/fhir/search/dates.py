"""Dates as ranges. http://hl7.org/fhir/R4/search.html#date, http://hl7.org/fhir/R4/search.html#prefix"""

from __future__ import annotations

from typing import Any, NamedTuple

from gateway.fhir import times

PREFIXES = ("eq", "ne", "gt", "lt", "ge", "le", "sa", "eb", "ap")

_FOREVER = 1 << 62
_APPROXIMATELY = 10
"""`ap` reaches a tenth of the distance between now and the date to either side, as the specification recommends."""


class Range(NamedTuple):
    """What a date or number asks for: [low, high) in the precision that it was written in, and how what stands is to lie to it."""

    prefix: str
    low: float
    high: float


def split_prefix(text: str) -> tuple[str, str]:
    """("gt", "2026-11-22") of a value; the prefix is "eq" when none is written."""
    return (text[:2], text[2:]) if text[:2] in PREFIXES else ("eq", text)


def asked_date(text: str, now: int) -> Range | None:
    """What a date value asks for, None when it is none; `now` in microseconds UTC."""
    prefix, written = split_prefix(text)
    span = times.stretch(written)
    if span is None:
        return None
    low, high = span
    if prefix == "ap":
        reach = max(abs(now - low), abs(now - high)) // _APPROXIMATELY
        return Range(prefix, low - reach, high + reach)
    return Range(prefix, low, high)


def stands_for(value: Any) -> tuple[int, int] | None:
    """[first, end) of a date, dateTime, instant or Period in microseconds; an open end reaches for ever. None for what is no time."""
    if isinstance(value, str):
        return times.stretch(value)
    if not isinstance(value, dict) or not ("start" in value or "end" in value):
        return None
    start, end = (times.stretch(value[side]) if isinstance(value.get(side), str) else None for side in ("start", "end"))
    return (start[0] if start else -_FOREVER, end[1] if end else _FOREVER)


def lies(first: float, end: float, asked: Range) -> bool:
    """Whether [first, end) stands to what is asked as its prefix says. The table of prefixes, row by row."""
    prefix, low, high = asked
    within = low <= first and end <= high
    match prefix:
        case "eq":
            return within
        case "ne":
            return not within
        case "gt":
            return end > high
        case "lt":
            return first < low
        case "ge":
            return end > high or within
        case "le":
            return first < low or within
        case "sa":
            return first >= high
        case "eb":
            return end <= low
    return first < high and end > low  # ap: they overlap
