"""What a sample of one sender's messages shows of its ways: counts of codes, and never a value that could be somebody's. Pure.

A value is told only if it looks like a code, stands in a column of few different values, and shares no word with what identifying fields hold.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from gateway.er7.reader import Message, Segment
from gateway.mappings.feeds import local_codes
from gateway.mappings.hl7v2 import keys


class Column(NamedTuple):
    """A component whose codes are worth knowing; `table` is the code table that a profile maps it by, "" for none."""

    segment: str
    field: int
    table: str = ""

    @property
    def path(self) -> str:
        """ "PV1-36"."""
        return f"{self.segment}-{self.field}"


UNIT, SERVICE = Column("PV1", 3), Column("PV1", 10)
APPOINTMENTS = (Column("SCH", 7), Column("SCH", 8), Column("AIS", 3))
CODED = (
    Column("PV1", 36, "disposition"),
    Column("PV1", 2, "class"),
    Column("PV1", 4, "admission-type"),
    Column("PID", 8, "gender"),
    Column("PID", 15, "language"),
    Column("PID", 16, "marital"),
    Column("NK1", 3, "relationship"),
    Column("DG1", 6, "diagnosis-type"),
    Column("SCH", 25, "appointment-status"),
)
COLUMNS = (UNIT, SERVICE, *APPOINTMENTS, *CODED)
_HEADER = {"MSH-3": 3, "MSH-11": 11, "MSH-12": 12, "MSH-15": 15, "MSH-16": 16, "MSH-18": 18}
_ASSIGNED = (("PID", 2), ("PID", 3), ("PID", 4), ("PID", 18), ("MRG", 1), ("PV1", 19))
_PERSONAL = {
    "PID": (2, 3, 4, 5, 6, 7, 9, 11, 13, 14, 18, 19, 20, 21, 23),
    "MRG": (1, 2, 3, 4, 5, 6, 7),
    "NK1": (2, 4, 5, 6, 12, 30, 31, 32, 33),
    "GT1": (2, 3, 4, 5, 6, 7, 12, 19),
    "IN1": (8, 16, 19, 36, 49),
    "PV1": (5, 7, 8, 9, 17, 19, 50, 52),
}
"""Fields that hold names, numbers, addresses and birth dates."""
_WHOLE = (5, 6, 7, 9, 11, 13, 14, 21, 23)
_CODE = re.compile(r"(?=.{1,20}$)[A-Za-z0-9][A-Za-z0-9._/+-]*(?: [A-Za-z0-9._/+-]+)?")
_LONG_NUMBER = re.compile(r"[0-9]{5}|[0-9]{1,4}[-/][0-9]{1,2}[-/][0-9]{1,4}")
_WORD = re.compile(r"[^\W_]{2,}")
_TIME = re.compile(r"(?:19|20)[0-9]{10}(?:[0-9]{2})?(?:\.[0-9]+)?(?P<offset>[+-][0-9]{4})?")
MOST = 40
"""A column of more different values holds no codes."""


@dataclass
class Seen:
    """The counts. Columns are by path; `too_many` are those of which nothing is told, `withheld` how many values were no codes."""

    facility: str = ""
    messages: int = 0
    events: Counter[str] = field(default_factory=Counter)
    header: dict[str, Counter[str]] = field(default_factory=lambda: {path: Counter() for path in _HEADER})
    applications: Counter[str] = field(default_factory=Counter)
    undeclared: Counter[str] = field(default_factory=Counter)  # codec by which bytes beyond ASCII were read where MSH-18 is empty
    offsets: Counter[str] = field(default_factory=Counter)  # "+0100", or "" for a time without one
    authorities: Counter[str] = field(default_factory=Counter)  # CX.4.1 of which nobody else knows the system
    columns: dict[str, Counter[str]] = field(default_factory=lambda: {column.path: Counter() for column in COLUMNS})
    too_many: set[str] = field(default_factory=set)
    withheld: int = 0
    visits: int = 0
    unnumbered: int = 0  # PV1 without a visit number
    own_segments: dict[str, Counter[int]] = field(default_factory=dict)  # Z-segment -> field -> how often it is populated
    own_times: set[tuple[str, int]] = field(default_factory=set)  # those that hold a time to the minute


def by_sender(messages: Sequence[Message]) -> list[Seen]:
    """What the messages show, for each sending facility (or application, where there is no facility) in the order of appearance."""
    senders: dict[tuple[bool, str], list[Message]] = {}
    for message in messages:
        own = message.facility or message.application  # in any case, as profiles are matched
        senders.setdefault((bool(message.facility), own.casefold()), []).append(message)
    return [_look(every[0].facility, every) for every in senders.values()]


def unknown(seen: Seen, column: Column) -> list[tuple[str, int]]:
    """The codes of a column that our table does not know, and how often each was seen, most frequent first."""
    return [(code, count) for code, count in seen.columns[column.path].most_common() if not local_codes.is_known(column.table, code)]


def _look(facility: str, messages: Sequence[Message]) -> Seen:
    seen = Seen(facility, len(messages))
    personal = {word for message in messages for word in _personal_words(message)}
    for message in messages:
        seen.events[f"{message.type}^{message.trigger}".strip("^")] += 1
        seen.applications[message.application] += 1
        for path, number in _HEADER.items():
            seen.header[path][message.header.value(number)] += 1
        if not message.header.field(18) and message.charset not in ("ascii", "utf-8"):
            seen.undeclared[message.charset] += 1
        for segment in message.segments[1:]:
            _look_at(seen, message, segment)
    for path, counts in seen.columns.items():
        codes = Counter({value: count for value, count in counts.items() if _is_code(value, personal)})
        seen.withheld += len(counts) - len(codes)
        if len(codes) > MOST:
            seen.too_many.add(path)
            codes.clear()
        seen.columns[path] = codes
    seen.authorities = Counter({name: count for name, count in seen.authorities.items() if _is_code(name, set())})
    seen.events = Counter({name: count for name, count in seen.events.items() if _is_code(name.replace("^", " "), set())})
    return seen


def _look_at(seen: Seen, message: Message, segment: Segment) -> None:
    name = segment.name
    for column in COLUMNS:
        if column.segment == name and (value := segment.value(column.field)) and value != '""':
            seen.columns[column.path][value] += 1
    for of_segment, number in _ASSIGNED:
        if of_segment == name:
            seen.authorities.update(_unknown_authorities(message, segment, number))
    if name == "PV1":
        seen.visits += 1
        seen.unnumbered += not segment.value(19)
    for number in range(1, len(segment) + 1):
        raw = segment.field(number)
        time = _TIME.match(raw)
        if time is not None:
            seen.offsets[time["offset"] or ""] += 1
        if name.startswith("Z") and raw:
            seen.own_segments.setdefault(name, Counter())[number] += 1
            if time is not None:
                seen.own_times.add((name, number))


def _unknown_authorities(message: Message, segment: Segment, number: int) -> Iterator[str]:
    for repetition in range(1, len(segment.repetitions(number)) + 1):
        namespace, *universal = (segment.value(number, 4, part, repetition) for part in (1, 2, 3))
        if segment.value(number, repetition=repetition) and not keys.is_generic(namespace) and not keys.universal(namespace, *universal):
            yield namespace


def _is_code(value: str, personal: set[str]) -> bool:
    """Whether a value may be told: short, no long number or date, and no word of it anybody's."""
    if not _CODE.fullmatch(value) or _LONG_NUMBER.search(value):
        return False
    return not any(word.casefold() in personal for word in _WORD.findall(value))


def _personal_words(message: Message) -> Iterator[str]:
    """The words of names, numbers, addresses and dates, in small letters."""
    between = message.delimiters
    for segment in message.segments:
        for number in _PERSONAL.get(segment.name, ()):
            for repetition in segment.repetitions(number):
                components = repetition.split(between.component)
                # of an identifier the number and the name that may follow it; what comes then is its authority and type
                told = components if segment.name != "PV1" and number in _WHOLE else components[:3]
                for word in _WORD.findall(" ".join(told)):
                    yield word.casefold()
