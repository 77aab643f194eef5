"""Who is who, and that order of arrival does not matter (DESIGN, laws 1 and 3, "Who is who")."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.records.codec import decode, encode
from gateway.records.statements import Translation
from tests.records.telling import IDENTIFY, at, fold, one, tell


def test_people_are_joined_by_an_equal_identifier_and_by_nothing_else() -> None:
    same_name = [tell("A01", 0, mrn="1", visit="V1"), tell("A01", 0, mrn="2", visit="V2")]
    assert len(fold(*same_name)) == 2
    assert len(fold(*same_name, tell("A08", 1, mrn=("2", "1"), visit="V2"))) == 1


def test_a_merge_keeps_the_survivor_and_leaves_a_link() -> None:
    (person,) = fold(tell("A01", 0, mrn="1", visit="V1"), tell("A01", 1, mrn="2", visit="V2"), tell("A40", 2, mrn="1", retires=("2",)))
    assert person.id == IDENTIFY("Patient", "urn:mrn:st-mary|1")
    assert [stub["id"] for stub in person.retired] == [IDENTIFY("Patient", "urn:mrn:st-mary|2")]
    assert person.retired[0]["link"] == [{"other": {"reference": f"Patient/{person.id}"}, "type": "replaced-by"}]
    assert len(person.stays) == 2
    assert all(stay.encounter["subject"] == {"reference": f"Patient/{person.id}"} for stay in person.stays)
    assert not person.uncertain


def test_later_messages_under_the_retired_identifier_reach_the_survivor() -> None:
    person = one(tell("A01", 0, mrn="2", visit="V2"), tell("A40", 2, mrn="1", retires=("2",)), tell("A03", 3, mrn="2", visit="V2"))
    assert person.stays[0].course.state == "discharged"
    assert person.id == IDENTIFY("Patient", "urn:mrn:st-mary|1")


def test_the_survivor_follows_from_the_statements_not_from_arrival() -> None:
    told = [tell("A01", 0, mrn="2", visit="V2"), tell("A01", 1, mrn="1", visit="V1"), tell("A40", 2, mrn="1", retires=("2",))]
    assert fold(*told)[0].id == fold(*reversed(told))[0].id == IDENTIFY("Patient", "urn:mrn:st-mary|1")


def test_one_identifier_with_another_birth_date_and_family_name_is_uncertain() -> None:
    other = {"resourceType": "Patient", "name": [{"family": "Roe"}], "birthDate": "1955-05-05"}
    married = {"resourceType": "Patient", "name": [{"family": "Roe"}], "birthDate": "1980-01-01"}
    assert one(tell("A01", 0), tell("A08", 1, patient=other)).uncertain
    assert not one(tell("A01", 0), tell("A08", 1, patient=married)).uncertain


def test_two_people_suddenly_one_are_uncertain_unless_a_merge_says_so() -> None:
    roe = {"resourceType": "Patient", "name": [{"family": "Roe"}], "birthDate": "1955-05-05"}
    apart = [tell("A01", 0, mrn="1", visit="V1"), tell("A01", 0, mrn="2", visit="V2", patient=roe)]
    assert one(*apart, tell("A08", 1, mrn=("1", "2"))).uncertain
    assert not one(*apart, tell("A40", 1, mrn="1", retires=("2",))).uncertain


def test_test_messages_make_nothing() -> None:
    said = tell("A01", 0, visit="V1")
    from dataclasses import replace

    assert fold(replace(said, heading=replace(said.heading, test=True))) == ()


def test_statements_survive_their_storage() -> None:
    said = tell("A40", 2, mrn="1", retires=("2",), visit="V1")
    assert decode(encode(said, "ab")) == ("ab", said)


COUNTY = [
    tell("A01", 0, mrn="1", visit="V1", admitted=at(0).isoformat(), unit="BHU", control="1"),
    tell("A02", 1, mrn="1", visit="V1", unit="MED", control="2"),
    tell("A16", 2, mrn="1", visit="V1", expected_discharge=at(4).isoformat(), control="3"),
    tell("A25", 3, mrn="1", visit="V1", expected_discharge=at(4).isoformat(), control="4"),
    tell("A03", 4, mrn="1", visit="V1", discharged=at(4).isoformat(), control="5"),
    tell("A13", 4, mrn="1", visit="V1", control="6"),
    tell("A03", 5, mrn="1", discharged=at(5).isoformat(), control="7"),
    tell("A01", 3, mrn="2", visit="V2", control="8"),
    tell("A40", 6, mrn="1", retires=("2",), control="9"),
    tell("A03", 7, mrn="2", visit="V2", control="10"),
    tell("A08", 8, mrn=("2", "3"), control="11", patient={"resourceType": "Patient", "name": [{"family": "Dough"}], "gender": "female"}),
    tell("A01", 9, mrn="3", visit="V1", admitted=at(9).isoformat(), control="12"),
]


def without_inputs(told: list[Translation]) -> object:
    """What the fold says, inbox numbers apart: they are receipt's."""
    return [
        (
            each.id,
            each.patient,
            each.retired,
            [(stay.id, stay.encounter, stay.parts, stay.course.state, stay.course.discharged) for stay in each.stays],
            each.uncertain,
        )
        for each in fold(*told)
    ]


