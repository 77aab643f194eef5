"""The timeline drawn for people: by hand what it looks like at 80 columns, without colour, and the same as rows on the page."""

from __future__ import annotations

from datetime import UTC, datetime
from io import StringIO
from typing import Any

import pytest
from rich.console import Console

from gateway.web.text import print_transition, render_timeline
from gateway.web.timeline import MARKS, lines, rows
from transitions.timeline import Kind

NOW = datetime(2026, 11, 18, 15, tzinfo=UTC)  # Wednesday 09:00 in Chicago
AGENCIES = {"river": "River Community Mental Health"}


def told(at: str, kind: str, text: str, agency: str | None = None) -> dict[str, Any]:
    return {"at": f"2026-11-{at}:00-06:00", "kind": kind, "text": text, "reference": None, "agency": agency}


def flag(code: str, owner: str, due: str) -> dict[str, Any]:
    since = "2026-11-16T12:45:00-06:00"
    return {"code": code, "since": since, "evidence": [], "clears": "Somebody acts.", "owner": owner, "due": due, "next_step": "Act."}


def transition(**changes: Any) -> dict[str, Any]:
    return {
        "id": "tr",
        "client": {"name": "Ada Quist", "birth_date": "1980-02-14", "identifiers": []},
        "hospital": "St. Mary",
        "zone": "America/Chicago",
        "discharged": "2026-11-16T12:45:00-06:00",
        "expected_discharge": None,
        "status": "open",
        "tier": "standard",
        "agency": "river",
        "next_look": "2026-11-24T00:00:00-06:00",
        "follow_up": {"state": "none", "start": None, "evidence": []},
        "flags": [flag("no-follow-up-scheduled", "agency", "2026-11-19T12:45:00-06:00")],
        "timeline": [
            told("07T23:30", "stay", "Admitted (St. Mary)"),
            told("16T12:45", "stay", "Discharged: home"),
            told("16T12:45", "turn", "river has the client (it serves postal codes 627*)", "river"),
            told("16T12:45", "flag", "No follow-up scheduled"),
            told("17T10:00", "contact", "Call: the client was reached (river)", "river"),
        ],
    } | changes


DRAWN = """\
 Day  When                   |
  -9  Sat  7 Nov 2026 23:30  o  Admitted (St. Mary)
   0  Mon 16 Nov 2026 12:45  o  Discharged: home
                             >  River Community Mental Health has the client (it
                             |  serves postal codes 627*)
                             !  No follow-up scheduled
   1  Tue 17 Nov 2026 10:00  +  Call: the client was reached (River Community
                             |  Mental Health)
   2  Wed 18 Nov 2026 09:00  =  Now
   3  Thu 19 Nov 2026 12:45  .  River Community Mental Health is to have acted:
                             |  No follow-up scheduled
   8  Tue 24 Nov 2026 00:00  .  Looked at again: a deadline passes

      o the stay   > whose turn it is   ! flag   + contact   = now   . ahead
"""


def test_at_80_columns() -> None:
    assert "\n".join(lines(rows(transition(), NOW, AGENCIES), 80)) + "\n" == DRAWN


@pytest.mark.parametrize("width", [80, 120])
def test_no_line_is_wider_than_the_terminal_and_nothing_needs_a_colour(width: int) -> None:
    long = transition(
        timeline=[*transition()["timeline"], told("18T08:00", "decision", "Sent to river, decided by ann (" + "because " * 40 + ")", "river")]
    )
    out = StringIO()
    Console(file=out, width=width, highlight=False).print(render_timeline(rows(long, NOW, AGENCIES), width))
    text = out.getvalue()
    assert text.isascii()
    assert max(len(line.rstrip()) for line in text.splitlines()) <= width
    assert "\x1b" not in text


def test_every_kind_of_entry_has_its_mark() -> None:
    from typing import get_args

    assert set(get_args(Kind)) <= set(MARKS)


def test_what_a_sender_wrote_is_not_obeyed(capsys: pytest.CaptureFixture[str]) -> None:
    print_transition(transition(timeline=[told("16T12:45", "stay", "Discharged: \x1b[31mhome")]), NOW, AGENCIES)
    assert "\x1b" not in capsys.readouterr().out


def test_an_agency_is_named_where_its_id_stands_and_nowhere_else() -> None:
    entry = told("17T11:00", "answer", "river: rejected (lives across the river)", "river")
    row = next(row for row in rows(transition(timeline=[entry]), NOW, AGENCIES) if row.kind == "answer")
    assert row.text == "River Community Mental Health: rejected (lives across the river)"


def test_before_the_discharge_days_are_counted_back_from_the_expected_one() -> None:
    expected = transition(status="anticipated", discharged=None, expected_discharge="2026-11-20T00:00:00-06:00", flags=[], next_look=None)
    found = [(row.day, row.kind, row.text) for row in rows(expected, NOW)]
    assert found[-2:] == [(-2, "now", "Now"), (0, "ahead", "The discharge is expected")]


def test_a_view_without_a_timeline_is_drawn_as_none() -> None:
    """An agency's."""
    assert rows({key: value for key, value in transition().items() if key != "timeline"}, NOW) == ()


def test_what_is_overdue_is_said_to_be_the_coordinators(capsys: pytest.CaptureFixture[str]) -> None:
    late = flag("no-contact", "coordinator", "2026-11-18T08:00:00-06:00")
    print_transition(transition(flags=[*transition()["flags"], late]), NOW, AGENCIES)
    page = capsys.readouterr().out
    assert "Whose: River Community Mental Health, due Thu 19 Nov 2026 12:45" in page
    assert "Whose: Coordinator, overdue since Wed 18 Nov 2026 08:00" in page
    assert page.count("Do next: Act.") == 2
