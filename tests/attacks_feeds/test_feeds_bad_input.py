"""Bad input (issue 2, "Bad input, each with a clear error and nothing lost") against a gateway that serves, over MLLP."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from gateway.adapters.hl7v2.frames import framed
from gateway.er7.reader import read
from tests.attacks_feeds.messages import FAMILY, FEEDS, PID, message
from tests.attacks_feeds.processes import Served, configure, here, receive, rows, serving, start


class Case(NamedTuple):
    """What is sent, and what must come of it: MSA-1, MSA-2, ERR-2 and ERR-3.1 ("" for no ERR), the inbox's state."""

    what: str
    sent: bytes
    code: str
    control: str
    place: str
    condition: str
    state: str


CASES = (
    #    what                        sent                                                   MSA-1 MSA-2  ERR-2        ERR-3  inbox
    Case("good", message("OK"), "AA", "OK", "", "", "processed"),
    Case("not HL7", b"hello " + FAMILY.encode(), "AR", "", "MSH^1", "100", "quarantined"),
    Case("no MSH", message("M1").split(b"\r", 1)[1], "AR", "", "MSH^1", "100", "quarantined"),
    Case("no encoding characters", message("M2", encoding="abc"), "AR", "", "MSH^1^2^1", "102", "quarantined"),
    Case("doubled encoding characters", message("M3", encoding="^^^^"), "AA", "M3", "MSH^1^2^1", "102", "processed"),
    Case("unknown event", message("M4", event="ADT^A99"), "AE", "M4", "MSH^1^9^1^2", "201", "quarantined"),
    Case("unknown type", message("M5", event="ZZZ^Z01"), "AE", "M5", "MSH^1^9^1^1", "200", "quarantined"),
    Case("unknown event, strict", message("M6", event="ADT^A99", facility="STRICT"), "AR", "M6", "MSH^1^9^1^2", "201", "quarantined"),
    Case("unknown version, strict", message("M7", version="9.9", facility="STRICT"), "AR", "M7", "MSH^1^12^1", "203", "quarantined"),
    Case("unknown version", message("M8", version="9.9"), "AA", "M8", "MSH^1^12^1", "203", "processed"),
    Case("no PID", message("M9", pid=""), "AE", "M9", "PID^1", "100", "quarantined"),
    Case("no PID, accepted", message("M10", pid="", facility="PATIENT"), "AA", "M10", "PID^1", "100", "quarantined"),
    Case("no event, accepted", message("M11", event="ADT^A99", facility="PATIENT"), "AA", "M11", "MSH^1^9^1^2", "201", "quarantined"),
    Case("no MSH-10", message(""), "AA", "", "MSH^1^10^1", "101", "processed"),
    Case("no visit number", message("M12", pv1="PV1|1|I|BHU^1^A"), "AA", "M12", "*", "*", "processed"),
    Case("no PV1", message("M13", pv1=""), "AA", "M13", "*", "*", "processed"),
    Case("impossible birth date", message("M14", pid=PID.replace("19800214", "19801399")), "AA", "M14", "PID^1^7^1", "102", "processed"),
    Case("unknown charset", message("M15", charset="KLINGON-8"), "AA", "M15", "MSH^1^18^1", "103", "processed"),
    Case("bytes of another charset", message("M16").replace(b"Ada", b"\xff\xe4"), "AA", "M16", "MSH^1^18^1", "102", "processed"),
    Case("the same again", message("OK"), "AA", "OK", "", "", "duplicate"),
    Case("the control ID again", message("OK", at="20260302100000"), "AA", "OK", "MSH^1^10^1", "205", "processed"),
)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Served, Path]]:
    data = tmp_path_factory.mktemp("bad-input") / "data"
    with serving(data, FEEDS) as running:
        yield running, data


@pytest.fixture(scope="module")
def answers(served: tuple[Served, Path]) -> dict[str, tuple[bytes, dict[str, object]]]:
    """By case: the answer over the wire, and the inbox's row."""
    running, data = served
    given = running.send(*(case.sent for case in CASES))
    inbox = sorted(rows("messages", "list", "--data", data, "--json"), key=lambda row: row["id"])
    assert len(inbox) == len(CASES)
    return {case.what: (answer, row) for case, answer, row in zip(CASES, given, inbox, strict=True)}


@pytest.mark.parametrize("case", CASES, ids=[case.what for case in CASES])
def test_the_sender_is_told_what_and_where_and_the_inbox_holds_it(case: Case, answers: dict[str, tuple[bytes, dict[str, object]]]) -> None:
    raw, row = answers[case.what]
    answer = read(raw)
    statement = answer.first("MSA")
    assert statement is not None
    assert (statement.value(1), statement.value(2)) == (case.code, case.control)
    if case.place != "*":
        errors = {(error.field(2), error.value(3), error.value(3, 3)) for error in answer.all("ERR")}
        assert ((case.place, case.condition, "HL70357") in errors) == bool(case.place)
        assert bool(errors) == bool(case.place)
    assert row["state"] == case.state
    assert row["control_id"] == case.control
    assert bool(row["error"]) == (case.state == "quarantined")


