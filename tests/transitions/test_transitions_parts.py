"""The parts of assessment one by one: kinds of stay, dispositions, follow-up, windows, tiers, routing, policy, the list's order."""
# ruff: noqa: E501 - a row is read on one line

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any, get_args
from zoneinfo import ZoneInfo

import pytest

from tests.transitions.given import (
    ACCEPTED,
    CANCELLED,
    CHICAGO,
    CLIENT,
    DEPRESSION,
    ICD10,
    INFARCTION,
    POLICY,
    UNCERTAIN,
    appointment,
    at,
    claim,
    decided,
    expected,
    hours,
    in_utc,
    inside,
    left,
    pending,
    plain,
    reached,
    taken,
    visit,
)
from transitions import risk
from transitions.areas import Areas
from transitions.assess import assess, outlook
from transitions.describe import CLEARS, CLOSED_AS, FLAGS, clears
from transitions.dispositions import by_code
from transitions.follow_up import kind_of
from transitions.model import ClosedAs, Code, FlagCode, FollowUp, Observation, Placement, Stay, TakenBack, Transition
from transitions.policy import Agency, Policy, validate
from transitions.psychiatric import psychiatric
from transitions.windows import END_OF_TIME, Clock, after, local_day, start_of_day, utc
from transitions.worklist import order

ICD9 = "http://hl7.org/fhir/sid/icd-9-cm"
SNOMED = "http://snomed.info/sct"


def now(stay: Stay, as_of: str, *told: Any) -> Transition:
    """The transition, which there must be."""
    follow_ups = tuple(each for each in told if isinstance(each, FollowUp))
    contacts = tuple(each for each in told if not isinstance(each, FollowUp))
    found = assess(stay, follow_ups, contacts, at(as_of), POLICY)
    assert found is not None
    return found


# --- was it a psychiatric stay? DOMAIN, "Psychiatric stay"
def told(**changes: Any) -> Stay:
    return inside(**({"placements": (), "diagnoses": ()} | changes))


def principal(text: str = "", code: str = "", system: str = ICD10) -> Stay:
    return told(diagnoses=(Code(text, code, system if code else "", principal=True),))


