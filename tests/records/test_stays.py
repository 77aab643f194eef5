"""Which message is about which stay, and how the stay went (DOMAIN, "HL7 v2 events and what they mean for a stay")."""

from __future__ import annotations

from tests.records.telling import at, micro, one, tell

ADMITTED = at(0, "09:00").isoformat()


def test_an_a03_with_the_visit_number_ends_the_stay_that_a01_opened() -> None:
    person = one(tell("A01", 0, visit="V1", admitted=ADMITTED), tell("A03", 5, visit="V1", discharged=at(5, "10:00").isoformat()))
    (stay,) = person.stays
    assert (stay.course.state, stay.course.admitted, stay.course.discharged) == ("discharged", micro(0, "09:00"), micro(5, "10:00"))
    assert stay.encounter["status"] == "finished"
    assert stay.encounter["period"] == {"start": ADMITTED, "end": at(5, "10:00").isoformat()}


def test_an_a03_without_a_visit_number_discharges_the_only_open_stay() -> None:
    person = one(tell("A01", 0, visit="V1", admitted=ADMITTED, unit="BHU"), tell("A03", 5, unit="BHU"))
    (stay,) = person.stays
    assert stay.course.state == "discharged"
    assert not stay.course.uncertain


def test_an_a03_of_an_outpatient_visit_elsewhere_does_not_discharge_the_stay() -> None:
    person = one(tell("A01", 0, visit="V1", admitted=ADMITTED, unit="BHU", visit_class="IMP"), tell("A03", 3, unit="CLINIC", visit_class="AMB"))
    assert [stay.course.state for stay in person.stays] == ["in-hospital", "discharged"]
    assert [stay.course.ever_inpatient for stay in person.stays] == [True, False]


def test_an_a03_that_fits_two_open_stays_is_uncertain() -> None:
    person = one(tell("A01", 0, visit="V1", unit="BHU"), tell("A01", 1, visit="V2", unit="BHU"), tell("A03", 3, unit="BHU"))
    assert [stay.course.state for stay in person.stays] == ["in-hospital", "in-hospital", "discharged"]
    assert person.stays[2].course.uncertain
    assert person.stays[2].course.uncertain_since == micro(3, "10:00")


def test_a_discharge_with_no_admission_ever_seen_is_a_stay() -> None:
    (stay,) = one(tell("A03", 3, visit="V9")).stays
    assert stay.course.state == "discharged"
    assert stay.course.ever_inpatient


def test_a13_reopens_and_a_stale_pv1_45_does_not_end_the_stay_again() -> None:
    ended = at(5, "10:00").isoformat()
    person = one(
        tell("A01", 0, visit="V1"),
        tell("A03", 5, visit="V1", discharged=ended),
        tell("A13", 6, visit="V1", discharged=ended),
        tell("A08", 7, visit="V1", discharged=ended),
    )
    (stay,) = person.stays
    assert (stay.course.state, stay.course.discharged) == ("in-hospital", None)
    assert stay.course.discharge_cancelled == micro(6, "10:00")
    assert stay.encounter["status"] == "in-progress"


def test_a_discharge_and_its_cancellation_that_tie_leave_the_discharge_standing() -> None:
    person = one(tell("A01", 0, visit="V1", control="1"), tell("A13", 5, visit="V1", control="7"), tell("A03", 5, visit="V1", control="7"))
    (stay,) = person.stays
    assert stay.course.state == "discharged"
    assert stay.course.tie


def test_control_ids_order_a_discharge_and_its_cancellation_of_the_same_second_as_numbers() -> None:
    person = one(tell("A01", 0, visit="V1", control="1"), tell("A13", 5, visit="V1", control="10"), tell("A03", 5, visit="V1", control="9"))
    assert person.stays[0].course.state == "in-hospital"


