"""Tokens: codes, identifiers and the like, each with or without a system. http://hl7.org/fhir/R4/search.html#token"""

from __future__ import annotations

import re
from typing import Any

from gateway.fhir import elements

Token = tuple[str | None, str]
"""(system, code). As found: "" is no system, None a plain code, whose system the element implies. As asked: None is any system, "" none at all; an
empty code is any."""

IMPLIED = "http://hl7.org/fhir/"
"""How the systems begin that R4 binds plain codes to."""

_BAR = re.compile(r"(?<!\\)\|")
_CONTACTS = ("phone", "fax", "email", "pager", "url", "sms", "other")


def tokens(value: Any) -> list[Token]:
    """What a token parameter finds in an element."""
    if isinstance(value, str):
        return [(None, value)]
    if isinstance(value, bool):
        return [(None, "true" if value else "false")]
    if not isinstance(value, dict):
        return []
    if "value" in value and "coding" not in value:
        if value.get("system") in _CONTACTS:  # a ContactPoint: its system is no namespace
            return [(None, str(value["value"]))]
        return [(str(value.get("system") or ""), str(value["value"]))]
    return [(str(one.get("system") or ""), str(one["code"])) for one in elements.codings(value) if "code" in one]


def asked_token(text: str) -> Token:
    """What `system|code`, `|code`, `system|` or `code` asks for."""
    pieces = _BAR.split(text, maxsplit=1)
    return (None, unescape(pieces[0])) if len(pieces) == 1 else (unescape(pieces[0]), unescape(pieces[1]))


def same_token(has: Token, asked: Token) -> bool:
    """Whether what stands is what is asked for. A plain code's system is implied by its element, so one that is asked for it must be one of HL7's."""
    system, code = asked
    if code and code != has[1]:
        return False
    if system is None:
        return True
    return system == has[0] if has[0] is not None else system.startswith(IMPLIED)


def unescape(text: str) -> str:
    """A value without the backslashes before , | $ and backslash. http://hl7.org/fhir/R4/search.html#escaping"""
    return re.sub(r"\\([,|$\\])", r"\1", text)
