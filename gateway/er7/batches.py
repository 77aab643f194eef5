"""One file or frame -> the messages in it, whatever stands around and between them."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from itertools import chain
from typing import NamedTuple

from gateway.er7 import charsets

_HEADS = (b"MSH", b"FHS", b"BHS", b"BTS", b"FTS")
_HEAD = re.compile(
    rb"[\r\n\x0b\x1c][ \t\x00]{0,8}"  # a class of bytes first, which `re` finds at speed; bounded, for blanks may go on for a megabyte
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
    wide = _wide(data)
    if wide:
        try:
            text = data.decode(wide)
        except UnicodeDecodeError:
            return [data]
        return [piece.decode("utf-8").encode(wide) for piece in split(text.encode("utf-8", "replace"))]
    return [piece for piece, is_envelope in _pieces(data) if not is_envelope]


def _wide(data: bytes) -> str:
    """The codec of text whose characters have two bytes or four; "" for any other."""
    form = charsets.byte_form(data)
    return form if form.startswith(("utf-16", "utf-32")) else ""


def _pieces(data: bytes) -> Iterator[tuple[bytes, bool]]:
    """The messages and the envelope's segments in their order, and whether each is of the envelope."""
    data = b"\r" + data.strip(_EDGES)
    start = 0
    for head in _HEAD.finditer(data):
        if piece := data[start : head.start()].strip(_EDGES):
            yield piece, False
        if head["envelope"]:
            yield head["envelope"].removeprefix(codecs.BOM_UTF8), True
        start = head.start("message") if head["message"] else head.end()
    if piece := data[start:].strip(_EDGES):
        yield piece, False


class Batch(NamedTuple):
    """One BHS … BTS: its header's fields by number (index 1 is the separator), as sent, None where there is none; how many messages it holds;
    and what is wrong with its trailer, "" for nothing."""

    header: tuple[str, ...] | None
    messages: int
    problem: str


class Envelope(NamedTuple):
    """What stands around messages: the fields of their FHS, None where there is none; the batches; and what is wrong with the FTS."""

    file: tuple[str, ...] | None
    batches: tuple[Batch, ...]
    problem: str

    @property
    def problems(self) -> list[str]:
        """What is wrong with any trailer: a batch that was cut off shows here."""
        return [problem for problem in (*(batch.problem for batch in self.batches), self.problem) if problem]


def envelope(data: bytes) -> Envelope | None:
    """The batch envelope around the messages of `data`, which are counted as `split` parts them; None when there is none.

    In UTF-16 and UTF-32 none is looked for: the messages of such a batch are answered one by one.
    """
    if not any(head in data for head in _HEADS[1:]) or _wide(data):
        return None
    file: tuple[str, ...] | None = None
    end: tuple[str, ...] | None = None
    batches: list[Batch] = []
    header: tuple[str, ...] | None = None
    messages: int | None = None  # None while no batch is open
    found = False
    for piece, is_envelope in chain(_pieces(data), [(b"", True)]):  # the end, like any header, closes a batch that was left open
        fields = _fields(piece.decode("latin-1")) if is_envelope else ("MSH",)
        name = fields[0]
        found = found or name not in ("", "MSH")
        if name not in ("MSH", "BTS") and messages is not None:
            batches.append(_batch(header, messages, None))
            header, messages = None, None
        if name == "MSH":
            messages = (messages or 0) + 1
        elif name == "BHS":
            header, messages = fields, 0
        elif name == "BTS":
            batches.append(_batch(header, messages or 0, fields))
            header, messages = None, None
        elif name == "FHS":
            file = file or fields
        elif name == "FTS":
            end = fields
    if not found:
        return None
    return Envelope(file, tuple(batches), _miscount("FTS", end, len(batches)) if file or end else "")


def _batch(header: tuple[str, ...] | None, messages: int, trailer: tuple[str, ...] | None) -> Batch:
    return Batch(header, messages, _miscount("BTS", trailer, messages) if header or trailer else "")


def _miscount(trailer: str, fields: tuple[str, ...] | None, found: int) -> str:
    """What is wrong with a trailer: BTS-1 counts messages, FTS-1 batches. Either may be left empty."""
    what = "messages" if trailer == "BTS" else "batches"
    came = f"{what} found: {found}"
    if fields is None:
        return f"There is no {trailer}; {came}"
    said = fields[2].strip() if len(fields) > 2 else ""
    if not re.fullmatch("[0-9]{0,9}", said):
        return f"{trailer}-1 is no number; {came}"
    return f"{trailer}-1 says {int(said)}; {came}" if said and int(said) != found else ""


def _fields(line: str) -> tuple[str, ...]:
    separator = line[3:4] or "|"
    name, *fields = line.split(separator)
    return (name, separator, *fields)
