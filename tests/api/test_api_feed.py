"""The transitions feed: at least once, in the recipient's own order, and a cursor that was moved repeats nothing (DESIGN, law 8)."""

from __future__ import annotations

import base64
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.api.cursor import make, read
from gateway.errors import Malformed
from gateway.store.interface import ALL
from tests.api.gateway_api import Bench, bench


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[Bench]:
    with bench(tmp_path) as made:
        yield made


def poll(gateway: Bench, cursor: str = "", who: str = "river", more: str = "") -> tuple[list[str], str]:
    told = gateway.as_(who, "GET", f"/api/transitions?cursor={cursor}{more}").json()
    return [f"{each['id']}:{each['status']}" for each in told["transitions"]], told["cursor"]


def test_a_poller_is_told_each_latest_state_once(gateway: Bench) -> None:
    gateway.transition("river", "a", {"id": "a", "status": "open"})
    gateway.transition("river", "b", {"id": "b", "status": "open"})
    found, cursor = poll(gateway)
    assert found == ["a:open", "b:open"]
    assert poll(gateway, cursor) == ([], cursor), "nothing new: the same cursor"
    gateway.transition("river", "a", {"id": "a", "status": "closed"})
    found, moved = poll(gateway, cursor)
    assert found == ["a:closed"]
    assert poll(gateway, cursor)[0] == ["a:closed"], "an old cursor may be asked again"
    assert poll(gateway)[0] == ["b:open", "a:closed"], "each transition's latest state, at its last change"
    assert poll(gateway, moved)[0] == []


def test_what_was_taken_away_is_told_once(gateway: Bench) -> None:
    gateway.transition("river", "a", {"id": "a", "status": "open"})
    _, cursor = poll(gateway)
    gateway.transition("river", "a", None)
    found, cursor = poll(gateway, cursor)
    assert found == ["a:withdrawn"]
    assert poll(gateway, cursor)[0] == []


def test_pages_continue_where_they_ended(gateway: Bench) -> None:
    for number in range(5):
        gateway.transition("river", f"n{number}", {"id": f"n{number}", "status": "open"})
    seen, cursor = [], ""
    while True:
        found, cursor = poll(gateway, cursor, more="&limit=2")
        if not found:
            break
        seen += found
    assert seen == [f"n{number}:open" for number in range(5)]


def test_others_changes_move_nothing(gateway: Bench) -> None:
    gateway.transition("river", "a", {"id": "a", "status": "open"})
    _, cursor = poll(gateway)
    gateway.transition("oak", "x", {"id": "x", "status": "open"})
    gateway.transition(ALL, "x", {"id": "x", "status": "open"})
    assert poll(gateway, cursor) == ([], cursor)


def test_a_cursor_is_its_recipients_own(gateway: Bench) -> None:
    gateway.transition("river", "a", {"id": "a", "status": "open"})
    _, cursor = poll(gateway)
    assert gateway.as_("oak", "GET", f"/api/transitions?cursor={cursor}").status_code == 400
    changed = ("A" if cursor[0] != "A" else "B") + cursor[1:]
    assert gateway.as_("river", "GET", f"/api/transitions?cursor={changed}").status_code == 400


def test_a_cursor_shows_no_position_and_the_same_position_is_the_same_cursor(gateway: Bench) -> None:
    key = b"k" * 32
    cursors = [make(key, "transitions", "river", position) for position in range(200)]
    assert cursors == [make(key, "transitions", "river", position) for position in range(200)], "ETag and 304 rest on it"
    assert len({each[:4] for each in cursors}) > 190, "neighbours have nothing in common"
    assert sorted(cursors) != cursors
    for position, each in enumerate(cursors):
        assert position.to_bytes(8, "big") not in base64.urlsafe_b64decode(each)
    others = [make(key, "transitions", "oak", 7), make(key, "Task?", "river", 7), make(b"j" * 32, "transitions", "river", 7)]
    assert len({cursors[7], *others}) == 4
    for each in others:
        with pytest.raises(Malformed):
            read(key, "transitions", "river", each)


@given(position=st.integers(-(2**63), 2**63 - 1))
def test_a_cursor_leads_back_to_its_position(position: int) -> None:
    assert read(b"k" * 32, "p", "r", make(b"k" * 32, "p", "r", position)) == position


@given(st.text(max_size=40) | st.text("ABCabc019-_=+/ !", min_size=32, max_size=32))
def test_what_is_no_cursor_is_refused(text: str) -> None:
    with pytest.raises(Malformed):
        read(b"k" * 32, "p", "r", text)


def test_not_modified(gateway: Bench) -> None:
    gateway.transition("river", "a", {"id": "a", "status": "open"})
    _, cursor = poll(gateway)
    headers = {"If-None-Match": f'"{cursor}"'}
    assert gateway.as_("river", "GET", f"/api/transitions?cursor={cursor}", headers=headers).status_code == 304


def test_a_long_poll_returns_with_the_commit(gateway: Bench) -> None:
    _, cursor = poll(gateway)
    timer = threading.Timer(0.2, lambda: gateway.transition("river", "a", {"id": "a", "status": "open"}))
    timer.start()
    found, _ = poll(gateway, cursor, more="&wait=20")
    timer.join()
    assert found == ["a:open"]


def test_a_long_poll_ends_when_its_time_is_over(gateway: Bench) -> None:
    _, cursor = poll(gateway)
    timer = threading.Timer(0.2, lambda: gateway.transition("oak", "x", {"id": "x", "status": "open"}))  # another's change wakes, and is not told
    timer.start()
    assert poll(gateway, cursor, more="&wait=1") == ([], cursor)
    timer.join()
