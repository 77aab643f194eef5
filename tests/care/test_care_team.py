"""The CareTeam: from which messages its members come, in which roles, from when until when, and who of the client's own people is in it."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

import pytest

from gateway.mappings.care.derive import derive
from gateway.privacy import supports
from gateway.records.record import Owned, PersonRecord
from gateway.records.statements import Json
from tests.care import people
from tests.care.people import CONTEXT, at, of_type, person, transition
from tests.pipeline.county import BOOKED, DIAGNOSIS, feed, memory_folder, message, state, store_at, visit
from transitions.model import Assignment

ROLE_CODE = "http://terminology.hl7.org/CodeSystem/v3-RoleCode"
SNOMED = "http://snomed.info/sct"
LEFT = "20260310104500"
THIRD_TO_FIFTH = {"start": "2026-03-03T08:00:00-06:00", "end": "2026-03-05T08:00:00-06:00"}

# --- members, from messages -------------------------------------------------------------------------------------------


def told(event: str, when: str, control: str, *segments: str, attending: str = "", others: str = "", left: bool = False) -> bytes:
    """One message of Ada's stay; `attending` is PV1-7, `others` PV1-8, 9 and 17 as they stand in between."""
    fields = visit(discharged=LEFT if left else "", disposition="01" if left else "").split("|")
    fields[7] = attending
    if others:
        fields[8], fields[9], fields[17] = others.split("|")
    return message(event, when, control, *(one for one in segments if one.startswith(("PD1", "ROL", "NK1"))), "|".join(fields), *_after(segments))


def _after(segments: tuple[str, ...]) -> list[str]:
    return [one for one in segments if not one.startswith(("PD1", "ROL", "NK1"))]


def teams(messages: list[bytes], recipient: str = "*") -> Json:
    """The CareTeam that the gateway derives from these messages, as the recipient sees it."""
    with memory_folder() as folder, store_at(folder) as store:
        for outcome in feed(store, messages):
            assert outcome.state == "processed"
        current = state(store)
    (found,) = [body for name, body in current.items() if name.startswith(f"{recipient} CareTeam/") and isinstance(body, dict) and "category" in body]
    return found


def shown(team: Json) -> list[tuple[str, str, Any]]:
    """Who, as what, from when until when."""
    return [
        (one["member"].get("display", one["member"].get("reference", "")), one["role"][0].get("text", ""), one.get("period"))
        for one in team["participant"]
        if "Organization" not in one["member"].get("reference", "")
    ]


ADMITTED = told(
    "ADT^A01^ADT_A01",
    "20260302090000",
    "1",
    "PD1||||P1^Pope^Pat",
    "NK1|1|Quist^Gus|BRO^Brother^HL70063",
    "NK1|2|Dent^Di|GRD^Guardian^HL70063",
    DIAGNOSIS,
    "IN1|1|X|Y|Payer",
    "IN3|1" + "|" * 20 + "Morgan Case",
    attending="L1^Lee^Ann",
    others="H1^Hill^Bob|C1^Cole^Cy|A1^Adams^Al",
)
LEAVES = told("ADT^A03^ADT_A03", "20260310110000", "3", attending="M1^Moss^Max", left=True)
REASSIGNED = told("ADT^A54^ADT_A54", "20260304090000", "2", attending="M1^Moss^Max")
SEEN = message("SIU^S12^SIU_S12", "20260310120000", "4", *BOOKED, "AIP|1||T1^Tran^Tia|PSY^Psychiatrist^L")


def test_members_come_from_the_visit_its_doctors_primary_care_the_payer_and_the_appointment() -> None:
    assert sorted(shown(teams([ADMITTED, told("ADT^A03^ADT_A03", "20260310110000", "3", attending="L1^Lee^Ann", left=True), SEEN])), key=str) == [
        ("Al Adams", "Admitting physician", None),
        ("Ann Lee", "Attending physician", None),
        ("Bob Hill", "Referring practitioner", None),
        ("Cy Cole", "Consultant", None),
        ("Di Dent", "Legal guardian", None),
        ("Morgan Case", "Case manager", None),
        ("Pat Pope", "Primary care provider", None),
        ("Tia Tran", "Psychiatrist", {"start": "2026-03-10T12:00:00-05:00"}),
    ]


def test_a_reassigned_attending_ends_when_the_change_was_recorded_and_is_not_forgotten() -> None:
    team = teams([ADMITTED, REASSIGNED, LEAVES])
    attending = [(name, period) for name, role, period in shown(team) if role == "Attending physician"]
    assert attending == [("Max Moss", {"start": "2026-03-04T09:00:00-06:00"}), ("Ann Lee", {"end": "2026-03-04T09:00:00-06:00"})]


