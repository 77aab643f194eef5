"""One file or frame -> the messages in it, whatever stands around and between them."""

from __future__ import annotations

import re
from typing import NamedTuple

from gateway.er7 import charsets

_HEADS = (b"MSH", b"FHS", b"BHS", b"BTS", b"FTS")
_HEAD = re.compile(
    rb"(?:\A|(?<=[\r\n\x0b\x1c]))[ \t\x00]{0,8}"  # bounded: a megabyte of blanks must not be searched from each of its places
    rb"(?:(?P<message>(?:\xef\xbb\xbf)?MSH(?=[^A-Za-z0-9\s][^A-Za-z0-9\s]))|(?P<envelope>(?:\xef\xbb\xbf)?(?:[FB]HS|[FB]TS)(?:[^A-Za-z0-9\s][^\r\n]*)?(?=[\r\n]|\Z)))"
)
_EDGES = b"\r\n\x0b\x1c\x1a\x00 \t"


def split(data: bytes) -> list[bytes]:
    """The messages of `data`, each from its MSH on, its bytes as sent but for white space and framing at both ends.

    Takes several MSH in one file or frame, any line ends, blank lines, byte order marks, MLLP framing bytes and the batch envelope
    (FHS BHS BTS FTS). Text that belongs to no message is handed out as a piece of its own, so that it is answered and not lost;
    nothing but white space gives no piece.
    """
    if data.startswith(b"MSH") and not any(data.find(head, 3) > 0 for head in _HEADS):
        return [data.rstrip(_EDGES)]
    wide = charsets.byte_form(data)
    if wide.startswith(("utf-16", "utf-32")):
        try:
            text = data.decode(wide)
        except UnicodeDecodeError:
            return [data]
        return [piece.decode("utf-8").encode(wide) for piece in split(text.encode("utf-8", "replace"))]
    data = data.strip(_EDGES)
    pieces: list[bytes] = []
    start = 0
    for head in _HEAD.finditer(data):
        pieces.append(data[start : head.start()])
        start = head.start("message") if head["message"] else head.end()
    pieces.append(data[start:])
    return [piece for piece in (piece.strip(_EDGES) for piece in pieces) if piece]


class Envelope(NamedTuple):
    """What stands around a batch: the fields of its FHS and of its BHS by number (index 1 is the separator), as sent; None where there is none."""

    file: tuple[str, ...] | None
    batch: tuple[str, ...] | None


def envelope(data: bytes) -> Envelope | None:
    """The batch envelope around the messages of `data`; None when there is none."""
    if not any(head in data for head in _HEADS[1:]):
        return None
    found: dict[str, tuple[str, ...]] = {}
    for head in _HEAD.finditer(data.strip(_EDGES)):
        if head["envelope"]:
            line = head["envelope"].decode("utf-8", "replace").removeprefix("\ufeff")
            found.setdefault(line[:3], _fields(line))
    if not found:
        return None
    return Envelope(found.get("FHS"), found.get("BHS"))


def _fields(line: str) -> tuple[str, ...]:
    separator = line[3:4] or "|"
    name, *fields = line.split(separator)
    return (name, separator, *fields)
