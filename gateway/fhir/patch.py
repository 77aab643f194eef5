"""JSON Patch (RFC 6902) on a resource. Pure: the given resource is not changed."""

from __future__ import annotations

import copy
from typing import Any

from gateway.errors import Conflict, Invalid, Malformed

Json = dict[str, Any]

MAX_OPERATIONS = 100
_MISSING = object()


def apply(resource: Json, patch: Any) -> Json:
    """The resource after the patch's operations, all of them or none. A failed `test` raises Conflict, a path that is not there Invalid."""
    if not isinstance(patch, list) or len(patch) > MAX_OPERATIONS:
        raise Malformed("A JSON Patch is a list of at most 100 operations", location="[]")
    result: Any = copy.deepcopy(resource)
    for number, operation in enumerate(patch):
        result = _apply(result, operation, f"[{number}]")
    if not isinstance(result, dict):
        raise Invalid("A patch cannot replace the resource as a whole", location="[]")
    return result


def _apply(document: Any, operation: Any, where: str) -> Any:
    if not isinstance(operation, dict) or not isinstance(operation.get("path"), str):
        raise Malformed("An operation is an object with op and path", location=where)
    op, path = operation.get("op"), _steps(operation["path"], f"{where}.path")
    if op in ("add", "replace", "test") and "value" not in operation:
        raise Malformed("The operation has no value", location=where)
    if op == "test":
        if not _same(_get(document, path, where), operation["value"]):
            raise Conflict("The patch's test does not hold", location=where)
        return document
    if op == "remove":
        return _remove(document, path, where)
    if op == "add":
        return _add(document, path, copy.deepcopy(operation["value"]), where)
    if op == "replace":
        _get(document, path, where)
        return _add(_remove(document, path, where), path, copy.deepcopy(operation["value"]), where)
    if op in ("move", "copy"):
        source = _steps(operation.get("from"), f"{where}.from")
        value = copy.deepcopy(_get(document, source, where))
        if op == "move":
            if path[: len(source)] == source and path != source:
                raise Invalid("A value cannot be moved into itself", location=where)
            document = _remove(document, source, where)
        return _add(document, path, value, where)
    raise Malformed("The operation is none of JSON Patch", location=f"{where}.op")


def _steps(pointer: Any, where: str) -> list[str]:
    """The steps of a JSON Pointer (RFC 6901)."""
    if not isinstance(pointer, str) or not pointer.startswith("/"):
        raise Malformed("This is no JSON Pointer into the resource", location=where)
    return [step.replace("~1", "/").replace("~0", "~") for step in pointer[1:].split("/")]


def _get(document: Any, path: list[str], where: str) -> Any:
    for step in path:
        if isinstance(document, dict):
            document = document.get(step, _MISSING)
        elif isinstance(document, list):
            document = document[_index(step, len(document) - 1, where)]
        else:
            document = _MISSING
        if document is _MISSING:
            raise Invalid("The resource has nothing at this path", location=f"{where}.path")
    return document


def _remove(document: Any, path: list[str], where: str) -> Any:
    parent = _get(document, path[:-1], where)
    _get(parent, path[-1:], where)
    if isinstance(parent, dict):
        del parent[path[-1]]
    else:
        del parent[_index(path[-1], len(parent) - 1, where)]
    return document


def _add(document: Any, path: list[str], value: Any, where: str) -> Any:
    parent = _get(document, path[:-1], where)
    if isinstance(parent, dict):
        parent[path[-1]] = value
    elif isinstance(parent, list):
        parent.insert(len(parent) if path[-1] == "-" else _index(path[-1], len(parent), where), value)
    else:
        raise Invalid("The resource has nothing at this path", location=f"{where}.path")
    return document


def _index(step: str, last: int, where: str) -> int:
    if not (step.isascii() and step.isdigit()) or (len(step) > 1 and step[0] == "0") or len(step) > 6 or int(step) > last:
        raise Invalid("The list has nothing at this place", location=f"{where}.path")
    return int(step)


def _same(one: Any, other: Any) -> bool:
    """JSON equality: true is not 1."""
    return type(one) is type(other) and one == other if isinstance(one, bool) or isinstance(other, bool) else bool(one == other)
