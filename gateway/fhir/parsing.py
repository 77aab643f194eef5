"""Strict JSON in: bytes to one FHIR resource as a dict, or `Malformed` with the place.

Two passes. orjson refuses what is not JSON at all, NaN and Infinity, numbers beyond a double and lone surrogates; the second pass, by the
standard library, sees what orjson forgives: doubled keys, of which it would keep the last one silently.
"""

from __future__ import annotations

import json
from typing import Any

import orjson

from gateway.errors import Malformed

Json = dict[str, Any]

MAX_DEPTH = 64
"""Levels of nesting taken. The deepest resources in use (a Bundle of nested Questionnaire items) stay under 40."""

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class _Doubled(ValueError):
    """A key that appears twice in one object."""


def parse(body: bytes) -> Json:
    """The resource in `body` (JSON in UTF-8, a byte order mark is skipped): an object with a resourceType."""
    value = parse_json(body)
    if not isinstance(value, dict):
        raise Malformed("The body is JSON, but not an object", advice="Send one FHIR resource.")
    kind = value.get("resourceType")
    if not isinstance(kind, str) or not kind:
        raise Malformed("The body has no resourceType", location="resourceType", advice="Send one FHIR resource.")
    return value


def parse_json(body: bytes) -> Any:
    """The JSON value in `body`, strictly."""
    text = body.removeprefix(_BYTE_ORDER_MARK)
    if not text.strip():
        raise Malformed("The body is empty", advice="Send one FHIR resource as JSON.")
    try:
        value = orjson.loads(text)
    except ValueError as refusal:
        position = getattr(refusal, "pos", 0)
        if str(refusal).startswith("depth limit"):
            raise _too_deep() from None
        raise Malformed("The body is not JSON", location=f"character {position}", advice="Send JSON in UTF-8.") from None
    check_depth(value)
    try:
        json.loads(text, object_pairs_hook=_unique, parse_int=_skip, parse_float=_skip)
    except _Doubled:
        raise Malformed("An object of the body has the same key twice", advice="Send each key once.") from None
    return value


def check_depth(value: Any) -> None:
    """Raise Malformed where a JSON value is nested deeper than is taken."""
    level, depth = [value], 0
    while level:
        depth += 1
        if depth > MAX_DEPTH + 1:
            raise _too_deep()
        level = [child for node in level if isinstance(node, (dict, list)) for child in (node.values() if isinstance(node, dict) else node)]


def _too_deep() -> Malformed:
    return Malformed("The body is nested too deeply", advice=f"At most {MAX_DEPTH} levels are taken.")


def _unique(pairs: list[tuple[str, Any]]) -> None:
    """Refuse a doubled key; the value is thrown away, so that the pass costs little memory."""
    if len({key for key, _ in pairs}) != len(pairs):
        raise _Doubled


def _skip(_: str) -> None:
    return None
