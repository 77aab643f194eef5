"""The pages: closed without the link, escaped, without script or outside assets; and the same words on the terminal."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from io import StringIO
from typing import Any, cast

import httpx
import orjson
import pytest
from fastapi import FastAPI
from rich.console import Console

from gateway.errors import Unavailable
from gateway.mappings.care.feed_flag import FEED
from gateway.mappings.feeds.profile import FeedProfile
from gateway.privacy.audit import INPUT, TRANSITION, Disclosure
from gateway.records.times import microseconds
from gateway.store.interface import HOUR, Filter, Heard, Input, Store, TransitionRow
from gateway.web.pages import Services, pages
from gateway.web.session import COOKIE, Sessions
from gateway.web.text import WIDTH, render_transition, render_worklist
from gateway.web.wording import entry

NOW = datetime(2026, 11, 22, 18, 0, tzinfo=UTC)
HOSTILE = '<script>alert(1)</script> & "O\'Brien"'


def transition(**changes: Any) -> dict[str, Any]:
    """A transition as the store keeps it."""
    return {
        "id": "tr-1",
        "client": {"name": "José Núñez", "birth_date": "1979-02-03", "identifiers": [{"system": "urn:x", "value": "778812"}]},
        "hospital": "Lakeside General Hospital",
        "admitted": "2026-11-10T20:00:00-05:00",
        "discharged": "2026-11-18T11:30:00-05:00",
        "expected_discharge": None,
        "status": "open",
        "follow_up": {"state": "none", "start": None, "evidence": []},
        "flags": [
            {
                "code": "no-follow-up-scheduled",
                "since": "2026-11-18T11:30:00-05:00",
                "evidence": [{"text": "ADT^A03 from lakeside", "reference": "message 17"}],
                "clears": "Book a mental-health visit by Wed 25 Nov.",
            }
        ],
        "tier": "urgent",
        "reasons": ["left against advice with no appointment"],
        "agency": "harbor-house",
        "queue": "agency",
        "closed_as": None,
        "next_look": "2026-11-25T23:59:59-05:00",
    } | changes


def message(number: int, **changes: Any) -> Input:
    """An input of the inbox."""
    values: dict[str, Any] = {
        "id": number,
        "kind": "hl7v2",
        "feed": "lakeside",
        "control_id": f"LK{number}",
        "digest": b"",
        "received": 1_795_000_000_000_000 + number,
        "raw": b"MSH|^~\\&|LKADT\rPID|1||778812||N\xfa\xf1ez",
        "event": "ADT^A03",
        "answer": b"MSH|^~\\&|GATEWAY\rMSA|AA|LK",
    }
    return Input(**(values | changes))


class Browser:
    """A browser: keeps cookies, follows redirects unless told not to."""

    def __init__(self, app: FastAPI, base_url: str = "http://gateway.test", follow_redirects: bool = True) -> None:
        self._about = {"transport": httpx.ASGITransport(app), "base_url": base_url, "follow_redirects": follow_redirects}
        self.cookies = httpx.Cookies()

    def get(self, path: str) -> httpx.Response:
        async def ask() -> httpx.Response:
            async with httpx.AsyncClient(cookies=self.cookies, **cast(Any, self._about)) as http:
                answer = await http.get(path)
                self.cookies.update(http.cookies)
                return answer

        return asyncio.run(ask())


class FakeReader:
    """What the pages read, from lists."""

    def __init__(self, transitions: list[dict[str, Any]], messages: list[Input]) -> None:
        self.rows = [
            TransitionRow("*", body["id"], orjson.dumps(body), body["status"], bool(body["flags"]), number, number)
            for number, body in enumerate(transitions)
        ]
        self.inputs = sorted(messages, key=lambda one: -one.id)

    def worklist(self, recipient: str, *, flagged: bool = False, status: str = "", limit: int | None = None, offset: int = 0) -> list[TransitionRow]:
        found = [row for row in self.rows if (not flagged or row.flagged) and status in ("", row.status)]
        return found[offset:][:limit]

    def transition(self, recipient: str, id: str) -> TransitionRow | None:
        return next((row for row in self.rows if row.id == id), None)

    def messages(self, wanted: Filter) -> Iterator[Input]:
        found = [
            one
            for one in self.inputs
            if wanted.state in ("", one.state) and wanted.feed in ("", one.feed) and (wanted.before is None or one.id < wanted.before)
        ]
        return iter(found[: wanted.limit])

    def search(self, recipient: str, type: str, **wanted: Any) -> list[Any]:
        """Two stays of Lakeside's that nobody has ended."""
        return [None, None] if type == "Flag" and wanted["terms"] == [("identifier", [f"{FEED}|lakeside"])] else []

    def feeds(self) -> list[str]:
        return sorted({one.feed for one in self.inputs})

    def heard(self, feed: str, limit: int) -> list[Heard]:
        return [Heard(one.received // HOUR, 1, int(one.state == "quarantined"), one.received) for one in self.inputs[:1] if one.feed == feed]

    def counts(self, *names: str, at_most: int | None = None) -> dict[str, int]:
        counted = {"processed": len(self.inputs), "duplicate": 0, "quarantined": 0, "flagged": sum(row.flagged for row in self.rows)}
        return {name: counted[name] for name in names}


class FakeStore:
    """A store of one reader, to which nobody subscribes."""

    def __init__(self, reader: FakeReader) -> None:
        self.reader = reader
        self.subscriptions = self

    def listed(self) -> list[Any]:
        return []

    @contextmanager
    def reading(self) -> Iterator[FakeReader]:
        yield self.reader


def client(transitions: list[dict[str, Any]] | None = None, messages: list[Input] | None = None, signed_in: bool = True, **more: Any) -> Browser:
    """A browser before a gateway with these contents."""
    sessions = Sessions()
    more.setdefault("audit", lambda disclosure: None)
    services = Services(
        store=cast(Store, FakeStore(FakeReader(transitions or [], messages or []))),
        now=lambda: NOW,
        sessions=sessions,
        feeds=[
            FeedProfile("st-mary", hospital="St. Mary Medical Center", sending_facility="STMARY"),
            FeedProfile("lakeside", hospital="Lakeside General Hospital", sending_facility="LAKESIDE"),
        ],
        agencies={"harbor-house": "Harbor House Community Services"},
        submit=lambda received: Future(),
        **more,
    )
    app = FastAPI()
    app.include_router(pages(services))
    browser = Browser(app)
    if signed_in:
        assert browser.get(sessions.invite()).status_code == 200
    return browser


@pytest.mark.parametrize("path", ["/worklist", "/worklist/tr-1", "/console", "/console/messages/1"])
def test_without_a_session_every_page_is_closed_and_says_how_to_come_in(path: str) -> None:
    answer = client([transition()], [message(1)], signed_in=False).get(path)
    assert answer.status_code == 401
    assert "prints a link" in answer.text
    assert "Núñez" not in answer.text


def test_the_link_opens_once_and_its_cookie_is_out_of_reach_of_scripts_and_other_sites() -> None:
    sessions = Sessions()
    app = FastAPI()
    app.include_router(
        pages(
            Services(
                cast(Store, FakeStore(FakeReader([], []))), lambda: NOW, sessions, lambda shown: None, (), {}, lambda received: Future(), secure=True
            )
        )
    )
    link = sessions.invite()
    first = Browser(app, base_url="https://gateway.test", follow_redirects=False).get(link)
    assert (first.status_code, first.headers["location"]) == (303, "/worklist")
    cookie = first.headers["set-cookie"].lower()
    assert all(word in cookie for word in ("httponly", "samesite=strict", "secure", "path=/"))
    assert Browser(app).get(link).status_code == 401


def test_sessions_and_links_end_by_the_wall_clock() -> None:
    clock = [0.0]
    sessions = Sessions(clock=lambda: clock[0])
    old, fresh = sessions.invite().split("=")[1], sessions.invite().split("=")[1]
    session = sessions.redeem(fresh)
    found = sessions.session(session)
    assert found is not None
    assert found.role == "coordinator"
    assert sessions.session(found.name.split()[-1]) is None, "what the audit trail calls it does not open it"
    assert sessions.session("guess") is None
    clock[0] = 25 * 3600.0
    assert sessions.session(session) is None
    assert sessions.redeem(old) is None


def test_hostile_names_are_shown_and_never_run() -> None:
    body = transition(client={"name": HOSTILE, "birth_date": None, "identifiers": []}, hospital=HOSTILE, id="x")
    browser = client([body], [message(1, feed="lakeside", error=HOSTILE, state="quarantined", control_id=HOSTILE)])
    for path in ("/worklist", "/worklist/x", "/console", "/console/messages/1"):
        text = browser.get(path).text
        assert "<script" not in text
        assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text


@pytest.mark.parametrize("path", ["/worklist", "/worklist/tr-1", "/console", "/console/messages/1", "/nowhere-to-be-found"])
def test_pages_load_nothing_from_elsewhere_and_are_kept_by_no_cache(path: str) -> None:
    answer = client([transition()], [message(1)]).get(path)
    if answer.status_code == 404:
        return
    assert answer.headers["cache-control"] == "no-store"
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
    assert "http://" not in answer.text
    assert "https://" not in answer.text
    assert "style=" not in answer.text


def test_the_worklist_says_who_from_where_how_long_what_is_wrong_and_what_clears_it() -> None:
    text = client([transition()]).get("/worklist").text
    for words in (
        "urgent",
        "José Núñez",
        "born 1979-02-03",
        "Lakeside General Hospital",
        "left 4 days ago",
        "Wed 18 Nov",
        "No follow-up scheduled",
        "Book a mental-health visit by Wed 25 Nov.",
        "Harbor House Community Services",
    ):
        assert words in text
    assert "Flagged: 1." in text


def test_the_list_keeps_the_store_s_order_and_leaves_out_what_is_over_unless_asked() -> None:
    rows = [
        transition(id="a", client={"name": "First", "birth_date": None}, status="anticipated", discharged=None, expected_discharge="2026-11-24"),
        transition(id="b", client={"name": "Second", "birth_date": None}),
        transition(id="c", client={"name": "Third", "birth_date": None}, status="closed", closed_as="died", flags=[]),
    ]
    browser = client(rows)
    text = browser.get("/worklist").text
    assert text.index("First") < text.index("Second")
    assert "leaves in 2 days" in text
    assert "Third" not in text
    assert "Third" in browser.get("/worklist?show=all").text


def test_a_long_list_is_turned_over_by_pages() -> None:
    browser = client([transition(id=f"t{number:03}") for number in range(101)])
    first, second = browser.get("/worklist").text, browser.get("/worklist?page=2").text
    assert "t099" in first
    assert "t100" not in first
    assert "page=2" in first
    assert "t100" in second


def test_a_transition_s_page_says_why_with_its_evidence() -> None:
    browser = client([transition()])
    text = browser.get("/worklist/tr-1").text
    for words in (
        "What clears it:",
        "ADT^A03 from lakeside",
        "message 17",
        "778812",
        "left against advice with no appointment",
        "Tue 10 Nov 2026 20:00",
    ):
        assert words in text
    assert browser.get("/worklist/other").status_code == 404


def test_the_console_shows_feeds_their_silence_and_the_quarantine() -> None:
    refused = message(2, state="quarantined", error="PID is missing", location="PID", raw=b"MSH|", received=microseconds(NOW - timedelta(days=7)))
    browser = client([], [message(1), refused])
    text = browser.get("/console").text
    assert "St. Mary Medical Center" in text
    assert "never" in text
    assert "longer than usual" in text, "heard once, and not for a week"
    quarantine = browser.get("/console?state=quarantined").text
    assert "PID is missing" in quarantine
    assert "LK1<" not in quarantine
    assert "gateway messages replay 2" in browser.get("/console/messages/2").text
    assert browser.get("/console/messages/3").status_code == 404


def test_the_console_asks_after_stays_that_nobody_has_ended() -> None:
    text = client([], [message(1)]).get("/console").text
    assert text.count('<td><strong class="alarm">2</strong></td>') == 1, "lakeside's, and no other feed's"
    assert "No discharge told" in text


def test_a_message_is_shown_segment_by_segment_whatever_its_bytes_are() -> None:
    text = client([], [message(1)]).get("/console/messages/1").text
    assert "<li>PID|1||778812||Núñez</li>" in text


def test_every_page_that_shows_records_leaves_an_audit_event_of_what_it_showed_to_whom() -> None:
    told: list[Disclosure] = []
    browser = client([transition(patient="Patient/p1")], [message(1)], audit=told.append)
    told.clear()  # the link led to the worklist
    for path in ("/worklist?show=all", "/worklist/tr-1", "/console", "/console/messages/1"):
        assert browser.get(path).status_code == 200
    one, row = ((TRANSITION, "tr-1"),), ((INPUT, "1"),)
    assert [(each.query, each.shown.identifiers, each.shown.patients) for each in told] == [
        ("/worklist?show=all", one, ("Patient/p1",)),
        ("/worklist/tr-1", one, ("Patient/p1",)),
        ("/console", row, ()),
        ("/console/messages/1", row, ()),
    ]
    assert {(each.act, each.role, each.who) for each in told} == {("view", "coordinator", told[0].who)}
    assert told[0].who.startswith("session ")


def test_a_page_that_shows_no_record_leaves_no_audit_event() -> None:
    told: list[Disclosure] = []
    browser = client(audit=told.append)
    for path in ("/worklist", "/worklist/tr-9", "/console", "/console/messages/9", "/web/style.css"):
        browser.get(path)
    client([transition()], signed_in=False, audit=told.append).get("/worklist")
    assert told == []


def test_a_page_that_cannot_be_audited_is_not_shown() -> None:
    def refuse(_: Disclosure) -> None:
        raise Unavailable("too many messages are waiting")

    told: list[Disclosure] = []
    trail = [told.append]
    browser = client([transition()], [message(1)], audit=lambda disclosure: trail[0](disclosure))
    trail[0] = refuse
    for path in ("/worklist", "/worklist/tr-1", "/console", "/console/messages/1"):
        answer = browser.get(path)
        assert answer.status_code == 503
        assert "Núñez" not in answer.text
        assert "Load this page again" in answer.text


def test_the_page_of_a_transition_draws_its_timeline() -> None:
    told = [{"at": "2026-11-18T11:30:00-05:00", "kind": "stay", "text": f"Discharged: {HOSTILE}", "reference": None, "agency": None}]
    text = client([transition(zone="America/New_York", timeline=told)]).get("/worklist/tr-1").text
    assert '<li class="at-stay day">' in text
    assert "Discharged: &lt;script&gt;" in text
    assert "day 4" in text, "now: the fourth day after the discharge"
    assert " style=" not in text, "the pages' policy takes no inline style"


def _terminal(renderable: Any) -> str:
    out = StringIO()
    Console(file=out, width=WIDTH, highlight=False).print(renderable)
    return out.getvalue()


def test_the_terminal_s_worklist_fits_120_columns_and_says_the_same() -> None:
    rows = [
        transition(
            client={"name": "Maximiliane [bold]Wolkenstein-Trostburg[/bold]", "birth_date": "1961-04-12"},
            hospital="A Very Long Hospital Name of the County",
        ),
        transition(id="c", status="closed", closed_as="died", flags=[]),
        transition(id="v", status="void", flags=[]),
    ]
    text = _terminal(render_worklist(rows, NOW, {"harbor-house": "Harbor House"}))
    assert max(len(line) for line in text.splitlines()) <= WIDTH
    assert "1 to follow up, 1 of them flagged; 2 closed or void" in text
    flat = " ".join(text.split())
    assert "[bold]" in flat.replace(" ", "")
    for words in ("urgent", "left 4 days", "No follow-up scheduled", "died", "discharge cancelled"):
        assert words in flat


def test_the_terminal_s_transition_says_why_and_what_clears_it() -> None:
    text = _terminal(render_transition(transition(), NOW))
    for words in ("Cleared by: Book a mental-health visit", "Because: ADT^A03 from lakeside (message 17)", "since Wed 18 Nov 2026 11:30"):
        assert words in text


@pytest.mark.parametrize(
    ("changes", "since"),
    [
        ({"discharged": "2026-11-22T23:50:00-05:00"}, "left today"),
        ({"discharged": "2026-11-21T00:10:00-05:00"}, "left yesterday"),
        ({"discharged": None, "status": "anticipated", "expected_discharge": "2026-11-23"}, "leaves tomorrow"),
        ({"discharged": None, "status": "anticipated", "expected_discharge": "2026-11-20"}, "was to leave 2 days ago"),
        ({"status": "void"}, "discharge cancelled"),
        ({"status": "closed", "closed_as": "follow-up-kept"}, "seen"),
    ],
)
def test_days_are_counted_by_the_calendar_of_the_hospital(changes: dict[str, Any], since: str) -> None:
    assert entry(transition(**changes), NOW).since == since


def test_the_cookie_is_named_once() -> None:
    browser = client()
    assert COOKIE in browser.cookies


def test_what_a_sender_wrote_cannot_command_the_terminal() -> None:
    hostile = "Eve\x1b]0;owned\x07\x9b31m\u202e"
    body = transition(client={"name": hostile, "birth_date": None, "identifiers": [{"value": hostile}]}, hospital=hostile)
    shown = [render_worklist([body], NOW), render_transition(body, NOW)]
    for renderable in shown:
        assert not set(_terminal(renderable)) & set("\x1b\x07\x9b\u202e")
