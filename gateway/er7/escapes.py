"""Escape sequences: what stands between two escape characters in an HL7 v2 field (chapter 2, "Use of escape sequences in text fields").

\\F\\ \\S\\ \\T\\ \\R\\ \\E\\ \\P\\    the sender's own delimiters: field, component, subcomponent, repetition, escape, truncation
\\.br\\ \\.sp3\\ \\.in+4\\ \\.ti2\\ \\.sk5\\ \\.fi\\ \\.nf\\ \\.ce\\    formatting: line breaks become newlines, spaces spaces, the rest nothing
\\H\\ \\N\\                      highlighting on and off: no text of their own
\\X0D0A\\                       characters by their bytes, in the message's character set
\\C2842\\ \\M2442\\              change of character set (ISO 2022) for what follows within the value
\\Zxx\\ and anything unknown    left as it was sent, for it means something to somebody
"""

from __future__ import annotations

import re

from gateway.er7.delimiters import Delimiters

TRUNCATION = "#"
"""What \\P\\ stands for: the fifth encoding character, which has this value wherever it is met."""

_HEXADECIMAL = re.compile(r"(?:[0-9A-Fa-f]{2})+")
_VERTICAL = re.compile(r"\.(?:br|sp|ce)\+?([0-9]{0,2})")
_SILENT = re.compile(r"\.(?:fi|nf|in[+-]?[0-9]{1,3}|ti[+-]?[0-9]{1,3})")
_SKIP = re.compile(r"\.sk\+?([0-9]{1,2})")
_SHIFT = re.compile(r"C[0-9A-Fa-f]{4}|M[0-9A-Fa-f]{4}(?:[0-9A-Fa-f]{2})?")


def unescape(text: str, delimiters: Delimiters, charset: str = "utf-8") -> str:
    """The value that `text` (a field, component or subcomponent as sent) stands for. Never raises; what is unknown stays as it was sent."""
    mark = delimiters.escape
    if mark not in text:
        return text
    pieces = text.split(mark)
    if len(pieces) == 2:
        return text
    value = [pieces[0]]
    shift = b""
    position = 1
    # An odd piece lies between two escape characters. One that closes nothing known was a plain character: it stays, and its
    # end may open the next sequence.
    while position < len(pieces) - 1:
        inside = pieces[position]
        if _SHIFT.fullmatch(inside):
            shift = bytes.fromhex(inside[1:])
            value.append(_shifted(pieces[position + 1], shift))
            position += 2
            continue
        meaning = _meaning(inside, delimiters, charset)
        if meaning is None:
            if inside.startswith("Z") and inside.isalnum():
                value += (mark, inside, mark, pieces[position + 1])
                position += 2
            else:
                value += (mark, inside)
                position += 1
            continue
        value += (meaning, _shifted(pieces[position + 1], shift) if shift else pieces[position + 1])
        position += 2
    if position == len(pieces) - 1:
        value += (mark, pieces[position])
    return "".join(value)


def escape(text: str, delimiters: Delimiters) -> str:
    """`text` with each delimiter and line break written as an escape sequence, so that it can be put into a field."""
    mark = delimiters.escape
    return text.translate(
        {
            ord(mark): f"{mark}E{mark}",
            ord(delimiters.field): f"{mark}F{mark}",
            ord(delimiters.component): f"{mark}S{mark}",
            ord(delimiters.subcomponent): f"{mark}T{mark}",
            ord(delimiters.repetition): f"{mark}R{mark}",
            # Framing and segment ends are structure; as text they travel by their bytes.
            **{control: f"{mark}X{control:02X}{mark}" for control in (0x0A, 0x0B, 0x0D, 0x1C)},
        }
    )


def _meaning(sequence: str, delimiters: Delimiters, charset: str) -> str | None:
    """What one sequence (without its escape characters) stands for; None when it is not known."""
    match sequence:
        case "F":
            return delimiters.field
        case "S":
            return delimiters.component
        case "T":
            return delimiters.subcomponent
        case "R":
            return delimiters.repetition
        case "E":
            return delimiters.escape
        case "P":
            return TRUNCATION
        case "H" | "N":
            return ""
    if sequence.startswith("."):
        return _formatting(sequence)
    if sequence.startswith("X") and _HEXADECIMAL.fullmatch(sequence, 1):
        content = bytes.fromhex(sequence[1:])
        try:
            return content.decode(charset)
        except (UnicodeDecodeError, LookupError):
            return content.decode("latin-1")
    return None


def _formatting(sequence: str) -> str | None:
    """The text form of a formatting command: line ends and runs of spaces survive, layout does not."""
    if vertical := _VERTICAL.fullmatch(sequence):
        return "\n" * int(vertical[1] or 1)
    if skip := _SKIP.fullmatch(sequence):
        return " " * int(skip[1])
    return "" if _SILENT.fullmatch(sequence) else None


def _shifted(text: str, shift: bytes) -> str:
    """`text` read in the character set that the ISO 2022 escape `shift` switched to; as it stands where it cannot be."""
    try:
        return (b"\x1b" + shift + text.encode("ascii")).decode("iso2022_jp_2")
    except (UnicodeEncodeError, UnicodeDecodeError):
        return text
