"""Answers of pure functions about JSON values, remembered by what the value says.

What is asked is the value's content, never the object: equal content has one answer, whoever asks and whenever, so an answer cannot be stale. A
record is read again for each recipient and with every later message of its person, and most of it says what it said before.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar

import orjson

T = TypeVar("T")

AT_ONCE = 4096
"""Answers that are remembered before all are forgotten: the resources of some hundred people, a few megabytes."""
LARGEST = 8192
"""Bytes of JSON; what is larger (a document) is asked anew."""
_JSON_ALONE = orjson.OPT_PASSTHROUGH_DATACLASS | orjson.OPT_PASSTHROUGH_DATETIME | orjson.OPT_PASSTHROUGH_SUBCLASS
"""Values of other kinds are refused, and asked anew: two of them may be written alike and differ."""


class Remembered(Generic[T]):
    """A pure function of a JSON value and of some settings; it may not keep or change either."""

    def __init__(self, function: Callable[..., T]) -> None:
        self._function = function
        self._known: dict[tuple[bytes, tuple[Any, ...]], T] = {}

    def __call__(self, value: Any, *settings: Any) -> T:
        try:
            content = orjson.dumps(value, option=_JSON_ALONE)
        except TypeError:  # no JSON: a lone surrogate, a set, a number beyond 64 bits
            return self._function(value, *settings)
        key = content, settings
        if key in self._known:
            return self._known[key]
        answer = self._function(value, *settings)
        if len(content) <= LARGEST:
            if len(self._known) >= AT_ONCE:
                self._known.clear()
            self._known[key] = answer
        return answer
