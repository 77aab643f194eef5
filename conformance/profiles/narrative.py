"""Narrative: the XHTML that R4 allows, and nothing that could run or point a browser elsewhere.

Source: HL7 FHIR R4, 2.4.0.1 Limitations on Narrative Content (txt-1, txt-2).
"""

from __future__ import annotations

import re
from html.entities import name2codepoint
from xml.parsers import expat

_XHTML = "http://www.w3.org/1999/xhtml"
# fmt: off
_TAGS = frozenset((
    "a", "abbr", "acronym", "address", "area", "b", "bdo", "big", "blockquote", "br", "caption", "center", "cite", "code", "col",
    "colgroup", "dd", "del", "dfn", "div", "dl", "dt", "em", "font", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "i", "img", "ins", "kbd",
    "li", "map", "ol", "p", "pre", "q", "s", "samp", "small", "span", "strike", "strong", "sub", "sup", "table", "tbody", "td", "tfoot",
    "th", "thead", "tr", "tt", "u", "ul", "var",
))
# fmt: on
_ENTITY = re.compile(r"&([A-Za-z][A-Za-z0-9]*);")
_ADDRESSES = ("href", "src", "cite")


class _NotAllowed(ValueError):
    """Markup that narrative may not have."""


def is_narrative(text: str) -> bool:
    """Whether a text is one XHTML div of allowed markup with something to read in it."""
    parser = expat.ParserCreate(namespace_separator=" ")
    seen = _Seen()
    parser.StartElementHandler = seen.start
    parser.CharacterDataHandler = seen.text
    parser.StartDoctypeDeclHandler = parser.ProcessingInstructionHandler = seen.refuse
    try:
        parser.Parse(_ENTITY.sub(_character, text).encode("utf-8"), True)
    except (expat.ExpatError, _NotAllowed, UnicodeEncodeError):
        return False
    return seen.readable


def _character(match: re.Match[str]) -> str:
    name = match[1]
    if name in ("amp", "lt", "gt", "quot", "apos"):
        return match[0]
    return chr(name2codepoint[name]) if name in name2codepoint else match[0]


class _Seen:
    def __init__(self) -> None:
        self.readable = False
        self._root = True

    def start(self, name: str, attributes: dict[str, str]) -> None:
        space, _, tag = name.rpartition(" ")
        if space != _XHTML or tag not in _TAGS or (self._root and tag != "div"):
            raise _NotAllowed
        self._root = False
        self.readable = self.readable or tag == "img"
        for attribute, value in attributes.items():
            plain = attribute.lower()
            if plain.startswith("on") or (plain in _ADDRESSES and value.strip().lower().startswith(("javascript:", "vbscript:"))):
                raise _NotAllowed

    def text(self, data: str) -> None:
        self.readable = self.readable or not data.isspace()

    def refuse(self, *_: object) -> None:
        raise _NotAllowed
