"""HL7 v2 messages as text: bytes -> segments -> fields -> values. No grammar, no meaning, and no message too odd to be read.

The reader is on the hot path of everything, so it splits as late as it can: a segment's fields when the segment is first asked, a
field's components each time they are asked (that is cheaper than keeping them). Numbers are the standard's: fields, components,
subcomponents and repetitions count from 1, and MSH-1 is the field separator itself.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from gateway.er7 import charsets
from gateway.er7.batches import split
from gateway.er7.escapes import unescape
from gateway.er7.problems import Problem
from gateway.errors import Malformed

__all__ = ["Delimiters", "Message", "Problem", "Segment", "read", "split"]

_UNUSED = ("\ufdd0", "\ufdd1", "\ufdd2", "\ufdd3")
"""Stand-ins (Unicode noncharacters) for encoding characters that a sender does not declare: what is not declared delimits nothing."""


class Delimiters(NamedTuple):
    """One character each: MSH-1, then MSH-2 in its order. A fifth character of MSH-2 (truncation, 2.7) is accepted and not needed."""

    field: str = "|"
    component: str = "^"
    repetition: str = "~"
    escape: str = "\\"
    subcomponent: str = "&"


class Segment:
    """One segment. `number` says which of its name it is in the message, from 1."""

    __slots__ = ("_charset", "_delimiters", "_fields", "_line", "name", "number")

    def __init__(self, name: str, number: int, line: str, delimiters: Delimiters, charset: str) -> None:
        self.name = name
        self.number = number
        self._line = line
        self._fields: list[str] | None = None
        self._delimiters = delimiters
        self._charset = charset

    def _split(self) -> list[str]:
        self._fields = fields = self._line.split(self._delimiters.field)
        return fields

    def __len__(self) -> int:
        """The number of the last field."""
        return len(self._fields or self._split()) - 1

    def __repr__(self) -> str:
        return f"<{self.name} {self.number}>"  # never the content

    def field(self, number: int) -> str:
        """The field as sent; "" when absent."""
        fields = self._fields or self._split()
        return fields[number] if number < len(fields) else ""

    def repetitions(self, number: int) -> list[str]:
        """The field's repetitions as sent; none when it is empty."""
        raw = self.field(number)
        return raw.split(self._delimiters.repetition) if raw else []

    def value(self, field: int, component: int = 1, subcomponent: int = 1, repetition: int = 1) -> str:
        """One subcomponent, unescaped; "" when absent, and the two characters `""` for the HL7 null."""
        fields = self._fields or self._split()
        if field >= len(fields):
            return ""
        raw = fields[field]
        if not raw:
            return ""
        _, between_components, between_repetitions, mark, between_subcomponents = delimiters = self._delimiters
        if between_repetitions in raw:
            every = raw.split(between_repetitions, repetition)
            if repetition > len(every):
                return ""
            raw = every[repetition - 1]
        elif repetition != 1:
            return ""
        if between_components in raw:
            every = raw.split(between_components, component)
            if component > len(every):
                return ""
            raw = every[component - 1]
        elif component != 1:
            return ""
        if between_subcomponents in raw:
            every = raw.split(between_subcomponents, subcomponent)
            if subcomponent > len(every):
                return ""
            raw = every[subcomponent - 1]
        elif subcomponent != 1:
            return ""
        return unescape(raw, delimiters, self._charset) if mark in raw else raw

    def components(self, field: int, repetition: int = 1) -> list[str]:
        """The components of one repetition, each its first subcomponent, unescaped; none when the field is empty."""
        every = self.repetitions(field)
        if repetition > len(every) or not every[repetition - 1]:
            return []
        delimiters = self._delimiters
        between = delimiters.subcomponent
        return [unescape(raw.split(between, 1)[0], delimiters, self._charset) for raw in every[repetition - 1].split(delimiters.component)]