@pytest.mark.parametrize(
    ("stay", "answer"),
    [
        (told(placements=(Placement(at("11-10 08:00"), "BHU", "psychiatric"),)), "yes"),
        (told(placements=(Placement(at("11-10 08:00"), "", "", "PSY", "psychiatric"),)), "yes"),
        (principal(code="F20.0"), "yes"),
        (principal(code="F33.2"), "yes"),
        (principal(code="F99"), "yes"),
        (principal(code="T14.91XA"), "yes"),
        (principal(code="X78.1XXA"), "yes"),
        (principal(code="R45.851"), "yes"),
        (principal(code="T42.4X2A"), "yes"),  # poisoning, intentional self-harm
        (principal(code="T58.02XA"), "yes"),  # the intent stands fifth where the sixth character is a placeholder
        (principal(code="T71.162A"), "yes"),
        (principal(code="T42.4X1A"), "no"),  # accidental
        (principal(code="T40.421A"), "no"),  # tramadol, accidental: the "2" is no intent
        (principal(code="296.33", system=ICD9), "yes"),
        (principal(code="E950.4", system=ICD9), "yes"),
        (principal(code="410.9", system=ICD9), "no"),
        (principal(code="I21.9"), "no"),
        (principal("Acute appendicitis", "K35.80"), "no"),
        (principal("Depression in the family", "K35.80"), "no"),  # coded: the code speaks
        (principal(code="R07.9"), "undecided"),  # a mere symptom
        (principal(code="Z76.89"), "undecided"),
        (principal(code="W19.XXXA"), "undecided"),
        (principal("Auditory hallucinations", "R44.0"), "yes"),
        (principal(code="F10.20"), "undecided"),  # neither mental illness by the set, nor proof of another
        (principal("Schizophrenia relapse"), "yes"),
        (principal("MAJOR DEPRESSIVE EPISODE WITH SUICIDAL IDEATION"), "yes"),
        (principal("Acute psychosis"), "yes"),
        (principal("Bipolar affective disorder, current episode manic"), "yes"),
        (principal("Unidentified, dissociative state"), "yes"),
        (principal("Post-traumatic stress disorder"), "yes"),
        (principal("Alcohol withdrawal"), "undecided"),
        (principal("Respiratory depression"), "undecided"),
        (principal("Chest pain, no suicidal ideation"), "undecided"),
        (principal("Impanicked"), "undecided"),  # whole words only
        (principal("Recurrent depressive disorder", "191616006", SNOMED), "yes"),
        (principal("Myocardial infarction", "22298006", SNOMED), "undecided"),  # a foreign code is read by its words, which say no illness of the mind
        (principal(code="F33.2", system=""), "yes"),  # a code of ICD's shape is believed when it says yes
        (told(diagnoses=(Code(code="F33.2"),)), "yes"),
        (told(diagnoses=(Code(code="I21.9"),)), "undecided"),  # and not when it would say no
        (told(reasons=(Code("Suicidal"),)), "yes"),
        (told(reasons=(Code("Schizophrenia relapse"),), diagnoses=(INFARCTION,)), "yes"),
        (told(diagnoses=(INFARCTION, Code(code="F32.9", system=ICD10))), "no"),  # a secondary depression does not make a heart attack psychiatric
        (told(diagnoses=(INFARCTION, Code(code="X78.1XXA", system=ICD10))), "yes"),  # self-harm does, wherever it stands
        (told(diagnoses=(Code(code="I10", system=ICD10), Code(code="F20.0", system=ICD10, principal=True))), "yes"),
        (told(placements=(Placement(at("11-10 08:00"), "", "psychiatric"),)), "yes"),  # a psychiatric hospital, which names no unit
        (told(placements=(Placement(at("11-10 08:00"), "MED3", "other"),)), "no"),
        (told(placements=(Placement(at("11-10 08:00"), "MED3", "other"),), diagnoses=(DEPRESSION,)), "yes"),  # wherever the client lies
        (told(placements=(Placement(at("11-10 08:00"), "7N"),)), "undecided"),
        (told(placements=(Placement(at("11-10 08:00"), "MED3", "other"), Placement(at("11-11 08:00"), "BHU", "psychiatric"))), "yes"),
        (told(placements=(Placement(at("11-10 08:00"), "BHU", "psychiatric"), Placement(at("11-11 08:00"), "MED3", "other"))), "no"),
        (told(placements=(Placement(at("11-10 08:00"), "BHU", "psychiatric"), Placement(at("11-11 08:00"), "7N"))), "yes"),
        (told(), "undecided"),
        (told(decisions=(decided("psychiatric", "yes"),)), "yes"),
        (told(diagnoses=(DEPRESSION,), decisions=(decided("psychiatric", "no"),)), "no"),
        (told(decisions=(decided("psychiatric", "no"), decided("psychiatric", "yes", "12-03 09:00"))), "yes"),
    ],
)  # fmt: skip
def test_a_stay_is_psychiatric_by_any_sign_and_undecided_without_one(stay: Stay, answer: str) -> None:
    found, reasons = psychiatric(stay, POLICY)
    assert found == answer
    assert reasons
    assert all(reasons)


# --- DOMAIN, the table of dispositions
@pytest.mark.parametrize(
    ("codes", "fate", "kind"),
    [
        ("01", "tracked", "home"),
        ("06 86", "tracked", "home-health"),
        ("04 84", "tracked", "supportive"),
        ("07", "tracked", "against-advice"),
        ("21 87", "tracked", "court"),
        ("20 40 41 42", "died", "died"),
        ("50 51", "hospice", "hospice"),
        ("02 05 43 66 82 85 88 94", "held", "acute-hospital"),
        ("65 93", "held", "psychiatric-hospital"),
        ("69 70 95", "tracked", "institution"),
        ("03 61 64 83 89 92", "tracked", "nursing"),
        ("62 90", "tracked", "rehabilitation"),
        ("63 91", "tracked", "long-term"),
        ("09", "not-a-discharge", "admitted-here"),
        ("30", "not-a-discharge", "still-a-patient"),
        ("00 08 99 1 HOME", "tracked", "unknown"),
    ],
)
def test_every_disposition_of_the_table(codes: str, fate: str, kind: str) -> None:
    for code in codes.split():
        assert (by_code(code).fate, by_code(code).kind) == (fate, kind)
        assert by_code(code).review == (code.isdigit() and 81 <= int(code) <= 95)


