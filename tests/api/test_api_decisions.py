"""People decide, and agencies open and close, over HTTP against the whole gateway: who may, what is refused and where, and what comes of it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import orjson
import pytest

from gateway.store.interface import Filter
from tests.attacks_privacy.town import Client, Town, town

Json = dict[str, Any]
ADA, BEA, CLEO, DORA, EVE = (Client(f"D{number}", f"{name}^Test") for number, name in enumerate(("Ada", "Bea", "Cleo", "Dora", "Eve")))
PLAIN = Client("D9", "Plain^Test")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    with town(tmp_path_factory.mktemp("town")) as made:
        for who in (ADA, BEA, CLEO, DORA, EVE):
            made.discharged(who)
        yield made


def transition(place: Town, who: Client, partner: str = "coordinator") -> Json:
    """The client's transition as a partner's feed has it; {} where it has none."""
    rows, _ = place.partners[partner].feed()
    return next((row for row in rows if (row.get("client") or {}).get("name", "").endswith(who.name.split("^")[0])), {})


def decide(place: Town, who: Client | str, partner: str = "coordinator", **said: Any) -> Any:
    name = who if isinstance(who, str) else transition(place, who)["id"]
    return place.partners[partner].ask("POST", f"/api/transitions/{name}/decisions", json=said)


def inputs(place: Town, kind: str) -> list[Json]:
    """The inbox's rows of a kind, oldest first: what each says, and who said it."""
    with place.gateway.store.reading() as reader:
        rows = [row for row in reader.messages(Filter(oldest_first=True)) if row.kind == kind]
    return [{**orjson.loads(row.raw), "by": row.about["by"]} for row in rows]


def events(place: Town) -> list[Json]:
    """The audit trail."""
    place.later(seconds=1)  # a commit, with which it is written
    with place.gateway.store.reading() as reader:
        return [orjson.loads(body) for _, _, body in reader.audit(0, 100_000)]


def test_a_coordinator_closes_and_reopens_and_is_shown_the_transition_as_it_then_is(place: Town) -> None:
    closed = decide(place, ADA, what="close", value="left-region", reason="moved to Ohio")
    assert closed.status_code == 200
    assert closed.headers["cache-control"] == "no-store"
    assert (closed.json()["status"], closed.json()["closed_as"]) == ("closed", "left-region")
    assert closed.json() == transition(place, ADA)
    assert decide(place, ADA, partner="operator", what="reopen", reason="came back").json()["status"] == "open"


def test_the_same_request_again_changes_nothing_and_tells_nobody(place: Town) -> None:
    said = {"what": "close", "value": "left-region", "reason": "moved"}
    name = transition(place, BEA)["id"]
    first = decide(place, name, **said).json()
    taken, (_, cursor) = inputs(place, "decision"), place.coordinator.feed()
    for _ in range(3):
        assert decide(place, name, **said).json() == first
    assert inputs(place, "decision") == taken
    assert place.coordinator.feed(cursor)[0] == []


