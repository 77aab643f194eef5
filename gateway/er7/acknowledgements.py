"""Acknowledgements (ACK, and the batch of them): what the sender is told of its message, in its own version and delimiters.

Where the fault is travels as ERR-2 (ERL) from version 2.5 on, and as ERR-1 (ELD) before; what a person reads travels as ERR-8, and as MSA-3
in the versions that have it (to 2.6). Nothing that the sender wrote comes back but its header's own fields, MSH-3 to 6, 9 to 12 and 18.

One message may be owed two answers (`acknowledgement_mode`). They are then held as their bytes one after the other, the accept
acknowledgement first, each a message of its own with an MSH-10 of its own; `apart` parts them. Where a sender reads one answer to a
message and no more (an HTTP response, a place in a batch of answers), `one_of` them is sent: the application's if it is there, for it says
more, and says that the message was accepted too.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import NamedTuple

from gateway.er7.acknowledgement_mode import asked_for, enhanced
from gateway.er7.batches import Batch, Envelope, envelope, split
from gateway.er7.escapes import escape
from gateway.er7.problems import Problem
from gateway.er7.reader import UNUSED, Delimiters, Message, read
from gateway.errors import Malformed

__all__ = ["Acknowledgement", "Problem", "acknowledge", "acknowledge_batch", "answers", "apart", "one_of", "parse_acknowledgement", "parse_answers"]

CONDITIONS = {
    "0": "Message accepted",
    "100": "Segment sequence error",
    "101": "Required field missing",
    "102": "Data type error",
    "103": "Table value not found",
    "104": "Value too long",
    "198": "Non-conformant cardinality",
    "199": "Other HL7 error",
    "200": "Unsupported message type",
    "201": "Unsupported event code",
    "202": "Unsupported processing ID",
    "203": "Unsupported version ID",
    "204": "Unknown key identifier",
    "205": "Duplicate key identifier",
    "206": "Application record locked",
    "207": "Application error",
}
"""HL7 table 0357."""

_APPLICATION = "GATEWAY"
_VERSION = "2.5.1"
"""Our own name and version, where there is no sender's header to answer in."""

_LOCATION = re.compile(r"([A-Z][A-Z0-9]{2})(?:\[([0-9]+)\])?(?:-([0-9]+)(?:\[([0-9]+)\])?(?:\.([0-9]+)(?:\.([0-9]+))?)?)?")
_CONTROLS = re.compile(r"[\x00-\x08\x0a-\x1f]")
_NEXT = re.compile(rb"(?<=\r)(?=MSH)")


class Acknowledgement(NamedTuple):
    """What an answer says: MSA-2 (the sent MSH-10), MSA-1 (table 0008: AA AE AR CA CE CR), and its text for a person ("" when none)."""

    control_id: str
    code: str
    text: str


def answers(
    message: Message | None,
    outcome: str,
    problems: Sequence[tuple[str, str, str, str]] = (),
    *,
    at: datetime,
    control_id: Callable[[str], str],
    text: str = "",
    mode: str = "",
) -> bytes:
    """All that is to be sent for what became of a message, one after the other; b"" where its sender wants nothing.

    `outcome` is as in `acknowledgement_mode`, `mode` what the feed's profile says of it; `control_id` makes our MSH-10 for an acknowledgement
    code. The last of the answers tells what was wrong; an accept acknowledgement tells it as warnings, for the message was accepted.
    """
    if message is None:
        code = "AR" if outcome == "CE" else outcome
        return acknowledge(None, code, problems, at=at, control_id=control_id(code), text=text)
    codes = asked_for(message, outcome, mode)
    told = _as_warnings(problems) if codes[-1:] == ("CA",) else problems
    conditions = ("NE", "NE") if enhanced(message, mode) else ()
    final = len(codes) - 1
    return b"".join(
        acknowledge(
            message,
            code,
            told if number == final else (),
            at=at,
            control_id=control_id(code),
            text=text if number == final else "",
            conditions=conditions,
        )
        for number, code in enumerate(codes)
    )


def apart(sent: bytes) -> list[bytes]:
    """The answers that `answers` made, each by itself (those in UTF-16 stay together: who reads it parts them)."""
    return _NEXT.split(sent) if sent else []


def one_of(sent: bytes) -> bytes:
    """The answer that says most of those that `answers` made; b"" where there is none."""
    return sent if sent.find(b"\rMSH") < 0 else apart(sent)[-1]


