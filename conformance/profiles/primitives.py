"""The values of R4's primitive types as JSON.

Source: HL7 FHIR R4, 2.24.0.1 Primitive Types (the regular expressions), 2.6.2 JSON Representation of primitive elements.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date
from typing import Any

_YEAR = r"([0-9]([0-9]([0-9][1-9]|[1-9]0)|[1-9]00)|[1-9]000)"
_MONTH = r"(0[1-9]|1[0-2])"
_DAY = r"(0[1-9]|[1-2][0-9]|3[0-1])"
_TIME = r"([01][0-9]|2[0-3]):[0-5][0-9]:([0-5][0-9]|60)(\.[0-9]+)?"
_ZONE = r"(Z|(\+|-)((0[0-9]|1[0-3]):[0-5][0-9]|14:00))"
_UNBROKEN = r"[^\s\x00-\x1f\x7f]+"

_PATTERNS = {
    "base64Binary": r"(\s*([0-9a-zA-Z+/=]){4}\s*)+",
    "canonical": _UNBROKEN,
    "code": f"{_UNBROKEN}( {_UNBROKEN})*",
    "date": f"{_YEAR}(-{_MONTH}(-{_DAY})?)?",
    "dateTime": f"{_YEAR}(-{_MONTH}(-{_DAY}(T{_TIME}{_ZONE})?)?)?",
    "id": r"[A-Za-z0-9\-\.]{1,64}",
    "instant": f"{_YEAR}-{_MONTH}-{_DAY}T{_TIME}{_ZONE}",
    "oid": r"urn:oid:[0-2](\.(0|[1-9][0-9]*))+",
    "time": _TIME,
    "uri": _UNBROKEN,
    "url": _UNBROKEN,
    "uuid": r"urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}",
}
_DATED = ("date", "dateTime", "instant")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f]")
_RANGES = {"integer": (-(2**31), 2**31 - 1), "unsignedInt": (0, 2**31 - 1), "positiveInt": (1, 2**31 - 1)}

Fault = tuple[str, str]
"""A rule (type or value) and a sentence."""
Check = Callable[[Any], Fault | None]


def _text(value: Any) -> Fault | None:
    if type(value) is not str:
        return "type", "A string is wanted here."
    if value.isprintable():
        return None if value else ("value", "A string is never empty in FHIR; leave the element out.")
    return ("value", "Control characters are not allowed in a string.") if _CONTROL.search(value) else None


def _pattern(name: str) -> Check:
    matches = re.compile(_PATTERNS[name]).fullmatch
    dated = name in _DATED

    def check(value: Any) -> Fault | None:
        if type(value) is not str:
            return "type", "A string is wanted here."
        if not matches(value):
            return "value", f"The value is not of the form that R4 gives for {name}."
        return ("value", "The calendar has no such day.") if dated and len(value) >= 10 and not _is_day(value[:10]) else None

    return check


def _is_day(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True


def _number(name: str) -> Check:
    least, most = _RANGES[name]

    def check(value: Any) -> Fault | None:
        if type(value) is not int:
            return "type", "A whole number is wanted here."
        return None if least <= value <= most else ("value", f"The number is out of the range of {name}.")

    return check


def _decimal(value: Any) -> Fault | None:
    return None if type(value) in (int, float) else ("type", "A number is wanted here.")


def _boolean(value: Any) -> Fault | None:
    return None if type(value) is bool else ("type", "true or false is wanted here.")


CHECKS: dict[str, Check] = {
    "boolean": _boolean,
    "decimal": _decimal,
    "string": _text,
    "markdown": _text,
    "xhtml": _text,
    **{name: _pattern(name) for name in _PATTERNS},
    **{name: _number(name) for name in _RANGES},
}
"""By type: what is wrong with a value, or None."""
