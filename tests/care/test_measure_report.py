"""The measure as JSON, MeasureReports and a picture: one year of four discharges, counted by hand."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from datetime import date

import orjson
import pytest
from fhir.resources.R4B.measurereport import MeasureReport

from gateway.mappings.care.measure_report import case_from, case_report, measure_json, measured, summary_report
from gateway.records.ids import identifier
from gateway.web.chart import svg
from transitions.measure import Case, measure
from transitions.policy import Policy

POLICY = Policy()
CASES = [
    Case("t1", "St. Mary", "river", date(2026, 2, 2), "counted", "", date(2026, 2, 5), 3, "Appointment/1"),
    Case("t2", "St. Mary", "river", date(2026, 2, 20), "counted", "", date(2026, 3, 4), 12, "Appointment/2"),
    Case("t3", "Lakeside <Annex>", "", date(2026, 3, 1), "counted", ""),
    Case("t4", "Lakeside <Annex>", "river", date(2026, 3, 9), "excluded", "hospice in the year"),
    Case("t5", "St. Mary", "river", date(2026, 3, 9), "outside", "the birth date is not known"),
    Case("t6", "St. Mary", "river", date(2025, 3, 9), "counted", ""),
]
MADE = "2027-02-01T12:00:00+00:00"


def test_the_year_in_json_has_the_documented_shape() -> None:
    found = measure_json(measure(CASES, 2026, POLICY))
    assert {key: found[key] for key in ("year", "denominator", "excluded", "numerator_7", "numerator_30")} == {
        "year": 2026,
        "denominator": 3,
        "excluded": 1,
        "numerator_7": 1,
        "numerator_30": 2,
    }
    assert found["hospitals"] == [
        {"name": "Lakeside <Annex>", "denominator": 1, "excluded": 1, "numerator_7": 0, "numerator_30": 0},
        {"name": "St. Mary", "denominator": 2, "excluded": 0, "numerator_7": 1, "numerator_30": 2},
    ]
    assert [each["name"] for each in found["agencies"]] == [None, "river"]
    assert [each["name"] for each in found["months"]] == ["2026-02", "2026-03"]
    assert orjson.loads(measured(CASES[0], "Patient/p1").body) == {
        "transition": "t1",
        "hospital": "St. Mary",
        "agency": "river",
        "patient": "Patient/p1",
        "discharged": "2026-02-02",
        "fate": "counted",
        "why": "",
        "visit": "2026-02-05",
        "days": 3,
        "reference": "Appointment/1",
    }


@pytest.mark.parametrize("case", CASES, ids=[case.transition for case in CASES])
def test_a_case_comes_back_as_it_was_kept(case: Case) -> None:
    assert case_from(measured(case, "Patient/p1")) == (case, "Patient/p1")


def test_measure_reports_are_valid_and_say_the_same() -> None:
    identify = identifier(b"key")
    summary = summary_report(measure(CASES, 2026, POLICY), identify, MADE)
    individual = [case_report(case, f"Patient/p{number}", 2026, identify, MADE) for number, case in enumerate(CASES[:4], 1)]
    found = [summary, *individual]
    for report in found:
        MeasureReport.model_validate(report)
    assert [group["measureScore"]["value"] for group in summary["group"]] == [0.3333, 0.6667]
    assert [(each["type"], each["subject"]["reference"]) for each in individual] == [("individual", f"Patient/p{n}") for n in range(1, 5)]
    counts = [[population["count"] for population in group["population"]] for group in individual[1]["group"]]
    assert counts == [[1, 0, 0], [1, 0, 1]], "seen on day 12: in the denominator, not within 7, within 30"
    assert len({report["id"] for report in found}) == 5


def test_the_picture_is_well_formed_whatever_hospitals_are_called_and_when_nobody_left() -> None:
    for cases in (CASES, []):
        root = ET.fromstring(svg(measure(cases, 2026, POLICY)))
        assert root.tag == "{http://www.w3.org/2000/svg}svg"
    words = " ".join(root.itertext())
    assert "FUH-like, not HEDIS" in words
    assert "0 discharges counted" in words
