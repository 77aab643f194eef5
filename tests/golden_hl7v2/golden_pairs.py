"""The golden pairs in `pairs/*.txt`: what was sent | what it says, written by hand from the standard. Read here, and nowhere else.

A file holds pairs, each under a heading `== what it shows`. A pair is one HL7 v2 message, or several with an empty line between them, then an empty
line, then lines of the form

    PID-5 -> Patient.name[0].family = Hollis

"the field PID-5 says that a Patient's first family name is Hollis". The right side is JSON where it is any, else text as it stands; `none` means that
no resource of the type says it. `PID[2]-5` is the field of the second PID. Of one message the resources are those of its transaction Bundle (`gateway
convert`); of several, the records that they come to.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from gateway.er7 import reader
from gateway.mappings.feeds.profile import FeedProfile
from gateway.mappings.hl7v2.bundle import bundle
from gateway.mappings.hl7v2.translate import translate
from gateway.records.order import Entry
from gateway.records.reconcile import reconcile
from gateway.records.record import PersonRecord
from gateway.records.statements import Translation

PAIRS = Path(__file__).parent / "pairs"
RECEIVED = int(datetime(2026, 11, 22, 18, 0, tzinfo=UTC).timestamp() * 1_000_000)
PROFILE = FeedProfile(name="st-mary", sending_facility="STMARY", hospital="St. Mary Hospital", timezone="America/Chicago", psychiatric_units=("BHU",))
NONE = object()
_LINE = re.compile(r"([A-Z][A-Z0-9]{2})(?:\[([0-9]+)\])?-([0-9]+)(?:\.[0-9.]+)? +-> +([A-Za-z]+)(?:\.(\S+))? += +(.+)")


@dataclass(frozen=True)
class Says:
    """One line of a pair: the field, and what it says."""

    segment: str
    number: int  # which segment of that name; 0: any
    field: int
    kind: str
    path: str
    value: Any  # NONE: no resource of the type says it

    def holds(self, resources: list[dict[str, Any]]) -> bool:
        """Whether any of the resources says it, or none where none is to."""
        found = [at(one, self.path) if self.path else one for one in resources if one["resourceType"] == self.kind]
        if self.value is NONE:
            return all(one is None for one in found)
        return self.value in found

    def __str__(self) -> str:
        place = f"{self.segment}[{self.number}]" if self.number else self.segment
        return f"{place}-{self.field} -> {self.kind}.{self.path} = {'none' if self.value is NONE else json.dumps(self.value)}"


@dataclass(frozen=True)
class Pair:
    """One pair: its heading, its messages, its lines."""

    title: str
    messages: tuple[bytes, ...]
    says: tuple[Says, ...]


def pairs() -> list[Pair]:
    """All pairs of all files."""
    return [pair for path in sorted(PAIRS.glob("*.txt")) for pair in _of_file(path)]


def _of_file(path: Path) -> list[Pair]:
    _, *blocks = re.split(r"^== ", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
    found = []
    for block in blocks:
        title, _, rest = block.partition("\n")
        *messages, lines = [part.strip("\n") for part in re.split(r"\n\s*\n", rest.strip("\n"))]
        says = tuple(_says(line, path, title) for line in lines.split("\n"))
        assert messages, f"{path.name}: {title}: an empty line belongs between message and lines"
        found.append(Pair(f"{path.stem}: {title.strip()}", tuple(one.replace("\n", "\r").encode() for one in messages), says))
    return found


def _says(line: str, path: Path, title: str) -> Says:
    match = _LINE.fullmatch(line.strip())
    assert match is not None, f"{path.name}: {title}: this line is no `FIELD -> Resource.path = value`: {line}"
    segment, number, field, kind, where, text = match.groups()
    return Says(segment, int(number or 0), int(field), kind, where or "", _value(text))


def _value(text: str) -> Any:
    if text == "none":
        return NONE
    try:
        return json.loads(text)
    except ValueError:
        return text


def at(value: Any, path: str) -> Any:
    """`name[0].family` of a resource; None when it is not there."""
    for step in path.replace("[", ".[").split("."):
        if value is None:
            return None
        if step.startswith("["):
            place = int(step[1:-1])
            value = value[place] if place < len(value) else None
        else:
            value = value.get(step)
    return value


def identify(kind: str, key: str) -> str:
    """An id of a test's own."""
    return hashlib.sha256(f"{kind}|{key}".encode()).hexdigest()[:32]


def translated(data: bytes) -> Translation:
    """What one message says."""
    return translate(reader.read(data), PROFILE, RECEIVED, identify)


def resources(messages: tuple[bytes, ...]) -> list[dict[str, Any]]:
    """The Bundle's resources of one message; of several, the resources of the records that they come to."""
    if len(messages) == 1:
        return [entry["resource"] for entry in bundle(translated(messages[0]), identify)["entry"]]
    entries = [Entry(number, hashlib.sha256(data).hexdigest()[:16], translated(data)) for number, data in enumerate(messages, start=1)]
    return [resource for person in reconcile(entries, identify) for resource in _of(person)]


def _of(person: PersonRecord) -> list[dict[str, Any]]:
    owned = (person.appointments, person.documents, person.referrals, person.care, person.consents)
    stays = [resource for stay in person.stays for resource in (stay.encounter, *stay.parts)]
    return [person.patient, *person.retired, *person.related, *stays, *(one.resource for group in owned for one in group), *person.shared.values()]


def without(data: bytes, says: Says) -> bytes:
    """The message with that field emptied."""
    lines = data.decode().split("\r")
    seen = 0
    for position, line in enumerate(lines):
        name, *fields = line.split("|")
        if name != says.segment:
            continue
        seen += 1
        index = says.field - (2 if name == "MSH" else 1)
        if says.number in (0, seen) and 0 <= index < len(fields):
            fields[index] = ""
            lines[position] = "|".join((name, *fields))
    return "\r".join(lines).encode()
