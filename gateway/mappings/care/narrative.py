"""Generated narrative: XHTML that holds only our own elements. Whatever came in a message is text, escaped, without control characters."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from html import escape

from gateway.records.statements import Json

_UNSAFE = re.compile("[^\t\n\r\x20-\x7e\xa0-\u2029\u202f-\u2065\u206a-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML or a FHIR string may not hold, other control characters, and marks that turn the direction of whatever follows (U+202A-E, U+2066-9)."""


def narrative(*blocks: str) -> Json:
    """A Narrative of blocks made by the functions below."""
    return {"status": "generated", "div": f'<div xmlns="http://www.w3.org/1999/xhtml">{"".join(blocks)}</div>'}


def plain(words: str) -> str:
    """Words without what no text may hold; letters of any script stay."""
    return _UNSAFE.sub(" ", words)


def text(words: str) -> str:
    """Words made safe: nothing in them is markup any more."""
    return escape(plain(words), quote=True)


def heading(words: str) -> str:
    """A heading."""
    return f"<h4>{text(words)}</h4>"


def paragraph(words: str) -> str:
    """A paragraph."""
    return f"<p>{text(words)}</p>"


def items(entries: Iterable[str]) -> str:
    """A list; "" when there is nothing to list."""
    listed = "".join(f"<li>{text(entry)}</li>" for entry in entries)
    return f"<ul>{listed}</ul>" if listed else ""


def section(words: str, entries: Iterable[str]) -> str:
    """A list under a heading; "" when there is nothing to list."""
    listed = items(entries)
    return heading(words) + listed if listed else ""


def table(rows: Sequence[tuple[str, str]]) -> str:
    """Two columns: what, and how it stands."""
    cells = "".join(f"<tr><th>{text(left)}</th><td>{text(right)}</td></tr>" for left, right in rows)
    return f"<table>{cells}</table>" if rows else ""
