"""Stories of who is who and whose stay it is, told by messages that arrive in any order (issue 3, point 4): what stands in the end, written by hand."""

# ruff: noqa: E501 - a story is a table: one message a line

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from width_support import identify, translated

from gateway.records.order import Entry
from gateway.records.reconcile import reconcile

Standing = tuple[str, list[tuple[str, str, str]]]  # identifier, then of each stay: state, disposition, how uncertain


def pid(number: str, account: str = "") -> str:
    return f"PID|1||{number}^^^^MR||Hollis^Marian||19840312|F" + (f"{'|' * 10}{account}" if account else "")


def pv1(visit: str = "", ward: str = "BHU", kind: str = "I", doctor: str = "", left: str = "", admitted: str = "", other: str = "") -> str:
    fields = {1: "1", 2: kind, 3: ward, 7: doctor, 19: visit, 36: left, 44: admitted, 50: other}
    return "|".join(("PV1", *(fields.get(number, "") for number in range(1, 51))))


def told(event: str, day: int, *segments: str) -> bytes:
    at = f"202611{day:02d}080000"
    return "\r".join((rf"MSH|^~\&|REG|STMARY|GW|COUNTY|{at}||ADT^{event}|{event}{day}|P|2.5.1", f"EVN|{event}|{at}", *segments)).encode()


