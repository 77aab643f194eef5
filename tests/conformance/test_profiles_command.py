"""`gateway check resource`: what it prints, what it writes, and its exit codes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import orjson
import pytest

Json = dict[str, Any]

PATIENT: Json = {
    "resourceType": "Patient",
    "id": "amy",
    "text": {"status": "generated", "div": '<div xmlns="http://www.w3.org/1999/xhtml">Amy</div>'},
    "identifier": [{"system": "http://hospital.example.org/mrn", "value": "1032702"}],
    "name": [{"family": "Shaw", "given": ["Amy"]}],
    "gender": "female",
}
BROKEN: Json = {**PATIENT, "gender": "banana"}


def gateway(*arguments: str, given: bytes = b"", **environment: str) -> tuple[int, str, str]:
    command = [str(Path(sys.executable).with_name("gateway")), *arguments]
    done = subprocess.run(command, input=given, capture_output=True, env={**os.environ, **environment}, check=False, timeout=120)
    return done.returncode, done.stdout.decode(), done.stderr.decode()


def check(resource: Any, *options: str) -> tuple[int, str, str]:
    return gateway("check", "resource", "-", *options, given=resource if isinstance(resource, bytes) else orjson.dumps(resource))


def test_a_valid_resource_is_held_to_the_profile_it_is_meant_for_and_exits_with_0() -> None:
    code, out, _ = check(PATIENT)
    assert code == 0
    assert "1 resource checked under R4 and us-core-6.1.0: 0 errors, 0 warnings, 0 notes." in out
    assert "Must-support of us-core-patient" in out
    assert "Patient.birthDate" in out


def test_an_error_is_told_with_its_place_and_rule_and_exits_with_1() -> None:
    code, out, _ = check(BROKEN)
    assert code == 1
    line = next(line for line in out.splitlines() if line.startswith("error"))
    assert line.split()[:3] == ["error", "Patient.gender", "binding"]
    assert "banana" not in out
    assert "\x1b[" not in out


def test_json_has_one_object_a_resource() -> None:
    code, out, _ = check(BROKEN, "--json")
    assert code == 1
    (found,) = orjson.loads(out)
    assert set(found) == {"number", "resource", "findings", "must_support"}
    assert (found["number"], found["resource"]) == (1, "Patient/amy")
    assert [{key: one[key] for key in ("severity", "location", "rule")} for one in found["findings"]] == [
        {"severity": "error", "location": "Patient.gender", "rule": "binding"}
    ]
    assert "Patient.birthDate" in found["must_support"][0]["absent"]


def test_of_ndjson_each_kind_of_finding_is_told_once_with_its_count() -> None:
    lines = b"\n".join(map(orjson.dumps, [PATIENT, BROKEN, {**BROKEN, "id": "ben"}]))
    code, out, _ = check(lines)
    assert code == 1
    (line,) = [line for line in out.splitlines() if line.startswith("error")]
    assert line.split()[:4] == ["error", "2", "Patient.gender", "binding"]
    assert "Patient/amy (2)" in line
    assert "3 resources checked" in out


def test_resources_of_a_bundle_are_held_to_what_they_are_meant_for_in_their_place() -> None:
    without = {name: value for name, value in PATIENT.items() if name != "gender"}
    code, out, _ = check({"resourceType": "Bundle", "type": "collection", "entry": [{"resource": without}]}, "--json")
    assert code == 1
    assert [one["location"] for one in orjson.loads(out)[0]["findings"]] == ["Bundle.entry[0].resource.gender"]


def test_a_profile_can_be_named_by_its_last_part() -> None:
    code, out, _ = check(PATIENT, "--profile", "us-core-practitioner", "--json")
    assert code == 1
    assert [(one["location"], one["rule"]) for one in orjson.loads(out)[0]["findings"]] == [("Patient", "profile")]


def test_the_page_escapes_what_a_resource_says(tmp_path: Path) -> None:
    page = tmp_path / "report.html"
    code, _, _ = check({**PATIENT, "id": "<script>alert(1)</script>", "<b>x": 1, "meta": {"profile": ["http://x.org/<script>"]}}, "--html", str(page))
    assert code == 1
    text = page.read_text(encoding="utf-8")
    assert "<script" not in text
    assert "http://x.org/&lt;script&gt;" in text
    assert "Content-Security-Policy" in text


@pytest.mark.parametrize(
    ("arguments", "given", "code"),
    [
        (("missing.json",), b"", 2),
        (("-", "--package", "us-core-99"), b"{}", 2),
        (("-", "--package", __file__), b"{}", 2),
        (("-", "--profile", "no-such-profile"), b"{}", 2),
        (("-", "--html", "/nowhere/at/all.html"), b"{}", 2),
        ((), b"", 2),
        (("-",), b"", 1),
        (("-",), b"not json", 1),
        (("-",), b'{"a": 1}\n{"a": ', 1),
        (("-",), b'{"a": 1, "a": 2}', 1),
        (("-",), b"[]", 1),
        (("-",), b"7", 1),
    ],
)
def test_exit_codes_tell_wrong_usage_from_wrong_input(arguments: tuple[str, ...], given: bytes, code: int) -> None:
    status, out, err = gateway("check", "resource", *arguments, given=given)
    assert status == code
    assert "Traceback" not in out + err


def test_a_broken_line_of_ndjson_is_named() -> None:
    _, _, err = check(orjson.dumps(PATIENT) + b"\n{broken\n")
    assert "line 2" in err


def test_the_help_teaches_and_loads_no_fhirpath() -> None:
    code, out, _ = gateway("check", "resource", "--help")
    assert code == 0
    assert "gateway check resource patient.json" in out
    loaded = "import sys, gateway.cli.main; print([name for name in sys.modules if name.startswith(('fhirpathpy', 'antlr4', 'conformance'))])"
    assert subprocess.run([sys.executable, "-c", loaded], capture_output=True, check=True).stdout.strip() == b"[]"
