"""The reader on messages that nobody here wrote, and against hl7apy as an oracle where hl7apy can be trusted."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from gateway.er7.reader import Message, read, split
from gateway.errors import Malformed
from tests.third_party import DATA, third_party

FILES = sorted((DATA / "hl7v2").rglob("*.hl7")) if DATA.is_dir() else []
REFUSED_BY_THE_ORACLE = {
    "sample_unix.hl7": "a doubled escape character in MSH-2",
    "sample_win.hl7": "a doubled escape character in MSH-2",
    "invalid-wrong-version.hl7": "version 1.0",
    "invalid-segment-header-length.hl7": "a segment name of four characters",
    "invalid-missing-msh.hl7": "no MSH",
    **{f"oml_o21_ex{number}.hl7": "a fifth encoding character in version 2.5.1" for number in range(1, 7)},
}
MOVED_BY_THE_ORACLE = {
    # It closes the gaps before fields and components that the version does not define, and so renumbers them.
    "adt_a01.hl7": {"MSH-20", "MSH-21", "MSH-22", "MSH-23", "EVN-5", "PID-5", "PID-6", "PID-9", "PID-11", "PD1-3", "PD1-4"}
    | {"PD1-13", "PD1-14", "PD1-16", "PV1-7", "PV1-8", "PV1-9", "PV1-17", "PV1-52", "PV1-53", "PV1-54"}
    | {f"PID-{number}" for number in (31, 32, 33, 34, 35, 36, 39, 40)},
    "adt_a01_ex2.hl7": {"EVN-5"},
    "adt_a01_ex3.hl7": {"EVN-5"},
    "rde_o01_ex2.hl7": {"RXE-2", "RXD-2"},
    "rde_o01_ex3.hl7": {"RXE-2"},
    # Version 2.8 withdrew EVN-1, and it puts what stands there behind the segment.
    "adt_a01_ex1.hl7": {"EVN-1", "EVN-2", "EVN-7"},
    "adt_a01_ex4.hl7": {"EVN-1", "EVN-2", "EVN-7"},
    # It reads telephone numbers as numbers: leading zeros are gone.
    "adt_a08_ex1.hl7": {"NK1-5", "GT1-6", "GT1-7"},
    "ORU-multiline-short.hl7": {"PID-13"},
    "ORU-multiline-short-mixed.hl7": {"PID-13"},
}


@third_party
@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_every_file_is_read_or_refused_with_a_reason(path: Path) -> None:
    pieces = split(path.read_bytes())
    assert pieces
    for piece in pieces:
        if path.name == "invalid-missing-msh.hl7":
            with pytest.raises(Malformed, match="MSH"):
                read(piece)
        else:
            message = read(piece)
            assert (message.type, message.trigger) != ("", "")


@third_party
def test_the_simulated_hospitals_feed_is_491_messages_and_nothing_is_wrong_with_any() -> None:
    messages = [read(piece) for piece in split((DATA / "hl7v2/simhospital/feed.hl7").read_bytes())]
    assert len(messages) == 491
    assert sorted(int(message.control_id) for message in messages) == list(range(1, 492))
    assert not any(message.problems for message in messages)


@third_party
@pytest.mark.parametrize("path", [path for path in FILES if path.parent.name != "simhospital"], ids=lambda path: path.name)
def test_fields_are_those_that_hl7apy_finds(path: Path) -> None:
    from hl7apy.exceptions import HL7apyException
    from hl7apy.parser import parse_message

    for piece in split(path.read_bytes()):
        text = piece.decode("utf-8").replace("\r\n", "\r").replace("\n", "\r")
        if path.name in REFUSED_BY_THE_ORACLE:
            with pytest.raises(HL7apyException):
                parse_message(text, find_groups=False)
            continue
        _same(read(piece), list(parse_message(text, find_groups=False).children), MOVED_BY_THE_ORACLE.get(path.name, set()))


def _same(message: Message, oracle: list[Any], moved: set[str]) -> None:
    assert [segment.name for segment in oracle] == [segment.name for segment in message.segments]
    ours, theirs = {}, {}
    for segment, other in zip(message.segments, oracle, strict=True):
        their_fields = other.to_er7().split(message.delimiters.field)
        if segment.name == "MSH":
            their_fields.insert(1, message.delimiters.field)
        for number in range(3 if segment.name == "MSH" else 1, max(len(segment) + 1, len(their_fields))):
            place = f"{segment.name}-{number}"
            sent = their_fields[number] if number < len(their_fields) else ""
            ours[segment.name, segment.number, place] = _trimmed(segment.field(number))
            theirs[segment.name, segment.number, place] = _trimmed(sent)
    differing = {place[2] for place, value in ours.items() if theirs[place] != value}
    assert differing == moved
    assert _leaves(ours) == _leaves(theirs)  # moved, and not lost


def _trimmed(field: str) -> str:
    """A field without empty repetitions, components and subcomponents at their ends: they say nothing."""
    for trailing in (r"&+(?=[\^~]|$)", r"\^+(?=~|$)", r"~+$"):
        field = re.sub(trailing, "", field)
    return field


def _leaves(fields: dict[tuple[str, int, str], str]) -> list[str]:
    return sorted(leaf.lstrip("0") for value in fields.values() for leaf in re.split(r"[~^&]", value) if leaf)
