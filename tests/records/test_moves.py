"""Moves, joins and renumberings (A35 A36 A41–A51), and what a merge, link or move leaves behind when it is taken back. DOMAIN's table of events."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.records.statements import Statement, Translation
from tests.records.telling import IDENTIFY, fold, one, tell

STAY_OF = "urn:gateway:visit:st-mary|"
ACCOUNT_OF = "urn:gateway:account:st-mary|"


def joined(event: str, day: int, *, mrn: str = "1", pairs: tuple[tuple[str, str], ...], control: str = "9") -> Translation:
    """A35 A41 A42 A49 A50 A51: (the number that stands, the number that gives way)."""
    return _merge(event, day, mrn, (), {"effect": "stays", "stays": [list(pair) for pair in pairs]}, control)


def moved(event: str, day: int, *, to: str, off: str, control: str = "9", **facts: Any) -> Translation:
    """A43 (identifiers=…), A44, A45 (stays=…)."""
    return _merge(event, day, to, (f"urn:mrn:st-mary|{off}",), {"effect": "move", **facts}, control)


def _merge(event: str, day: int, mrn: str, retires: tuple[str, ...], facts: dict[str, Any], control: str) -> Translation:
    told = tell(event, day, mrn=mrn, control=control)
    said = Statement("merge", (f"urn:mrn:st-mary|{mrn}",), (f"urn:mrn:st-mary|{mrn}",), facts=facts, retires=retires)
    return replace(told, statements=(said, *told.statements))


def stays(*told: Translation) -> dict[tuple[str, str], str]:
    """(patient identifier, stay's key up to the person) -> state, of everybody."""
    return {
        (person.patient["identifier"][0]["value"], stay.key.rsplit("|", 2)[0]): stay.course.state for person in fold(*told) for stay in person.stays
    }


V1, V2 = f"{STAY_OF}V1", f"{STAY_OF}V2"
ADMITTED = tell("A01", 0, mrn="1", visit="V1", account="A1", control="1")
DISCHARGED = tell("A03", 4, mrn="1", visit="V1", control="2")


def test_a45_takes_the_visit_with_all_that_was_said_of_it_and_leaves_an_error_behind() -> None:
    other = tell("A01", 0, mrn="2", visit="V9", control="3")
    assert stays(ADMITTED, DISCHARGED, other, moved("A45", 5, to="2", off="1", stays=[V1])) == {
        ("1", V1.split("|")[0] + "|V1"): "entered-in-error",
        ("2", f"{STAY_OF}V9"): "in-hospital",
        ("2", V1): "discharged",
    }


def test_the_former_persons_stay_keeps_its_id_and_the_right_persons_has_its_own() -> None:
    before = one(ADMITTED).stays[0]
    former, right = fold(ADMITTED, moved("A45", 5, to="2", off="1", stays=[V1]))
    assert (former.stays[0].id, former.stays[0].transition) == (before.id, before.transition)
    assert right.stays[0].id != before.id
    assert former.stays[0].encounter["status"] == "entered-in-error"
    assert former.stays[0].parts == ()
    assert [source.event for source in former.stays[0].sources] == ["ADT^A01", "ADT^A45"]


def test_what_is_said_later_of_a_moved_visit_under_the_former_person_follows_it() -> None:
    late = tell("A03", 6, mrn="1", visit="V1", control="8")
    found = stays(ADMITTED, moved("A45", 5, to="2", off="1", stays=[V1]), late)
    assert found[("2", V1)] == "discharged"
    assert found[("1", V1)] == "entered-in-error"


def test_a44_takes_every_visit_of_the_account() -> None:
    again = tell("A01", 2, mrn="1", visit="V2", account="A1", control="4")
    elsewhere = tell("A01", 3, mrn="1", visit="V3", account="A2", control="5")
    found = stays(ADMITTED, DISCHARGED, again, elsewhere, moved("A44", 5, to="2", off="1", stays=[f"{ACCOUNT_OF}A1"]))
    assert found[("2", V1)] == "discharged"
    assert found[("2", V2)] == "in-hospital"
    assert found[("1", f"{STAY_OF}V3")] == "in-hospital"
    assert found[("1", V1)] == found[("1", V2)] == "entered-in-error"


def test_a43_takes_all_that_was_said_under_the_identifier() -> None:
    """MR1 was filed under MPI A and belongs to MPI B: what names MR1 is B's, and B's Patient does not show A's identifier."""
    named = tell("A01", 0, mrn=("MR1", "A"), visit="V1", control="1")
    own = tell("A01", 1, mrn="A", visit="V5", control="2")
    right = tell("A01", 1, mrn="B", visit="V6", control="3")
    move = moved("A43", 5, to="B", off="MR1", identifiers=["urn:mrn:st-mary|MR1"])
    people = {person.patient["identifier"][0]["value"]: person for person in fold(named, own, right, move)}
    assert sorted(people) == ["A", "B"]
    assert {stay.key.rsplit("|", 2)[0]: stay.course.state for stay in people["B"].stays} == {V1: "in-hospital", f"{STAY_OF}V6": "in-hospital"}
    assert {stay.key.rsplit("|", 2)[0]: stay.course.state for stay in people["A"].stays} == {V1: "entered-in-error", f"{STAY_OF}V5": "in-hospital"}
    assert [each["value"] for each in people["B"].patient["identifier"]] == ["B"]  # as the sender last listed them
    assert not people["A"].uncertain
    assert not people["B"].uncertain


def test_two_people_tied_together_again_after_a_move_are_uncertain() -> None:
    named = tell("A01", 0, mrn=("MR1", "A"), visit="V1", control="1")
    right = tell("A01", 1, mrn="B", visit="V6", control="3")
    move = moved("A43", 5, to="B", off="MR1", identifiers=["urn:mrn:st-mary|MR1"])
    (person,) = fold(named, tell("A01", 0, mrn="A", visit="V2", control="7"), right, move, tell("A08", 6, mrn=("MR1", "A"), control="4"))
    assert person.uncertain


def test_a_moved_visit_that_is_moved_back_is_as_it_was() -> None:
    back = moved("A45", 6, to="1", off="2", stays=[V1], control="10")
    found = {person.patient["identifier"][0]["value"]: person for person in fold(ADMITTED, moved("A45", 5, to="2", off="1", stays=[V1]), back)}
    assert [(stay.id, stay.course.state) for stay in found["1"].stays] == [(one(ADMITTED).stays[0].id, "in-hospital")]
    assert [stay.course.state for stay in found["2"].stays] == ["entered-in-error"]


def test_a50_renumbers_a_visit_and_both_numbers_reach_it() -> None:
    renumbered = joined("A50", 1, pairs=((V2, V1),))
    for number in ("V1", "V2"):
        (stay,) = one(ADMITTED, renumbered, tell("A03", 4, mrn="1", visit=number, control="5")).stays
        assert stay.course.state == "discharged"
        assert stay.id == one(ADMITTED).stays[0].id


def test_a42_makes_two_visits_one() -> None:
    twice = tell("A01", 1, mrn="1", visit="V2", control="3")
    person = one(ADMITTED, twice, DISCHARGED, joined("A42", 5, pairs=((V2, V1),)))
    assert {stay.key.rsplit("|", 2)[0]: stay.course.state for stay in person.stays} == {V2: "discharged", V1: "entered-in-error"}
    late = one(ADMITTED, twice, joined("A42", 2, pairs=((V2, V1),)), DISCHARGED)
    assert {stay.key.rsplit("|", 2)[0]: stay.course.state for stay in late.stays} == {V2: "discharged", V1: "entered-in-error"}


def test_a49_lets_the_new_account_number_find_the_stay() -> None:
    by_account = tell("A01", 0, mrn="1", account="A1", control="1")
    renumbered = joined("A49", 1, pairs=((f"{ACCOUNT_OF}A2", f"{ACCOUNT_OF}A1"),))
    (stay,) = one(by_account, renumbered, tell("A03", 4, mrn="1", account="A2", control="2")).stays
    assert stay.course.state == "discharged"


def test_an_unlink_takes_back_a_merge_too() -> None:
    apart = [tell("A01", 0, mrn="1", visit="V1", control="1"), tell("A01", 0, mrn="2", visit="V2", control="2")]
    merge = tell("A40", 1, mrn="1", retires=("2",), control="3")
    unlink = tell("A37", 2, mrn="1", retires=("2",), control="4")
    unlink = replace(
        unlink, statements=tuple(replace(each, facts={"effect": "unlink"}) if each.kind == "merge" else each for each in unlink.statements)
    )
    assert len(fold(*apart, merge)) == 1
    assert [person.id for person in fold(*apart, merge, unlink)] == [IDENTIFY("Patient", f"urn:mrn:st-mary|{each}") for each in "12"]


TOWN = [
    tell("A01", 0, mrn=("MR1", "A"), visit="V1", account="A1", control="1"),
    tell("A01", 0, mrn="B", visit="V2", account="A2", control="2"),
    moved("A43", 1, to="B", off="MR1", identifiers=["urn:mrn:st-mary|MR1"], control="3"),
    tell("A03", 2, mrn="MR1", visit="V1", control="4"),
    joined("A50", 2, mrn="B", pairs=((f"{STAY_OF}V3", V2),), control="5"),
    tell("A16", 3, mrn="B", visit="V3", control="6"),
    moved("A45", 4, to="A", off="B", stays=[f"{STAY_OF}V3"], control="7"),
    tell("A03", 5, mrn="B", visit="V2", control="8"),
    tell("A01", 6, mrn="C", visit="V4", account="A4", control="10"),
    joined("A42", 7, mrn="C", pairs=((f"{STAY_OF}V5", f"{STAY_OF}V4"),), control="11"),
    tell("A40", 8, mrn="A", retires=("C",), control="12"),
    tell("A03", 9, mrn="C", visit="V5", control="13"),
    moved("A44", 10, to="D", off="A", stays=[f"{ACCOUNT_OF}A4"], control="14"),
]


def _whole(told: list[Translation]) -> object:
    return [
        (each.id, each.patient, each.retired, [(stay.id, stay.encounter, stay.course.state) for stay in each.stays], each.uncertain)
        for each in fold(*told)
    ]


@settings(max_examples=100, deadline=None)
@given(st.permutations(TOWN), st.lists(st.sampled_from(TOWN), max_size=3))
def test_moves_and_joins_arrive_in_any_order(order: list[Translation], again: list[Translation]) -> None:
    assert _whole([*order, *again]) == _whole(TOWN)


def test_nobodys_stay_is_lost_or_doubled_on_the_way() -> None:
    """V1 stands with B, V2 (renumbered V3) with A, V4 (joined into V5) with D; each place that a stay left says that it was an error."""
    found = [(person.id, stay.id, stay.course.state) for person in fold(*TOWN) for stay in person.stays]
    assert len({identity for _, identity, _ in found}) == len(found)
    assert sorted(state for _, _, state in found) == ["discharged"] * 3 + ["entered-in-error"] * 3
