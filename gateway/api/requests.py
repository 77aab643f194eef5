"""Requests as the interactions read them: bodies under a cap, the formats asked for, the preferences. http://hl7.org/fhir/R4/http.html"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import parse_qsl, quote_plus

from fastapi import HTTPException, Request

from gateway.api.query_cost import check_cost
from gateway.errors import Malformed, NotAcceptable, TooLarge

_JSON = ("application/fhir+json", "application/json", "text/json", "json")
_ACCEPTED = (*_JSON, "application/*", "*/*", "text/html", "text/*")
_ID = re.compile(r"[A-Za-z0-9\-.]{1,64}")
JSON_PATCH = ("application/json-patch+json",)
PRESENTATION = ("_format", "_pretty")
"""Parameters of every interaction that say how the answer is written, and nothing of what it holds."""
FORM = "application/x-www-form-urlencoded"
MAX_PARAMETERS = 100


class Call(NamedTuple):
    """One interaction, from HTTP or from an entry of a batch."""

    method: str
    path: tuple[str, ...]  # below the FHIR base: ("Task", "17", "_history", "2")
    parameters: Sequence[tuple[str, str]]
    headers: Mapping[str, str]  # names in lower case
    body: bytes = b""

    def header(self, name: str) -> str:
        """A header's value, "" when it is not there."""
        return self.headers.get(name, "").strip()

    def prefers(self, word: str) -> bool:
        """Whether Prefer says this ("return=minimal", "handling=lenient")."""
        return word in [one.strip().lower() for one in re.split(r"[,;]", self.header("prefer"))]


async def call_of(request: Request, limit: int, *path: str) -> Call:
    """The interaction that an HTTP request asks for."""
    headers: dict[str, str] = {}
    for raw_name, raw_value in request.scope["headers"]:  # names in lower case, as ASGI has them
        name, value = raw_name.decode("latin-1"), raw_value.decode("latin-1")
        headers[name] = f"{headers[name]},{value}" if name in headers else value
    query = request.scope["query_string"].decode("latin-1")
    content = b"" if request.method in ("GET", "HEAD") else await body(request, limit)
    return Call(request.method, path, parameters(query) if query else (), headers, content)


def parameters(query: str) -> list[tuple[str, str]]:
    """The parameters of a query or a form, in order. Raises Malformed, and TooLarge for a query that would cost too much."""
    try:
        found = parse_qsl(query, keep_blank_values=True, errors="strict", max_num_fields=MAX_PARAMETERS)
    except ValueError:
        raise Malformed("The query cannot be read", advice=f"Send UTF-8, and at most {MAX_PARAMETERS} parameters.") from None
    check_cost(found)
    return found


def encoded(parameters: Sequence[tuple[str, str]]) -> str:
    """Parameters as the query of an address."""
    return "&".join(f"{_quoted(name)}={_quoted(value)}" for name, value in parameters)


@lru_cache(4096)
def _quoted(text: str) -> str:
    """A name or value as a query has it. Quoting costs more than all else that is done to a query, and most of them come again."""
    return quote_plus(text)


def decoded(body: bytes) -> str:
    """A body as text. Raises Malformed for what is no UTF-8."""
    try:
        return body.decode("utf-8")
    except UnicodeDecodeError:
        raise Malformed("The body cannot be read", advice="Send UTF-8.") from None


async def body(request: Request, limit: int) -> bytes:
    """The request's body. Raises TooLarge beyond `limit` bytes, before more than that is read."""
    too_large = TooLarge("The body is too large", advice=f"At most {limit} bytes are taken.")
    stated = request.headers.get("content-length", "")
    if stated.isdigit() and int(stated) > limit:
        raise too_large
    pieces, size = [], 0
    async for piece in request.stream():
        size += len(piece)
        if size > limit:
            raise too_large
        pieces.append(piece)
    return b"".join(pieces)


def check_accept(call: Call) -> None:
    """Raise NotAcceptable where the answer is wanted in something else than JSON. `_format` wins over Accept."""
    wanted = next((value for name, value in call.parameters if name == "_format"), None)
    if wanted is not None:
        if _kind(wanted).replace(" ", "+") not in _JSON:  # an unescaped + of a query arrives as a blank
            raise NotAcceptable("Answers are to be had in JSON alone", location="_format", advice="Ask for application/fhir+json.")
    elif not any(_kind(one) in _ACCEPTED for one in (call.header("accept") or "*/*").split(",")):
        raise NotAcceptable("Answers are to be had in JSON alone", location="Accept", advice="Ask for application/fhir+json.")


def prefers_gzip(call: Call) -> bool:
    """Whether the answer may be packed (RFC 9110, 12.5.3)."""
    for one in call.header("accept-encoding").split(","):
        coding, _, weight = one.replace(" ", "").lower().partition(";q=")
        if coding == "gzip" and (not weight or weight.strip("0.")):
            return True
    return False


def check_content_type(call: Call, allowed: Sequence[str] = _JSON) -> None:
    """Answer 415 where the body is of another kind; none stated is taken for what is allowed."""
    kind = _kind(call.header("content-type"))
    if kind and kind not in allowed:
        raise HTTPException(415)


def _kind(media_type: str) -> str:
    return media_type.partition(";")[0].strip().lower()


def is_id(text: str) -> bool:
    """Whether it can be a resource id."""
    return bool(_ID.fullmatch(text))
