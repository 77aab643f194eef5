"""The agency's case manager (issue 4): named on the Task as its output, and a member of the team for as long as that stands."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from gateway.fhir.outcome import Rejected
from gateway.mappings.care.context import task_id
from gateway.mappings.care.derive import derive
from gateway.mappings.care.transition_json import transition_json
from gateway.mappings.fhir.writes import check_claim
from gateway.records.record import Owned
from gateway.records.statements import Json
from tests.care.people import CONTEXT, at, identify, of_type, person, source, transition
from transitions.model import Assignment

CODED = {"coding": [{"system": "http://snomed.info/sct", "code": "768832004", "display": "Case manager"}]}


def named(name: str, **more: Any) -> Json:
    return {"type": CODED, "valueReference": {"display": name, **more}}


def claim(when: str, *outputs: Json, number: int = 1) -> Owned:
    """The agency's word on its Task."""
    facts = {"task": task_id(identify, "transition-stay-1", number), "transition": "transition-stay-1", "number": number, "status": "accepted"}
    return Owned(
        {"resourceType": "Task"}, (source(40, "PUT Task", at(when), "agency/river-cmhc"),), {**facts, "agency": "river-cmhc", "output": [*outputs]}
    )


def team(*claims: Owned, recipient: str | None = None, assignments: tuple[Assignment, ...] = ()) -> list[tuple[str, str | None, str | None]]:
    """(name, from, until) of the case managers."""
    record = person(claims=claims)
    assessed = transition(record, **({"assignments": assignments} if assignments else {}))
    (found,) = of_type(derive(record, record.stays[0], assessed, replace(CONTEXT, recipient=recipient)), "CareTeam")
    managers = [one for one in found["participant"] if one["role"][0].get("text") == "Case manager"]
    assert all(one["role"] == [{"coding": CODED["coding"], "text": "Case manager"}] for one in managers)
    assert all("onBehalfOf" not in one for one in managers)  # ctm-1: it is for members who can be resolved to a Practitioner
    return [(one["member"]["display"], one["period"].get("start"), one["period"].get("end")) for one in managers]


FIRST, SECOND = "2026-11-21T09:00:00-06:00", "2026-11-23T09:00:00-06:00"


def test_the_transition_says_who_the_case_manager_of_the_turn_that_stands_is() -> None:
    first, second = claim("2026-11-21T09:00:00", named("Dana")), claim("2026-11-23T09:00:00", named("Bo"))
    record = person(claims=(first, second))
    assert transition_json(transition(record), record)["case_managers"] == ["Bo"]
    assert transition_json(transition(person()), person())["case_managers"] == []
    routed = tuple(Assignment(number, agency, at(FIRST[:19]), "") for number, agency in ((1, "river-cmhc"), (2, "oak-cmhc")))
    assert transition_json(transition(record, assignments=routed), record)["case_managers"] == [], "the next agency has named nobody"


def test_whom_the_agency_names_is_in_the_team_from_then_on() -> None:
    assert team(claim("2026-11-21T09:00:00", named("Dana Whitcomb"))) == [("Dana Whitcomb", FIRST, None)]


def test_who_is_named_again_stays_from_the_first_time_on() -> None:
    assert team(claim("2026-11-21T09:00:00", named("Dana")), claim("2026-11-23T09:00:00", named("Dana"))) == [("Dana", FIRST, None)]


def test_another_takes_over_and_the_first_stays_with_the_end_of_their_time() -> None:
    told = team(claim("2026-11-21T09:00:00", named("Dana")), claim("2026-11-23T09:00:00", named("Bo")))
    assert told == [("Dana", FIRST, SECOND), ("Bo", SECOND, None)]


def test_nobody_named_any_more_ends_it() -> None:
    assert team(claim("2026-11-21T09:00:00", named("Dana")), claim("2026-11-23T09:00:00")) == [("Dana", FIRST, SECOND)]


def test_the_end_of_the_agencys_turn_ends_it_and_another_agency_does_not_know_of_it() -> None:
    turns = (
        Assignment(1, "river-cmhc", at("2026-11-20T10:00:00"), "", until=at("2026-11-23T09:00:00"), status="failed"),
        Assignment(2, "oak-cmhc", at("2026-11-23T09:00:00"), ""),
    )
    said = claim("2026-11-21T09:00:00", named("Dana"))
    assert team(said, assignments=turns) == [("Dana", FIRST, SECOND)]
    assert team(said, assignments=turns, recipient="river-cmhc") == [("Dana", FIRST, SECOND)]
    assert team(said, assignments=turns, recipient="oak-cmhc") == []


def test_the_agency_reads_back_what_it_wrote() -> None:
    said = named("Dana", identifier={"system": "https://river.example.org/staff", "value": "17"})
    record = person(claims=(claim("2026-11-21T09:00:00", said),))
    (order,) = of_type(derive(record, record.stays[0], transition(record), CONTEXT), "Task")
    assert order["output"] == [said]


@pytest.mark.parametrize(
    ("output", "taken"),
    [
        (named("Dana"), True),
        (named(" "), False),
        ({"type": CODED, "valueString": "Dana"}, False),
        ({"type": {"text": "Case manager"}, "valueReference": {"display": "Dana"}}, False),
        (named("Dana", reference="Practitioner/1"), False),
    ],
)
def test_an_output_is_a_case_manager_by_name_and_nothing_else(output: Json, taken: bool) -> None:
    current = {"resourceType": "Task", "status": "requested"}
    wanted = {**current, "status": "accepted", "output": [output]}
    if taken:
        check_claim(wanted, current)
    else:
        with pytest.raises(Rejected) as refused:
            check_claim(wanted, current)
        assert [issue.location for issue in refused.value.issues] == ["Task.output[0]"]