@settings(max_examples=150, deadline=None)
@given(st.permutations(COUNTY), st.lists(st.sampled_from(COUNTY), max_size=4))
def test_any_order_and_any_repetition_end_in_the_same_records(order: list[Translation], again: list[Translation]) -> None:
    assert without_inputs(order) == without_inputs(COUNTY)
    assert without_inputs([*order, *again]) == without_inputs(COUNTY)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.sampled_from(COUNTY), unique_by=lambda each: each.heading.control_id), st.randoms())
def test_any_subset_in_any_order_ends_in_the_same_records(some: list[Translation], chance: object) -> None:
    shuffled = list(some)
    chance.shuffle(shuffled)  # type: ignore[attr-defined]
    assert without_inputs(shuffled) == without_inputs(some)


def test_a_link_that_was_taken_back_joins_nobody() -> None:
    from dataclasses import replace

    apart = [tell("A01", 0, mrn="1", visit="V1"), tell("A01", 0, mrn="2", visit="V2")]
    link = tell("A24", 1, mrn="1", retires=("2",))
    unlink = tell("A37", 2, mrn="1", retires=("2",))
    unlink = replace(
        unlink, statements=tuple(replace(each, facts={"effect": "unlink"}) if each.kind == "merge" else each for each in unlink.statements)
    )
    assert len(fold(*apart, link)) == 1
    assert len(fold(*apart, link, unlink)) == 2


def test_what_a_message_leaves_unsaid_of_an_element_of_many_fields_stands() -> None:
    from dataclasses import replace

    def with_own(told: Translation, own: dict[str, object]) -> Translation:
        return replace(told, statements=tuple(replace(each, own=own) if each.kind == "stay" else each for each in told.statements))

    attending, referring = ({"type": [{"coding": [{"code": code}]}], "individual": {"display": code}} for code in ("ATND", "REF"))
    first = with_own(
        tell("A03", 1, visit="V1"), {"participant": [attending, referring], "hospitalization": {"dischargeDisposition": {"text": "home"}}}
    )
    later = with_own(
        tell("A08", 2, visit="V1"), {"participant": [{**attending, "individual": {"display": "new"}}], "hospitalization": {"origin": {}}}
    )
    (stay,) = one(first, later).stays
    until = "2026-03-04T10:00:00+00:00"  # when the later message was recorded
    assert [(each["individual"]["display"], each.get("period")) for each in stay.encounter["participant"]] == [
        ("new", {"start": until}),
        ("REF", None),
        ("ATND", {"end": until}),
    ]
    assert stay.encounter["hospitalization"] == {"dischargeDisposition": {"text": "home"}, "origin": {}}