# --- DESIGN, "An appointment clears the scheduling flag"
NONE = (Code(),)


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        ({}, "unknown"),
        ({"services": (Code("Psychiatry new patient"),)}, "mental-health"),
        ({"services": (Code("Behavioral health follow-up"),)}, "mental-health"),
        ({"services": (Code("", "PSYCH"),)}, "mental-health"),
        ({"services": (Code("", "394587001", SNOMED),)}, "mental-health"),
        ({"specialties": (Code("", "2084P0800X", "http://nucc.org/provider-taxonomy"),)}, "mental-health"),
        ({"specialties": (Code("", "2084N0400X", "http://nucc.org/provider-taxonomy"),)}, "unknown"),  # neurology
        ({"services": (Code("", "53", "https://www.cms.gov/Medicare/Coding/place-of-service-codes"),)}, "mental-health"),
        ({"services": (Code("", "53"),)}, "unknown"),  # a number without a system is nobody's code
        ({"services": (Code("Dental cleaning"),)}, "other"),
        ({"services": (Code("Orthopaedic clinic"),)}, "other"),
        ({"services": (Code("Physical therapy"),)}, "other"),
        ({"services": (Code("Nutrition counseling"),)}, "unknown"),  # reads as both
        ({"services": (Code("Office visit"),)}, "unknown"),
        ({"services": (Code("Accidental injury review"),)}, "unknown"),  # "dental" is no part of a word
        ({"place_kind": "psychiatric"}, "mental-health"),
        ({"place_kind": "psychiatric", "services": (Code("Dental"),)}, "other"),
        ({"place_kind": "other"}, "other"),
        ({"place": "County Mental Health Center"}, "mental-health"),
        ({"practitioners": ("Okafor, Ngozi (Psychiatry)",)}, "mental-health"),
        ({"practitioners": ("Lee, Min (Cardiology)",)}, "other"),
        ({"diagnoses": (DEPRESSION,)}, "mental-health"),
        ({"diagnoses": (Code("", "K02.9", ICD10),)}, "other"),
        ({"diagnoses": (Code("", "F11.20", ICD10),)}, "unknown"),
        ({"diagnoses": (Code("Check"),)}, "unknown"),
        ({"mental_health": True, "services": (Code("Dental"),)}, "mental-health"),  # the feed profile knows its own words
        ({"mental_health": False, "services": (Code("Psychiatry"),)}, "other"),
        ({"booked_by": "river"}, "mental-health"),
        ({"booked_by": "river", "services": (Code("Dental"),)}, "other"),
        ({"booked_by": "harbor"}, "unknown"),
        ({"visit_class": "EMER", "services": (Code("Psychiatry"),)}, "other"),
        ({"visit_class": "AMB", "services": (Code("Psychiatry"),)}, "mental-health"),
    ],
)  # fmt: skip
def test_what_counts_as_mental_health_follow_up(said: dict[str, Any], kind: str) -> None:
    follow_up = appointment("12-04 09:00", **({"services": NONE} | said))
    assert kind_of(follow_up, frozenset({"river"}), (), POLICY) == kind


def test_a_person_s_word_on_an_appointment_beats_the_feed_s_and_the_last_word_stands() -> None:
    follow_up = appointment("12-04 09:00", mental_health=False)
    first, last = decided("confirm-kind", "other", "12-01 09:00", "Appointment/1"), decided("confirm-kind", "mental-health", about="Appointment/1")
    assert kind_of(follow_up, frozenset(), (last, first), POLICY) == "mental-health"
    assert kind_of(follow_up, frozenset(), (decided("confirm-kind", "mental-health", about="Appointment/2"),), POLICY) == "other"


