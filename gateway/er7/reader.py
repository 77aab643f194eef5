"""HL7 v2 messages as text: bytes -> segments -> fields -> values. No grammar, no meaning, and no message too odd to be read.

The reader is on the hot path of everything, so it splits a message into its fields and no further: components are split off each time
they are asked for, which is cheaper than keeping them. Numbers are the standard's: fields, components,
subcomponents and repetitions count from 1, and MSH-1 is the field separator itself.
"""

from __future__ import annotations

import re
from collections.abc import KeysView

from gateway.er7 import charsets
from gateway.er7.batches import split
from gateway.er7.delimiters import Delimiters
from gateway.er7.escapes import unescape
from gateway.er7.problems import Problem
from gateway.errors import Malformed

__all__ = ["Delimiters", "Message", "Problem", "Segment", "read", "split"]

UNUSED = ("\ufdd0", "\ufdd1", "\ufdd2", "\ufdd3")
"""Stand-ins (Unicode noncharacters) for encoding characters that a sender does not declare: what is not declared delimits nothing."""


_USUAL = Delimiters()
_USUAL_START = "MSH|^~\\&|"
_ODD_NAME = re.compile(r"[A-Za-z0-9]{1,6}")
_BLANKS = "\x0b\x1c\x1a\0 \t"


LONGEST_LINE = 1024
"""Longer segments (documents) do not keep their text beside their fields."""


class Segment:
    """One segment. `number` says which of its name it is in the message, from 1; `line` is its text, "" where that is long or was pieced together."""

    __slots__ = ("_charset", "_delimiters", "fields", "line", "name", "number")

    def __init__(self, name: str, number: int, fields: list[str], delimiters: Delimiters, charset: str, line: str = "") -> None:
        self.name = name
        self.line = line
        self.number = number
        self.fields = fields  # its name, then its fields as sent: the position is the field's number; not to be changed
        self._delimiters = delimiters
        self._charset = charset

    def __len__(self) -> int:
        """The number of the last field."""
        return len(self.fields) - 1

    def __repr__(self) -> str:
        return f"<{self.name} {self.number}>"  # never the content

    def field(self, number: int) -> str:
        """The field as sent; "" when absent."""
        fields = self.fields
        return fields[number] if number < len(fields) else ""

    def repetitions(self, number: int) -> list[str]:
        """The field's repetitions as sent; none when it is empty."""
        raw = self.field(number)
        return raw.split(self._delimiters.repetition) if raw else []

    def value(self, field: int, component: int = 1, subcomponent: int = 1, repetition: int = 1) -> str:
        """One subcomponent, unescaped; "" when absent, and the two characters `""` for the HL7 null."""
        fields = self.fields
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

    def repetitions(self, number: int) -> list[str]:
        return [self.field(number)] if number < 3 else super().repetitions(number)

    def value(self, field: int, component: int = 1, subcomponent: int = 1, repetition: int = 1) -> str:
        return self.field(field) if field < 3 else super().value(field, component, subcomponent, repetition)

    def components(self, field: int, repetition: int = 1) -> list[str]:
        return [self.field(field)] if field < 3 else super().components(field, repetition)


class Message:
    """One message as sent. `charset` is the codec that read it, `problems` what was wrong with its outer form."""

    __slots__ = ("_by_name", "charset", "delimiters", "header", "problems", "segments")

    def __init__(
        self, charset: str, delimiters: Delimiters, segments: list[Segment], by_name: dict[str, list[Segment]], problems: list[Problem]
    ) -> None:
        self.charset = charset
        self.delimiters = delimiters
        self.segments = segments
        self.header = segments[0]
        self._by_name = by_name
        self.problems = problems

    def __repr__(self) -> str:
        return f"<Message of {len(self.segments)} segments>"  # never the content

    @property
    def names(self) -> KeysView[str]:
        """The names of its segments, each once."""
        return self._by_name.keys()

    def first(self, name: str) -> Segment | None:
        """The first segment of that name."""
        found = self._by_name.get(name)
        return found[0] if found else None

    def all(self, name: str) -> list[Segment]:
        """All segments of that name, in order."""
        return self._by_name.get(name, [])

    def replaced(self, position: int, number: int, field: str) -> Message:
        """The message with another text in one field of the segment at `position` (from 0); this one stays as it is."""
        old = self.segments[position]
        fields = [*old.fields]
        fields[number] = field
        new = type(old)(old.name, old.number, fields, old._delimiters, old._charset)
        segments = [*self.segments]
        segments[position] = new
        by_name = {**self._by_name, old.name: [new if one is old else one for one in self._by_name[old.name]]}
        return Message(self.charset, self.delimiters, segments, by_name, self.problems)

    @property
    def type(self) -> str:
        """MSH-9.1: "ADT"."""
        return self.header.value(9)

    @property
    def trigger(self) -> str:
        """MSH-9.2, "A03"; EVN-1 where the sender leaves that empty, "" where both are."""
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
    # Plain ASCII reads alike in every set that is not wide, so that MSH-18 need not be looked for before the text is decoded.
    plain = data.isascii() and b"\x1b" not in data and b"\0" not in data
    problems: list[Problem] = []
    if plain:
        text, used = data.decode("ascii"), "ascii"
    else:
        text, used, problems = charsets.decode(data, _declared(data), charset)
    if not text.startswith("MSH"):
        text = text.lstrip("\ufeff\r\n\x0b\x1c\t ")
    delimiters = _delimiters(text, problems)
    if "\n" in text:
        text = text.replace("\r\n", "\r").replace("\n", "\r")
    lines = text.split("\r")
    del text  # a document of megabytes is held once as lines, and once as fields, and no more
    name, *fields = lines[0].split(delimiters.field)
    header = _Header(name, 1, [name, delimiters.field, *fields], delimiters, used)
    if plain:
        used = header._charset = _announced(header.field(18), charset, problems)
    segments, by_name = _segments(lines, header, problems)
    if "MSH" in by_name:
        problems.append(Problem("MSH", "100", "E", "A second MSH segment stands inside one message; only the first was read as its header."))
    by_name["MSH"] = [header]
    return Message(used, delimiters, segments, by_name, problems)