def acknowledge(
    message: Message | None,
    code: str,
    problems: Sequence[tuple[str, str, str, str]] = (),
    *,
    at: datetime,
    control_id: str,
    text: str = "",
    conditions: Sequence[str] = (),
) -> bytes:
    """One ACK, segments ended by CR, in the message's character set.

    `message` is what is answered, None when it could not be read. `code` is the acknowledgement code, `problems` are (location, table
    0357 code, severity, text), `at` an aware time, `control_id` our own MSH-10, `text` one sentence for a person, `conditions` our own
    MSH-15 and 16 (an answer in enhanced mode says NE twice: it wants none in its turn).
    """
    delimiters = _complete(message) if message else Delimiters()
    release = _release(message.version) if message else (2, 5, 1)
    accepted = code in ("AA", "CA")
    if text and not problems and (release >= (2, 7) or not accepted):
        problems = [Problem("", "0" if accepted else "207", "I" if accepted else "E", text)]
    if not text and problems and release < (2, 5):
        text = problems[0][3]  # these versions' ERR has no room for it
    answered = _safe(message.header.field(10)) if message else ""
    statement = ["MSA", code, answered]
    if text and release < (2, 7):
        statement.append(escape(text, delimiters))
    segments = [_header(message, delimiters, release, at, control_id, conditions), delimiters.field.join(statement)]
    segments += _errors_by_field(problems, delimiters) if release >= (2, 5) else _errors_by_repetition(problems, delimiters)
    charset = message.charset.removesuffix("-sig") if message else "ascii"  # a byte order mark is a file's, not a frame's
    return "".join(f"{segment}\r" for segment in segments).encode(charset, "replace")


def acknowledge_batch(answers: Sequence[bytes], around: Envelope | None = None, *, at: datetime, control_id: str) -> bytes:
    """The answers to a batch's messages: a BHS … BTS for each that was sent, and FHS … FTS around them where the sender's stood in a file.

    `answers` are one a message in its order, b"" for a message whose sender wants none: each message's own MSH-15 and 16 decide. (Chapter 2,
    "Acknowledging batches", lets a response batch hold all, the negative ones alone, or none.) `around` is what `batches.envelope` found around
    the messages, None where several came without one; `control_id` is our own batch control ID. Each answer stays as it is: its own header says
    in which delimiters and character set it was written. What is wrong with the sender's counts stands in BTS-2 and FTS-2, the comments.
    """
    groups = around.batches if around else (Batch(None, len(answers), ""),)
    waiting = iter(answers)
    written = [_written_batch(group, [next(waiting) for _ in range(group.messages)], at, control_id) for group in groups]
    if around is None or (around.file is None and written):
        return b"".join(written)
    header, separator = _batch_header("FHS", around.file, at, control_id)
    return header + b"".join(written) + _trailer("FTS", separator, len(written), around.problem)


def _written_batch(batch: Batch, answers: Sequence[bytes], at: datetime, control_id: str) -> bytes:
    said = [answer for answer in answers if answer]
    header, separator = _batch_header("BHS", batch.header, at, control_id)
    return header + b"".join(said) + _trailer("BTS", separator, len(said), batch.problem)


def _trailer(name: str, separator: str, count: int, comment: str) -> bytes:
    return separator.join([name, str(count), *([comment] if comment else [])]).encode("latin-1") + b"\r"


def parse_answers(data: bytes) -> list[Acknowledgement]:
    """The acknowledgements in one frame: one, several, or a batch of them; a batch may hold none. Raises Malformed."""
    pieces = split(data)
    if not pieces and envelope(data):
        return []
    return [parse_acknowledgement(piece) for piece in pieces or [data]]


def parse_acknowledgement(data: bytes) -> Acknowledgement:
    """Read an answer: MSA-2, MSA-1, and the text of MSA-3, else ERR-8, else ERR-3's, else the faults named in ERR-1. Raises Malformed."""
    message = read(data)
    statement = message.first("MSA")
    if statement is None:
        raise Malformed("The answer is no acknowledgement: it has no MSA segment", location="MSA")
    errors = message.all("ERR")
    texts = [statement.value(3)] if statement.value(3) else []
    texts = texts or [text for error in errors if (text := error.value(8) or error.value(3, 2) or error.value(1, 4, 2))]
    return Acknowledgement(statement.value(2), statement.value(1), "; ".join(texts))


def _as_warnings(problems: Sequence[tuple[str, str, str, str]]) -> list[tuple[str, str, str, str]]:
    return [(place, condition, "W" if severity in ("E", "F") else severity, text) for place, condition, severity, text in problems]


