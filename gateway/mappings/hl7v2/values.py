"""Composite values: one repetition of a field -> its components, ready for FHIR. The thin layer between the reader and the maps.

Every map reads through here, so that what FHIR forbids in a string never gets into one: characters below space other than tab and line
break, odd white space, white space at either end, and HL7's null `""`, which is not a value (`Context.nulled` asks for it).
"""

from __future__ import annotations

import re

from gateway.er7.escapes import unescape
from gateway.er7.reader import Delimiters, Message

WIDTH = 25
"""XCN, the widest data type, has 25 components: every composite is filled up to that, so that maps index without looking."""

_FILL = ("",) * WIDTH
_NONE: dict[int, list[str]] = {}
_ALLOWED = bytes(range(32, 127)) + b"\t\r\n"
_FORBIDDEN = re.compile(
    "[\x00-\x08\x0b-\x0c\x0e-\x1f\x7f-\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\ufeff\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]"
)


class Composite(list[str]):
    """The components of one repetition, unescaped, each its first subcomponent; `subcomponents` has those components (from 0) that hold more."""

    __slots__ = ("raw", "subcomponents")
    raw: str
    subcomponents: dict[int, list[str]]

    def hierarchic(self, component: int) -> tuple[str, str, str]:
        """An HD in that component (from 0): namespace, universal id, type of the universal id."""
        parts = self.subcomponents.get(component)
        if parts is None:
            return self[component], "", ""
        return parts[0], parts[1], parts[2] if len(parts) > 2 else ""


class Values:
    """Reads the composite values of one message."""

    __slots__ = ("_charset", "_clean", "_delimiters", "_known")

    def __init__(self, message: Message) -> None:
        self._delimiters: Delimiters = message.delimiters
        self._charset = message.charset
        self._clean = _is_clean(message.text)
        self._known: dict[str, Composite | None] = {}  # the same doctor, ward or code stands in many fields

    def composite(self, raw: str) -> Composite | None:
        """One repetition as sent -> its components; None when all of them are empty. Never change what it gives: it may be given again."""
        try:
            return self._known[raw]
        except KeyError:
            self._known[raw] = composite = self._composite(raw)
            return composite

    def _composite(self, raw: str) -> Composite | None:
        delimiters = self._delimiters
        parts = raw.split(delimiters.component)
        subcomponents = _NONE
        if delimiters.subcomponent in raw:
            subcomponents = {}
            for position, part in enumerate(parts):
                if delimiters.subcomponent in part:
                    several = [self.text(one) for one in part.split(delimiters.subcomponent)]
                    subcomponents[position] = several
                    parts[position] = several[0]
                else:
                    parts[position] = self.text(part)
        elif delimiters.escape in raw or '""' in raw or not self._clean:
            parts = [self.text(part) for part in parts]
        elif " " in raw or "\t" in raw or "\n" in raw:
            parts = [part.strip() for part in parts]
        if not any(parts) and not (subcomponents and any(any(several) for several in subcomponents.values())):
            return None
        composite = Composite(parts)
        composite += _FILL[len(parts) :]
        composite.raw = raw
        composite.subcomponents = subcomponents
        return composite

    def text(self, raw: str) -> str:
        """One value as sent -> as FHIR may hold it; "" for none and for HL7's null."""
        if not raw or raw == '""':
            return ""
        if self._delimiters.escape in raw:
            raw = unescape(raw, self._delimiters, self._charset)
            return _FORBIDDEN.sub(" ", raw).strip()
        if not self._clean:
            raw = _FORBIDDEN.sub(" ", raw)
        return raw.strip()


def _is_clean(text: str) -> bool:
    if text.isascii():
        return not text.encode("ascii").translate(None, _ALLOWED)
    return _FORBIDDEN.search(text) is None