def _segments(lines: list[str], header: Segment, problems: list[Problem]) -> tuple[list[Segment], dict[str, list[Segment]]]:
    """The message's segments, in order and by name; a line that begins none was torn from the field before it, and is put back there."""
    delimiters, charset = header._delimiters, header._charset
    separator = delimiters.field
    segments: list[Segment] = [header]
    by_name: dict[str, list[Segment]] = {}
    torn: dict[int, list[str]] = {}
    for position in range(1, len(lines)):
        line, lines[position] = lines[position], ""
        fields = line.split(separator)
        name = fields[0]
        same = by_name.get(name)
        if same is None:  # the first of its name: is it a name at all?
            if not (len(name) == 3 and name.isupper() and name.isalnum()):
                line = line.strip(_BLANKS)
                if not line:
                    continue
                name = _name(line, separator)
                if not name:
                    torn.setdefault(len(segments) - 1, []).append(line)
                    continue
                if len(name) != 3 or not name.isupper():
                    text = f"Segment {len(segments) + 1} has a name that is not three capital letters or digits."
                    problems.append(Problem("", "100", "W", text))
                fields = line.split(separator)
            same = by_name.setdefault(name, [])
        segment = Segment(name, len(same) + 1, fields, delimiters, charset, line if len(line) <= LONGEST_LINE else "")
        same.append(segment)
        segments.append(segment)
    for position, pieces in torn.items():
        fields = segments[position].fields
        segments[position].line = ""
        fields += "\n".join([fields.pop(), *pieces]).split(separator)
    if torn:
        problems.append(Problem("", "100", "W", "There are line breaks within fields; they were kept as text. Send them as an escape sequence."))
    return segments, by_name


def _name(line: str, separator: str) -> str:
    """The name of the segment that an odd line is: indented, or of the wrong length; "" where it is no segment."""
    name, found, _ = line.partition(separator)
    return name if found and _ODD_NAME.fullmatch(name) else ""


def _delimiters(text: str, problems: list[Problem]) -> Delimiters:
    """The delimiters that the message's first bytes declare."""
    if text.startswith(_USUAL_START):
        return _USUAL
    if not text.startswith("MSH"):
        raise Malformed("This is not an HL7 v2 message: it does not begin with an MSH segment", location="MSH", advice="Send MSH first.")
    separator = text[3:4]
    if not separator or separator.isalnum() or separator.isspace():
        raise Malformed("MSH-1 is not a field separator", location="MSH-1", advice="Send | there.", condition="102")
    declared = re.split(r"[\r\n]", text[4:12], maxsplit=1)[0].split(separator, 1)[0]
    if any(character.isalnum() or character.isspace() for character in declared):
        raise Malformed("MSH-2 does not hold encoding characters", location="MSH-2", advice="Send ^~\\& there.", condition="102")
    if not declared:
        problems.append(Problem("MSH-2", "101", "W", "There are no encoding characters; the usual ones were assumed."))
        return _USUAL._replace(field=separator)
    distinct = list(dict.fromkeys(declared))
    if len(distinct) < len(declared):
        problems.append(Problem("MSH-2", "102", "W", "An encoding character is doubled; the first of each was taken."))
    if len(distinct) < 4:
        problems.append(Problem("MSH-2", "102", "W", "There are fewer than four encoding characters; those that are missing delimit nothing."))
    return Delimiters(separator, *distinct[:4], *UNUSED[len(distinct) :])


def _declared(data: bytes) -> str:
    """MSH-18 as sent, found before the text is decoded."""
    start = data.find(b"MSH")
    if start < 0:
        return ""
    end = min((place for place in (data.find(b"\r", start), data.find(b"\n", start)) if place >= 0), default=len(data))
    fields = data[start:end].split(data[start + 3 : start + 4] or b"|")
    return fields[17].decode("latin-1") if len(fields) > 17 else ""


def _announced(name: str, default: str, problems: list[Problem]) -> str:
    """The codec announced for a message that is plain ASCII, where only an unknown name is worth a word."""
    if not name:
        return charsets.codec(default) or "utf-8"
    known = charsets.codec(name.split("~")[0])
    if not known:
        problems.append(charsets.unknown())
    return known or "utf-8"