def test_one_who_comes_back_has_two_spells() -> None:
    back = told("ADT^A08^ADT_A01", "20260306090000", "9", attending="L1^Lee^Ann")
    leaves = told("ADT^A03^ADT_A03", "20260310110000", "3", attending="L1^Lee^Ann", left=True)
    attending = [(name, period) for name, role, period in shown(teams([ADMITTED, REASSIGNED, back, leaves])) if role == "Attending physician"]
    assert sorted(attending, key=str) == [
        ("Ann Lee", {"end": "2026-03-04T09:00:00-06:00"}),
        ("Ann Lee", {"start": "2026-03-06T09:00:00-06:00"}),
        ("Max Moss", {"start": "2026-03-04T09:00:00-06:00", "end": "2026-03-06T09:00:00-06:00"}),
    ]


def test_the_order_of_arrival_changes_nothing_in_the_team() -> None:
    messages = [ADMITTED, REASSIGNED, LEAVES, SEEN]
    expected = teams(messages)
    for seed in range(6):
        turned = messages[:]
        random.Random(seed).shuffle(turned)
        assert teams(turned) == expected


ROLES = [
    # ROL after PV1: action, role, person, begin, end                       role in the team          period
    ("ROL|R1|AD|AT|N1^North^Ned|202603030800|202603050800", "Attending physician", THIRD_TO_FIFTH),
    ("ROL|R1|AD|CP|N1^North^Ned", "Consultant", None),
    ("ROL|R1|AD|SW^Social worker^L|N1^North^Ned", "Social worker", None),
    ("PRT|R1|AD||PP^Primary care^HL70443|N1^North^Ned", "Primary care provider", None),
]  # fmt: skip


@pytest.mark.parametrize(("segment", "role", "period"), ROLES)
def test_roles_and_their_times_come_from_rol_and_prt(segment: str, role: str, period: Any) -> None:
    admitted = message("ADT^A01^ADT_A01", "20260302090000", "1", visit(), segment, DIAGNOSIS)
    assert [(as_what, when) for name, as_what, when in shown(teams([admitted, LEAVES])) if name == "Ned North"] == [(role, period)]


@pytest.mark.parametrize("action", ["DE", "DC", "UN"])
def test_one_who_is_taken_out_of_a_role_ends_then(action: str) -> None:
    admitted = message("ADT^A01^ADT_A01", "20260302090000", "1", visit(), "ROL|R1|AD|CP|N1^North^Ned", DIAGNOSIS)
    out = message("ADT^A08^ADT_A01", "20260304090000", "2", visit(), f"ROL|R1|{action}|CP|N1^North^Ned")
    assert [one for one in shown(teams([admitted, out, LEAVES])) if one[0] == "Ned North"] == [
        ("Ned North", "Consultant", {"end": "2026-03-04T09:00:00-06:00"})
    ]


def test_a_relative_whom_rol_names_is_no_practitioner_of_the_stay() -> None:
    admitted = message("ADT^A01^ADT_A01", "20260302090000", "1", visit(), "ROL|F1|AD|SIS^Sister^HL70063|^Quist^Sue", DIAGNOSIS)
    assert not any("Sue" in name for name, _, _ in shown(teams([admitted, LEAVES])))
    with memory_folder() as folder, store_at(folder) as store:
        feed(store, [admitted, LEAVES])
        seen_by_agency = [body for name, body in state(store).items() if name.startswith("river ")]
    assert seen_by_agency
    assert "Sue" not in str(seen_by_agency)


def test_nobody_is_twice_in_one_role_however_many_segments_say_so() -> None:
    told_twice = ("ROL|R1|AD|AT|L1^Lee^Ann|20260302090000", "PRT|R2|AD||AT|L1^Lee^Ann")
    admitted = told("ADT^A01^ADT_A01", "20260302090000", "1", DIAGNOSIS, *told_twice, attending="L1^Lee^Ann")
    leaves = told("ADT^A03^ADT_A03", "20260310110000", "3", attending="L1^Lee^Ann", left=True)
    lee = [(role, period) for name, role, period in shown(teams([admitted, leaves])) if name == "Ann Lee"]
    assert lee == [("Attending physician", {"start": "2026-03-02T09:00:00-06:00"})]