def _header(
    message: Message | None, delimiters: Delimiters, release: tuple[int, ...], at: datetime, control_id: str, conditions: Sequence[str]
) -> str:
    own = escape(control_id, delimiters)
    encoding = delimiters.component + delimiters.repetition + delimiters.escape + delimiters.subcomponent
    if message is None:
        fields = ["MSH", encoding, _APPLICATION, "", "", "", _time(at), "", "ACK", own, "P", _VERSION]
        return delimiters.field.join(fields)
    header = message.header
    structure = ["ACK"]
    if release >= (2, 2) and message.trigger:
        structure.append(escape(message.trigger, delimiters))
        if release >= (2, 3, 1):
            structure.append("ACK")
    application, facility, receiver, place = (_safe(header.field(number)) for number in (3, 4, 5, 6))
    charset = _safe(header.field(18))
    fields = ["MSH", encoding, receiver, place, application, facility, _time(at), "", delimiters.component.join(structure), own]
    fields += [_safe(header.field(11)) or "P", _safe(header.field(12)) or _VERSION]
    if conditions or charset:
        fields += ["", "", *(conditions or ("", ""))]
    if charset:
        fields += ["", charset]
    return delimiters.field.join(fields)


def _errors_by_field(problems: Sequence[tuple[str, str, str, str]], delimiters: Delimiters) -> list[str]:
    """From 2.5 on: one ERR a problem, ERR-2 place (ERL), ERR-3 condition, ERR-4 severity, ERR-8 text."""
    segments = []
    for location, code, severity, text in problems:
        place = delimiters.component.join(_place(location))
        condition = delimiters.component.join([code, CONDITIONS.get(code, ""), "HL70357"])
        segments.append(delimiters.field.join(["ERR", "", place, condition, severity, "", "", "", escape(text, delimiters)]))
    return segments


def _errors_by_repetition(problems: Sequence[tuple[str, str, str, str]], delimiters: Delimiters) -> list[str]:
    """Before 2.5: one ERR, ERR-1 (ELD) repeated: segment, its sequence, field position, and the condition as subcomponents."""
    places = []
    for location, code, _, _ in problems:
        place = (*_place(location), "", "", "")[:3]
        condition = delimiters.subcomponent.join([code, CONDITIONS.get(code, ""), "HL70357"])
        places.append(delimiters.component.join([*place, condition]))
    return [delimiters.field.join(["ERR", delimiters.repetition.join(places)])] if places else []


def _place(location: str) -> list[str]:
    """A location as ERL's components: segment, its sequence, field, repetition, component, subcomponent; as many as are said."""
    match = _LOCATION.fullmatch(location)
    if match is None:
        return []
    segment, number, field, repetition, component, subcomponent = match.groups()
    if field is None:
        return [segment, number or "1"]
    place = [segment, number or "1", field, repetition or "1", component or "", subcomponent or ""]
    while not place[-1]:
        place.pop()
    return place


def _batch_header(name: str, sent: tuple[str, ...] | None, at: datetime, control_id: str) -> tuple[bytes, str]:
    """BHS or FHS, and its separator: the sender's delimiters and fields 3 to 6, turned round; 7 the time, 11 our control ID, 12 the sender's."""
    fields = (*(sent or ("", "|", "^~\\&")), *[""] * 13)
    separator, encoding, application, facility, receiver, place = (_safe(field) for field in fields[1:7])
    own = control_id.replace(separator, " ")
    header = separator.join([name, encoding, receiver or _APPLICATION, place, application, facility, _time(at), "", "", "", own, _safe(fields[11])])
    return header.encode("latin-1") + b"\r", separator


def _complete(message: Message) -> Delimiters:
    """The sender's delimiters; those that it does not declare become characters that its header, which is copied, does not use as text."""
    if message.delimiters[-1] not in UNUSED:  # what is not declared stands last
        return message.delimiters
    taken = set(message.delimiters).union(*(message.header.field(number) for number in range(1, len(message.header) + 1)))
    complete = []
    for theirs, ours in zip(message.delimiters, Delimiters(), strict=True):
        if theirs in UNUSED:
            theirs = next((free for free in (ours, *"^~\\&!@#$%*+=;:?<>") if free not in taken), ours)
            taken.add(theirs)
        complete.append(theirs)
    return Delimiters(*complete)


def _release(version: str) -> tuple[int, ...]:
    """A version as numbers that can be compared; what is no version counts as ours."""
    if not re.fullmatch(r"[0-9]{1,2}(\.[0-9]{1,2}){1,3}", version):
        return (2, 5, 1)
    return tuple(int(part) for part in version.split("."))


def _safe(raw: str) -> str:
    """A header field as the sender wrote it, without what could break a frame or a segment."""
    return _CONTROLS.sub(" ", raw)


def _time(at: datetime) -> str:
    """To the second, with its offset: every version since 2.1 has both."""
    return at.strftime("%Y%m%d%H%M%S%z")[:19]
