"""The golden table: message facts on the left, the aftercare records on the right (`golden/scenarios.txt`, by hand from the domain's facts)."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import orjson
import pytest

from conformance.profiles.profiles import Profiles, load
from gateway.store.interface import ALL
from tests.care.golden.facts import CONFIGURATION
from tests.care.golden.play import Scenario, scenarios, told
from tests.care.golden.shown import shown
from tests.third_party import DATA, third_party

ROWS = {one.name: one for one in scenarios()}
US_CORE_8 = DATA / "fhir" / "us-core" / "us_core_800.tgz"


@cache
def validator(package: str | Path) -> Profiles:
    """The validator for a package, compiled once."""
    return load(package)


def errors(name: str, package: str | Path) -> list[str]:
    """What is not valid among all records of a scenario, in whosever view, under a package's profiles."""
    bodies = {orjson.dumps(one, option=orjson.OPT_SORT_KEYS): one for view in told(ROWS[name]).views.values() for one in view.values()}
    found = ((one, finding) for one in bodies.values() for finding in validator(package).check(one, meant=True))
    return sorted({f"{one['resourceType']}: {finding}" for one, finding in found if finding.severity == "error"})


def test_the_table_has_the_scenarios_that_a_discharge_planner_meets() -> None:
    assert len(ROWS) == len(scenarios()) >= 40


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
def test_the_records_of_a_scenario_are_what_the_table_says(row: Scenario) -> None:
    (transition,) = told(row).worklist
    assert tuple(shown(told(row).views[ALL], transition["id"], CONFIGURATION.identify)) == row.expected


@pytest.mark.parametrize("name", ROWS)
def test_every_record_of_a_scenario_is_valid_under_us_core_6_1_0(name: str) -> None:
    assert errors(name, "us-core-6.1.0") == []


@third_party
@pytest.mark.parametrize("name", ROWS)
def test_every_record_of_a_scenario_is_valid_under_us_core_8_0_0(name: str) -> None:
    assert errors(name, US_CORE_8) == []


SAME_AS_HL7 = ("plan: active, from 05-14 10:00 to 06-13", "requests: active: everyone's five, therapy, medication-management", "team: active")


@pytest.mark.parametrize("line", SAME_AS_HL7)
def test_a_stay_that_fhir_told_of_ends_as_one_that_hl7_v2_told_of(line: str) -> None:
    of_fhir = next(row for row in ROWS.values() if row.given[0].who == "County")
    of_hl7 = next(row for row in ROWS.values() if row.name.startswith("05 "))
    assert [any(said.startswith(line) for said in row.expected) for row in (of_fhir, of_hl7)] == [True, True]


def test_while_the_discharge_is_only_expected_the_first_contact_has_days_and_no_hour() -> None:
    """72 hours (three days) from an hour that nobody has told: PV2-9 said 14 May, and no more."""
    pending = told(next(row for row in ROWS.values() if row.name.startswith("01 "))).views[ALL]
    (request,) = [one for one in pending.values() if one["resourceType"] == "ServiceRequest" and "First contact" in one["code"]["text"]]
    assert request["occurrencePeriod"] == {"start": "2026-05-14", "end": "2026-05-17"}
