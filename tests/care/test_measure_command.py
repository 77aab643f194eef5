"""`gateway measure` over messages: what the store keeps of each discharge is counted, printed case by case, and taken back with the discharge."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson
import pytest

from gateway.cli.measure import measure_year
from gateway.pipeline import Received
from gateway.pipeline.intake import take
from gateway.settings import load
from gateway.stores import configuration_of, open_store
from tests.pipeline.county import BOOKED, DIAGNOSIS, NOW, message, visit

TOML = """
[[feed]]
name = "st-mary"
sending_facility = "STMARY"
timezone = "America/Chicago"
psychiatric_units = ["BHU"]
mental_health_services = ["PSYFU"]
[[agency]]
id = "river"
name = "River Community Mental Health"
postal_codes = ["627*"]
"""
SEEN = BOOKED[0].replace("|Booked", "||Complete")  # SCH-25
"""The visit on 16 March 2026, which was kept."""


def left(number: int, mrn: str, on: str) -> bytes:
    stay = visit(number=f"V{number}", admitted="20260202090000", discharged=f"{on}104500", disposition="01")
    return message("ADT^A03^ADT_A03", f"{on}110000", str(number), stay, DIAGNOSIS, mrn=mrn).replace(b"~77^^^COUNTYMPI^PI", b"")


@contextmanager
def told(folder: Path, messages: list[bytes]) -> Iterator[None]:
    (folder / "gateway.toml").write_text(TOML)
    settings = load(folder / "gateway.toml")
    store = open_store(settings, folder)
    configuration = configuration_of(settings, store)
    with store.write(NOW) as writer:
        for each in messages:
            assert take(writer, Received("hl7v2", each), NOW, configuration).state == "processed"
    store.close()
    yield


def printed(folder: Path, capfd: pytest.CaptureFixture[str], **how: bool) -> str:
    measure_year(2026, folder, None, **{"as_json": False, "fhir": False, "chart": None} | how)  # type: ignore[arg-type]
    return capfd.readouterr().out


MESSAGES = [left(3, "1003", "20260310"), left(1, "1001", "20260305"), left(2, "1002", "20260305")]


def of(case: dict[str, Any]) -> tuple[Any, ...]:
    return case["discharged"], case["fate"], case["days"]


def test_each_discharge_is_a_line_of_the_json_in_the_order_of_days(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    kept = message("SIU^S14^SIU_S12", "20260316120000", "9", SEEN, *BOOKED[1:], mrn="1003").replace(b"~77^^^COUNTYMPI^PI", b"")
    with told(tmp_path, [*MESSAGES, kept]):
        found = orjson.loads(printed(tmp_path, capfd, as_json=True))
    assert (found["year"], found["denominator"], found["numerator_7"], found["numerator_30"]) == (2026, 3, 1, 1)
    assert [of(each) for each in found["cases"]] == [("2026-03-05", "counted", None), ("2026-03-05", "counted", None), ("2026-03-10", "counted", 6)]


def test_a_year_without_a_discharge_is_whole_json(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with told(tmp_path, []):
        found = orjson.loads(printed(tmp_path, capfd, as_json=True))
    assert (found["denominator"], found["hospitals"], found["cases"]) == (0, [], [])


def test_a_discharge_that_was_taken_back_is_no_case_and_one_that_comes_again_is_of_its_own_day(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    stay = visit(number="V1", admitted="20260202090000")
    taken_back = message("ADT^A13^ADT_A01", "20260306080000", "21", stay, mrn="1001").replace(b"~77^^^COUNTYMPI^PI", b"")
    with told(tmp_path, [MESSAGES[1], taken_back]):
        assert orjson.loads(printed(tmp_path, capfd, as_json=True))["cases"] == []
    with told(tmp_path, [left(4, "1001", "20260308").replace(b"V4", b"V1")]):
        (case,) = orjson.loads(printed(tmp_path, capfd, as_json=True))["cases"]
    assert of(case) == ("2026-03-08", "counted", None)


def test_measure_reports_are_a_line_each_and_the_summary_comes_first(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with told(tmp_path, MESSAGES):
        summary, *cases = map(orjson.loads, printed(tmp_path, capfd, fhir=True).splitlines())
    assert (summary["type"], [each["type"] for each in cases]) == ("summary", ["individual"] * 3)
    assert len({each["subject"]["reference"] for each in cases}) == 3


def test_the_table_names_hospital_agency_and_month(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with told(tmp_path, MESSAGES):
        lines = [" ".join(line.split()) for line in printed(tmp_path, capfd).splitlines()]
    assert "agency River Community Mental Health 3 0 0 (0 %) 0 (0 %)" in lines
    assert "month 2026-03 3 0 0 (0 %) 0 (0 %)" in lines