# fmt: off
STORIES: dict[str, tuple[list[bytes], list[Standing]]] = {
    "an A03 without PV1-19 whose doctor changed ends the stay of A01": (
        [told("A01", 15, pid("S1"), pv1("V1", doctor="1^Ames^Abe")), told("A03", 20, pid("S1"), pv1(doctor="2^Bell^Bea", left="01"))],
        [("S1", [("discharged", "01", "")])],
    ),
    "an A03 that says the visit in PV1-50 alone": (
        [told("A01", 15, pid("S1"), pv1("V1")), told("A03", 20, pid("S1"), pv1(other="V1", left="01"))],
        [("S1", [("discharged", "01", "")])],
    ),
    "an A01 with an account and an A03 with both numbers": (
        [told("A01", 15, pid("S1", "AC1"), pv1()), told("A03", 20, pid("S1", "AC1"), pv1("V1", left="01"))],
        [("S1", [("discharged", "01", "")])],
    ),
    "the second stay of one account": (
        [told("A01", 5, pid("S1", "AC1"), pv1("V1")), told("A03", 10, pid("S1", "AC1"), pv1("V1", left="01")),
         told("A01", 15, pid("S1", "AC1"), pv1("V2")), told("A03", 20, pid("S1", "AC1"), pv1(left="07"))],
        [("S1", [("discharged", "01", ""), ("discharged", "07", "")])],
    ),
    "of two open stays the one that began at PV1-44": (
        [told("A01", 15, pid("S1"), pv1("V1", admitted="20261115080000")), told("A01", 16, pid("S1"), pv1("V2", "ICU", admitted="20261116080000")),
         told("A03", 20, pid("S1"), pv1(ward="ICU", admitted="20261116080000", left="01"))],
        [("S1", [("in-hospital", "", ""), ("discharged", "01", "")])],
    ),
    "an A03 that fits none of the open stays is a stay of its own, and uncertain": (
        [told("A01", 15, pid("S1"), pv1("V1", "ICU")), told("A03", 20, pid("S1"), pv1(left="01"))],
        [("S1", [("in-hospital", "", ""), ("discharged", "01", "uncertain")])],
    ),
    "an outpatient visit elsewhere ends no stay": (
        [told("A01", 15, pid("S1"), pv1("V1")), told("A03", 20, pid("S1"), pv1(ward="CLINIC", kind="O", left="01"))],
        [("S1", [("in-hospital", "", ""), ("discharged", "01", "")])],
    ),
    "a chain of merges, and the discharge under the first number": (
        [told("A01", 15, pid("S3"), pv1("V1")), told("A40", 16, pid("S2"), "MRG|S3^^^^MR"), told("A40", 17, pid("S1"), "MRG|S2^^^^MR"),
         told("A03", 20, pid("S3"), pv1("V1", left="01"))],
        [("S1", [("discharged", "01", "")])],
    ),
    "a visit renumbered twice": (
        [told("A01", 15, pid("S1"), pv1("V1")), told("A50", 16, pid("S1"), "MRG|S1^^^^MR||||V1", pv1("V2")), told("A50", 17, pid("S1"), "MRG|S1^^^^MR||||V2", pv1("V3")),
         told("A03", 20, pid("S1"), pv1("V3", left="01"))],
        [("S1", [("discharged", "01", "")])],
    ),
    "the former number of a renumbered visit is given to a new one": (
        [told("A01", 5, pid("S1"), pv1("V1")), told("A50", 6, pid("S1"), "MRG|S1^^^^MR||||V1", pv1("V2")), told("A03", 10, pid("S1"), pv1("V2", left="01")),
         told("A01", 15, pid("S1"), pv1("V1", admitted="20261115080000"))],
        [("S1", [("discharged", "01", ""), ("in-hospital", "", "")])],
    ),
    "a discharge under the wrong person's number, after A45 moved the visit": (
        [told("A01", 15, pid("S2"), pv1("V1")), told("A45", 16, pid("S1"), "MRG|S2^^^^MR||||V1", pv1("V1")), told("A03", 20, pid("S2"), pv1("V1", left="01"))],
        [("S1", [("discharged", "01", "")]), ("S2", [("entered-in-error", "", "")])],
    ),
    "an identifier changed by A47, and the discharge under the new one": (
        [told("A01", 15, "PID|1||S1^^^^MR~E7^^^EPI^PI||Hollis^Marian", pv1("V1")), told("A47", 16, "PID|1||S9^^^^MR~E7^^^EPI^PI||Hollis^Marian", "MRG|S1^^^^MR~E7^^^EPI^PI"),
         told("A03", 20, pid("S9"), pv1("V1", left="01"))],
        [("S9", [("discharged", "01", "")])],
    ),
    "two people joined and taken apart again have each their own stay": (
        [told("A01", 15, pid("S1"), pv1("V1")), told("A01", 15, pid("S2"), pv1("V2")), told("A40", 16, pid("S1"), "MRG|S2^^^^MR"), told("A03", 17, pid("S2"), pv1("V2", left="01")),
         told("A37", 18, pid("S1"), pid("S2"))],
        [("S1", [("in-hospital", "", "")]), ("S2", [("discharged", "01", "")])],
    ),
    "one visit number with two people": (
        [told("A01", 15, pid("S1"), pv1("1")), told("A01", 16, pid("S2"), pv1("1")), told("A03", 20, pid("S1"), pv1("1", left="01"))],
        [("S1", [("discharged", "01", "")]), ("S2", [("in-hospital", "", "")])],
    ),
    "a discharge taken back by an A13 without a number": (
        [told("A01", 15, pid("S1"), pv1("V1")), told("A03", 20, pid("S1"), pv1("V1", left="01")), told("A13", 21, pid("S1"), pv1())],
        [("S1", [("in-hospital", "", "")])],
    ),
}
# fmt: on


def standing(messages: list[bytes]) -> list[Standing]:
    entries = [Entry(number, hashlib.sha256(data).hexdigest()[:16], translated(data)) for number, data in enumerate(messages, 1)]
    found = []
    for person in reconcile(entries, identify):
        stays = [
            (stay.course.state, (stay.facts.get("disposition") or {}).get("code", ""), "uncertain" if stay.course.uncertain else "")
            for stay in person.stays
        ]
        found.append((person.patient["identifier"][0]["value"], stays))
    return sorted(found)


@pytest.mark.parametrize("story", STORIES)
def test_a_story_ends_as_it_must(story: str) -> None:
    messages, expected = STORIES[story]
    assert standing(messages) == expected


@pytest.mark.parametrize("story", STORIES)
@settings(max_examples=12, deadline=None)
@given(data=st.data())
def test_and_ends_so_in_any_order_with_any_repetition(story: str, data: st.DataObject) -> None:
    messages, expected = STORIES[story]
    order = data.draw(st.permutations(messages))
    again = data.draw(st.lists(st.sampled_from(messages), max_size=2))
    assert standing([*order, *again]) == expected
