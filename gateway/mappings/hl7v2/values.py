"""Composite values: one repetition of a field -> its components, ready for FHIR. The thin layer between the reader and the maps.

Every map reads through here, so that what FHIR forbids in a string never gets into one: characters below space other than tab and line
break, odd white space, white space at either end, and HL7's null `""`, which is not a value.

The same doctor, ward or code stands in many fields of many messages. What such a value was read as is therefore remembered from one message of a
sender to the next, and what maps made of it lies with it (`Composite.known`). All of it is bounded, follows from the text alone, and never changes.
What is met for the first time is not kept: most values are one person's, and to hoard and discard them costs more than to read them.
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Hashable
from typing import Any

from gateway.er7.escapes import unescape
from gateway.er7.reader import Delimiters

WIDTH = 25
"""XCN, the widest data type, has 25 components: every composite is filled up to that, so that maps index without looking."""

MOST = 1024
"""How many values of one sender are remembered. When that is reached, all are forgotten: those that repeat come back at once."""

_LONGEST = 256
"""Longer values (texts, documents) do not repeat, and are not remembered."""

_FILL = tuple(("",) * (WIDTH - have) for have in range(WIDTH + 1))
_NONE: dict[int, list[str]] = {}
_FORBIDDEN = re.compile(
    "[\x00-\x08\x0b-\x0c\x0e-\x1f\x7f-\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\ufeff\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]"
)


_PLACES = 4096


class Repeated:
    """What was met before, roughly: one number for each of so many places, whatever was met last there."""

    __slots__ = ("_last",)

    def __init__(self) -> None:
        self._last = array("q", bytes(8 * _PLACES))

    def again(self, what: Hashable) -> bool:
        """Whether this was met before, as far as is known."""
        mark = hash(what)
        place = mark % _PLACES
        if self._last[place] == mark:
            return True
        self._last[place] = mark
        return False


class Composite(list[str]):
    """The components of one repetition, unescaped, each its first subcomponent.

    `subcomponents` has those components (from 0) that hold more; `known` is where maps keep what they made of this value, each under its own name.
    """

    __slots__ = ("known", "raw", "subcomponents")
    raw: str
    subcomponents: dict[int, list[str]]
    known: dict[Any, Any]

    def hierarchic(self, component: int) -> tuple[str, str, str]:
        """An HD in that component (from 0): namespace, universal id, type of the universal id."""
        parts = self.subcomponents.get(component) if self.subcomponents else None
        if parts is None:
            return self[component], "", ""
        return parts[0], parts[1], parts[2] if len(parts) > 2 else ""


class Values(dict[str, "Composite | None"]):
    """One repetition as sent -> its components; None when all of them are empty. For one way of writing: delimiters and character set."""

    __slots__ = ("_charset", "_component", "_delimiters", "_escape", "_repeated", "_subcomponent")

    def __init__(self, delimiters: Delimiters, charset: str) -> None:
        super().__init__()
        self._delimiters = delimiters
        self._charset = charset
        self._component = delimiters.component
        self._subcomponent = delimiters.subcomponent
        self._escape = delimiters.escape
        self._repeated = Repeated()

    def __missing__(self, raw: str) -> Composite | None:
        composite = self.read(raw)
        if len(raw) <= _LONGEST and self._repeated.again(raw):
            if len(self) >= MOST:
                self.clear()
            self[raw] = composite
        return composite

    def read(self, raw: str) -> Composite | None:
        """The same, without remembering it: for values that are one person's own, and hardly come again."""
        composite = Composite(raw.split(self._component))
        subcomponents = _NONE
        if self._subcomponent in raw:
            subcomponents = {}
            for position, part in enumerate(composite):
                if self._subcomponent in part:
                    several = [self.text(one) for one in part.split(self._subcomponent)]
                    subcomponents[position] = several
                    composite[position] = several[0]
                else:
                    composite[position] = self.text(part)
        elif self._escape in raw or '""' in raw or not raw.isprintable():
            composite[:] = [self.text(part) for part in composite]
        elif " " in raw:
            composite[:] = [part.strip() for part in composite]
        if not composite[0] and not any(composite) and not (subcomponents and any(any(several) for several in subcomponents.values())):
            return None
        have = len(composite)
        if have < WIDTH:
            composite += _FILL[have]
        composite.raw = raw
        composite.subcomponents = subcomponents
        composite.known = {}
        return composite

    def text(self, raw: str) -> str:
        """One value as sent -> as FHIR may hold it; "" for none and for HL7's null."""
        if not raw or raw == '""':
            return ""
        if self._escape in raw:
            raw = unescape(raw, self._delimiters, self._charset)
        if not raw.isprintable():  # what is printable holds nothing forbidden; of the rest, tabs and line breaks are allowed
            raw = _FORBIDDEN.sub(" ", raw)
        return raw.strip()