def test_an_expectation_that_a25_withdrew_returns_only_when_it_changes() -> None:
    told = [
        tell("A01", 0, visit="V1"),
        tell("A16", 2, visit="V1", expected_discharge=at(5).isoformat()),
        tell("A25", 3, visit="V1", expected_discharge=at(5).isoformat()),
        tell("A08", 4, visit="V1", expected_discharge=at(5).isoformat()),
    ]
    assert one(*told).stays[0].course.expected_discharge is None
    assert one(*told[:2]).stays[0].course.pending_since == micro(2, "10:00")
    changed = tell("A08", 4, "11:00", visit="V1", expected_discharge=at(6).isoformat())
    assert one(*told, changed).stays[0].course.expected_discharge == micro(6)


def test_leave_is_never_a_discharge() -> None:
    (stay,) = one(tell("A01", 0, visit="V1"), tell("A21", 2, visit="V1")).stays
    assert (stay.course.state, stay.course.discharged) == ("on-leave", None)
    (stay,) = one(tell("A01", 0, visit="V1"), tell("A21", 2, visit="V1"), tell("A22", 3, visit="V1")).stays
    assert stay.course.state == "in-hospital"


def test_a07_ends_an_inpatient_stay_with_no_a03() -> None:
    (stay,) = one(tell("A01", 0, visit="V1", visit_class="IMP"), tell("A07", 4, visit="V1", visit_class="AMB")).stays
    assert (stay.course.state, stay.course.ended_as_outpatient, stay.course.discharged) == ("discharged", True, micro(4, "10:00"))


def test_an_emergency_registration_is_no_inpatient_stay_until_a06() -> None:
    visit = tell("A04", 0, visit="V1", visit_class="EMER")
    assert not one(visit).stays[0].course.ever_inpatient
    assert one(visit, tell("A06", 0, "18:00", visit="V1", visit_class="IMP")).stays[0].course.ever_inpatient


def test_a_visit_number_used_again_after_its_discharge_is_a_new_stay() -> None:
    person = one(
        tell("A01", 0, visit="V1", admitted=at(0).isoformat()),
        tell("A03", 5, visit="V1", discharged=at(5).isoformat()),
        tell("A01", 20, visit="V1", admitted=at(20).isoformat()),
    )
    assert [stay.course.state for stay in person.stays] == ["discharged", "in-hospital"]
    assert person.stays[0].id != person.stays[1].id


def test_an_a01_without_and_an_a03_with_a_visit_number_are_one_stay() -> None:
    (stay,) = one(tell("A01", 0, admitted=ADMITTED, unit="BHU"), tell("A03", 5, visit="V1", admitted=ADMITTED, unit="BHU")).stays
    assert stay.course.state == "discharged"


def test_a23_after_a_discharge_is_entered_in_error() -> None:
    (stay,) = one(tell("A01", 0, visit="V1"), tell("A03", 5, visit="V1"), tell("A23", 6, visit="V1")).stays
    assert stay.course.state == "entered-in-error"
    assert stay.encounter["status"] == "entered-in-error"


def test_a_correction_recorded_months_later_wins_over_what_it_corrects() -> None:
    person = one(
        tell("A01", 0, visit="V1"),
        tell("A03", 5, visit="V1", discharged=at(5).isoformat(), disposition={"source": "01", "code": "01", "text": ""}),
        tell("A08", 90, visit="V1", discharged=at(4).isoformat(), disposition={"source": "07", "code": "07", "text": ""}),
    )
    assert person.stays[0].course.discharged == micro(4)
    assert person.stays[0].facts["disposition"]["code"] == "07"  # type: ignore[index]


def test_a_cancelled_visit_keeps_the_expectation_that_it_voids() -> None:
    person = one(tell("A01", 0, visit="V1"), tell("A16", 2, visit="V1", expected_discharge=at(5).isoformat()), tell("A11", 3, visit="V1"))
    assert person.stays[0].course.state == "admission-cancelled"
    assert person.stays[0].course.pending_since == micro(2, "10:00")


def test_an_admission_after_a_cancelled_one_begins_when_it_was_told() -> None:
    (stay,) = one(tell("A01", 0, visit="V1"), tell("A11", 1, visit="V1"), tell("A01", 2, visit="V1")).stays
    assert stay.course.state == "in-hospital"
    assert stay.course.admitted == micro(2, "10:00")
