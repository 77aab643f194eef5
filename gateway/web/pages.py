"""The pages: the worklist for case managers, the console for integration engineers. Rendered on the server, with no script and no outside assets."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from importlib import resources
from typing import Annotated, Any, Literal, NamedTuple

import orjson
from fastapi import APIRouter, Query, Request
from fastapi.responses import RedirectResponse, Response
from jinja2 import Environment, PackageLoader, StrictUndefined

from gateway.errors import Invalid, NotFound, Unavailable
from gateway.mappings.feeds.profile import FeedProfile
from gateway.pipeline.deciding import decision
from gateway.pipeline.feed_states import FeedState, feed_states
from gateway.pipeline.received import Outcome, Received
from gateway.privacy.audit import INPUT, TRANSITION, Audit, Disclosure, Shown
from gateway.records.times import microseconds, moment
from gateway.store.interface import ALL, Filter, Input, Store
from gateway.web.deciding import is_ours, offer, read_form, said_in
from gateway.web.launching import Launcher, policy
from gateway.web.session import COOKIE, SESSION_LASTS, Session, Sessions
from gateway.web.timeline import rows
from gateway.web.wording import entry, moment_words

PAGE = 100
"""Lines on one page of a list."""

MOST = 10_000
"""A page counts no further: it must not cost more because more is stored."""

HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
    "Cache-Control": "no-store",
    "Referrer-Policy": "same-origin",  # without it, browsers say of our own forms that they come from nowhere
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


class Page(NamedTuple):
    """A page, and what it shows of records."""

    response: Response
    shown: Shown = Shown()


@dataclass(frozen=True, slots=True)
class Services:
    """What the pages are given. `now` is the care clock; `audit` is told of every page that shows records, before it is shown; `agencies` are names
    by agency id; `submit` takes decisions."""

    store: Store
    now: Callable[[], datetime]
    sessions: Sessions
    audit: Audit
    feeds: Sequence[FeedProfile]
    agencies: Mapping[str, str]
    submit: Callable[[Received], Future[Outcome]]
    secure: bool = False  # the gateway is reached over https: the cookie must not travel otherwise
    launcher: Launcher | None = None  # opens apps with a client in context


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
        return _open(services, request, lambda _: _worklist(services, show, page))

    @router.get("/worklist/{transition_id}")
    def transition(request: Request, transition_id: str) -> Response:
        return _open(services, request, lambda session: _transition(services, session, transition_id))

    @router.post("/worklist/{transition_id}")
    async def decide(request: Request, transition_id: str) -> Response:
        return await _decide(services, request, transition_id)

    @router.post("/worklist/{transition_id}/launch")
    async def launch(request: Request, transition_id: str) -> Response:
        return await _launch(services, request, transition_id)

    @router.get("/console")
    def console(
        request: Request, state: Literal["", "processed", "quarantined", "duplicate"] = "", feed: str = "", before: int | None = None
    ) -> Response:
        return _open(services, request, lambda _: _console(services, state, feed, before))

    @router.get("/console/messages/{number}")
    def message(request: Request, number: int) -> Response:
        return _open(services, request, lambda _: _message(services, number))

    return router


def _open(services: Services, request: Request, make: Callable[[Session], Page]) -> Response:
    """The page, for who may come in, when what it shows is on its way into the audit trail; else the page that says how to come in, or to wait."""
    session = services.sessions.session(request.cookies.get(COOKIE))
    if session is None:
        return _closed("Nobody is signed in here.")
    page = make(session)
    if any(page.shown):
        try:
            services.audit(_viewed(session, request, page.shown))
        except Unavailable:
            return _page("busy.html", 503)
    return page.response


def _viewed(session: Session, request: Request, shown: Shown) -> Disclosure:
    asked = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    return Disclosure("view", session.name, session.role, "", shown, asked)


def _transitions(rows: Iterable[tuple[str, Mapping[str, Any]]]) -> Shown:
    """Transitions on a page, by id and body, and whom they are about."""
    listed = list(rows)
    patients = {str(body["patient"]) for _, body in listed if body.get("patient")}
    return Shown(identifiers=tuple((TRANSITION, id) for id, _ in listed), patients=tuple(sorted(patients)))


def _messages(messages: Iterable[Input]) -> Shown:
    return Shown(identifiers=tuple((INPUT, str(message.id)) for message in messages))


def _closed(reason: str) -> Response:
    return _page("closed.html", 401, reason=reason)


def _worklist(services: Services, show: str, page: int) -> Page:
    now = services.now()
    with services.store.reading() as reader:
        statuses = [""] if show != "open" else ["anticipated", "open"]
        window = PAGE * page + 1
        rows = [row for status in statuses for row in reader.worklist(ALL, flagged=show == "flagged", status=status, limit=window)]
        flagged = reader.counts("flagged", at_most=MOST)["flagged"]
    rows.sort(key=lambda row: (row.tier, row.due, row.id))
    shown = [(row.id, orjson.loads(row.body)) for row in rows[PAGE * (page - 1) : PAGE * page] if row.body is not None]
    entries = [entry(body, now, services.agencies) for _, body in shown]
    more, moment = len(rows) > PAGE * page, moment_words(now.isoformat())
    return Page(_page("worklist.html", show=show, page=page, entries=entries, flagged=counted(flagged), more=more, now=moment), _transitions(shown))


def _transition(services: Services, session: Session, transition_id: str, refusal: str = "") -> Page:
    with services.store.reading() as reader:
        row = reader.transition(ALL, transition_id)
        body: dict[str, Any] = orjson.loads(row.body) if row is not None and row.body is not None else {}
        decide = offer(reader, transition_id, body, services.agencies, session, refusal) if row is not None else None
    if row is None or decide is None or not (body or decide.decided):
        return Page(_page("missing.html", 404, what="transition"))
    status = 422 if refusal else 200
    if not body:
        return Page(_page("withdrawn.html", status, id=row.id, decide=decide), _transitions([(row.id, body)]))
    times = {key: moment_words(body.get(key)) for key in ("admitted", "discharged", "expected_discharge")}
    evidence = [(item["text"], item.get("reference") or "") for item in body["follow_up"].get("evidence") or ()]
    shown, apps = entry(body, services.now(), services.agencies), services.launcher.offered() if services.launcher else []
    drawn = rows(body, services.now(), services.agencies)
    made = _page("transition.html", status, entry=shown, timeline=drawn, times=times, evidence=evidence, decide=decide, apps=apps)
    made.headers["Content-Security-Policy"] = policy(HEADERS["Content-Security-Policy"], apps)
    return Page(made, _transitions([(row.id, body)]))


async def _decide(services: Services, request: Request, transition_id: str) -> Response:
    """Take the decision that a form on the transition's page holds, and go back there."""
    session = services.sessions.session(request.cookies.get(COOKIE))
    if session is None:
        return _closed("Nobody is signed in here.")
    form = await read_form(request)
    if not is_ours(request, form, session):
        return _page("refused.html", 403)
    try:
        with services.store.reading() as reader:
            asked = decision(reader, transition_id, said_in(form), session.name, frozenset(services.agencies))
        services.audit(Disclosure("update", session.name, session.role, "", Shown((), ((TRANSITION, transition_id),), (asked.patient,))))
        if asked.received is not None:
            await asyncio.wrap_future(services.submit(asked.received))
    except NotFound:
        return _page("missing.html", 404, what="transition")
    except Invalid as refusal:
        why = str(refusal)
        return _open(services, request, lambda session: _transition(services, session, transition_id, why))
    except Unavailable:
        return _page("busy.html", 503)
    return RedirectResponse(f"/worklist/{transition_id}", status_code=303, headers=HEADERS)


