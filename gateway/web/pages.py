"""The pages: the worklist for case managers, the console for integration engineers. Rendered on the server, with no script and no outside assets."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from importlib import resources
from typing import Annotated, Any, Literal

import orjson
from fastapi import APIRouter, Query, Request
from fastapi.responses import RedirectResponse, Response
from jinja2 import Environment, PackageLoader, StrictUndefined

from gateway.store.interface import ALL, Filter, Input, Store
from gateway.web.session import COOKIE, SESSION_LASTS, Sessions
from gateway.web.wording import entry, moment_words

PAGE = 100
"""Lines on one page of a list."""

HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}

Viewed = Callable[[str, Sequence[str]], None]
"""Told of every page that showed records: the page's path and the ids of the transitions or messages on it ("Transition/…", "message 17")."""


@dataclass(frozen=True, slots=True)
class Services:
    """What the pages are given. `now` is the care clock; `feeds` and `agencies` are names by feed name and agency id."""

    store: Store
    now: Callable[[], datetime]
    sessions: Sessions
    feeds: Mapping[str, str]
    agencies: Mapping[str, str]
    viewed: Viewed = lambda page, shown: None
    secure: bool = False  # the gateway is reached over https: the cookie must not travel otherwise


def pages(services: Services) -> APIRouter:
    """The routes of the HTML pages."""
    router = APIRouter(include_in_schema=False, default_response_class=Response)

    @router.get("/")
    def root() -> Response:
        return RedirectResponse("/worklist", status_code=303, headers=HEADERS)

    @router.get("/web/style.css")
    def style() -> Response:
        return Response(_asset("style.css"), media_type="text/css", headers={**HEADERS, "Cache-Control": "max-age=300"})

    @router.get("/enter")
    def enter(invitation: str = "") -> Response:
        session = services.sessions.redeem(invitation)
        if session is None:
            return _closed("This link has been used, or is not of this run of the gateway.")
        answer = RedirectResponse("/worklist", status_code=303, headers=HEADERS)
        answer.set_cookie(COOKIE, session, max_age=int(SESSION_LASTS), path="/", httponly=True, samesite="strict", secure=services.secure)
        return answer

    @router.get("/worklist")
    def worklist(request: Request, show: Literal["flagged", "open", "all"] = "open", page: Annotated[int, Query(ge=1, le=1_000_000)] = 1) -> Response:
        return _open(services, request) or _worklist(services, show, page)

    @router.get("/worklist/{transition_id}")
    def transition(request: Request, transition_id: str) -> Response:
        return _open(services, request) or _transition(services, transition_id)

    @router.get("/console")
    def console(
        request: Request, state: Literal["", "processed", "quarantined", "duplicate"] = "", feed: str = "", before: int | None = None
    ) -> Response:
        return _open(services, request) or _console(services, state, feed, before)

    @router.get("/console/messages/{number}")
    def message(request: Request, number: int) -> Response:
        return _open(services, request) or _message(services, number)

    return router


def _open(services: Services, request: Request) -> Response | None:
    """None where the caller may come in; else the page that says how."""
    if services.sessions.role(request.cookies.get(COOKIE)) is None:
        return _closed("Nobody is signed in here.")
    return None


def _closed(reason: str) -> Response:
    return _page("closed.html", 401, reason=reason)


def _worklist(services: Services, show: str, page: int) -> Response:
    now = services.now()
    with services.store.reading() as reader:
        statuses = [""] if show != "open" else ["anticipated", "open"]
        window = PAGE * page + 1
        rows = [row for status in statuses for row in reader.worklist(ALL, flagged=show == "flagged", status=status, limit=window)]
        counts = reader.counts()
    rows.sort(key=lambda row: (row.tier, row.due, row.id))
    shown = [row for row in rows[PAGE * (page - 1) : PAGE * page] if row.body is not None]
    entries = [entry(orjson.loads(row.body or b"{}"), now, services.agencies) for row in shown]
    services.viewed("/worklist", [f"Transition/{row.id}" for row in shown])
    return _page(
        "worklist.html", show=show, page=page, entries=entries, counts=counts, more=len(rows) > PAGE * page, now=moment_words(now.isoformat())
    )


def _transition(services: Services, transition_id: str) -> Response:
    with services.store.reading() as reader:
        row = reader.transition(ALL, transition_id)
    if row is None or row.body is None:
        return _page("missing.html", 404, what="transition")
    body: dict[str, Any] = orjson.loads(row.body)
    services.viewed(f"/worklist/{transition_id}", [f"Transition/{transition_id}"])
    times = {key: moment_words(body.get(key)) for key in ("admitted", "discharged", "expected_discharge")}
    evidence = [(item["text"], item.get("reference") or "") for item in body["follow_up"].get("evidence") or ()]
    return _page("transition.html", entry=entry(body, services.now(), services.agencies), times=times, evidence=evidence)


@dataclass(frozen=True, slots=True)
class FeedLine:
    """A feed on the console: when it was last heard, and how silent it has been since."""

    name: str
    hospital: str
    last: str
    silent: str


def _console(services: Services, state: str, feed: str, before: int | None) -> Response:
    now = services.now()
    with services.store.reading() as reader:
        messages = list(reader.messages(Filter(state=state, feed=feed, limit=PAGE + 1, before=before)))
        newest = {name: next(iter(reader.messages(Filter(feed=name, limit=1))), None) for name in services.feeds}
        counts = reader.counts()
    shown = messages[:PAGE]
    services.viewed("/console", [f"message {message.id}" for message in shown])
    feeds = [FeedLine(name, services.feeds[name], _received(last), _silence(last, now)) for name, last in newest.items()]
    return _page(
        "console.html",
        feeds=feeds,
        messages=[(message, _received(message)) for message in shown],
        state=state,
        feed=feed,
        counts=counts,
        older=shown[-1].id if len(messages) > PAGE else None,
    )


def _message(services: Services, number: int) -> Response:
    with services.store.reading() as reader:
        found = next(iter(reader.messages(Filter(before=number + 1, limit=1))), None)
    if found is None or found.id != number:
        return _page("missing.html", 404, what="message")
    services.viewed(f"/console/messages/{number}", [f"message {number}"])
    return _page("message.html", message=found, received=_received(found), raw=_lines(found.raw), answer=_lines(found.answer))


def _received(message: Input | None) -> str:
    return moment_words(_moment(message.received).isoformat(timespec="seconds")) if message else "never"


def _silence(message: Input | None, now: datetime) -> str:
    """How long nothing has come, to the hour or the day."""
    if message is None:
        return ""
    hours = max(0, int((now - _moment(message.received)).total_seconds() // 3600))
    return f"{hours // 24} days" if hours >= 48 else f"{hours} hours"


def _moment(microseconds: int) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=microseconds)


def _lines(raw: bytes) -> list[str]:
    """A message's bytes as lines to read; what is not UTF-8 is read as ISO 8859-1, which fits everything."""
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        text = raw.decode("latin-1")
    return [line for line in text.replace("\r\n", "\r").replace("\n", "\r").split("\r") if line]


def _page(template: str, status: int = 200, **values: Any) -> Response:
    body = _templates().get_template(template).render(**values)
    return Response(body, status_code=status, media_type="text/html; charset=utf-8", headers=HEADERS)


@cache
def _templates() -> Environment:
    return Environment(loader=PackageLoader("gateway.web"), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)


@cache
def _asset(name: str) -> bytes:
    return (resources.files("gateway.web") / "static" / name).read_bytes()