# --- windows
def test_hours_are_elapsed_time_and_days_are_the_facility_s() -> None:
    before_the_lost_hour = utc(at("2026-03-07 12:00"))
    assert after(before_the_lost_hour, hours(24)) == utc(at("2026-03-08 13:00"))
    assert start_of_day(date(2026, 3, 8), 1, CHICAGO) - start_of_day(date(2026, 3, 8), 0, CHICAGO) == hours(23)
    assert start_of_day(date(2026, 11, 1), 1, CHICAGO) - start_of_day(date(2026, 11, 1), 0, CHICAGO) == hours(25)
    assert local_day(in_utc("2026-12-02T05:59:59"), CHICAGO) == date(2026, 12, 1)
    assert local_day(in_utc("2026-12-02T06:00:00"), CHICAGO) == date(2026, 12, 2)


def test_a_day_that_has_no_midnight_begins_at_its_first_moment() -> None:
    # In Havana the clocks go from 00:00 to 01:00 on 2026-03-08: that Sunday begins at 01:00 local, 05:00 UTC.
    assert start_of_day(date(2026, 3, 8), 0, "America/Havana") == in_utc("2026-03-08T05:00:00")


def test_the_hour_that_comes_twice_is_ordered_by_the_moment_not_by_the_wall_clock() -> None:
    first, second = at("2026-11-01 01:30"), at("2026-11-01 01:10", fold=1)
    assert utc(first) < utc(second)
    stay = replace(taken("2026-11-01 01:30"), admitted=at("2026-10-01 10:00"), discharged=first, discharge_recorded=first)
    call = replace(reached("2026-11-01 01:10"), at=second)
    assert "no-contact" not in {flag.code for flag in now(stay, "2026-11-05 10:00", call).flags}


def test_a_moment_beyond_the_calendar_is_never_reached() -> None:
    clock = Clock(in_utc("2026-12-01T00:00:00"))
    assert after(END_OF_TIME, timedelta(days=1)) == END_OF_TIME
    assert start_of_day(date.max, 8, CHICAGO) == END_OF_TIME
    assert not clock.passed(END_OF_TIME)
    assert clock.next_look is None


def test_an_unknown_zone_counts_as_utc_and_a_naive_moment_is_refused() -> None:
    for zone in ("", "Mars/Olympus", "../etc/passwd", "America"):
        assert start_of_day(date(2026, 12, 1), 0, zone) == in_utc("2026-12-01T00:00:00")
    with pytest.raises(TypeError, match="time zone"):
        utc(datetime(2026, 12, 1))


def test_the_clock_remembers_the_earliest_moment_to_come() -> None:
    clock = Clock(in_utc("2026-12-01T00:00:00"))
    assert clock.passed(in_utc("2026-12-01T00:00:00"))
    assert clock.next_look is None
    assert not clock.passed(in_utc("2026-12-03T00:00:00"))
    assert not clock.passed(in_utc("2026-12-02T00:00:00"))
    assert clock.next_look == in_utc("2026-12-02T00:00:00")


def test_a_stay_without_a_transition_says_when_to_look_again() -> None:
    assert outlook(expected("12-10 15:00"), POLICY, at("12-01 10:00")) == utc(at("12-07 00:00"))
    assert outlook(inside(), POLICY, at("12-01 10:00")) is None
    assert (
        outlook(expected("12-10 15:00", placements=(Placement(at("11-10 08:00"), "MED3", "other"),), diagnoses=()), POLICY, at("12-01 10:00")) is None
    )