def test_whoever_was_booked_leaves_the_team_with_the_cancelled_visit() -> None:
    cancelled = message("SIU^S15^SIU_S12", "20260312080000", "5", *BOOKED, "AIP|1||T1^Tran^Tia|PSY^Psychiatrist^L")
    team = teams([ADMITTED, LEAVES, SEEN, cancelled])
    assert [period for name, _, period in shown(team) if name == "Tia Tran"] == [
        {"start": "2026-03-10T12:00:00-05:00", "end": "2026-03-12T08:00:00-05:00"}
    ]
    missed = message("SIU^S26^SIU_S12", "20260316113000", "5", *BOOKED, "AIP|1||T1^Tran^Tia|PSY^Psychiatrist^L")
    assert [period for name, _, period in shown(teams([ADMITTED, LEAVES, SEEN, missed])) if name == "Tia Tran"] == [
        {"start": "2026-03-10T12:00:00-05:00"}
    ]


# --- the agency -------------------------------------------------------------------------------------------------------


def derived(record: PersonRecord | None = None, context: Any = CONTEXT, **change: Any) -> Json:
    record = record or person()
    (team,) = of_type(derive(record, record.stays[0], transition(record, **change), context), "CareTeam")
    return team


def members(team: Json) -> list[str]:
    return [one["member"].get("reference", "") for one in team["participant"]]


def test_the_agency_is_a_member_once_it_has_accepted_and_until_it_is_somebody_elses_turn() -> None:
    first = Assignment(1, "river-cmhc", at("2026-11-20T11:00:00"), "", until=at("2026-11-22T11:00:00"), ended="routed", status="accepted")
    second = Assignment(2, "oak-cmhc", at("2026-11-22T11:00:00"), "", status="requested")
    assert "Organization/river-cmhc" not in members(derived(assignments=(first._replace(status="requested"),)))
    team = derived(assignments=(first, second))
    assert [(one["member"]["display"], one["period"]) for one in team["participant"] if "cmhc" in one["member"]["reference"]] == [
        ("River Community Mental Health", {"start": "2026-11-20T11:00:00-06:00", "end": "2026-11-22T11:00:00-06:00"})
    ]


def test_only_practitioners_act_on_behalf_of_somebody() -> None:
    """ctm-1."""
    team = derived(assignments=(Assignment(1, "river-cmhc", at("2026-11-20T11:00:00"), "", status="accepted"),))
    assert {one["member"]["reference"].split("/")[0] for one in team["participant"] if "onBehalfOf" in one} == {"Practitioner"}


def test_the_team_is_of_the_encounter_managed_by_the_gateway_and_lasts_as_long_as_the_transition() -> None:
    team = derived()
    assert team["category"][0]["coding"] == [{"system": "http://loinc.org", "code": "LA27976-2", "display": "Encounter-focused care team"}]
    assert team["period"] == {"start": "2026-11-10T09:00:00-06:00"}
    over = derived(status="closed", closed_as="follow-up-kept", since=at("2026-11-24T10:00:00"))
    assert (over["status"], over["period"]["end"]) == ("inactive", "2026-11-24T10:00:00-06:00")


# --- the client's own people ------------------------------------------------------------------------------------------


def relative(name: str, code: str, **change: Any) -> Json:
    return {
        "resourceType": "RelatedPerson",
        "id": name.casefold(),
        "active": True,
        "patient": {"reference": "Patient/ana"},
        "relationship": [{"coding": [{"system": ROLE_CODE, "code": code}], "text": code}],
        "name": [{"given": [name], "family": "Ruiz"}],
        **change,
    }


def consented(kind: str, *actors: Json, **change: Any) -> Owned:
    provision = {"type": kind, **({"actor": list(actors)} if actors else {})}
    return Owned({"resourceType": "Consent", "id": f"c-{kind}-{len(actors)}", "status": "active", "provision": provision, **change})


def actor(code: str = "IRCP", **reference: Any) -> Json:
    system = ROLE_CODE if code != "IRCP" else "http://terminology.hl7.org/CodeSystem/v3-ParticipationType"
    return {"role": {"coding": [{"system": system, "code": code}]}, "reference": reference}


SISTER, GUARDIAN = relative("Rosa", "SIS"), relative("Gina", "GUARD")
BY_ID, BY_NAME = actor(reference="RelatedPerson/rosa"), actor("FAMMEMB", display="Rosa Ruiz")
CONSENTS = [
    # consents                                                                         who of sister and guardian is in the team
    ([], {"gina"}),
    ([consented("permit", BY_ID)], {"gina", "rosa"}),
    ([consented("permit", BY_NAME)], {"gina", "rosa"}),
    ([consented("permit", actor("FAMMEMB", display="family"))], {"gina", "rosa"}),
    ([consented("permit", actor("SIS"))], {"gina", "rosa"}),
    ([consented("permit", actor("BRO"))], {"gina"}),
    ([consented("permit", actor(display="River", reference="Organization/river-cmhc"))], {"gina"}),
    ([consented("permit")], {"gina"}),
    ([consented("permit", BY_ID), consented("deny", BY_NAME)], {"gina"}),
    ([consented("permit", BY_ID), consented("deny")], {"gina"}),
    ([consented("deny", actor(reference="RelatedPerson/gina"))], set()),
    ([consented("permit", BY_ID, status="inactive")], {"gina"}),
    ([consented("permit", BY_ID, dateTime="2026-12-01")], {"gina"}),
    ([consented("permit", {**BY_ID}, provision={"type": "permit", "actor": [BY_ID], "period": {"end": "2026-11-19"}})], {"gina"}),
]


