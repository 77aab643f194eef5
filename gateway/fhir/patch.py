"""JSON Patch (RFC 6902) on a resource, by the library `jsonpatch`. Pure: neither the resource nor the patch is changed.

Ours is what the library does not do: to say which operation failed and no value of it, and to bound what a patch can make. A hundred operations that
each copy what the last one made would otherwise fill any memory.
"""

from __future__ import annotations

import copy
from typing import Any

import jsonpatch
import orjson
from jsonpointer import JsonPointer, JsonPointerException

from gateway.errors import Conflict, GatewayError, Invalid, Malformed, TooLarge
from gateway.fhir.parsing import MAX_DEPTH, check_depth

Json = dict[str, Any]

MAX_OPERATIONS = 100
MAX_COPIED = 1_000_000
"""Bytes of JSON that all copies of one patch may add up to."""
_POINTERS = ("path", "from")


def apply(resource: Json, patch: Any) -> Json:
    """The resource after the patch's operations, all of them or none.

    Raises Conflict where a `test` does not hold, Invalid for a path that is not there, Malformed for what is no JSON Patch, TooLarge for one that
    makes too much of little.
    """
    if not isinstance(patch, list) or len(patch) > MAX_OPERATIONS:
        raise Malformed(f"A JSON Patch is a list of at most {MAX_OPERATIONS} operations", location="[]")
    result: Any = copy.deepcopy(resource)
    left = MAX_COPIED
    for number, operation in enumerate(copy.deepcopy(patch)):
        where = f"[{number}]"
        _check(operation, where)
        left -= _copied(result, operation)
        if left < 0:
            raise TooLarge("The patch copies too much", location=where)
        result = _applied(result, operation, where)
    if not isinstance(result, dict):
        raise Invalid("A patch leaves a resource a resource", location="[]")
    check_depth(result)
    return result


def _check(operation: Any, where: str) -> None:
    """What the library takes as given: an object, whose pointers are no deeper than a resource is."""
    if not isinstance(operation, dict):
        raise Malformed("An operation is an object with op and path", location=where)
    for name in _POINTERS:
        pointer = operation.get(name)
        if isinstance(pointer, str) and pointer and not pointer.startswith("/"):
            raise Malformed("This is no JSON Pointer into the resource", location=f"{where}.{name}")
        if isinstance(pointer, str) and pointer.count("/") > MAX_DEPTH:
            raise Malformed("This leads deeper than any resource is nested", location=f"{where}.{name}")


def _copied(document: Any, operation: Json) -> int:
    """How many bytes of JSON the operation copies; 0 where it copies nothing, or nothing that is there."""
    if operation.get("op") != "copy" or not isinstance(operation.get("from"), str):
        return 0
    try:
        return len(orjson.dumps(JsonPointer(operation["from"]).resolve(document)))
    except JsonPointerException:
        return 0
    except TypeError:  # orjson: too deep
        return MAX_COPIED + 1


def _applied(document: Any, operation: Json, where: str) -> Any:
    try:
        return jsonpatch.JsonPatch([operation]).apply(document, in_place=True)
    except (jsonpatch.JsonPatchException, JsonPointerException) as refusal:
        raise _told(refusal, where) from None
    except RecursionError:
        raise TooLarge("The patch nests too deeply", location=where) from None


def _told(refusal: Exception, where: str) -> GatewayError:
    """The library's refusal in our words: its own quote values."""
    if isinstance(refusal, jsonpatch.JsonPatchTestFailed):
        return Conflict("The patch's test does not hold", location=where)
    if isinstance(refusal, jsonpatch.InvalidJsonPatch):
        return Malformed("This is no operation of JSON Patch", location=where)
    return Invalid("The resource has nothing at this path", location=f"{where}.path")