async def _launch(services: Services, request: Request, transition_id: str) -> Response:
    """Open an app with the client of a transition. Who logs in to it must be allowed to see that client."""
    session = services.sessions.session(request.cookies.get(COOKIE))
    if session is None:
        return _closed("Nobody is signed in here.")
    form = await read_form(request)
    if not is_ours(request, form, session):
        return _page("refused.html", 403)
    launcher = services.launcher
    url = await asyncio.to_thread(launcher.begin, transition_id, form.get("app", "")) if launcher else None
    if launcher is None or url is None:
        return _page("missing.html", 404, what="app")
    headers = {**HEADERS, "Content-Security-Policy": policy(HEADERS["Content-Security-Policy"], launcher.offered())}
    return Response(status_code=303, headers={**headers, "Location": url})


@dataclass(frozen=True, slots=True)
class FeedLine:
    """A feed on the console: when it was last heard, how silent it has been since, and whether that is an alarm; and stays that nobody has ended."""

    name: str
    hospital: str
    last: str
    silence: str
    alarm: bool
    usual: str
    overdue_stays: int


def _console(services: Services, state: str, feed: str, before: int | None) -> Page:
    now = services.now()
    with services.store.reading() as reader:
        messages = list(reader.messages(Filter(state=state, feed=feed, limit=PAGE + 1, before=before)))
        states = feed_states(reader, services.feeds, microseconds(now))
        counts = {name: counted(count) for name, count in reader.counts("processed", "duplicate", "quarantined", at_most=MOST).items()}
    subscriptions = sorted(services.store.subscriptions.listed(), key=lambda row: (row.status != "error", row.failing_since is None, row.created))
    shown = messages[:PAGE]
    made = _page(
        "console.html",
        feeds=[_feed_line(state, now) for state in states],
        subscriptions=[(row, _heard(row.failing_since) if row.failing_since is not None else "") for row in subscriptions[:PAGE]],
        messages=[(message, _received(message)) for message in shown],
        state=state,
        feed=feed,
        counts=counts,
        older=shown[-1].id if len(messages) > PAGE else None,
    )
    return Page(made, _messages(shown))


def _message(services: Services, number: int) -> Page:
    with services.store.reading() as reader:
        found = next(iter(reader.messages(Filter(before=number + 1, limit=1))), None)
    if found is None or found.id != number:
        return Page(_page("missing.html", 404, what="message"))
    made = _page("message.html", message=found, received=_received(found), raw=_lines(found.raw), answer=_lines(found.answer))
    return Page(made, _messages([found]))


def _feed_line(state: FeedState, now: datetime) -> FeedLine:
    """How long nothing has come, to the hour or the day."""
    if state.last is None:
        return FeedLine(state.name, state.hospital, "never", "", alarm=False, usual="", overdue_stays=state.overdue_stays)
    hours = max(0, int((now - moment(state.last)).total_seconds() // 3600))
    silence = f"{hours // 24} days" if hours >= 48 else f"{hours} hours"
    usual = f"{state.day} ({state.usual_day:.0f} usual)"
    return FeedLine(state.name, state.hospital, _heard(state.last), silence, alarm=state.silent, usual=usual, overdue_stays=state.overdue_stays)


def _heard(at: int) -> str:
    return moment_words(moment(at).isoformat(timespec="seconds"))


def _received(message: Input) -> str:
    return _heard(message.received)


def counted(number: int) -> str:
    """How many, as far as a page counts."""
    return f"{number:,}" if number < MOST else f"{MOST:,} or more"


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
