"""Finding messages, and replaying them after a feed's profile was mended: first to see what would change, then for good."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import orjson
import pytest

DISCHARGE = (
    "MSH|^~\\&|ADT|STMARY|||{at}||ADT^A03^ADT_A03|{id}|P|2.5.1\rEVN|A03|{at}\rPID|1||{mrn}^^^STMARY^MR||Example^Erika||19800102|F\r"
    "PV1|1|I|{unit}^1^A||||||||||||||||{visit}^^^STMARY^VN|||||||||||||||||01||||||||20260301|{at}\r"
)
STRANGE = "MSH|^~\\&|ADT|STMARY|||20260320||ADT^A03|3|P|2.5.1\rEVN|A03|20260320\r"


def gateway(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(Path(sys.executable).parent / "gateway"), *words], capture_output=True, text=True, timeout=60)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Two discharges from a ward that the profile wrongly calls another than psychiatric, and a message without a client."""
    profile(tmp_path, '["BHU"]', '["4WEST"]')
    messages = [
        DISCHARGE.format(at="20260320", id="1", mrn="M1", unit="4WEST", visit="V1"),
        DISCHARGE.format(at="20260321", id="2", mrn="M1", unit="4WEST", visit="V2"),
        STRANGE,
    ]
    for number, message in enumerate(messages):
        (tmp_path / f"{number}.hl7").write_text(message)
    from gateway.pipeline import Journey, Received
    from gateway.settings import load
    from gateway.stores import configuration_of, open_store

    settings = load(tmp_path / "gateway.toml")
    store = open_store(settings, tmp_path)
    journey = Journey(store, configuration_of(settings, store), lambda: 1_774_130_400_000_000)  # 21 March 2026, 22:00 UTC
    journey.start()
    for message in messages:
        journey.submit(Received("hl7v2", message.encode())).result(30)
    journey.stop()
    store.close()
    return tmp_path


def profile(folder: Path, units: str, others: str = "[]") -> None:
    (folder / "gateway.toml").write_text(
        f'[[feed]]\nname = "st-mary"\nsending_facility = "STMARY"\npsychiatric_units = {units}\nother_units = {others}\n'
    )


def listed(folder: Path, *words: str) -> list[str]:
    rows = orjson.loads(gateway("messages", "list", "--data", str(folder), "--json", *words).stdout)
    return [row["control_id"] for row in rows]


def test_messages_are_found_by_record_number_by_visit_and_by_both(data: Path) -> None:
    assert listed(data, "--mrn", "M1") == ["2", "1"]
    assert listed(data, "--visit", "V1") == ["1"]
    assert listed(data, "--mrn", "M1", "--visit", "V2") == ["2"]
    assert listed(data, "--mrn", "M2", "--visit", "V2") == []


def test_law_2_a_dry_run_says_what_a_replay_would_change_and_changes_nothing(data: Path) -> None:
    assert gateway("transitions", "list", "--data", str(data), "--json").stdout == "[]\n"
    profile(data, '["BHU", "4WEST"]')
    first = ("messages", "replay", "1", "--data", str(data))
    tried = gateway(*first, "--dry-run")
    assert tried.returncode == 0
    lines = tried.stdout.splitlines()
    assert lines[0] == "1 processed"
    assert any(line.startswith("    new      CarePlan/") for line in lines)
    assert any(line.startswith("    new      Task/") for line in lines)
    assert any(line.startswith("    transition ") and line.endswith(": none -> open, flagged") for line in lines)
    assert gateway("transitions", "list", "--data", str(data), "--json").stdout == "[]\n"
    assert gateway(*first).stdout == "1 processed\n"
    assert len(orjson.loads(gateway("transitions", "list", "--data", str(data), "--json").stdout)) == 1
    assert gateway(*first, "--dry-run").stdout == "1 processed\n    nothing would change\n"


def test_what_would_still_not_be_understood_is_said_with_the_reason(data: Path) -> None:
    tried = gateway("messages", "replay", "--dry-run", "--data", str(data))
    assert (tried.returncode, tried.stdout.splitlines()[1:]) == (1, ["    nothing would change"])
    assert tried.stdout.startswith("3 quarantined: ")
    assert "no PID segment" in tried.stdout
