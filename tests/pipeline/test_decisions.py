"""Decisions are inputs: people's, and the policy's that moves on what an agency has left unanswered."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import orjson
import pytest

from gateway.errors import Invalid
from gateway.mappings.decisions import check
from gateway.pipeline import Received
from gateway.pipeline.intake import take
from gateway.pipeline.rebuild import rebuild
from gateway.records.times import moment
from gateway.store.interface import ALL, Filter, Store
from tests.pipeline.county import CONFIGURATION, NOW, feed, memory_folder, message, state, store_at, visit, wake
from transitions.policy import Agency, Policy

HOUR = 3_600_000_000
TWO = replace(CONFIGURATION, policy=Policy(agencies=(Agency("river", "River", ("627*",)), Agency("harbor", "Harbor", ("62*",)))))
A03 = message("ADT^A03^ADT_A03", "20260310110000", "11", visit(discharged="20260310104500", disposition="01"))


def transition(store: Store, recipient: str = ALL) -> dict[str, Any]:
    """The only one, as the recipient sees it; {} where it sees none."""
    with store.reading() as reader:
        rows = [orjson.loads(row.body) for row in reader.worklist(recipient) if row.body is not None]
    assert len(rows) < 2
    return rows[0] if rows else {}


def decide(store: Store, now: int, what: str, value: str = "", about: str = "", reason: str = "because") -> None:
    one = transition(store)
    said = {"what": what, "value": value, "about": about, "reason": reason}
    check(said, frozenset({"river", "harbor"}))
    body = {"transition": one["id"], "patient": one["patient"], **said}
    with store.write(now) as writer:
        take(writer, Received("decision", orjson.dumps(body), about={"by": "ann", "request": f"{what}{now}"}), now, TWO)


def whose(store: Store) -> list[tuple[str | None, str | None]]:
    return [(turn["agency"], turn["ended"]) for turn in transition(store)["assignments"]]


def codes(store: Store) -> list[str]:
    return [flag["code"] for flag in transition(store)["flags"]]


def test_news_that_comes_ten_days_late_gives_the_agency_its_24_hours_all_the_same_then_moves_on_and_in_the_end_to_the_coordinator() -> None:
    with memory_folder() as folder, store_at(folder, TWO) as store:
        feed(store, [A03], configuration=TWO)
        wake(store, NOW, TWO)
        assert whose(store) == [("river", None)]
        assert "not-picked-up" in codes(store), "the flag goes by the discharge"
        wake(store, NOW + 24 * HOUR - 2_000_000, TWO)
        assert whose(store) == [("river", None)]
        wake(store, NOW + 24 * HOUR + 2_000_000, TWO)
        assert whose(store) == [("river", "unanswered"), ("harbor", None)]
        assert transition(store, "river") == {}
        assert transition(store, "harbor")["id"] == transition(store)["id"]
        flag = next(flag for flag in transition(store)["flags"] if flag["code"] == "not-picked-up")
        assert flag["since"] == "2026-03-11T10:45:00-05:00", "nobody has picked the client up since"
        wake(store, NOW + 49 * HOUR, TWO)
        assert whose(store) == [("river", "unanswered"), ("harbor", "unanswered"), (None, None)]
        assert transition(store)["queue"] == "coordinator"
        assert "not-picked-up" in codes(store)
        before = state(store, TWO)
        rebuild(store, TWO, NOW + 49 * HOUR)
        assert state(store, TWO) == before


def test_waking_again_and_again_decides_nothing_twice() -> None:
    with memory_folder() as folder, store_at(folder, TWO) as store:
        feed(store, [A03], configuration=TWO)
        for hours in (0, 25, 25, 26, 26):
            wake(store, NOW + hours * HOUR, TWO)
        with store.reading() as reader:
            decisions = [row.event for row in reader.messages(Filter()) if row.kind == "decision"]
        assert decisions == ["decision unanswered"]


def test_an_agency_that_has_accepted_keeps_its_client() -> None:
    with memory_folder() as folder, store_at(folder, TWO) as store:
        feed(store, [A03], configuration=TWO)
        decide(store, NOW + HOUR, "route", "harbor")
        assert whose(store) == [("river", "routed"), ("harbor", None)]
        decide(store, NOW + 2 * HOUR, "route", "coordinator")
        wake(store, NOW + 80 * HOUR, TWO)
        assert whose(store)[-1] == (None, None), "the coordinator's own queue needs no answer"


def test_a_person_closes_and_reopens_with_a_reason_and_a_rebuild_ends_the_same() -> None:
    with memory_folder() as folder, store_at(folder, TWO) as store:
        feed(store, [A03], configuration=TWO)
        decide(store, NOW + HOUR, "close", "left-region", reason="moved to Ohio")
        assert (transition(store)["status"], transition(store)["closed_as"]) == ("closed", "left-region")
        decide(store, NOW + 2 * HOUR, "reopen", reason="came back")
        assert transition(store)["status"] == "open"
        before = state(store, TWO)
        rebuild(store, TWO, NOW + 2 * HOUR)
        assert state(store, TWO) == before


def test_a_person_says_where_the_client_went_when_the_hospital_does_not() -> None:
    unknown = message("ADT^A03^ADT_A03", "20260310110000", "11", visit(discharged="20260310104500"))
    with memory_folder() as folder, store_at(folder, TWO) as store:
        feed(store, [unknown], configuration=TWO)
        assert "disposition-unknown" in codes(store)
        decide(store, NOW + HOUR, "disposition", "01")
        assert "disposition-unknown" not in codes(store)
        assert transition(store)["disposition"] == {"code": "01", "text": "home"}


WRONG = [
    ({"what": "forget"}, "what"),
    ({"what": "unanswered", "value": "1"}, "what"),
    ({"what": "close", "value": "bored", "reason": "x"}, "value"),
    ({"what": "close", "value": "left-region"}, "reason"),
    ({"what": "reopen"}, "reason"),
    ({"what": "route", "value": "nowhere"}, "value"),
    ({"what": "psychiatric", "value": "perhaps"}, "value"),
    ({"what": "confirm-kind", "value": "mental-health"}, "about"),
    ({"what": "confirm-kind", "value": "mental-health", "about": "Patient/1"}, "about"),
    ({"what": "disposition", "value": "00"}, "value"),
    ({"what": ["close"]}, "decision"),
    ({"what": "reopen", "reason": "x", "by": "somebody else"}, "by"),
    ({"what": "reopen", "reason": "x", "transition": "another"}, "transition"),
    ({"what": "reopen", "reason": "x" * 2001}, "reason"),
    ({"what": "passed-over", "value": "1", "about": "river"}, "what"),
]


@pytest.mark.parametrize(("body", "location"), WRONG, ids=[str(row[0]) for row in WRONG])
def test_what_no_person_can_decide_is_refused_with_the_place(body: dict[str, Any], location: str) -> None:
    with pytest.raises(Invalid) as refused:
        check(body, frozenset({"river"}))
    assert refused.value.location == location


def test_times_in_this_file_are_ten_days_after_the_discharge() -> None:
    assert moment(NOW).isoformat() == "2026-03-20T12:00:00+00:00"