# --- flags: since when, why, and what clears them
@pytest.mark.parametrize(
    ("stay", "told", "code", "since"),
    [
        (left(), (), "no-follow-up-scheduled", "12-01 10:00"),
        (pending("12-01 09:00"), (), "no-follow-up-scheduled", "12-01 09:00"),
        (expected("12-21 15:00"), (), "no-follow-up-scheduled", "12-18 00:00"),
        (expected("12-21 15:00", "12-19 13:00"), (), "no-follow-up-scheduled", "12-19 13:00"),
        (left(), (appointment("12-04 09:00", "cancelled", "12-02 08:00"),), "no-follow-up-scheduled", "12-02 08:00"),
        (left(), (appointment("12-04 09:00", "cancelled", "11-30 08:00"),), "no-follow-up-scheduled", "12-01 10:00"),
        (left(), (appointment("12-04 09:00"),), "no-follow-up-scheduled", "12-05 09:00"),
        (left(), (appointment("12-04 09:00"),), "outcome-unknown", "12-05 09:00"),
        (left(), (appointment("12-04 09:00", "noshow", "12-04 10:00"),), "missed-appointment", "12-04 10:00"),
        (left(), (appointment("12-25 09:00"),), "follow-up-too-late", "12-01 10:00"),
        (left(), (appointment("12-25 09:00", first_recorded=at("12-03 09:00")),), "follow-up-too-late", "12-03 09:00"),
        (left(), (appointment("12-25 09:00", moved=at("12-05 09:00")),), "follow-up-too-late", "12-05 09:00"),
        (left(), (plain("12-25 09:00", first_recorded=at("12-03 09:00")),), "kind-unconfirmed", "12-03 09:00"),
        (left(), (), "not-picked-up", "12-02 10:00"),
        (left(), (), "no-contact", "12-04 10:00"),
        (left(), (), "no-follow-up-7-days", "12-09 00:00"),
        (left(code="07"), (), "left-against-advice", "12-01 10:00"),
        (left(code="65"), (), "arrival-not-seen", "12-02 10:00"),
        (left(code=None), (), "disposition-unknown", "12-01 10:00"),
        (left(placements=(), diagnoses=()), (), "service-unknown", "12-01 10:00"),
        (left(uncertain=UNCERTAIN, uncertain_since=at("12-03 10:00")), (), "identity-uncertain", "12-03 10:00"),
        (left(client=replace(CLIENT, identity_uncertain=UNCERTAIN, identity_uncertain_since=at("11-01 10:00"))), (), "identity-uncertain", "12-01 10:00"),
        (left(other_visits=(visit("12-03 21:00", None, "EMER"),)), (), "emergency-return", "12-03 21:00"),
        (left(referred_to=("harbor",), claims=(claim("rejected", "12-01 13:00", "harbor"),)), (), "not-picked-up", "12-02 13:00"),
    ],
)  # fmt: skip
def test_a_flag_says_since_when_whenever_one_looks(stay: Stay, told: tuple[Any, ...], code: str, since: str) -> None:
    for as_of in ("12-20 10:00", "12-24 17:00"):
        flags = {flag.code: flag for flag in now(stay, as_of, *told).flags}
        assert flags[code].since == at(since)
        assert flags[code].evidence
        assert flags[code].clears


def test_every_flag_and_every_closing_has_its_words() -> None:
    assert set(FLAGS) == set(CLEARS) == set(get_args(FlagCode))
    assert set(CLOSED_AS) == set(get_args(ClosedAs))
    assert clears("no-follow-up-scheduled", "2026-12-08").count("2026-12-08") == 1
    assert all("{" not in clears(code, "") for code in CLEARS)


def test_a_flag_names_what_it_rests_on() -> None:
    flags = {flag.code: flag for flag in now(taken(), "12-02 10:00", appointment("12-04 09:00", "cancelled", "12-02 08:00")).flags}
    assert [piece.reference for piece in flags["no-follow-up-scheduled"].evidence] == ["message of 1", "message 2"]


def test_the_due_time_is_the_earliest_deadline_that_is_not_met() -> None:
    assert now(left(), "12-20 10:00").due == at("12-02 10:00")
    assert now(taken(), "12-20 10:00").due == at("12-04 10:00")
    assert now(taken(), "12-02 10:00", reached("12-01 15:00")).due == at("12-09 00:00")
    assert now(pending(), "12-02 10:00").due == at("12-03 11:00")
    assert now(left(code="20"), "12-02 10:00").due is None


