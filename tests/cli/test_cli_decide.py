"""Deciding, opening and closing at the terminal, beside a gateway that serves the same data."""

from __future__ import annotations

import getpass
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest

from gateway.mappings.decisions import KINDS
from gateway.store.interface import Filter
from tests.attacks_privacy.town import Client, Town, town

ADA, BEA, CLEO = Client("C1", "Ada^Test"), Client("C2", "Bea^Test"), Client("C3", "Cleo^Test")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Town, Path]]:
    folder = tmp_path_factory.mktemp("town")
    with town(folder) as made:
        made.discharged(ADA)
        made.discharged(BEA)
        yield made, folder


def gateway(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(Path(sys.executable).parent / "gateway"), *words], capture_output=True, text=True, timeout=60)


def transition(made: Town, who: Client) -> dict[str, object]:
    return next(row for row in made.coordinator.feed()[0] if row["patient"] == f"Patient/{made.patient(who)}")


def decide(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return gateway("transitions", "decide", *words, "--data", str(folder))


def test_a_decision_is_taken_while_the_gateway_serves_and_the_status_is_printed(place: tuple[Town, Path]) -> None:
    made, folder = place
    one = str(transition(made, ADA)["id"])
    done = decide(folder, one, "close", "left-region", "--reason", "moved to Ohio")
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{one} closed as left-region; river-cmhc; follow-up none; no flag\n", "")
    assert transition(made, ADA)["closed_as"] == "left-region"
    again = decide(folder, one, "reopen", "--reason", "came back", "--by", "Ann Case-Manager")
    assert again.stdout.startswith(f"{one} open; river-cmhc; follow-up none; no-follow-up-scheduled")
    with made.gateway.store.reading() as reader:
        rows = [row for row in reader.messages(Filter(oldest_first=True)) if row.kind == "decision"]
    assert [row.about["by"] for row in rows] == [getpass.getuser(), "Ann Case-Manager"]
    assert orjson.loads(rows[0].raw)["reason"] == "moved to Ohio"


def test_what_cannot_be_decided_is_one_plain_line_and_changes_nothing(place: tuple[Town, Path]) -> None:
    made, folder = place
    one = str(transition(made, BEA)["id"])
    for words, code, told in (
        ((one, "close", "bored", "--reason", "x"), 1, "at value"),
        ((one, "forget", "--reason", "x"), 1, "at what"),
        ((one, "route", "nowhere", "--reason", "x"), 1, "at value"),
        ((one, "close", "left-region", "--reason", " "), 1, "at reason"),
        (("0" * 32, "reopen", "--reason", "x"), 1, "no such transition"),
        ((one, "reopen"), 2, "--reason"),
    ):
        done = decide(folder, *words)
        assert (done.returncode, done.stdout) == (code, ""), words
        assert told in done.stderr
        assert "Traceback" not in done.stderr
    assert transition(made, BEA)["status"] == "open"


def test_the_help_says_everything_that_can_be_decided() -> None:
    told = " ".join(gateway("transitions", "decide", "--help").stdout.split())
    for what in KINDS:
        assert f" {what} VALUE" in told or f" {what}: " in told, what
    for value in ("follow-up-kept", "window-elapsed", "coordinator", "mental-health or other"):
        assert value in told


def test_an_agency_that_is_closed_at_the_terminal_is_passed_over_by_the_running_gateway_at_once(place: tuple[Town, Path]) -> None:
    made, folder = place
    data = ("--data", str(folder))
    closed = gateway("agencies", "close", "river-cmhc", "--reason", "a flood\x1b[2J", *data)
    assert (closed.returncode, closed.stdout) == (0, "river-cmhc: takes no new clients: a flood[2J\n")
    made.discharged(CLEO)
    assert transition(made, CLEO)["queue"] == "coordinator"
    assert transition(made, BEA)["agency"] == "river-cmhc", "it keeps whom it has"
    assert gateway("agencies", "list", *data).stdout == "river-cmhc: takes no new clients: a flood[2J\nharbor-house: open\n"
    assert gateway("agencies", "open", "river-cmhc", *data).stdout == "river-cmhc: open\n"
    assert made.river.get("/api/agency").json()["open"] is True
    missing = gateway("agencies", "close", "nobody", "--reason", "x", *data)
    assert (missing.returncode, missing.stdout) == (1, "")
