"""Character sets: what MSH-18 says (HL7 table 0211, and the names that senders write instead), and what to do when it is wrong."""

from __future__ import annotations

import codecs
import re

from gateway.er7.problems import Problem

_CODECS: dict[str, str] = {
    "ASCII": "ascii",
    "USASCII": "ascii",
    "ISOIR6": "ascii",
    "8859": "latin-1",
    "LATIN1": "latin-1",
    "ISOIR100": "latin-1",
    **{f"8859{part}": f"iso8859_{part}" for part in (2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 14, 15, 16)},
    "88591": "latin-1",
    **{f"{prefix}{page}": f"cp{page}" for page in range(1250, 1259) for prefix in ("CP", "WINDOWS", "WIN")},
    "ANSI": "cp1252",
    "UNICODE": "utf-8",  # 2.3 to 2.5 mean "world wide character standard"; UTF-16 in a byte stream shows itself by its zero bytes
    "UTF8": "utf-8",
    "UTF16": "utf-16",
    "UTF16LE": "utf-16-le",
    "UTF16BE": "utf-16-be",
    "UTF32": "utf-32",
    "ISOIR14": "shift_jis",  # JIS X 0201: its single bytes are Shift JIS's
    "ISOIR87": "iso2022_jp_2",
    "ISOIR159": "iso2022_jp_2",
    "SHIFTJIS": "shift_jis",
    "SJIS": "shift_jis",
    "EUCJP": "euc_jp",
    "GB18030": "gb18030",
    "GB180302000": "gb18030",
    "GB2312": "gb18030",
    "GBK": "gb18030",
    "KSX1001": "euc_kr",
    "EUCKR": "euc_kr",
    "BIG5": "big5",
    "KOI8R": "koi8_r",
}
"""Name without punctuation, in capitals -> Python codec. Only these: a name from outside must not choose among all codecs that Python has."""

_WIDE = ("utf-16", "utf-16-le", "utf-16-be", "utf-32")
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_PUNCTUATION = re.compile(r"[^A-Z0-9]")
_CONTROLS_OF_LATIN_1 = re.compile(rb"[\x80-\x9f]")


def codec(name: str) -> str:
    """The Python codec of a character set by its name in MSH-18 or a feed profile; "" when it is not known. `ascii` for "" is not assumed."""
    plain = _PUNCTUATION.sub("", name.upper())
    known = _CODECS.get(plain)
    if known is None:
        for prefix in ("UNICODE", "ISO"):
            known = known or _CODECS.get(plain.removeprefix(prefix))
    return known or ""


def byte_form(data: bytes) -> str:
    """The codec that the bytes themselves show, by a byte order mark or by the zero bytes of wide characters; "" when they show none."""
    for mark, name in _MARKS:
        if data.startswith(mark):
            return name
    head = data.lstrip(b"\r\n\x0b\t ")[:4]
    return {b"M\0S\0": "utf-16-le", b"F\0H\0": "utf-16-le", b"B\0H\0": "utf-16-le"}.get(head) or {
        b"\0M\0S": "utf-16-be",
        b"\0F\0H": "utf-16-be",
        b"\0B\0H": "utf-16-be",
    }.get(head, "")


def decode(data: bytes, declared: str, default: str = "") -> tuple[str, str, list[Problem]]:
    """(text, codec used, problems). `declared` is MSH-18 as sent, `default` the feed profile's character set.

    What the bytes show goes before what MSH-18 says, and that before the default; where a set is unknown or does not fit, UTF-8 is
    tried, then Windows-1252, then ISO 8859-1, which fits everything. Every fall-back is reported; none raises.
    """
    problems: list[Problem] = []
    shown = byte_form(data)
    wanted = [shown] if shown else []
    names = [name for name in declared.split("~") if name.strip()]
    if names:
        known = [codec(name) for name in names]
        if not all(known):
            problems.append(unknown())
        # Later repetitions are alternates reached by ISO 2022 escapes: one of those rules the whole.
        wanted += [name for name in known if name.startswith("iso2022")] or known[:1]
    wanted += [codec(default), "utf-8", "cp1252"]
    announced = next(name for name in wanted if name)
    for name in wanted:
        if not name or (name in _WIDE and not shown and b"\0" not in data):
            continue
        if name == "latin-1" and _CONTROLS_OF_LATIN_1.search(data):
            continue  # nobody sends C1 controls: these bytes are Windows-1252's quotes and dashes
        try:
            text = data.decode(name)
        except UnicodeDecodeError:
            continue
        break
    else:
        text, name = data.decode("latin-1"), "latin-1"
    if name != announced:
        problems.append(Problem("MSH-18", "102", "W", f"The bytes are not of the character set that was announced; they were read as {name}."))
    return text, name, problems


def unknown() -> Problem:
    """MSH-18 names a character set that nobody knows."""
    return Problem("MSH-18", "103", "W", "The character set is not one of HL7 table 0211; the text was read as it fits best.")