# --- tiers: DOMAIN, "Tiers"
@pytest.mark.parametrize(
    ("stay", "reasons"),
    [
        (left(), ()),
        (left(observations=(Observation("93374-7", at("11-29 10:00"), text="High risk"),)), (risk.SUICIDE_RISK,)),
        (left(observations=(Observation("93374-7", at("11-29 10:00"), text="Moderate risk"),)), ()),
        (left(observations=(Observation("93374-7", at("11-20 10:00"), text="High"), Observation("93374-7", at("11-29 10:00"), text="Low"))), ()),
        (left(observations=(Observation("93374-7", at("05-20 10:00"), text="High"),)), ()),  # of another stay
        (left(observations=(Observation("93250-9", at("11-29 10:00"), text="Yes"),)), (risk.SUICIDE_RISK,)),
        (left(observations=(Observation("93246-7", at("11-29 10:00"), text="Yes"),)), ()),
        (left(diagnoses=(DEPRESSION, Code("", "X78.1XXA", ICD10))), (risk.SELF_HARM,)),
        (left(diagnoses=(DEPRESSION, Code("", "R45.851", ICD10))), ()),  # ideation is not self-harm
        (left(code="07"), (risk.AGAINST_ADVICE,)),
        (left(diagnoses=(DEPRESSION, Code("", "Z59.00", ICD10))), (risk.HOMELESS,)),
        (left(diagnoses=(DEPRESSION, Code("", "Z59.1", ICD10))), ()),  # inadequate housing
        (left(diagnoses=(DEPRESSION, Code("", "F11.20", ICD10))), (risk.SUBSTANCE_USE,)),
        (left(diagnoses=(DEPRESSION, Code("", "F25.0", ICD10))), (risk.SCHIZOPHRENIA,)),
        (left(other_visits=(visit("10-20 08:00", "10-25 08:00"),)), (risk.ADMITTED_BEFORE,)),
        (left(other_visits=(visit("10-10 08:00", "10-25 08:00"),)), ()),  # 31 days
        (left(other_visits=(visit("10-20 08:00", "10-25 08:00", "AMB"),)), ()),
        (left(other_visits=(visit("2026-01-20 08:00", "2026-01-25 08:00"),)), (risk.NO_OUTPATIENT_CARE,)),
        (left(other_visits=(visit("2026-01-20 08:00", "2026-01-25 08:00"), visit("09-01 08:00", None, "AMB"))), ()),
        (left(admitted=at("11-24 08:00")), (risk.SHORT_STAY,)),
        (left(code="07", diagnoses=(DEPRESSION, Code("", "Z59.00", ICD10))), (risk.AGAINST_ADVICE, risk.HOMELESS)),
    ],
)  # fmt: skip
def test_the_tier_and_its_reasons(stay: Stay, reasons: tuple[str, ...]) -> None:
    transition = now(stay, "12-01 11:00")
    assert transition.reasons == reasons
    assert transition.tier == risk.tier_of(reasons)


def test_the_gravest_reason_gives_the_tier_and_without_a_withheld_one_the_rest_do() -> None:
    assert risk.tier_of((risk.SUBSTANCE_USE, risk.SELF_HARM)) == "urgent"
    assert risk.tier_of((risk.SUBSTANCE_USE,)) == "high"
    assert risk.tier_of(()) == "standard"


# --- routing
def turns(transition: Transition) -> list[tuple[int, str | None, str, str]]:
    return [(each.number, each.agency, each.status, each.ended) for each in transition.assignments]


