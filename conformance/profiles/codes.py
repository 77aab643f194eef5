"""Codes against the value sets that elements are bound to, and against their own code systems.

Source: HL7 FHIR R4, 4.1.5 Binding strengths (required, extensible).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from conformance.profiles.model import Binding
from conformance.profiles.run import Run

Json = dict[str, Any]

CODED = ("Coding", "Quantity", "Age", "Count", "Distance", "Duration")
"""The types that hold a system and a code themselves."""
_FEW = 12
"""So many codes a sentence can name."""


def bound(run: Run, location: str, kind: str, value: Any, binding: Binding) -> None:
    """Check a value of a type against a binding. What cannot be known here is not judged."""
    if kind == "CodeableConcept":
        codings = [(f"{location}.coding[{number}]", one) for number, one in enumerate(_list(value, "coding"))]
    elif kind in CODED:
        codings = [(location, value)]
    else:
        if isinstance(value, str) and run.terminology.has(binding.value_set, None, value) is False:
            run.say("error" if binding.strength == "required" else "warning", location, "binding", _sentence(run, binding))
        return
    verdicts = [_verdict(run, binding, one) for _, one in codings if isinstance(one, dict)]
    if True in verdicts or None in verdicts:
        return
    if not verdicts or set(verdicts) == {_UNCODED}:
        if binding.strength == "required" and kind in ("CodeableConcept", "Coding") and isinstance(value, dict) and not _absent(value):
            run.error(location, "binding", f"A code of {binding.value_set} is required here.")
    else:
        run.say("error" if binding.strength == "required" else "warning", location, "binding", _sentence(run, binding))


_UNCODED = "uncoded"


def _verdict(run: Run, binding: Binding, coding: Json) -> bool | str | None:
    """Whether the value set has a Coding's code; None if nobody here can know, `_UNCODED` without a code."""
    system, code = coding.get("system"), coding.get("code")
    if not isinstance(code, str):
        return _UNCODED
    if not isinstance(system, str):
        return False if run.terminology.codes(binding.value_set) is not None else None
    return run.terminology.has(binding.value_set, system, code)


def _absent(value: Json) -> bool:
    """Whether an extension says why there is no value."""
    return any(isinstance(one, dict) and str(one.get("url")).endswith("/data-absent-reason") for one in _list(value, "extension"))


def _list(value: Any, name: str) -> list[Any]:
    found = value.get(name) if isinstance(value, dict) else None
    return found if isinstance(found, list) else []


def _sentence(run: Run, binding: Binding) -> str:
    wanted = f"The code is not one of {binding.value_set}"
    codes = run.terminology.codes(binding.value_set) or {}
    names = sorted({code for one in codes.values() for code in one or ()})
    few = f" ({', '.join(names)})" if 0 < len(names) <= _FEW and None not in codes.values() else ""
    return f"{wanted}{few}, which {'is required' if binding.strength == 'required' else 'should be used where it has a fitting one'} here."


def coding(run: Run, location: str, value: Json) -> None:
    """A code of a system that the tables hold whole is one of it. HL7 Terminology grows after R4, so there it is a warning."""
    system, code = value.get("system"), value.get("code")
    if isinstance(system, str) and isinstance(code, str) and (known := run.terminology.system(system)) is not None and code not in known:
        grows = system.startswith("http://terminology.hl7.org/")
        run.say("warning" if grows else "error", f"{location}.code", "code", f"The code system {system} has no such code.")


def codings(value: Any) -> Iterator[Json]:
    """The Codings of a CodeableConcept, or the Coding itself."""
    if isinstance(value, dict):
        yield from (one for one in (_list(value, "coding") or [value]) if isinstance(one, dict))
