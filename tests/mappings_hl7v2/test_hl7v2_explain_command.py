"""`gateway explain`: one account a message, values on stdout alone, 1 where a message was refused."""

from __future__ import annotations

from pathlib import Path

import orjson
from hl7v2_support import PID, message
from typer.testing import CliRunner

from gateway.cli.main import app

GOOD = message("ADT^A01", PID, "PV1|1|I|BHU^2")
REFUSED = message("ADT^A19", PID)


def run(tmp_path: Path, data: bytes, *options: str) -> tuple[int, str, str]:
    file = tmp_path / "messages.hl7"
    file.write_bytes(data)
    result = CliRunner().invoke(app, ["explain", str(file), *options])
    return result.exit_code, result.stdout, result.stderr


def test_json_is_one_object_a_message(tmp_path: Path) -> None:
    code, out, _ = run(tmp_path, GOOD + b"\r\n" + GOOD, "--json")
    accounts = [orjson.loads(line) for line in out.splitlines()]
    assert (code, len(accounts)) == (0, 2)
    assert all(one["values"] == sum(one["fates"].values()) == len(one["fields"]) for one in accounts)


def test_a_refused_message_is_kept_whole_and_tells_no_value_on_stderr(tmp_path: Path) -> None:
    code, out, err = run(tmp_path, GOOD + b"\r\n" + REFUSED, "--json")
    second = orjson.loads(out.splitlines()[1])
    assert code == 1
    assert second["fates"]["kept"] == second["values"]
    assert err.startswith("message 2: ")
    assert "Hollis" not in err


def test_the_table_for_people_is_aligned_and_sums_up(tmp_path: Path) -> None:
    code, out, _ = run(tmp_path, GOOD)
    lines = out.splitlines()
    name = next(line for line in lines if "PID-5[1].1" in line)
    assert code == 0
    assert name.split() == ["PID-5[1].1", "Hollis", "mapped", "Patient.name[0].family"]
    assert len({line.index(" mapped ") for line in lines[1:-1] if " mapped " in line}) == 1
    assert " values: mapped " in lines[-1]


def test_bytes_that_are_no_message_give_an_empty_account(tmp_path: Path) -> None:
    code, out, err = run(tmp_path, b"not HL7", "--json")
    assert code == 1
    assert orjson.loads(out)["values"] == 0
    assert err
