"""The whole fortnight over real MLLP and HTTP, once; then every scenario's end against what its file expects, which was written by hand."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest

from gateway.app import running
from gateway.demo.county import county
from gateway.demo.player import Outcome
from gateway.demo.run import clock_before, fortnight, prepare, run_demo, worklist
from gateway.demo.scenario import Expectation, Scenario, scenarios
from gateway.errors import Usage
from gateway.settings import load
from gateway.store.interface import Filter, Input

END = datetime(2026, 11, 21, 18, 0, tzinfo=UTC)
COUNTY = county()
SCENARIOS = scenarios()
EXPECTED = [(scenario, expectation) for scenario in SCENARIOS for expectation in scenario.expectations]


@dataclass(frozen=True)
class Played:
    """The fortnight's end."""

    outcomes: list[Outcome]
    transitions: list[dict[str, Any]]
    agencies: dict[str, list[dict[str, Any]]]
    inputs: list[Input]
    disclosed: dict[str, str]  # agency id -> every resource that it can read, as text

    def of(self, expectation: Expectation) -> list[dict[str, Any]]:
        """The transitions of this record number's stays in this hospital."""
        title = COUNTY.hospitals[expectation.hospital].title
        return [
            body
            for body in self.transitions
            if body["hospital"] == title and expectation.mrn in {identifier["value"] for identifier in body["client"]["identifiers"]}
        ]


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Played:
    directory = tmp_path_factory.mktemp("demo") / "data"
    directory.mkdir()

    async def run() -> Played:
        keys = prepare(directory, COUNTY, 0)
        async with running(load(directory / "gateway.toml"), directory, clock_before(COUNTY, END)) as gateway:
            outcomes = await fortnight(gateway, COUNTY, keys, END)
            with gateway.store.reading() as reader:
                inputs = list(reader.messages(Filter()))
                agencies = {agency: [orjson.loads(row.body) for row in reader.worklist(agency) if row.body is not None] for agency in COUNTY.agencies}
                disclosed = {agency: "\n".join((one.body or b"").decode() for one in reader.export(agency)) for agency in COUNTY.agencies}
            return Played(outcomes, worklist(gateway.store), agencies, inputs, disclosed)

    return asyncio.run(run())


def test_every_step_comes_out_as_its_file_tells(played: Played) -> None:
    failed = [outcome for outcome in played.outcomes if not outcome.as_told]
    assert [(one.moment.scenario.name, one.moment.step.what, one.answer, one.text) for one in failed] == []


@pytest.mark.parametrize(("scenario", "expectation"), EXPECTED, ids=[f"{scenario.name}:{expectation.mrn}" for scenario, expectation in EXPECTED])
def test_each_scenario_ends_as_its_file_expects(scenario: Scenario, expectation: Expectation, played: Played) -> None:
    found = played.of(expectation)
    if not expectation.tracked:
        assert found == []
        return
    assert len(found) == 1
    body = found[0]
    ended = {
        "status": body["status"],
        "follow_up": body["follow_up"]["state"],
        "flags": frozenset(flag["code"] for flag in body["flags"]),
        "tier": body["tier"],
        "queue": body["queue"],
        "agency": body["agency"] or "",
        "closed_as": body["closed_as"],
    }
    wanted = {name: getattr(expectation, name) for name in ended if getattr(expectation, name) is not None}
    assert {name: ended[name] for name in wanted} == wanted


def test_every_status_and_most_flags_are_to_be_seen(played: Played) -> None:
    assert {body["status"] for body in played.transitions} == {"anticipated", "open", "closed", "void"}
    raised = {flag["code"] for body in played.transitions for flag in body["flags"]}
    assert raised == {
        *("no-follow-up-scheduled", "follow-up-too-late", "kind-unconfirmed", "not-picked-up", "no-contact", "missed-appointment"),
        *("outcome-unknown", "no-follow-up-7-days", "no-follow-up-30-days", "left-against-advice", "emergency-return", "arrival-not-seen"),
        *("disposition-unknown", "service-unknown", "identity-uncertain"),
    }