class _Header(Segment):
    """MSH: its first field is the separator that stands before it, and its second is made of delimiters and holds none."""

    __slots__ = ()

    def _split(self) -> list[str]:
        separator = self._delimiters.field
        name, *fields = self._line.split(separator)
        self._fields = [name, separator, *fields]
        return self._fields

    def repetitions(self, number: int) -> list[str]:
        return [self.field(number)] if number < 3 else super().repetitions(number)

    def value(self, field: int, component: int = 1, subcomponent: int = 1, repetition: int = 1) -> str:
        return self.field(field) if field < 3 else super().value(field, component, subcomponent, repetition)

    def components(self, field: int, repetition: int = 1) -> list[str]:
        return [self.field(field)] if field < 3 else super().components(field, repetition)


class Message:
    """One message as sent. `charset` is the codec that read it, `problems` what was wrong with its outer form."""

    __slots__ = ("_by_name", "charset", "delimiters", "header", "problems", "segments", "text")

    def __init__(
        self, text: str, charset: str, delimiters: Delimiters, segments: list[Segment], by_name: dict[str, list[Segment]], problems: list[Problem]
    ) -> None:
        self.text = text
        self.charset = charset
        self.delimiters = delimiters
        self.segments = segments
        self.header = segments[0]
        self.problems = problems
        self._by_name = by_name

    def __repr__(self) -> str:
        return f"<Message of {len(self.segments)} segments>"  # never the content

    def first(self, name: str) -> Segment | None:
        """The first segment of that name."""
        found = self._by_name.get(name)
        return found[0] if found else None

    def all(self, name: str) -> list[Segment]:
        """All segments of that name, in order."""
        return self._by_name.get(name, [])

    @property
    def type(self) -> str:
        """MSH-9.1: "ADT"."""
        return self.header.value(9)

    @property
    def trigger(self) -> str:
        """MSH-9.2, "A03"; where that is empty, what MSH-9.3 ("ADT_A03") says for a structure named like its event, else EVN-1."""
        stated = self.header.value(9, 2)
        if stated:
            return stated
        event = self.first("EVN")
        return event.value(1) if event else ""

    @property
    def control_id(self) -> str:
        """MSH-10."""
        return self.header.value(10)

    @property
    def processing_id(self) -> str:
        """MSH-11.1: P, T or D; "" when the sender is silent."""
        return self.header.value(11)

    @property
    def version(self) -> str:
        """MSH-12.1: "2.5.1"."""
        return self.header.value(12)

    @property
    def application(self) -> str:
        """MSH-3.1, the sending application."""
        return self.header.value(3)

    @property
    def facility(self) -> str:
        """MSH-4.1, the sending facility."""
        return self.header.value(4)

    @property
    def timestamp(self) -> str:
        """MSH-7 as sent."""
        return self.header.value(7)


def read(data: bytes, charset: str = "") -> Message:
    """Read one message. `charset` is what the feed's profile says of senders that leave MSH-18 empty.

    Raises Malformed, with the place and what to do, when the bytes are not an HL7 v2 message; every other oddity is read as it can
    be, and named in `problems`. Line ends may be CR, LF or CRLF, mixed.
    """
    if data.isascii() and b"\x1b" not in data and b"\0" not in data:
        text, used, problems = data.decode("ascii"), "", []  # reads alike in every set that is not wide: MSH-18 need not be looked for
    else:
        text, used, problems = charsets.decode(data, _declared(data), charset)
    if not text.startswith("MSH"):
        text = text.lstrip("\ufeff\r\n\x0b\x1c\t ")
    delimiters, oddities = _delimiters(text)
    problems += oddities
    if not used:
        used, oddities = _announced(text, delimiters.field, charset)
        problems += oddities
    segments: list[Segment] = []
    by_name: dict[str, list[Segment]] = {}
    for line in _lines(text, delimiters.field, problems):
        name = line[:3] if line[3:4] == delimiters.field else line.split(delimiters.field, 1)[0]
        same = by_name.get(name)
        if same is None:
            by_name[name] = same = []
        kind = Segment if name != "MSH" else _Header
        segment = kind(name, len(same) + 1, line, delimiters, used)
        same.append(segment)
        segments.append(segment)
    if len(by_name["MSH"]) > 1:
        problems.append(Problem("MSH[2]", "100", "E", "A second MSH segment stands inside one message."))
    return Message(text, used, delimiters, segments, by_name, problems)


_MISNAMED = re.compile(r"[A-Za-z0-9]{1,6}")


