"""Files of FHIR JSON, NDJSON and HL7 v2, plain or compressed, a document at a time.

What a file is, its first bytes say: gzip, bzip2, JSON, HL7 v2. Its name says whether a file of a directory is meant (`SUFFIXES`), and that JSON is a
document a line where the first line does not show it.
"""

from __future__ import annotations

import bz2
import codecs
import gzip
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO, Literal, NamedTuple, cast

import orjson

from gateway.er7 import reader
from gateway.errors import Malformed, TooLarge, Usage

SUFFIXES = frozenset({".json", ".ndjson", ".jsonl", ".hl7", ".er7", ".msg", ".txt"})
"""What is taken of a directory, beside the same names with a compression's suffix."""
COMPRESSED = frozenset({".gz", ".bz2"})
LINES = frozenset({".ndjson", ".jsonl"})
MOST = 256 * 1024 * 1024
"""Bytes of one document: it is held in memory while it is taken."""

_GZIP, _BZIP2 = b"\x1f\x8b", b"BZh"
_HL7 = (b"MSH", b"FHS", b"BHS")


class Document(NamedTuple):
    """One HL7 v2 message, or one JSON document; `line` is where it begins, 0 where the file holds no other."""

    kind: Literal["hl7v2", "json"]
    raw: bytes
    line: int = 0


def files_in(paths: Iterable[Path]) -> tuple[list[Path], int]:
    """The files that are named or lie in directories that are named, and how many of the latter are of another kind. Raises Usage for none."""
    found: list[Path] = []
    others = 0
    for path in paths:
        if path.is_dir():
            files = sorted(each for each in path.rglob("*") if each.is_file() and "/." not in f"/{each.relative_to(path).as_posix()}")
            taken = [each for each in files if _suffix(each) in SUFFIXES]
            others += len(files) - len(taken)
            found += taken
        elif path.is_file():
            found.append(path)
        else:
            raise Usage("there is no such file or directory", location=str(path), advice="Name files, or directories that hold them.")
    return list(dict.fromkeys(found)), others


def _suffix(path: Path) -> str:
    return (Path(path.stem).suffix if path.suffix.lower() in COMPRESSED else path.suffix).lower()


def documents(path: Path) -> Iterator[Document]:
    """What a file holds, in its order. Raises Malformed or TooLarge for what cannot be read, after what came before it."""
    try:
        with path.open("rb") as file:
            yield from _documents(_plain(file), lines=_suffix(path) in LINES)
    except (EOFError, gzip.BadGzipFile, OSError):
        raise Malformed("The file is damaged, or cannot be read to its end", advice="Copy it again. What came before was taken.") from None


def _plain(file: BinaryIO) -> BinaryIO:
    """The file's bytes without their compression."""
    start = file.read(3)
    file.seek(0)
    if start.startswith(_GZIP):
        return cast(BinaryIO, gzip.GzipFile(fileobj=file))
    return cast(BinaryIO, bz2.BZ2File(file)) if start.startswith(_BZIP2) else file


def _documents(stream: BinaryIO, *, lines: bool) -> Iterator[Document]:
    number, line = 1, _line(stream)
    while line and not line.removeprefix(codecs.BOM_UTF8).strip():
        number, line = number + 1, _line(stream)
    start = line.removeprefix(codecs.BOM_UTF8).lstrip(b"\x0b\x1c \t\x00")
    if start[:1] in (b"{", b"["):
        yield from _json(stream, line, number, lines=lines or _is_json(line))
    elif start.startswith(_HL7) or b"M\x00S\x00H" in line[:16]:
        yield from (Document("hl7v2", one, at) for at, one in enumerate(reader.split(line + _rest(stream, len(line))), start=1))
    elif line:
        raise Malformed("It is neither FHIR's JSON nor HL7 v2", advice="Name files of Bundles, resources, NDJSON or HL7 v2 messages.")


def _json(stream: BinaryIO, line: bytes, number: int, *, lines: bool) -> Iterator[Document]:
    if not lines:
        yield Document("json", line + _rest(stream, len(line)))
        return
    while line:
        if line.strip():
            yield Document("json", line.strip(), number)
        number, line = number + 1, _line(stream)


def _is_json(line: bytes) -> bool:
    try:
        orjson.loads(line.removeprefix(codecs.BOM_UTF8))
    except ValueError:
        return False
    return True


def _line(stream: BinaryIO) -> bytes:
    line = stream.readline(MOST + 1)
    return _small(line)


def _rest(stream: BinaryIO, read: int) -> bytes:
    return _small(stream.read(max(0, MOST + 1 - read)), read)


def _small(data: bytes, read: int = 0) -> bytes:
    if len(data) + read > MOST:
        raise TooLarge(
            "A document of this file is too large", advice=f"At most {MOST // 1024 // 1024} MB are taken as one; NDJSON has no such limit."
        )
    return data
