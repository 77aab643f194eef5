"""The FHIRPath library, and the three functions of FHIR's that it has not: hasValue, htmlChecks, resolve.

It is imported at the first invariant, because its parser is slow to load.
"""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from functools import cache
from typing import Any

from conformance.profiles import references
from conformance.profiles.narrative import is_narrative
from conformance.profiles.run import Run

_run: ContextVar[Run] = ContextVar("run")
"""The run whose references `resolve()` follows."""


def holds(run: Run, expression: str, value: Any, path: str) -> bool | None:
    """Whether an expression is true of a value of a type (or a backbone element's path). None if the library cannot tell.

    Nothing is not true: R4 wants its invariants met, and HL7's own validator takes an empty answer for a broken rule.
    """
    from fhirpathpy.engine.nodes import ResourceNode

    token = _run.set(run)
    try:
        whole = isinstance(value, dict) and "resourceType" in value
        node = value if whole else ResourceNode.create_node(value, path)  # type: ignore[no-untyped-call]
        found = _compiled(expression)(node, {"resource": run.resource, "rootResource": run.container})
    except Exception:  # noqa: BLE001 - the library raises whatever its parts raise; what it cannot evaluate is said to be so
        return None
    finally:
        _run.reset(token)
    return bool(found) and found[0] is not False


@cache
def _compiled(expression: str) -> Callable[..., Any]:
    from fhirpathpy import compile as compile_path
    from fhirpathpy.models import models

    functions = {name: {"fn": function, "arity": {0: []}} for name, function in _FUNCTIONS.items()}
    return compile_path(expression, models["r4"], {"traceFn": lambda *_: None, "userInvocationTable": functions})


def _has_value(inputs: list[Any]) -> list[bool]:
    values = [getattr(one, "data", one) for one in inputs]
    return [len(values) == 1 and not isinstance(values[0], (dict, list)) and values[0] is not None]


def _html_checks(inputs: list[Any]) -> list[bool]:
    values = [getattr(one, "data", one) for one in inputs]
    return [all(is_narrative(one) for one in values if isinstance(one, str))]


def _resolve(inputs: list[Any]) -> list[Any]:
    """What references point at; of a resource that is elsewhere only its type."""
    from fhirpathpy.engine.nodes import ResourceNode

    run = _run.get()
    found: list[Any] = []
    for one in inputs:
        reference = getattr(one, "data", one)
        reference = {"reference": reference} if isinstance(reference, str) else reference
        if isinstance(reference, dict) and (kind := references.target_type(run, reference)):
            found.append(ResourceNode.create_node(references.target(run, reference) or {"resourceType": kind}, kind))  # type: ignore[no-untyped-call]
    return found


_FUNCTIONS: dict[str, Callable[[list[Any]], list[Any]]] = {"hasValue": _has_value, "htmlChecks": _html_checks, "resolve": _resolve}
