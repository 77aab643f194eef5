"""Invariants, through fhirpathpy; those that nearly every resource has are also written out in `native`.

An invariant is evaluated on the part of the element that its expression names, and the verdict is remembered for that part: most resources
repeat what an invariant looks at (a status, nothing at all), and the verdict follows from it alone.
Source: HL7 FHIR R4, 2.24 ElementDefinition.constraint; FHIRPath 2.0.
"""

from __future__ import annotations

import re
from functools import cache, lru_cache
from typing import Any

import orjson

from conformance.profiles import fhirpath
from conformance.profiles.model import Rule
from conformance.profiles.native import NATIVE
from conformance.profiles.run import Run

Json = dict[str, Any]

_WORD = re.compile(r"[A-Za-z]\w*")
_BEYOND = re.compile(r"%(?:resource|rootResource|context)|descendants|children|resolve")
"""What lets an expression see more than the elements that it names."""
_REMEMBERED = 20_000
_verdicts: dict[tuple[str, str, bytes], bool | None] = {}


def check(run: Run, location: str, rules: tuple[Rule, ...], value: Any, path: str) -> None:
    """Check the invariants of one value; `path` is its type, or the path of a backbone element."""
    for rule in rules:
        native = NATIVE.get(rule.expression)
        holds = native(value, run) if native else _remembered(run, rule.expression, value, path)
        if holds is False:
            run.say("error" if rule.severity == "error" else "warning", location, rule.key, f"The rule does not hold: {rule.expression}")
        elif holds is None:
            run.say("information", location, rule.key, "The rule could not be evaluated.")


def _remembered(run: Run, expression: str, value: Any, path: str) -> bool | None:
    if not isinstance(value, dict) or _sees_beyond(expression):
        return fhirpath.holds(run, expression, value, path)
    part = {name: value[name] for name in value if _speaks_of(expression, name)}
    try:
        key = (expression, path, orjson.dumps(part))
    except (orjson.JSONEncodeError, RecursionError):
        return None
    if key not in _verdicts:
        if len(_verdicts) >= _REMEMBERED:
            _verdicts.clear()
        _verdicts[key] = fhirpath.holds(run, expression, part, path)
    return _verdicts[key]


@cache
def _sees_beyond(expression: str) -> bool:
    return _BEYOND.search(expression) is not None


@lru_cache(maxsize=10_000)
def _speaks_of(expression: str, name: str) -> bool:
    """Whether an expression may look at a JSON property, which FHIRPath calls birthDate for `_birthDate` and value for `valueQuantity`."""
    plain = name.removeprefix("_")
    return name == "resourceType" or any(plain == word or (plain.startswith(word) and plain[len(word)].isupper()) for word in _words(expression))


@cache
def _words(expression: str) -> frozenset[str]:
    return frozenset(_WORD.findall(expression))
