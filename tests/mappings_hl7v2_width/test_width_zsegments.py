"""Z-segments by the feed's profile: a hospital's own follow-up segment is an appointment (issue 3, feed profiles)."""

from __future__ import annotations

from dataclasses import replace

import pytest
from width_support import PID, PROFILE, PV1, message, resources, said, translated

from gateway.mappings.feeds.zsegments import problems

FOLLOW_UP = replace(
    PROFILE,
    mental_health_services=("PSYFU",),
    segments={
        "ZFU-1": "appointment.number",
        "ZFU-3.1": "appointment.start",
        "ZFU-4": "appointment.minutes",
        "ZFU-5": "appointment.service",
        "ZFU-6": "appointment.practitioner",
        "ZFU-7": "appointment.place",
        "ZFU-8": "appointment.status",
        "ZFU-9": "appointment.comment",
        "ZDC-2": "stay.disposition",
        "ZDC-3": "stay.unit",
        "ZDC-4": "stay.expected_discharge",
    },
)


def test_a_follow_up_segment_is_an_appointment_with_all_it_says() -> None:
    line = "ZFU|F7||20261125140000^x|45|PSYFU^Psychiatric follow-up^L|1174823942^Lindqvist^Karin^^^^^^NPI|RIVER^2||bring papers"
    data = message("ADT^A03", PID, PV1, line)
    (appointment,) = resources(data, FOLLOW_UP)["Appointment"]
    assert (appointment["start"], appointment["end"]) == ("2026-11-25T14:00:00-06:00", "2026-11-25T14:45:00-06:00")
    assert appointment["status"] == "booked"
    assert appointment["serviceType"][0]["coding"][0]["code"] == "PSYFU"
    assert [one["actor"].get("display") for one in appointment["participant"][1:]] == ["Karin Lindqvist", "RIVER 2"]
    assert appointment["comment"] == "bring papers"
    (statement,) = said(data, "appointment", FOLLOW_UP)
    assert statement.keys == ("urn:gateway:appointment:filler:STMARY|F7",)  # the key of SCH-2: a later SIU changes the same appointment
    assert statement.facts["mental_health"] is True
    assert "default_end" not in statement.facts


def test_each_segment_that_says_a_time_is_one_and_the_others_are_none() -> None:
    data = message("ADT^A03", PID, PV1, "ZFU|||20261125140000", "ZFU|||20261202090000||||||", "ZFU|||soon", "ZFU|||20261203")
    assert [one.own["start"] for one in said(data, "appointment", FOLLOW_UP)] == ["2026-11-25T14:00:00-06:00", "2026-12-02T09:00:00-06:00"]  # type: ignore[index]
    assert [report.location for report in translated(data, FOLLOW_UP).reports] == ["ZFU[3]-3", "ZFU[4]-3"]
    resources(data, FOLLOW_UP)


def test_the_segments_own_status_is_taken() -> None:
    data = message("ADT^A08", PID, PV1, "ZFU|F7||20261125140000|||||Cancelled")
    assert resources(data, FOLLOW_UP)["Appointment"][0]["status"] == "cancelled"


def test_facts_of_the_stay_stand_above_the_standard_fields() -> None:
    data = message("ADT^A03", PID, PV1, "ZDC||07|BHU|20261130")
    (stay,) = said(data, "stay", FOLLOW_UP)
    assert (stay.facts["disposition"]["code"], stay.facts["unit_kind"], stay.facts["expected_discharge"]) == ("07", "psychiatric", "2026-11-30")
    assert resources(data, FOLLOW_UP)["Encounter"][0]["hospitalization"]["dischargeDisposition"]["coding"][0]["code"] == "aadvice"


@pytest.mark.parametrize(
    ("pv1", "line", "lists", "kinds"),
    [
        ("PV1|1|I|BHU", "ZDC|||POD4", {}, ("POD4", "psychiatric")),  # a name that nobody knows takes nothing from a sign
        ("PV1|1|I|BHU", "ZDC|||^x", {}, ("BHU", "psychiatric")),
        ("PV1|1|I|ICU", "ZDC|||POD4", {"other_units": ("ICU",)}, ("POD4", None)),
        ("PV1|1|I|ICU", "ZDC|||POD4", {"facility_kind": "psychiatric", "other_units": ("ICU",)}, ("POD4", "psychiatric")),
        ("PV1|1|I", "ZDC|||POD4", {"facility_kind": "other"}, ("POD4", "other")),
        ("PV1|1|I|BHU", "ZDC|||ICU", {"other_units": ("ICU",)}, ("ICU", "other")),
    ],
)
def test_a_unit_of_a_z_segment_is_known_as_one_of_pv1_is(pv1: str, line: str, lists: dict[str, object], kinds: tuple[str, str | None]) -> None:
    (stay,) = said(message("ADT^A03", PID, pv1, line), "stay", replace(FOLLOW_UP, **lists))  # type: ignore[arg-type]
    assert (stay.facts["unit"], stay.facts["unit_kind"]) == kinds


def test_a_service_of_a_z_segment_that_nobody_knows_takes_nothing_from_a_psychiatric_one() -> None:
    profile = replace(FOLLOW_UP, segments={"ZDC-2": "stay.service"}, psychiatric_services=("PSY",))
    for line, found in (("ZDC||XYZ", ("XYZ", "psychiatric")), ("ZDC||^^L", ("PSY", "psychiatric")), ("ZDC||^Words", ("Words", "psychiatric"))):
        (stay,) = said(message("ADT^A03", PID, "PV1|1|I|BHU|||||||PSY", line), "stay", profile)
        assert (stay.facts["service"], stay.facts["service_kind"]) == found


def test_without_the_profile_the_segment_says_nothing() -> None:
    assert said(message("ADT^A03", PID, PV1, "ZFU|F7||20261125140000"), "appointment") == []


@pytest.mark.parametrize(
    ("segments", "words"),
    [
        ({"ZFU-3.1": "appointment.start"}, ""),
        ({"PV1-3": "appointment.start"}, "not the path of a Z-segment"),
        ({"ZFU": "appointment.start"}, "not the path of a Z-segment"),
        ({"ZFU-0": "appointment.start"}, "not the path of a Z-segment"),
        ({"ZFU-3": "appointment.begin"}, "nothing that a field may stand for"),
        ({"ZFU-3": "appointment.service"}, "says when it starts"),
    ],
)
def test_a_bad_map_is_refused_with_its_reason(segments: dict[str, str], words: str) -> None:
    found = problems(segments)
    assert bool(found) == bool(words)
    assert not words or words in found[0].words
