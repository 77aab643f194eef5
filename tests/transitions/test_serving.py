"""Routing by rule: who serves a client of this place, age, payer and language; what is not known rules nobody out; nobody is nowhere."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from tests.transitions.given import at, claim, left
from transitions.assess import assess
from transitions.model import Client
from transitions.policy import Agency, Policy, validate
from transitions.serving import serving

DAY = date(2026, 12, 1)
COUNTY = Policy(
    agencies=(
        Agency("wide", "Wide", ("6*",)),
        Agency("near", "Near", ("627*",)),
        Agency("sangamon", "Sangamon County", counties=("Sangamon",)),
        Agency("young", "Youth Center", ("627*",), ages=(None, 17)),
        Agency("old", "Elders", ("627*",), ages=(60, None)),
        Agency("medicaid", "Medicaid Center", ("62704",), payers=("Medicaid",)),
        Agency("casa", "Casa", counties=("Sangamon",), languages=("Spanish",)),
        Agency("veterans", "Veterans", payers=("Veterans Affairs",)),
        Agency("named", "Named only"),
    )
)
ADULT = date(1980, 5, 5)

ROWS: list[tuple[str, dict[str, Any], list[str]]] = [
    ("an adult in 62704 on Medicaid", {"postal_code": "62704", "payers": ("Illinois Medicaid",)}, ["medicaid", "near", "wide"]),
    ("the same with private insurance", {"postal_code": "62704", "payers": ("Aetna",)}, ["near", "wide"]),
    ("payer not known: nobody is ruled out by it", {"postal_code": "62704"}, ["medicaid", "near", "wide", "veterans"]),
    ("a boy of 16", {"postal_code": "62704", "payers": ("Aetna",), "birth_date": date(2010, 12, 1)}, ["near", "young", "wide"]),
    ("18 that day: an adult", {"postal_code": "62704", "payers": ("Aetna",), "birth_date": date(2008, 12, 1)}, ["near", "wide"]),
    ("17 until tomorrow", {"postal_code": "62704", "payers": ("Aetna",), "birth_date": date(2008, 12, 2)}, ["near", "young", "wide"]),
    ("age not known", {"postal_code": "62704", "payers": ("Aetna",), "birth_date": None}, ["near", "young", "old", "wide"]),
    ("in the county, outside all codes", {"postal_code": "99999", "county": "Sangamon County", "payers": ("Aetna",)}, ["sangamon", "casa"]),
    (
        "who speaks the language comes before who is closest",
        {"postal_code": "62704", "county": "SANGAMON", "payers": ("Aetna",), "language": "spanish"},
        ["casa", "near", "wide", "sangamon"],
    ),
    ("a veteran from elsewhere", {"postal_code": "10001", "payers": ("Department of Veterans Affairs",)}, ["veterans"]),
    ("nobody's area", {"postal_code": "10001", "payers": ("Aetna",)}, []),
    ("nothing known but a name", {"birth_date": None}, ["veterans"]),
]


@pytest.mark.parametrize(("what", "known", "agencies"), ROWS, ids=[row[0] for row in ROWS])
def test_who_serves(what: str, known: dict[str, Any], agencies: list[str]) -> None:
    client = Client("client", **({"birth_date": ADULT} | known))
    assert [agency for agency, _ in serving(client, DAY, COUNTY)] == agencies


def test_the_reason_names_the_rule() -> None:
    client = Client("client", postal_code="62704", county="Sangamon", language="Spanish", payers=("Aetna",), birth_date=ADULT)
    assert serving(client, DAY, COUNTY)[:2] == (
        ("casa", "it serves Sangamon, and it speaks Spanish"),
        ("near", "it serves postal codes 627*"),
    )


def test_an_agency_that_takes_nobody_is_a_fault_of_the_policy() -> None:
    assert validate(Policy(agencies=(Agency("none", ages=(18, 17)),))) == ("none takes nobody: its youngest is older than its oldest.",)


def assigned(**changes: Any) -> list[tuple[str | None, str]]:
    stay = left(client=Client("client", postal_code="62704", payers=("Aetna",), birth_date=ADULT), **changes)
    transition = assess(stay, (), (), at("12-01 12:00"), COUNTY)
    assert transition is not None
    return [(each.agency, each.why) for each in transition.assignments]


def test_who_has_cared_for_the_client_before_comes_before_the_area_and_after_a_referral() -> None:
    assert assigned() == [("near", "it serves postal codes 627*")]
    assert assigned(known_to=("wide",)) == [("wide", "it has cared for this client before")]
    assert assigned(known_to=("wide",), referred_to=("named",)) == [("named", "a referral names it")]


def test_a_declined_task_moves_on_by_the_rules_and_in_the_end_to_the_coordinator() -> None:
    first = claim("rejected", "12-01 11:00", agency="near", number=1)
    second = claim("rejected", "12-01 11:30", agency="wide", number=2)
    assert [agency for agency, _ in assigned(claims=(first,))] == ["near", "wide"]
    assert [agency for agency, _ in assigned(claims=(first, second))] == ["near", "wide", None]


def test_a_client_whom_no_rule_names_an_agency_for_is_the_coordinators_and_never_nobodys() -> None:
    stay = left(client=Client("client", postal_code="10001", payers=("Aetna",), birth_date=ADULT))
    transition = assess(stay, (), (), at("12-01 12:00"), replace(COUNTY, agencies=COUNTY.agencies[:2] + COUNTY.agencies[-1:]))
    assert transition is not None
    assert (transition.agency, transition.queue) == (None, "coordinator")