@pytest.mark.parametrize(
    ("stay", "expect"),
    [
        (left(), [(1, "river", "requested", "")]),
        (left(client=replace(CLIENT, postal_code="62650-1234")), [(1, "harbor", "requested", "")]),
        (left(client=replace(CLIENT, postal_code="99999")), [(1, None, "requested", "")]),
        (left(client=replace(CLIENT, postal_code="")), [(1, None, "requested", "")]),
        (left(referred_to=("harbor",)), [(1, "harbor", "requested", "")]),
        (left(claims=ACCEPTED), [(1, "river", "accepted", "")]),
        (left(claims=(*ACCEPTED, claim("completed", "12-09 09:00"))), [(1, "river", "completed", "")]),
        (left(client=replace(CLIENT, postal_code="62501"), claims=ACCEPTED), [(1, "river", "accepted", "")]),  # it moved; who has answered keeps the client
        (left(claims=(claim("rejected", "12-01 13:00"),)), [(1, "river", "rejected", "declined"), (2, None, "requested", "")]),
        (left(referred_to=("harbor",), claims=(claim("rejected", "12-01 13:00", "harbor"),)), [(1, "harbor", "rejected", "declined"), (2, "river", "requested", "")]),
        (left(claims=(*ACCEPTED, claim("failed", "12-05 09:00"))), [(1, "river", "failed", "given up"), (2, None, "requested", "")]),
        (left(decisions=(decided("route", "harbor"),)), [(1, "river", "cancelled", "routed"), (2, "harbor", "requested", "")]),
        (left(decisions=(decided("route", "harbor", "11-30 09:00"),)), [(1, "harbor", "requested", "")]),
        (left(decisions=(decided("route", ""),)), [(1, "river", "cancelled", "routed"), (2, None, "requested", "")]),
        (left(placements=(), diagnoses=()), [(1, None, "requested", "")]),
        (left(placements=(), diagnoses=(), decisions=(decided("route", "river"),)), [(1, None, "requested", "")]),
        (left(withheld_from=frozenset({"*"})), [(1, None, "requested", "")]),
        (left(withheld_from=frozenset({"river"})), [(1, None, "requested", "")]),
        (left(withheld_from=frozenset({"harbor"})), [(1, "river", "requested", "")]),
        (left(uncertain=UNCERTAIN), [(1, None, "requested", "")]),
        (left(uncertain=UNCERTAIN, claims=ACCEPTED), [(1, "river", "cancelled", "withheld"), (2, None, "requested", "")]),
        (left(code="20"), []),
        (left(code="65"), [(1, "river", "requested", "")]),  # the hold has lapsed
        (inside(discharge_cancelled=at("12-02 08:15")), [(1, "river", "cancelled", "void")]),
        (inside(discharge_cancelled=at("12-02 08:15"), claims=ACCEPTED), [(1, "river", "cancelled", "void")]),
        (left("12-05 10:00", taken_back=CANCELLED, claims=ACCEPTED), [(1, "river", "cancelled", "void"), (2, "river", "requested", "")]),
        (left(claims=ACCEPTED, other_visits=(visit("12-03 10:00"),)), [(1, "river", "cancelled", "readmitted")]),
        (left(claims=ACCEPTED, other_visits=(visit("12-03 10:00", "12-05 10:00", tracked=False),)), [(1, "river", "cancelled", "readmitted"), (2, "river", "requested", "")]),
        (left(claims=ACCEPTED, decisions=(decided("close", "left-region"),)), [(1, "river", "cancelled", "left-region")]),
        (pending(claims=(claim("accepted", "12-01 10:00"),)), [(1, "river", "accepted", "")]),
    ],
)  # fmt: skip
def test_whose_turn_it_is(stay: Stay, expect: list[tuple[int, str | None, str, str]]) -> None:
    transition = now(stay, "12-06 10:00")
    assert turns(transition) == expect
    agency = expect[-1][1] if expect else None
    assert (transition.agency, transition.queue) == (agency, "coordinator" if agency is None else "agency")


def test_a_turn_runs_from_when_the_discharge_was_told_until_it_was_taken_back() -> None:
    again = (*CANCELLED, TakenBack("expectation", at("12-03 09:00"), at("12-04 09:00")))
    transition = now(left("12-05 10:00", taken_back=again), "12-06 10:00")
    assert [(each.since, each.until) for each in transition.assignments] == [
        (at("12-01 10:00"), at("12-02 08:15")),
        (at("12-03 09:00"), at("12-04 09:00")),
        (at("12-05 10:00"), None),
    ]
    void = now(inside(discharge_cancelled=at("12-02 08:15"), taken_back=CANCELLED), "12-06 10:00")
    assert [(each.since, each.until, each.ended) for each in void.assignments] == [(at("12-01 10:00"), at("12-02 08:15"), "void")]
    assert (void.tracked_since, void.since) == (at("12-01 10:00"), at("12-02 08:15"))


