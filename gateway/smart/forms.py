"""Forms as the authorization server reads them: one value a parameter, under a cap."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import parse_qsl, urlsplit

from authlib.oauth2.rfc6749 import InvalidRequestError, OAuth2Request
from authlib.oauth2.rfc6749.requests import BasicOAuth2Payload
from fastapi import Request as HttpRequest

LARGEST = 65_536  # bytes of a form
MOST_PARAMETERS = 128
FORM = "application/x-www-form-urlencoded"

Pairs = list[tuple[str, str]]


class Request(OAuth2Request):  # type: ignore[misc]
    """A form posted to one of the endpoints that clients ask. `key_set` is the key set of a client registered by URL, fetched beforehand."""

    def __init__(self, form: Mapping[str, str], authorization: str, key_set: str) -> None:
        super().__init__("POST", "https://gateway.invalid")  # Authlib wants TLS in the URL; ours may end at a proxy
        self.payload = BasicOAuth2Payload(dict(form))
        self.authorization = authorization
        self.key_set = key_set

    @property
    def form(self) -> dict[str, str]:
        return dict(self.payload.data)

    def need(self, *names: str) -> None:
        """Raises invalid_request for the first parameter that is missing."""
        for name in names:
            if name not in self.payload.data:
                raise InvalidRequestError(f"{name} is missing")


async def read(request: HttpRequest) -> Pairs:
    """A form's parameters; one without a value counts as left out (RFC 6749 section 3.2). Raises invalid_request."""
    if request.headers.get("content-type", "").split(";")[0].strip().lower() != FORM:
        raise InvalidRequestError(f"the body must be {FORM}")
    body = await body_of(request)
    try:
        return parse(body.decode("utf-8"))
    except UnicodeDecodeError:
        raise InvalidRequestError("the form cannot be read") from None


async def body_of(request: HttpRequest) -> bytes:
    """A request's body. Raises invalid_request for one that is larger than any form."""
    body = b""
    async for piece in request.stream():
        body += piece
        if len(body) > LARGEST:
            raise InvalidRequestError("the body is too large")
    return body


def parse(text: str) -> Pairs:
    """The parameters of a form or a query, those without a value left out. Raises invalid_request."""
    try:
        return parse_qsl(text, errors="strict", max_num_fields=MOST_PARAMETERS)
    except ValueError:
        raise InvalidRequestError("the form cannot be read") from None


def once(pairs: Pairs) -> dict[str, str]:
    """The parameters by name. Raises invalid_request for one that is given twice."""
    if len(pairs) != len({name for name, _ in pairs}):
        raise InvalidRequestError("a parameter is given twice")
    return dict(pairs)


def is_same_origin(request: HttpRequest) -> bool:
    """Whether the browser says that a form comes from a page of ours, or says nothing."""
    site, origin = request.headers.get("sec-fetch-site"), request.headers.get("origin")
    if site is not None:
        return site == "same-origin"
    return origin is None or urlsplit(origin).netloc == request.headers.get("host")