def test_a_repetition_gets_the_first_answer_byte_for_byte(answers: dict[str, tuple[bytes, dict[str, object]]]) -> None:
    assert answers["the same again"][0] == answers["good"][0]
    assert answers["the same again"][1]["original"] == answers["good"][1]["id"]


def test_every_answer_has_a_control_id_of_its_own(answers: dict[str, tuple[bytes, dict[str, object]]]) -> None:
    given = [read(raw).control_id for raw, row in answers.values() if row["state"] != "duplicate"]
    assert len(set(given)) == len(given)
    assert all(1 <= len(each) <= 20 for each in given)


def test_nothing_said_holds_what_was_sent_nor_how_we_are_made(answers: dict[str, tuple[bytes, dict[str, object]]]) -> None:
    for raw, row in answers.values():
        for text in (raw.decode("utf-8", "replace"), str(row["error"])):
            assert FAMILY not in text
            assert not re.search(r"Traceback|Error\(|Exception|/\w+/\w+|line \d", text)


@pytest.mark.parametrize("version", ["2.3", "2.3.1", "2.4", "2.5", "2.5.1", "2.6", "2.7", "2.8", "2.9"])
def test_a_refusal_is_said_in_the_senders_version_delimiters_and_turned_round(served: tuple[Served, Path], version: str) -> None:
    sent = message(f"V{version}", event="ADT$A99", encoding="$*!@", version=version).replace(b"|", b"#").replace(b"^", b"$")
    (raw,) = served[0].send(sent)
    assert raw.startswith(b"MSH#$*!@#GW#COUNTY#ADT#STMARY#")
    answer = read(raw)
    assert (answer.type, answer.version) == ("ACK", version)
    statement, error = answer.first("MSA"), answer.first("ERR")
    assert statement is not None
    assert error is not None
    assert (statement.value(1), statement.value(2)) == ("AE", f"V{version}")
    if version < "2.5":
        assert error.field(1) == "MSH$1$9$201@Unsupported event code@HL70357"
    else:
        assert error.field(2) == "MSH$1$9$1$2"
        assert error.field(3) == "201$Unsupported event code$HL70357"
        assert error.value(8).startswith("This trigger event is not taken")
    assert statement.value(3).startswith("This trigger event is not taken") == (version < "2.7")


def test_a_client_that_hangs_up_half_way_costs_nobody_else_anything(tmp_path: Path) -> None:
    with serving(tmp_path / "data", FEEDS) as running:
        with running.connect() as wire:
            wire.sendall(b"\x0b" + message("HALF")[:60])
        with running.connect() as other:
            other.sendall(framed(message("WHOLE")))
            assert b"MSA|AA|WHOLE" in receive(other)
        running.stop()
    assert [row["control_id"] for row in rows("messages", "list", "--data", tmp_path / "data", "--json")] == ["WHOLE"]
    assert b"mllp connection ended within a frame" in running.said
    assert FAMILY.encode() not in running.said


def test_a_frame_beyond_the_configured_cap_is_refused_with_its_control_id(tmp_path: Path) -> None:
    data = configure(tmp_path / "data", FEEDS)
    toml = (data / "gateway.toml").read_text()
    (data / "gateway.toml").write_text(toml.replace("[mllp]\n", "[mllp]\nmax_frame = 5000\n"))
    running = start(data)
    with running.connect() as wire:
        wire.sendall(b"\x0b" + message("BIG") + b"X" * 6000)
        answer = receive(wire)
    assert b"MSA|AR|BIG" in answer
    assert running.send(message("AFTER"))[0].find(b"MSA|AA|AFTER") > 0
    assert running.stop() == 0


def test_what_was_quarantined_is_alarmed_replayed_after_mending_and_tried_anew_when_sent_again(tmp_path: Path) -> None:
    data = tmp_path / "data"
    odd = message("ODD", version="9.9", facility="STRICT")
    with serving(data, FEEDS) as running:
        first, second = running.send(odd, odd)
        assert b"MSA|AR|ODD" in first
        assert b"MSA|AR|ODD" in second
        running.stop()
    assert running.said.count(b'"event": "input quarantined"') == 2
    (row,) = rows("messages", "list", "--data", data, "--json")
    assert row["state"] == "quarantined"
    still = here("messages", "replay", str(row["id"]), "--data", data)
    assert (still.returncode, still.stdout[:2]) == (1, b"1 ")
    configure(data, FEEDS.replace("strict = true\n", ""))
    mended = here("messages", "replay", "--data", data)
    assert (mended.returncode, mended.stdout) == (0, b"1 processed\n")
    (row,) = rows("messages", "list", "--data", data, "--json")
    assert (row["state"], row["error"]) == ("processed", None)
    assert FAMILY.encode() in here("export", "--data", data, "--type", "Patient").stdout
    with serving(data, FEEDS.replace("strict = true\n", "")) as running:
        assert b"MSA|AA|ODD" in running.send(odd)[0]
    assert [row["state"] for row in rows("messages", "list", "--data", data, "--json")] == ["duplicate", "processed"]