def test_the_same_request_at_once_from_many_closes_once(place: Town) -> None:
    place.discharged(who := Client("D21", "Many^Test"))
    said = {"what": "close", "value": "left-region", "reason": "moved"}
    name = transition(place, who)["id"]
    threads = [threading.Thread(target=decide, args=(place, name), kwargs=said) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    one = transition(place, who)
    assert (one["closed_as"], [turn["ended"] for turn in one["assignments"]]) == ("left-region", ["left-region"])


def test_the_same_words_are_a_new_decision_once_something_has_overtaken_the_first(place: Town) -> None:
    said = {"what": "route", "value": "harbor-house", "reason": "asked for"}
    for _ in range(2):
        assert [turn["agency"] for turn in decide(place, CLEO, **said).json()["assignments"]] == ["river-cmhc", "harbor-house"]
    assert place.harbor.accept(place.patient(CLEO), "rejected", statusReason={"text": "full"}).status_code == 200
    assert transition(place, CLEO)["queue"] == "coordinator"
    assert decide(place, CLEO, **said).json()["agency"] == "harbor-house"
    close, reopen = {"what": "close", "value": "left-region", "reason": "moved"}, {"what": "reopen", "reason": "came back"}
    for said, status in ((close, "closed"), (reopen, "open"), (close, "closed"), (close, "closed"), (reopen, "open")):
        assert decide(place, CLEO, **said).json()["status"] == status


def test_who_decided_is_the_client_that_asked_and_no_body_says_otherwise(place: Town) -> None:
    for forged in ("by", "user", "transition", "patient", "at", "request"):
        refused = decide(place, DORA, what="reopen", reason="x", **{forged: "somebody"})
        assert refused.status_code == 422
        assert refused.json()["issue"][0]["expression"] == [forged]
    decide(place, DORA, what="route", value="coordinator", reason="<script>alert(1)</script>")
    assert (inputs(place, "decision")[-1]["by"], inputs(place, "decision")[-1]["reason"]) == ("coordinator", "<script>alert(1)</script>")


def test_only_the_coordinator_and_the_operator_decide(place: Town) -> None:
    mine, unknown = transition(place, ADA)["id"], "0" * 32
    for partner in ("river-cmhc", "narrow", "hospital"):
        for name in (mine, unknown):
            assert decide(place, name, partner=partner, what="reopen", reason="x").status_code == 403
    assert place.nobody.ask("POST", f"/api/transitions/{mine}/decisions", json={"what": "reopen", "reason": "x"}).status_code == 401
    answers = [decide(place, name, what="reopen", reason="x") for name in (unknown, "coordinator", "%00", "a" * 3000)]
    assert {answer.status_code for answer in answers} == {404}


REFUSED: list[tuple[Any, int, list[str]]] = [
    ({"what": "close", "value": "bored", "reason": "x"}, 422, ["value"]),
    ({"what": "close", "value": "left-region"}, 422, ["reason"]),
    ({"what": "route", "value": "nowhere"}, 422, ["value"]),
    ({"what": "confirm-kind", "value": "other", "about": "Patient/1"}, 422, ["about"]),
    ({"what": "unanswered", "value": "1"}, 422, ["what"]),
    ({"what": "passed-over", "value": "1", "about": "river-cmhc"}, 422, ["what"]),
    ({"what": "reopen", "reason": 5}, 422, ["decision"]),
    ({"what": "reopen", "reason": "x" * 2001}, 422, ["reason"]),
    ({}, 422, ["what"]),
    ([], 400, []),
    ("reopen", 400, []),
    (b"", 400, []),
    (b"{", 400, []),
    (b'{"what": "reopen", "what": "close"}', 400, []),
    (b'{"what": "reopen", "reason": "\\ud800"}', 400, []),
    (b'{"what": NaN}', 400, []),
    (b"[" * 100_000, 400, []),
]


@pytest.mark.parametrize(("body", "status", "location"), REFUSED, ids=[repr(row[0])[:60] for row in REFUSED])
def test_what_cannot_be_decided_is_refused_with_its_place_and_leaves_no_trace(place: Town, body: Any, status: int, location: list[str]) -> None:
    before = inputs(place, "decision")
    path = f"/api/transitions/{transition(place, ADA)['id']}/decisions"
    raw = body if isinstance(body, bytes) else orjson.dumps(body)
    refused = place.coordinator.ask("POST", path, content=raw, headers={"Content-Type": "application/json"})
    assert (refused.status_code, refused.json()["resourceType"]) == (status, "OperationOutcome")
    assert not location or refused.json()["issue"][0]["expression"] == location
    assert inputs(place, "decision") == before


def test_other_methods_kinds_and_sizes_are_refused(place: Town) -> None:
    path = f"/api/transitions/{transition(place, ADA)['id']}/decisions"
    assert place.coordinator.get(path).status_code == 405
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    assert place.coordinator.ask("POST", path, content=b"what=reopen", headers=form).status_code == 415
    huge = b'{"what": "reopen", "reason": "' + b"x" * (17 * 1024 * 1024) + b'"}'
    assert place.coordinator.ask("POST", path, content=huge, headers={"Content-Type": "application/json"}).status_code == 413


def test_a_decision_leaves_an_audit_event_and_a_refused_one_none(place: Town) -> None:
    before = len(events(place))
    decide(place, "0" * 32, what="reopen", reason="x")
    assert len(events(place)) == before
    one = transition(place, ADA)
    before = len(events(place))
    decide(place, one["id"], what="reopen", reason="again")
    (event,) = events(place)[before:]
    assert event["action"] == "U"
    assert event["agent"][0]["who"]["identifier"]["value"] == "coordinator"
    told = [entity["what"].get("reference") or entity["what"]["identifier"]["value"] for entity in event["entity"]]
    assert told == [one["patient"], one["id"]]


def test_what_was_taken_off_the_list_can_be_put_back(place: Town) -> None:
    one = transition(place, EVE)
    gone = decide(place, one["id"], what="psychiatric", value="no")
    assert (gone.status_code, gone.json()) == (200, {"id": one["id"], "status": "withdrawn"})
    assert decide(place, one["id"], what="psychiatric", value="yes").json()["status"] == "open"


def test_an_agency_that_takes_a_client_whom_a_person_sent_there_keeps_it(place: Town) -> None:
    place.discharged(who := Client("D20", "Frida^Test"))
    decide(place, who, what="route", value="harbor-house", reason="asked for")
    assert place.harbor.accept(place.patient(who)).status_code == 200
    turns = [(turn["agency"], turn["status"]) for turn in transition(place, who)["assignments"]]
    assert turns == [("river-cmhc", "cancelled"), ("harbor-house", "accepted")]


# --- openings


def put(place: Town, partner: str, path: str = "/api/agency", **said: Any) -> Any:
    return place.partners[partner].ask("PUT", path, json=said)


NOTHING_SAID = {"open": True, "places": None, "until": None, "reason": ""}


def test_an_agency_sets_its_own_opening_and_routing_passes_it_over_from_then_on_until_it_opens(place: Town) -> None:
    assert place.river.get("/api/agency").json() == {"agency": "river-cmhc", **NOTHING_SAID}
    closed = put(place, "river-cmhc", open=False, reason="two on leave")
    assert (closed.status_code, closed.json()) == (200, {"agency": "river-cmhc", **NOTHING_SAID, "open": False, "reason": "two on leave"})
    assert place.river.get("/api/agency").json() == closed.json()
    place.discharged(who := Client("D30", "Gala^Test"))
    assert transition(place, who)["queue"] == "coordinator", "harbor does not serve 62701"
    assert transition(place, who)["assignments"][0]["why"] == "no agency that the rules name takes new clients: river-cmhc"
    assert put(place, "river-cmhc", open=True, places=1).status_code == 200
    place.discharged(who := Client("D31", "Hale^Test"))
    assert transition(place, who)["agency"] == "river-cmhc"


def test_a_closing_ends_by_the_care_clock(place: Town) -> None:
    until = place.at + timedelta(hours=2)
    assert put(place, "river-cmhc", open=True, places=0, until=until.isoformat()).status_code == 200
    place.discharged(first := Client("D40", "Iris^Test"))
    place.later(hours=3)
    place.discharged(second := Client("D41", "Jane^Test"))
    assert [transition(place, who)["agency"] for who in (first, second)] == [None, "river-cmhc"]
    put(place, "river-cmhc", open=True)


def test_the_coordinator_sets_it_for_them_and_nobody_sees_or_sets_another_s(place: Town) -> None:
    assert put(place, "coordinator", "/api/agencies/harbor-house", open=False, reason="flood").status_code == 200
    assert place.harbor.get("/api/agency").json()["reason"] == "flood"
    assert place.partners["operator"].get("/api/agencies/harbor-house").json()["open"] is False
    assert put(place, "harbor-house", open=True).json()["open"] is True
    for name in ("harbor-house", "river-cmhc", "nobody"):
        answers = [place.river.get(f"/api/agencies/{name}"), put(place, "river-cmhc", f"/api/agencies/{name}", open=False)]
        assert {answer.status_code for answer in answers} == {403}
        assert len({answer.content for answer in answers}) == 1
    assert place.harbor.get("/api/agency").json()["open"] is True
    assert place.coordinator.get("/api/agencies/nobody").status_code == 404
    assert place.coordinator.get("/api/agency").status_code == 403
    assert place.hospital.get("/api/agency").status_code == 403
    assert place.nobody.get("/api/agency").status_code == 401
    assert put(place, "narrow", open=False).status_code == 403
    assert place.partners["narrow"].get("/api/agency").status_code == 403


def test_the_same_opening_again_is_no_news(place: Town) -> None:
    put(place, "river-cmhc", open=True, places=5)
    before = inputs(place, "opening")
    for _ in range(3):
        assert put(place, "river-cmhc", open=True, places=5).status_code == 200
    assert inputs(place, "opening") == before
    assert before[-1]["by"] == "river-cmhc"


WRONG: list[tuple[Json, str]] = [
    ({}, "open"),
    ({"open": "false"}, "open"),
    ({"open": 1}, "open"),
    ({"open": True, "places": -1}, "places"),
    ({"open": True, "places": 2.5}, "places"),
    ({"open": True, "places": True}, "places"),
    ({"open": True, "places": 10**30}, "places"),
    ({"open": False, "until": "tomorrow"}, "until"),
    ({"open": False, "until": "2026-12-01T08:00:00"}, "until"),
    ({"open": False, "until": "2026-12-01"}, "until"),
    ({"open": False, "until": 5}, "until"),
    ({"open": True, "until": "2026-12-01T08:00:00Z"}, "until"),
    ({"open": False, "reason": None}, "reason"),
    ({"open": False, "reason": "x" * 501}, "reason"),
    ({"open": False, "agency": "harbor-house"}, "agency"),
    ({"open": False, "by": "harbor-house"}, "by"),
]


@pytest.mark.parametrize(("said", "location"), WRONG, ids=[repr(row[0])[:50] for row in WRONG])
def test_an_opening_that_says_nothing_is_refused_with_its_place(place: Town, said: Json, location: str) -> None:
    refused = place.river.ask("PUT", "/api/agency", content=orjson.dumps(said) if said.get("places") != 10**30 else b'{"open":true,"places":1e30}')
    assert refused.status_code == 422
    assert refused.json()["issue"][0]["expression"] == [location]


@pytest.mark.parametrize("until", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "2026-12-01T08:00:00Z"])
def test_a_moment_at_the_edge_of_time_breaks_nothing(place: Town, until: str) -> None:
    assert put(place, "harbor-house", open=False, until=until).status_code == 200
    place.discharged(Client(f"D5{until[:2]}", "Kim^Test", postal_code="62501"))
    put(place, "harbor-house", open=True)
