"""Invariants, through fhirpathpy; those that nearly every resource has are also written out in `native`.

An invariant is evaluated on the part of the element that its expression names, and the verdict is remembered for that part: most resources
repeat what an invariant looks at (a status, nothing at all), and the verdict follows from it alone.
Source: HL7 FHIR R4, 2.24 ElementDefinition.constraint; FHIRPath 2.0.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache, lru_cache
from typing import Any

import orjson

from conformance.profiles.model import Rule
from conformance.profiles.native import NATIVE
from conformance.profiles.run import Run

Json = dict[str, Any]

_WORD = re.compile(r"[A-Za-z]\w*")
_BEYOND = re.compile(r"%(?:resource|rootResource|context)|descendants|children|resolve|hasValue\(\) or|^\$this|trace")
_REMEMBERED = 20_000
_verdicts: dict[tuple[str, str, bytes], bool | None] = {}


def check(run: Run, location: str, rules: tuple[Rule, ...], value: Any, path: str) -> None:
    """Check the invariants of one value; `path` is its type, or the path of a backbone element."""
    for rule in rules:
        native = NATIVE.get(rule.expression)
        holds = native(value, run) if native else _remembered(run, rule, value, path)
        if holds is False:
            run.say("error" if rule.severity == "error" else "warning", location, rule.key, f"The rule does not hold: {rule.expression}")
        elif holds is None:
            run.say("information", location, rule.key, "The rule could not be evaluated.")


def _remembered(run: Run, rule: Rule, value: Any, path: str) -> bool | None:
    if not isinstance(value, dict) or _BEYOND.search(rule.expression):
        return _evaluate(run, rule.expression, value, path)
    part = {name: value[name] for name in value if _speaks_of(rule.expression, name)}
    try:
        key = (rule.expression, path, orjson.dumps(part))
    except (orjson.JSONEncodeError, RecursionError):
        return None
    if key not in _verdicts:
        if len(_verdicts) >= _REMEMBERED:
            _verdicts.clear()
        _verdicts[key] = _evaluate(run, rule.expression, part, path)
    return _verdicts[key]


@lru_cache(maxsize=10_000)
def _speaks_of(expression: str, name: str) -> bool:
    """Whether an expression may look at a JSON property, which FHIRPath calls birthDate for `_birthDate` and value for `valueQuantity`."""
    plain = name.removeprefix("_")
    return name == "resourceType" or any(plain == word or (plain.startswith(word) and plain[len(word)].isupper()) for word in _words(expression))


@cache
def _words(expression: str) -> frozenset[str]:
    return frozenset(_WORD.findall(expression))


@cache
def _compiled(expression: str) -> Callable[..., list[Any]]:
    from fhirpathpy import compile as compile_path
    from fhirpathpy.models import models

    return compile_path(expression, models["r4"], {"traceFn": lambda *_: None})


def _evaluate(run: Run, expression: str, value: Any, path: str) -> bool | None:
    """Whether an expression holds: empty or true. None if the library cannot tell."""
    from fhirpathpy.engine.nodes import ResourceNode

    context = {"resource": run.resource, "rootResource": run.container}
    try:
        found = _compiled(expression)(ResourceNode.create_node(value, path), context)  # type: ignore[no-untyped-call]
    except Exception:  # noqa: BLE001 - the library raises whatever its parts raise; what it cannot evaluate is said to be so
        return None
    return not found or found[0] is not False