def _lines(text: str, separator: str, problems: list[Problem]) -> list[str]:
    """The message's segments, each one line; a line that begins no segment was a line break within a field, and is put back there."""
    if "\n" in text:
        text = text.replace("\r\n", "\r").replace("\n", "\r")
    lines: list[str] = []
    broken: list[int] = []
    for line in text.split("\r"):
        head = line[:3]
        if line[3:4] in (separator, "") and len(head) == 3 and head.isupper() and head.isalnum():
            lines.append(line)
        elif not (line := line.strip("\x0b\x1c\x1a\0 \t")):
            continue
        elif re.match(r"[A-Z][A-Z0-9]{2}", line) and line[3:4] == separator:
            lines.append(line)
        elif separator in line and _MISNAMED.fullmatch(line.split(separator, 1)[0]):
            problems.append(Problem("", "100", "W", f"Segment {len(lines) + 1} has a name that is not three characters long, capitals first."))
            lines.append(line)
        else:
            broken.append(len(lines))
            lines.append(line)
    return _mended(lines, broken, problems) if broken else lines


def _mended(lines: list[str], broken: list[int], problems: list[Problem]) -> list[str]:
    """Put each broken-off line (by its position) back behind the segment it was torn from."""
    problems.append(Problem("", "100", "W", "There are line breaks within fields; they were kept as text. Send them as an escape sequence."))
    torn = set(broken)
    groups: list[list[str]] = []
    for position, line in enumerate(lines):
        if position in torn and groups:
            groups[-1].append(line)
        else:
            groups.append([line])
    return ["\n".join(group) for group in groups]


def _delimiters(text: str) -> tuple[Delimiters, list[Problem]]:
    """The delimiters that the message's first bytes declare."""
    if not text.startswith("MSH"):
        raise Malformed("This is not an HL7 v2 message: it does not begin with an MSH segment", location="MSH", advice="Send MSH first.")
    separator = text[3:4]
    if not separator or separator.isalnum() or separator.isspace():
        raise Malformed("MSH-1 is not a field separator", location="MSH-1", advice="Send | there.", condition="102")
    declared = re.split(r"[\r\n]", text[4:12], maxsplit=1)[0].split(separator, 1)[0]
    if declared == "^~\\&":
        return Delimiters(separator), []
    if any(character.isalnum() or character.isspace() for character in declared):
        raise Malformed("MSH-2 does not hold encoding characters", location="MSH-2", advice="Send ^~\\& there.", condition="102")
    if not declared:
        return Delimiters(separator), [Problem("MSH-2", "101", "W", "There are no encoding characters; the usual ones were assumed.")]
    distinct = list(dict.fromkeys(declared))[:4]
    problems = []
    if len(set(declared)) < len(declared):
        problems.append(Problem("MSH-2", "102", "W", "An encoding character is doubled; the first of each was taken."))
    if len(distinct) < 4:
        problems.append(Problem("MSH-2", "102", "W", "There are fewer than four encoding characters; those that are missing delimit nothing."))
    return Delimiters(separator, *distinct, *_UNUSED[len(distinct) :]), problems


def _declared(data: bytes) -> str:
    """MSH-18 as sent, found before the text is decoded."""
    start = data.find(b"MSH")
    if start < 0:
        return ""
    end = min((place for place in (data.find(b"\r", start), data.find(b"\n", start)) if place >= 0), default=len(data))
    fields = data[start:end].split(data[start + 3 : start + 4] or b"|")
    return fields[17].decode("latin-1") if len(fields) > 17 else ""


def _announced(text: str, separator: str, default: str) -> tuple[str, list[Problem]]:
    """The codec announced for a message that is plain ASCII, where only an unknown name is worth a word."""
    fields = re.split(r"[\r\n]", text, maxsplit=1)[0].split(separator, 18)
    name = fields[17].split("~")[0] if len(fields) > 17 else ""
    if not name:
        return charsets.codec(default) or "utf-8", []
    known = charsets.codec(name)
    if known:
        return known, []
    return "utf-8", [Problem("MSH-18", "103", "W", "The character set is not one of HL7 table 0211; the text was read as it fits best.")]
