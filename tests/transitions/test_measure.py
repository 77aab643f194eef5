"""The measure: a cohort of thirty discharges counted by hand, and the edges of each rule (DOMAIN, "Follow-up that counts")."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import pytest

from tests.transitions.given import CLIENT, DEPRESSION, ICD10, INFARCTION, POLICY, appointment, at, claim, left, plain, visit
from transitions.assess import assess
from transitions.measure import Case, case_of, measure
from transitions.model import Code, FollowUp, Placement, Stay, Visit

AS_OF = datetime(2027, 6, 1, tzinfo=UTC)
BORN = date(1984, 3, 12)
OVERDOSE = Code("Poisoning by paracetamol, intentional self-harm", "T39.1X2A", ICD10)
IDEATION = Code("Suicidal ideation", "R45.851", ICD10)


def out(discharged: str, code: str = "01", *, born: date | None = BORN, **changes: Any) -> Stay:
    """A stay of one week that ended then."""
    moment = at(discharged)
    given: dict[str, Any] = {"client": replace(CLIENT, birth_date=born), "admitted": at("2025-12-20 08:00")}
    return left(discharged, code, **({"first_seen": moment, **given} | changes))


def came(start: str, status: str = "fulfilled", **changes: Any) -> FollowUp:
    """A psychiatric visit of which that was told on its evening."""
    return appointment(start, status, told=start[:-5] + "23:45", **changes)


def case(stay: Stay, *follow_ups: FollowUp) -> Case:
    transition = assess(stay, follow_ups, (), AS_OF, POLICY)
    assert transition is not None
    found = case_of(transition, POLICY)
    assert found is not None
    return found


def medical(admitted: str, discharged: str | None = None) -> Visit:
    return replace(visit(admitted, discharged, tracked=False), diagnoses=(INFARCTION,))


def psychiatric(admitted: str, discharged: str | None = None) -> Visit:
    return replace(visit(admitted, discharged), diagnoses=(DEPRESSION,))


COHORT: list[tuple[str, Stay, tuple[FollowUp, ...], str, int | None]] = [
    ("seen on day 1", out("2026-02-02 10:00"), (came("2026-02-03 09:00"),), "counted", 1),
    ("seen late on day 7", out("2026-02-02 10:00"), (came("2026-02-09 23:30"),), "counted", 7),
    ("seen early on day 8", out("2026-02-02 10:00"), (came("2026-02-10 00:15"),), "counted", 8),
    ("seen on day 30", out("2026-02-02 10:00"), (came("2026-03-04 09:00"),), "counted", 30),
    ("seen on day 31", out("2026-02-02 10:00"), (came("2026-03-05 09:00"),), "counted", None),
    ("seen on the day of discharge alone", out("2026-02-02 10:00"), (came("2026-02-02 16:00"),), "counted", None),
    (
        "seen on the day of discharge and on day 5",
        out("2026-02-02 10:00"),
        (came("2026-02-02 16:00"), came("2026-02-07 09:00", name="2")),
        "counted",
        5,
    ),
    ("booked for day 3, and nobody said what came of it", out("2026-02-02 10:00"), (came("2026-02-05 09:00", "booked"),), "counted", None),
    ("did not come on day 4", out("2026-02-02 10:00"), (came("2026-02-06 09:00", "noshow"),), "counted", None),
    (
        "cancelled on day 4, seen on day 12",
        out("2026-02-02 10:00"),
        (came("2026-02-06 09:00", "cancelled"), came("2026-02-14 09:00", name="2")),
        "counted",
        12,
    ),
    ("seen by a dentist", out("2026-02-02 10:00"), (came("2026-02-04 09:00", services=(Code("Dental clinic"),)),), "counted", None),
    (
        "seen by nobody knows whom",
        out("2026-02-02 10:00"),
        (plain("2026-02-05 09:00", "fulfilled", recorded=at("2026-02-05 18:00")),),
        "counted",
        None,
    ),
    (
        "seen by the agency that it was routed to",
        out("2026-02-02 10:00"),
        (plain("2026-02-05 09:00", "fulfilled", recorded=at("2026-02-05 18:00"), booked_by="river"),),
        "counted",
        3,
    ),
    ("never seen", out("2026-02-02 10:00"), (), "counted", None),
    ("five years old", out("2026-02-02 10:00", born=date(2020, 2, 3)), (came("2026-02-03 09:00"),), "outside", None),
    ("six years old that day", out("2026-02-02 10:00", born=date(2020, 2, 2)), (came("2026-02-04 09:00"),), "counted", 2),
    ("birth date not known", out("2026-02-02 10:00", born=None), (came("2026-02-03 09:00"),), "outside", None),
    ("not for mental illness", out("2026-02-02 10:00", diagnoses=(INFARCTION,)), (), "outside", None),
    ("self-harm in second place", out("2026-02-02 10:00", diagnoses=(INFARCTION, OVERDOSE)), (came("2026-02-08 09:00"),), "counted", 6),
    ("ideation in second place", out("2026-02-02 10:00", diagnoses=(INFARCTION, IDEATION)), (came("2026-02-08 09:00"),), "outside", None),
    ("left on 1 December", out("2026-12-01 23:50"), (came("2026-12-08 09:00"),), "counted", 7),
    ("left on 2 December", out("2026-12-02 00:10"), (came("2026-12-08 09:00"),), "outside", None),
    ("left last year", out("2025-12-31 23:50", admitted=at("2025-12-20 08:00")), (came("2026-01-03 09:00"),), "outside", None),
    ("left on 1 January", out("2026-01-01 00:05"), (came("2026-01-08 09:00"),), "counted", 7),
    (
        "died later in the year",
        out("2026-02-02 10:00", client=replace(CLIENT, birth_date=BORN, deceased=True, died=at("2026-09-30 12:00"))),
        (came("2026-02-03 09:00"),),
        "excluded",
        None,
    ),
    ("to hospice", out("2026-02-02 10:00", "50"), (), "excluded", None),
    (
        "readmitted for depression on day 20",
        out("2026-02-02 10:00", other_visits=(psychiatric("2026-02-22 09:00", "2026-03-01 09:00"),)),
        (),
        "outside",
        None,
    ),
    (
        "that readmission's own discharge",
        out("2026-03-01 09:00", admitted=at("2026-02-22 09:00"), other_visits=(psychiatric("2026-01-20 08:00", "2026-02-02 10:00"),)),
        (came("2026-03-11 09:00"),),
        "counted",
        10,
    ),
    ("readmitted for an infarction on day 10", out("2026-02-02 10:00", other_visits=(medical("2026-02-12 09:00"),)), (), "excluded", None),
    ("to a nursing facility", out("2026-02-02 10:00", "03"), (came("2026-02-03 09:00"),), "excluded", None),
]


@pytest.mark.parametrize(("what", "stay", "follow_ups", "fate", "days"), COHORT, ids=[row[0] for row in COHORT])
def test_each_discharge_of_the_cohort_counts_as_the_rules_say(
    what: str, stay: Stay, follow_ups: tuple[FollowUp, ...], fate: str, days: int | None
) -> None:
    found = case(stay, *follow_ups)
    assert (found.fate, found.days) == (fate, days)
    assert bool(found.why) == (fate != "counted"), "whatever is not counted says why"


def test_the_cohort_of_thirty_comes_to_the_counts_made_by_hand() -> None:
    """19 counted, 4 excluded, 6 of the year outside and 1 of another year; 8 seen in 7 days, 4 more in 30."""
    assert len(COHORT) == 30
    found = measure([case(stay, *follow_ups) for _, stay, follow_ups, _, _ in COHORT], 2026, POLICY)
    total = found.total
    assert (total.denominator, total.excluded, total.numerator_7, total.numerator_30) == (19, 4, 8, 12)
    assert {name: (rate.denominator, rate.numerator_7) for name, rate in found.months.items()} == {
        "2026-01": (1, 1),
        "2026-02": (16, 6),
        "2026-03": (1, 0),
        "2026-12": (1, 1),
    }
    assert found.hospitals["St. Mary"].denominator == 19
    assert found.agencies["river"].denominator == 19
    assert [(day, number) for day, number in enumerate(total.first_visits) if number] == [
        *((1, 1), (2, 1), (3, 1), (5, 1), (6, 1), (7, 3), (8, 1), (10, 1), (12, 1), (30, 1)),
    ]


EDGES: list[tuple[str, Stay, tuple[FollowUp, ...], str, int | None]] = [
    ("readmitted on day 30", out("2026-02-02 10:00", other_visits=(psychiatric("2026-03-04 23:00"),)), (), "outside", None),
    ("readmitted on day 31", out("2026-02-02 10:00", other_visits=(psychiatric("2026-03-05 00:30"),)), (), "counted", None),
    ("a readmission that was cancelled", out("2026-02-02 10:00", other_visits=(visit("2026-02-05 09:00", cancelled=True),)), (), "counted", None),
    (
        "an emergency visit is no readmission",
        out("2026-02-02 10:00", other_visits=(visit("2026-02-05 09:00", visit_class="EMER"),)),
        (),
        "counted",
        None,
    ),
    ("transferred on the day itself", out("2026-02-02 10:00", "65", other_visits=(psychiatric("2026-02-02 13:00"),)), (), "outside", None),
    ("received before the sender let go", out("2026-02-02 10:00", "65", other_visits=(psychiatric("2026-02-02 08:30"),)), (), "outside", None),
    (
        "an earlier stay is no readmission",
        out("2026-02-02 10:00", other_visits=(psychiatric("2025-12-01 09:00", "2025-12-09 09:00"),)),
        (),
        "counted",
        None,
    ),
    (
        "readmitted, and nobody said what for",
        out("2026-02-02 10:00", other_visits=(visit("2026-02-05 09:00", tracked=False),)),
        (),
        "excluded",
        None,
    ),
    (
        "to psychiatric residential care",
        out("2026-02-02 10:00", other_visits=(visit("2026-02-03 09:00", visit_class="NONAC"),)),
        (came("2026-02-05 09:00"),),
        "counted",
        3,
    ),
    (
        "to a rehabilitation ward",
        out("2026-02-02 10:00", other_visits=(visit("2026-02-03 09:00", visit_class="NONAC", tracked=False),)),
        (),
        "excluded",
        None,
    ),
    (
        "a stay that was not acute",
        out("2026-02-02 10:00", placements=(Placement(at("2026-01-20 08:00"), "RES", "psychiatric", visit_class="NONAC"),)),
        (),
        "outside",
        None,
    ),
    (
        "another stay of the year ended in hospice",
        out("2026-02-02 10:00", other_visits=(replace(medical("2026-06-01 09:00", "2026-06-03 09:00"), hospice=True),)),
        (),
        "excluded",
        None,
    ),
    (
        "died in the next year",
        out("2026-02-02 10:00", client=replace(CLIENT, birth_date=BORN, deceased=True, died=at("2027-01-02 12:00"))),
        (came("2026-02-03 09:00"),),
        "counted",
        1,
    ),
    ("told in words alone", out("2026-02-02 10:00", diagnoses=(Code("Severe depression"),)), (), "counted", None),
    ("an organic disorder is not in the set", out("2026-02-02 10:00", diagnoses=(Code("", "F06.3", ICD10, principal=True),)), (), "outside", None),
    (
        "day 7 ends with the local day on which the clocks went forward",
        out("2026-03-01 10:00"),
        (came("2026-03-08 23:30"),),
        "counted",
        7,
    ),
    (
        "a visit that lies ahead of what told of it was not kept",
        out("2026-02-02 10:00"),
        (appointment("2026-02-05 09:00", "fulfilled", told="2026-02-03 09:00"),),
        "counted",
        None,
    ),
]


@pytest.mark.parametrize(("what", "stay", "follow_ups", "fate", "days"), EDGES, ids=[row[0] for row in EDGES])
def test_the_edges_of_the_rules(what: str, stay: Stay, follow_ups: tuple[FollowUp, ...], fate: str, days: int | None) -> None:
    found = case(stay, *follow_ups)
    assert (found.fate, found.days) == (fate, days)


def test_a_switch_makes_suicidal_ideation_count() -> None:
    policy = replace(POLICY, measure_suicidal_ideation=True)
    transition = assess(out("2026-02-02 10:00", diagnoses=(INFARCTION, IDEATION)), (), (), AS_OF, policy)
    assert transition is not None
    found = case_of(transition, policy)
    assert found is not None
    assert found.fate == "counted"


@pytest.mark.parametrize("moment", ["2026-02-02 10:01", "2026-02-20 10:00", "2027-05-31 10:00"])
def test_a_case_depends_on_facts_and_never_on_the_clock(moment: str) -> None:
    stay, seen = out("2026-02-02 10:00"), came("2026-02-05 09:00")
    now = assess(stay, (seen,), (), at(moment), POLICY)
    assert now is not None
    assert case_of(now, POLICY) == case(stay, seen)


def test_no_case_while_the_client_is_in_hospital_or_when_the_discharge_was_cancelled() -> None:
    stay = out("2026-02-02 10:00")
    void = replace(stay, state="in-hospital", discharged=None, discharge_cancelled=at("2026-02-02 12:00"))
    transition = assess(void, (), (), AS_OF, POLICY)
    assert transition is not None
    assert case_of(transition, POLICY) is None


def test_a_visit_with_an_agency_that_had_the_client_before_counts_too() -> None:
    """River declined and the coordinator has the client now; River saw them all the same."""
    stay = out("2026-02-02 10:00", claims=(claim("rejected", "2026-02-02 12:00", reason="full"),))
    seen = plain("2026-02-05 09:00", "fulfilled", recorded=at("2026-02-05 18:00"), booked_by="river")
    assert case(stay, seen).days == 3
