"""The scenario files: every one that the job names is there, reads, and says things that can be sent and checked."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from gateway.demo.county import county
from gateway.demo.player import encode
from gateway.demo.scenario import Scenario, fill, materialize, read, scenarios
from gateway.er7.reader import read as read_er7
from gateway.errors import Invalid
from gateway.settings import Settings

ENDS = [
    datetime(2026, 11, 22, 5, 5, tzinfo=UTC),  # 23:05 in the county, past midnight in Lakeside's zone
    datetime(2026, 11, 22, 6, 1, tzinfo=UTC),  # 00:01 in the county
    datetime(2026, 3, 10, 12, 0, tzinfo=UTC),  # the clocks went forward within the fortnight
    datetime(2026, 11, 2, 12, 0, tzinfo=UTC),  # the clocks went back
]

# Issue 2, item 5: at least these, each in a file that a clinician could read.
NAMED = {
    "a discharge expected in two days with nothing booked": "expected-in-two-days-nothing-booked",
    "booked before leaving": "booked-before-leaving",
    "nothing booked": "nothing-booked",
    "booked on day 12": "booked-on-day-12",
    "no-show": "no-show",
    "left against advice": "left-against-advice",
    "discharge cancelled next morning": "discharge-cancelled-next-morning",
    "transferred to another psychiatric hospital and then discharged": "transferred-to-psychiatric-hospital-then-discharged",
    "readmitted on day 3": "readmitted-on-day-3",
    "died": "died",
    "two records merged": "two-records-merged",
    "leave of absence": "leave-of-absence",
    "SIU that arrives before the A01": "appointment-before-admission",
    "A03 that arrives before the A01": "discharge-before-admission",
    "the same message three times": "same-message-three-times",
    "a corrected disposition by A08": "corrected-disposition",
    "homeless with a substance-use diagnosis": "homeless-with-substance-use-diagnosis",
    "a stay with no psychiatric sign and no other": "no-psychiatric-sign-undecided",
    "a dental appointment that must not clear the flag": "dental-appointment",
    "an appointment whose outcome nobody reports": "outcome-never-reported",
    "a transfer whose arrival nobody reports": "arrival-never-reported",
    "an A03 without a visit number": "discharge-without-visit-number",
    "a message of rubbish": "rubbish",
    "a medical stay that must not be tracked": "medical-stay",
    "a Part 2 unit's stay, withheld": "part-2-stay-withheld",
    "a Part 2 unit's stay with a later consent": "part-2-stay-with-later-consent",
}


@pytest.fixture(scope="module")
def all_scenarios() -> dict[str, Scenario]:
    return {scenario.name: scenario for scenario in scenarios()}


@pytest.mark.parametrize("name", NAMED.values(), ids=NAMED.keys())
def test_each_named_scenario_has_a_file_with_a_story_steps_and_an_expectation(name: str, all_scenarios: dict[str, Scenario]) -> None:
    scenario = all_scenarios[name]
    assert len(scenario.story) > 80
    assert scenario.steps
    assert scenario.expectations or name == "rubbish"


def test_record_numbers_are_a_scenario_s_own_so_that_no_scenario_disturbs_another(all_scenarios: dict[str, Scenario]) -> None:
    owner: dict[str, str] = {}
    for scenario in all_scenarios.values():
        numbers = {expectation.mrn for expectation in scenario.expectations} | ({scenario.client.mrn} if scenario.client else set())
        for number in numbers:
            assert owner.setdefault(number, scenario.name) == scenario.name


def test_control_ids_are_used_once_by_each_hospital_but_for_the_message_sent_three_times(all_scenarios: dict[str, Scenario]) -> None:
    seen: dict[tuple[str, str], list[str]] = {}
    for scenario in all_scenarios.values():
        for step in scenario.steps:
            if step.sends.startswith("MSH"):
                seen.setdefault((step.who, step.sends.split("|")[9]), []).append(scenario.name)
    assert {key: names for key, names in seen.items() if len(names) > 1} == {("st-mary", "SM19933"): ["same-message-three-times"] * 3}


@pytest.mark.parametrize("end", ENDS)
def test_every_step_lies_within_the_fortnight_and_in_the_order_that_its_file_tells(end: datetime, all_scenarios: dict[str, Scenario]) -> None:
    moments = materialize(all_scenarios.values(), county().zones, end)
    assert all(end - timedelta(days=15) < moment.at <= end for moment in moments)
    for scenario in all_scenarios.values():
        own = [moment for moment in moments if moment.scenario is scenario]
        assert [moment.step for moment in own] == list(scenario.steps)


def test_the_three_hospitals_write_three_versions_in_three_zones(all_scenarios: dict[str, Scenario]) -> None:
    wrote: dict[str, set[str]] = {}
    for scenario in all_scenarios.values():
        for step in scenario.steps:
            if step.sends.startswith("MSH"):
                wrote.setdefault(step.who, set()).add(step.sends.split("\n", 1)[0].split("|")[11])
    assert wrote == {"st-mary": {"2.5.1"}, "lakeside": {"2.3"}, "cedar-ridge": {"2.7"}}
    assert len({hospital.zone for hospital in county().hospitals.values()}) == 3


def test_every_message_but_the_test_page_reads_in_its_hospital_s_character_set(all_scenarios: dict[str, Scenario]) -> None:
    hospitals = county().hospitals
    names = set()
    for moment in materialize(all_scenarios.values(), county().zones, ENDS[0]):
        if not moment.message.startswith("MSH"):
            continue
        raw = encode(moment.message, hospitals[moment.step.who].charset)
        message = read_er7(raw, hospitals[moment.step.who].charset)
        assert message.control_id == moment.step.sends.split("|")[9]
        names.add((moment.step.who, raw.isascii()))
    assert ("lakeside", False) in names  # names that ASCII cannot write, in ISO 8859-1


def test_the_county_is_a_configuration_that_the_gateway_takes() -> None:
    import tomllib

    settings = Settings(**tomllib.loads(county().configuration))
    assert [feed.name for feed in settings.feeds()] == ["st-mary", "lakeside", "cedar-ridge"]
    assert [agency.id for agency in settings.policy().agencies] == ["river-cmhc", "harbor-house"]


@pytest.mark.parametrize(
    ("written", "hl7"),
    [
        ("{now}", "20261110093000"),
        ("{now minutes}", "202611100930"),
        ("{now zone}", "20261110093000-0600"),
        ("{day 14 08:15}", "20261121081500"),
        ("{day -2 23:05 minutes}", "202611052305"),
        ("{day+2 10:00}", "20261112100000"),
        ("{day-1}", "20261109"),
        ("{day 1}", "20261108"),
    ],
)
def test_placeholders_become_times_as_the_sender_writes_them(written: str, hl7: str) -> None:
    at = datetime(2026, 11, 10, 9, 30, tzinfo=ZoneInfo("America/Chicago"))
    assert fill(f"EVN|A01|{written}", at, date(2026, 11, 21)) == f"EVN|A01|{hl7}\r"


GOOD = """
title = "T"
story = "S"
[client]
name = "N"
birth_date = 1961-04-12
mrn = "1"
[[step]]
at = "day 3 09:30"
who = "river-cmhc"
what = "W"
does = "accepts"
"""


@pytest.mark.parametrize(
    ("wrong", "place", "reason"),
    [
        (("title", "titel"), "file.toml", "titel is not known"),
        (("day 3 09:30", "day 3"), "file.toml [[step]] 1", "not a moment"),
        (("accepts", "sings"), "file.toml [[step]] 1", 'Nobody can do "sings"'),
        (("accepts", "calls"), "file.toml [[step]] 1", "needs the key reached"),
        (('does = "accepts"', "sends = 'MSH|{yesterday}'"), "file.toml [[step]] 1", "{yesterday} is not a time"),
        (("1961-04-12", '"1961"'), "file.toml [client]", "birth date"),
        (('does = "accepts"', 'does = "accepts"\n[[expect]]\nmrn = "1"\nhospital = "h"\nflags = ["sad"]'), "file.toml [[expect]] 1", 'no flag "sad"'),
        (('does = "accepts"', 'does = "accepts"\n[[expect]]\nmrn = "1"\nhospital = "h"\nstatus = "odd"'), "file.toml [[expect]] 1", "status cannot"),
        (('title = "T"', "title = "), "file.toml", "not TOML"),
    ],
)
def test_a_wrong_file_is_refused_with_the_place_and_the_reason(wrong: tuple[str, str], place: str, reason: str) -> None:
    read("file.toml", GOOD)
    with pytest.raises(Invalid) as caught:
        read("file.toml", GOOD.replace(*wrong))
    assert caught.value.location == place
    assert reason in caught.value.message


def test_a_step_of_somebody_unknown_is_refused() -> None:
    scenario = read("file.toml", GOOD.replace("river-cmhc", "nobody"))
    with pytest.raises(Invalid, match="knows no"):
        materialize([scenario], county().zones, ENDS[0])