def test_every_flag_says_since_when_why_and_what_clears_it(played: Played) -> None:
    for body in played.transitions:
        for flag in body["flags"]:
            assert flag["clears"]
            assert flag["evidence"]
            assert datetime.fromisoformat(flag["since"]) <= END


def test_an_agency_sees_neither_the_withheld_stay_nor_another_agency_s(played: Played) -> None:
    river = {identifier["value"] for body in played.agencies["river-cmhc"] for identifier in body["client"]["identifiers"]}
    assert "CR-3301" not in river
    assert "CR-3318" in river  # since her consent
    shared = {body["id"] for body in played.agencies["river-cmhc"]} & {body["id"] for body in played.agencies["harbor-house"]}
    assert shared == set()


def test_what_the_agency_may_not_know_of_the_homeless_client_is_not_among_the_reasons_it_sees(played: Played) -> None:
    [known] = [body for body in played.transitions if body["client"]["name"] == "Calvin Redd"]
    [seen] = [body for body in played.agencies["river-cmhc"] if body["client"]["name"] == "Calvin Redd"]
    assert any("homeless" in reason for reason in seen["reasons"])
    assert any("substance" in reason for reason in known["reasons"])
    assert not any("substance" in reason or "alcohol" in reason for reason in seen["reasons"])


def test_no_resource_tells_an_agency_of_substance_use_or_of_a_stay_that_is_withheld(played: Played) -> None:
    river, harbor = played.disclosed["river-cmhc"], played.disclosed["harbor-house"]
    assert "Redd" in river  # the client is theirs, and so are depression and homelessness
    assert "Z59.02" in river
    assert "F10.20" not in river
    assert "lcohol" not in river
    for name in ("Yazzie", "CR-3301"):
        assert name not in river + harbor


def test_rubbish_is_in_quarantine_and_the_repeated_message_was_counted_once(played: Played) -> None:
    by_state: dict[str, list[Input]] = {}
    for one in played.inputs:
        by_state.setdefault(one.state, []).append(one)
    assert len(by_state["quarantined"]) == 2
    assert all(one.error for one in by_state["quarantined"])
    assert [one.control_id for one in by_state["duplicate"]] == ["SM19933", "SM19933"]


def test_configuration_and_keys_are_left_for_the_other_commands(tmp_path: Path) -> None:
    keys = prepare(tmp_path, COUNTY, 8080)
    settings = load(tmp_path / "gateway.toml")
    assert (settings.http.listen, settings.mllp.listen) == ("127.0.0.1:8080", "127.0.0.1:8081")
    assert {path.name for path in (tmp_path / "keys").iterdir()} == {f"{client}.jwk" for client in keys}
    assert all(path.stat().st_mode & 0o077 == 0 for path in (tmp_path / "keys").iterdir())


def test_the_demo_refuses_a_directory_that_is_not_empty_and_json_without_once(tmp_path: Path) -> None:
    (tmp_path / "something").touch()
    with pytest.raises(Usage, match="not empty"):
        run_demo(once=True, as_json=False, data=tmp_path, port=0)
    with pytest.raises(Usage, match="--once"):
        run_demo(once=False, as_json=True, data=None, port=0)


def test_a_port_in_use_leaves_the_demo_s_directory_free_for_the_next_try(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(Usage, match="in use"):
        run_demo(once=True, as_json=False, data=tmp_path / "data", port=taken.getsockname()[1])
    assert not (tmp_path / "data").exists()


def test_demo_once_json_prints_json_alone_on_stdout() -> None:
    done = subprocess.run(
        [sys.executable, "-c", "from gateway.cli.main import main; main()", "demo", "--once", "--json", "--port", "0"],
        capture_output=True,
        timeout=120,
    )
    assert done.returncode == 0
    assert len(orjson.loads(done.stdout)) == sum(expectation.tracked for _, expectation in EXPECTED)
