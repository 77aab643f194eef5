"""Hostile and odd messages against the three records, for all three views: nothing fails, nothing leaks, and what is made is valid (`conftest`)."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import cache

import orjson
import pytest

from gateway.records.statements import Json
from gateway.store.interface import ALL
from tests.pipeline.county import CONFIGURATION, DIAGNOSIS, POLICY, feed, memory_folder, message, store_at, visit, wake
from tests.pipeline.county import NOW as NOON
from transitions.policy import Agency

OTHER = Agency(id="oak", name="Oak Community Mental Health", postal_codes=("999*",))
OURS = replace(CONFIGURATION, policy=replace(POLICY, agencies=(*POLICY.agencies, OTHER)))
LEFT = visit(discharged="20260310104500", disposition="01")
MARKUP = "<script>alert(1)</script>&amp;<img src=x onerror=y> ]]> ${7*7} {{7*7}} \u202egnirts\u202c \u200b \u0000"
HUGE = "Æ" * 30_000


def told(*segments: str, minute: int = 0, mrn: str = "1001", visit_line: str = LEFT) -> bytes:
    return message("ADT^A08^ADT_A01", f"2026031011{minute:02}00", f"M{minute}", visit_line, DIAGNOSIS, *segments, mrn=mrn)


def with_pid(raw: bytes, name: str) -> bytes:
    return raw.replace(b"Quist^Ada", name.encode())


START = (
    message("ADT^A01^ADT_A01", "20260302090000", "S1", visit(), DIAGNOSIS),
    message("ADT^A03^ADT_A03", "20260310110000", "S2", LEFT, DIAGNOSIS),
)
GUARDIANS = tuple(f"NK1|{number}|Guard{number}^Al|{kind}" for number, kind in enumerate(("GRD^Guardian", "GUARD", "GRD", "PAR^Parent", "EMC", "SPO")))
STORIES: dict[str, tuple[bytes, ...]] = {
    "an enormous name": (with_pid(told(), f"{HUGE}^{HUGE}"),),
    "markup and marks of direction everywhere": tuple(
        with_pid(one, f"{MARKUP}^{MARKUP}")
        for one in (
            told(
                f"NK1|1|{MARKUP}^{MARKUP}|GRD^{MARKUP}|{MARKUP}|{MARKUP}",
                f"DG1|2||F20.0^{MARKUP}^I10|{MARKUP}||A",
                f"OBX|1|TX|LEGAL^Legal status {MARKUP}^L||{MARKUP}||||||F",
                f"ARV|1|A|DEM||{MARKUP}",
                f"ROL|1|AD|AT^{MARKUP}|7^{MARKUP}^{MARKUP}",
                f"AL1|1|DA|{MARKUP}^{MARKUP}",
            ),
        )
    ),
    "500 diagnoses": (told(*(f"DG1|{number}||F{number % 90 + 10}.{number % 10}^Diagnosis {number}^I10|||A" for number in range(2, 502))),),
    "200 next of kin": (told(*(f"NK1|{number}|Kin{number}^Al|{('GRD', 'MTH', 'SPO', 'EMC')[number % 4]}" for number in range(1, 201))),),
    "guardians who contradict each other": (told(*GUARDIANS), told(*GUARDIANS[::-1], minute=5), told(GUARDIANS[0], minute=9)),
    "two stays at once": (
        message("ADT^A01^ADT_A01", "20260303090000", "T1", visit(number="V2", admitted="20260303090000"), DIAGNOSIS),
        message("ADT^A03^ADT_A03", "20260309110000", "T2", visit(number="V2", admitted="20260303090000", discharged="20260309104500"), DIAGNOSIS),
    ),
    "a merge in the middle, and another back": (
        message("ADT^A01^ADT_A01", "20260304090000", "U1", visit(number="V9", admitted="20260304090000"), DIAGNOSIS, mrn="900"),
        message("ADT^A40^ADT_A39", "20260310113000", "U2", "MRG|900^^^STMARY^MR"),
        message("ADT^A40^ADT_A39", "20260310114000", "U3", "MRG|1001^^^STMARY^MR", mrn="900"),
        told(minute=45),
    ),
    "born tomorrow, dead yesterday, then neither": (
        told(minute=1).replace(b"19800214", b"20990101"),
        told(minute=2).replace(b"|USA^H", b"").replace(b"^USA^H", b"^USA^H" + b"|" * 19 + b"Y"),
        told(minute=3).replace(b"^USA^H", b"^USA^H" + b"|" * 19 + b"N"),
    ),
    "discharged before admitted": (told(visit_line=visit(admitted="20260310104500", discharged="20260302090000", disposition="01")),),
    "empty components": (told("NK1|1|^^^^^|^^|", "DG1|2||^^|||", "ROL|1|AD|^|^^^", "OBX|1|CE|^^||^^||||||F", "GT1|1||^|", "IN1|1|^|^|^"),),
    "nothing but delimiters": (told("NK1|||||||", "DG1||||||", "OBX||||||", "ARV|||", "ROL||||", "PV2|||||"),),
}


def views(story: str) -> dict[str, list[Json]]:
    """What each of the three recipients holds when the story, told twice and once backwards, is over."""
    raw = [*START, *STORIES[story]]
    found: list[dict[str, list[Json]]] = []
    for order in (raw, raw[::-1]):
        with memory_folder() as folder, store_at(folder, OURS) as store:
            outcomes = feed(store, [*order, *order], configuration=OURS)
            assert {one.state for one in outcomes} <= {"processed", "duplicate"}, [one.error for one in outcomes if one.state == "quarantined"]
            wake(store, NOON, OURS)
            with store.reading() as reader:
                kinds = ("Patient", "CarePlan", "CareTeam", "ServiceRequest", "Task", "RelatedPerson", "Condition", "Encounter", "Goal", "Flag")
                found.append(
                    {who: [orjson.loads(one.body or b"") for kind in kinds for one in reader.search(who, kind)] for who in (ALL, "river", "oak")}
                )
    forwards, backwards = (
        {who: sorted(orjson.dumps(each, option=orjson.OPT_SORT_KEYS) for each in mine) for who, mine in one.items()} for one in found
    )
    assert forwards == backwards
    return found[0]


held = cache(views)


@pytest.mark.parametrize("story", STORIES)
def test_every_view_is_made_whatever_the_order_and_the_other_agencys_is_empty(story: str) -> None:
    seen = held(story)
    assert {one["resourceType"] for one in seen[ALL]} >= {"CarePlan", "CareTeam", "ServiceRequest"}
    assert seen["oak"] == []


@pytest.mark.parametrize("story", STORIES)
def test_the_agency_is_shown_no_relative_but_guardians(story: str) -> None:
    kin = [one for one in held(story)["river"] if one["resourceType"] == "RelatedPerson"]
    codes = {coding["code"] for one in kin for concept in one.get("relationship", []) for coding in concept.get("coding", [])}
    assert not codes & {"SPO", "SPS", "MTH", "EMC", "C", "PRN"}


def test_no_narrative_lets_markup_or_marks_of_direction_through() -> None:
    for one in (each for mine in held("markup and marks of direction everywhere").values() for each in mine):
        page = one.get("text", {}).get("div", "")
        assert not re.search(r"<(?!/?(?:div|p|ul|li|table|tr|th|td|h[1-6]|b|br|thead|tbody|caption|strong|em)\b)", page), page
        assert not re.search("[\u202a-\u202e\u2066-\u2069\u0000]", page)


def test_every_guardian_of_two_hundred_relatives_is_named_once() -> None:
    (plan,) = (one for one in held("200 next of kin")[ALL] if one["resourceType"] == "CarePlan")
    assert len(re.findall(r"Al Kin\d+", plan["text"]["div"].partition("</table>")[0])) == len(
        set(re.findall(r"Al Kin\d+", plan["text"]["div"].partition("</table>")[0]))
    )
    (team,) = (one for one in held("200 next of kin")[ALL] if one["resourceType"] == "CareTeam")
    members = [one["member"]["reference"] for one in team["participant"] if one["member"]["reference"].startswith("RelatedPerson/")]
    assert len(members) == len(set(members)) == 50