@pytest.mark.parametrize(("consents", "expected"), CONSENTS)
def test_family_is_in_the_team_only_where_a_consent_names_it_and_none_refuses(consents: list[Owned], expected: set[str]) -> None:
    record = person(related=(SISTER, GUARDIAN), consents=tuple(consents))
    context = replace(CONTEXT, supports=supports.verdicts(record, at("2026-11-21T09:00:00")))
    found = {name.split("/")[1] for name in members(derived(record, context)) if name.startswith("RelatedPerson/")}
    assert found == expected


def test_a_parent_acts_for_a_minor_of_whom_nobody_is_named_as_guardian() -> None:
    born = at("2012-01-15T00:00:00").date()
    mother = relative("Mina", "MTH")

    def related(*around: Json, born: Any = born) -> set[str]:
        record = person(related=around)
        client = replace(transition(record).stay.client, birth_date=born)
        return {name for name in members(derived(record, stay_client=client)) if name.startswith("RelatedPerson/")}

    assert related(mother, SISTER) == {"RelatedPerson/mina"}
    assert related(mother, GUARDIAN) == {"RelatedPerson/gina"}
    assert related(mother, born=at("1988-04-02T00:00:00").date()) == set()


def test_the_relative_whom_a_consent_names_is_disclosed_with_the_team_and_leaves_with_the_consent() -> None:
    """What an agency reads: the RelatedPerson that the team refers to is there, or neither is."""
    from gateway.privacy.disclosure import disclose

    def agency(*consents: Owned) -> tuple[set[str], set[str]]:
        record = person(related=(SISTER,), consents=consents)
        now = at("2026-11-21T09:00:00")
        shown = disclose(record, "river-cmhc", frozenset({record.stays[0].transition}), now).person
        context = replace(CONTEXT, recipient="river-cmhc", supports=supports.verdicts(record, now))
        team = derived(shown, context)
        return {f"RelatedPerson/{one['id']}" for one in shown.related}, {name for name in members(team) if "RelatedPerson" in name}

    assert agency() == (set(), set())
    assert agency(consented("permit", BY_ID)) == ({"RelatedPerson/rosa"}, {"RelatedPerson/rosa"})
    assert agency(consented("permit", BY_ID), consented("deny", BY_ID)) == (set(), set())


def test_a_refusal_of_one_relative_takes_nothing_from_an_agency() -> None:
    from gateway.privacy.disclosure import decide

    permitted = consented("permit")
    permitted.resource["provision"] |= {
        "actor": [actor(reference="Organization/river-cmhc")],
        "purpose": [{"code": "TREAT"}],
        "securityLabel": [{"code": "42CFRPart2"}],
    }
    now = at("2026-11-21T09:00:00")
    assert decide(person(consents=(permitted,)), "river-cmhc", now).permit
    assert decide(person(consents=(permitted, consented("deny", BY_ID))), "river-cmhc", now).permit
    assert not decide(person(consents=(permitted, consented("deny"))), "river-cmhc", now).permit


def test_where_no_message_names_anybody_the_client_is_the_team() -> None:
    record = person(people.stay_record(encounter={"participant": [], "serviceProvider": {}}), patient=people.patient(generalPractitioner=[]))
    team = derived(record, assignments=())
    assert [(one["member"]["reference"], one["role"][0]["coding"][0]["code"]) for one in team["participant"]] == [("Patient/ana", "116154003")]


@pytest.mark.parametrize("code", ["ATND", "ADM", "CON"])
def test_the_doctors_of_a_stay_have_roles_of_us_cores_value_set(code: str) -> None:
    """VSAC 2.16.840.1.113762.1.4.1099.30, Care Team Member Function."""
    expected = {"ATND": ("405279007", "Attending physician"), "ADM": ("421841007", "Admitting physician"), "CON": ("768839008", "Consultant")}[code]
    record = person(people.stay_record(encounter={"participant": [people.participant(code, "Practitioner/dr-lee")]}))
    (role,) = [one["role"] for one in derived(record)["participant"] if one["member"]["reference"] == "Practitioner/dr-lee"]
    assert len(role) == 1
    assert role[0]["coding"] == [{"system": SNOMED, "code": expected[0], "display": expected[1]}]
