"""The edge of the HTTP side: every failure a plain answer, security headers on everything, and an address with or without a trailing slash alike."""

from __future__ import annotations

from collections.abc import Callable, Collection

import structlog
from fastapi import FastAPI, HTTPException, Request
from fastapi.exceptions import RequestValidationError
from prometheus_client import CollectorRegistry, Counter
from starlette.exceptions import HTTPException as StarletteHTTPException
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.api.answers import failure, plain_failure
from gateway.api.traffic import Bounded, Traffic
from gateway.errors import GatewayError
from gateway.smart import refusals as oauth
from gateway.smart.cors import Cors
from gateway.tracing import span

log = structlog.get_logger(__name__)

_OAUTH = "/oauth/"

SECURITY_HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"cache-control", b"no-store"),
)
"""Added where an answer does not say otherwise itself: HTML pages state their own policy, and what may be kept says so."""

HSTS = (b"strict-transport-security", b"max-age=31536000")
"""Over TLS alone (RFC 6797 section 7.2)."""

_KNOWN = {
    400: ("structure", "The request is not as HTTP or FHIR write it."),
    404: ("not-found", "There is nothing at this address."),
    405: ("not-supported", "There is no such interaction at this address."),
    408: ("timeout", "The body did not arrive in time."),
    415: ("not-supported", "A body of this content type is not taken. Send application/fhir+json, or a patch as application/json-patch+json."),
}


def guard(app: FastAPI, registry: CollectorRegistry, traffic: Traffic | None = None, origins: Callable[[], Collection[str]] = frozenset) -> None:
    """Put the edge around an app: handlers for every failure; bounds; what other origins may read (`origins`: those of registered apps); then headers
    and addresses around all."""
    app.router.redirect_slashes = False  # a redirect would be built from the Host header, which is not trusted
    app.add_exception_handler(GatewayError, _told)
    app.add_exception_handler(StarletteHTTPException, _refused)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_middleware(Bounded, traffic=traffic or Traffic(), refuse=_refusal)
    app.add_middleware(Cors, registered=origins)
    app.add_middleware(Edge, answers=Counter("gateway_http_answers", "HTTP answers by status.", ["status"], registry=registry))


def _refusal(path: str, error: GatewayError) -> Response:
    """A failure in the form that callers of this address read."""
    return oauth.refusal(error) if path.startswith(_OAUTH) else failure(error)


async def _told(request: Request, error: Exception) -> Response:
    assert isinstance(error, GatewayError)
    return _refusal(request.url.path, error)


async def _refused(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException | StarletteHTTPException)
    code, text = _KNOWN.get(error.status_code, ("processing", "The request was refused."))
    kept = {name: value for name, value in (error.headers or {}).items() if name.lower() == "allow"}
    return plain_failure(error.status_code, code, text, kept)


async def _invalid(_: Request, error: Exception) -> Response:
    return plain_failure(400, "structure", "The request is not as this address wants it.")


class Edge:
    """Headers and addresses, as plain ASGI: it is on the path of every request."""

    def __init__(self, app: ASGIApp, answers: Counter) -> None:
        self._app = app
        self._answers = answers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        path, started = scope["path"], False
        if len(path) > 1 and path.endswith("/") and not path.startswith("/fhir/.well-known"):
            scope = {**scope, "path": path.rstrip("/") or "/"}

        async def sending(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                self._answers.labels(str(message["status"])).inc()
                told.set_attribute("status", int(message["status"]))
                stated = {name for name, _ in message["headers"]}
                ours = (*SECURITY_HEADERS, HSTS) if scope["scheme"] == "https" else SECURITY_HEADERS
                message = {**message, "headers": [*message["headers"], *(one for one in ours if one[0] not in stated)]}
            await send(message)

        with span("http request", method=scope["method"], path="/".join(path.split("/", 3)[:3])) as told:
            try:
                await self._app(scope, receive, sending)
            except Exception as fault:  # noqa: BLE001 - whatever it is, the caller gets a plain answer, and the log no text that may hold a client's data
                log.error("request failed", fault=type(fault).__name__, where=_where(fault), method=scope["method"])
                if not started:
                    answer = plain_failure(500, "exception", "The gateway failed on this request. It was not the request's fault.")
                    await answer(scope, receive, sending)


def _where(fault: BaseException) -> str:
    """The last place of ours in a traceback: module and line, without any value."""
    place, trace = "", fault.__traceback__
    while trace is not None:
        name = str(trace.tb_frame.f_globals.get("__name__", ""))
        if name.startswith("gateway."):
            place = f"{name}:{trace.tb_lineno}"
        trace = trace.tb_next
    return place