def test_a_kept_visit_leaves_the_task_to_the_agency_and_withdraws_one_that_nobody_took() -> None:
    kept = appointment("12-03 09:00", "fulfilled")
    assert turns(now(left(claims=ACCEPTED), "12-04 10:00", kept)) == [(1, "river", "accepted", "follow-up-kept")]
    assert turns(now(left(), "12-04 10:00", kept)) == [(1, "river", "cancelled", "follow-up-kept")]


def test_clients_from_court_have_their_own_route_where_the_policy_names_one() -> None:
    policy = replace(POLICY, court_agency="harbor")
    found = assess(left(code="21"), (), (), at("12-01 10:00"), policy)
    assert found is not None
    assert found.agency == "harbor"


def test_the_closest_postal_code_pattern_comes_first() -> None:
    areas = Areas([("wide", "6*"), ("near", "627*"), ("here", "62704"), ("ottawa", "k1a*")])
    assert [agency for agency, _ in areas.serving("62704")] == ["here", "near", "wide"]
    assert [agency for agency, _ in areas.serving("62704-1234")] == ["here", "near", "wide"]
    assert [agency for agency, _ in areas.serving("K1A 0B1")] == ["ottawa"]
    assert areas.serving("") == ()


# --- policy and list
@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"agencies": (Agency("a"), Agency("a"))}, "Two agencies"),
        ({"agencies": (Agency("coordinator"),)}, "reserved"),
        ({"agencies": (Agency("a b"),)}, "no agency id"),
        ({"agencies": (Agency("a", postal_codes=("6*7",)),)}, "no postal code pattern"),
        ({"agencies": (Agency("a", postal_codes=(" ",)),)}, "no postal code pattern"),
        ({"court_agency": "nobody"}, "none of the agencies"),
        ({"pick_up": timedelta()}, "pick_up"),
        ({"visit_days": 0}, "visit_days"),
        ({"measure_days": 5}, "measure_days"),
        ({"anticipation_days": -1}, "anticipation_days"),
        ({"attempts": 2}, "attempts"),
    ],
)
def test_an_unsound_policy_says_what_is_wrong(change: dict[str, Any], problem: str) -> None:
    assert validate(Policy()) == validate(POLICY) == ()
    assert any(problem in each for each in validate(replace(POLICY, **change)))


def test_the_list_is_in_order_of_risk_and_then_of_time_left() -> None:
    urgent = now(left(code="07", transition="urgent"), "12-05 10:00")
    overdue = now(left(transition="overdue"), "12-05 10:00")
    in_time = now(taken(transition="in-time"), "12-05 10:00", reached("12-01 15:00"))
    closed = now(left(code="20", transition="closed"), "12-05 10:00")
    void = now(inside(discharge_cancelled=at("12-02 08:15"), transition="void"), "12-05 10:00")
    assert sorted((void, closed, in_time, overdue, urgent), key=order) == [urgent, overdue, in_time, closed, void]


def test_the_policy_s_defaults_are_the_ones_of_domain() -> None:
    policy = Policy()
    assert (policy.pick_up, policy.first_contact, policy.hold, policy.outcome) == (hours(24), hours(72), hours(24), hours(24))
    assert (policy.visit_days, policy.measure_days, policy.anticipation_days) == (7, 30, 3)
    assert (policy.attempts, policy.attempt_days, policy.attempt_means) == (3, 3, 2)


def test_the_model_is_frozen() -> None:
    for value in (left(), appointment("12-04 09:00"), CLIENT, POLICY, now(left(), "12-01 10:00")):
        with pytest.raises(AttributeError):
            setattr(value, next(iter(value.__annotations__)), "x")


def test_computed_times_are_in_utc() -> None:
    transition = now(left(), "12-05 10:00")
    assert {flag.since.tzinfo for flag in transition.flags} == {UTC}
    assert transition.next_look is not None
    assert transition.next_look.astimezone(ZoneInfo(CHICAGO)).isoformat() == "2026-12-09T00:00:00-06:00"
