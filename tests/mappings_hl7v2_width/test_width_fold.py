"""What several messages come to, in any order of arrival: teams by action codes, problems, referrals, follow-ups told twice."""

from __future__ import annotations

import hashlib
import itertools
from dataclasses import replace

from width_support import PID, PROFILE, PV1, identify, translated

from gateway.mappings.feeds.profile import FeedProfile
from gateway.records.order import Entry
from gateway.records.reconcile import reconcile
from gateway.records.record import PersonRecord


def told(event: str, minute: int, *segments: str) -> bytes:
    kind, _, code = event.partition("^")
    at = f"202611220800{minute:02d}"
    lines = [rf"MSH|^~\&|REG|STMARY|GW|COUNTY|{at}||{event}|M{minute}|P|2.5.1", *([f"EVN|{code}|{at}"] if kind == "ADT" else []), *segments]
    return "\r".join(lines).encode()


def one(*messages: bytes, profile: FeedProfile = PROFILE) -> PersonRecord:
    """The one person that the messages come to; the same in each order of arrival."""
    found = []
    for order in itertools.permutations(messages):
        entries = [Entry(number, hashlib.sha256(data).hexdigest()[:16], translated(data, profile)) for number, data in enumerate(order, 1)]
        (person,) = reconcile(entries, identify)
        found.append(person)
    for other in found[1:]:
        assert (other.patient, other.related, other.care, other.referrals, other.appointments, other.stays) == (
            found[0].patient,
            found[0].related,
            tuple(replace(mine, sources=theirs.sources) for mine, theirs in zip(found[0].care, other.care, strict=True)),
            tuple(replace(mine, sources=theirs.sources) for mine, theirs in zip(found[0].referrals, other.referrals, strict=True)),
            tuple(replace(mine, sources=theirs.sources) for mine, theirs in zip(found[0].appointments, other.appointments, strict=True)),
            tuple(replace(mine, sources=theirs.sources, course=theirs.course) for mine, theirs in zip(found[0].stays, other.stays, strict=True)),
        )
    return found[0]


def test_members_of_a_team_come_and_go_by_their_instance_numbers() -> None:
    person = one(
        told("ADT^A31", 1, PID, "ROL|R1|AD|PP|1^Ames^Abe", "ROL|R2|AD|CP|2^Bell^Bea"),
        told("ADT^A31", 2, PID, "ROL|R2|UP|AT|2^Bell^Bea"),
        told("ADT^A31", 3, PID, "ROL|R1|DE|PP|1^Ames^Abe"),
        told("ADT^A31", 4, PID, "ROL|R3|AD|CP|3^Cole^Cy"),
    )
    (team,) = [each for each in person.related if each["resourceType"] == "CareTeam"]
    taken_over, taken_out = "2026-11-22T08:00:02-06:00", "2026-11-22T08:00:03-06:00"
    assert [(each["member"]["display"], each["role"][0]["coding"][0]["code"], each.get("period")) for each in team["participant"]] == [
        ("Bea Bell", "CON", {"end": taken_over}),
        ("Bea Bell", "ATND", {"start": taken_over}),
        ("Abe Ames", "PART", {"end": taken_out}),
        ("Cy Cole", "CON", None),
    ]


def test_a_snapshot_replaces_what_stood_before() -> None:
    person = one(
        told("ADT^A31", 1, PID, "ROL|R1|AD|PP|1^Ames^Abe"),
        told("ADT^A31", 2, PID, "ROL|R2|AD|CP|2^Bell^Bea"),
        profile=replace(PROFILE, segment_modes={"ROL": "snapshot"}),
    )
    (team,) = [each for each in person.related if each["resourceType"] == "CareTeam"]
    assert [(each["member"]["display"], each.get("period")) for each in team["participant"]] == [
        ("Abe Ames", {"end": "2026-11-22T08:00:02-06:00"}),
        ("Bea Bell", None),
    ]


def test_a_problem_is_one_condition_from_its_first_message_to_its_deletion() -> None:
    added = told("PPR^PC1", 1, PID, "PRB|AD|20261122|F33.2^Major depression^I10C|P1")
    updated = told("PPR^PC2", 2, PID, "PRB|UP|20261122|F33.2^Major depression^I10C|P1|||||20261121")
    deleted = told("PPR^PC3", 3, PID, "PRB|DE|20261122|F33.2^Major depression^I10C|P1")
    (condition,) = one(added, updated).care
    assert condition.resource["clinicalStatus"]["coding"][0]["code"] == "resolved"
    again = told("PPR^PC2", 4, PID, "PRB|UP|20261122|F33.2^Major depression^I10C|P1")
    (condition,) = one(added, updated, again).care
    assert condition.resource["clinicalStatus"]["coding"][0]["code"] == "active"
    assert "abatementDateTime" not in condition.resource  # con-4
    (condition,) = one(added, updated, deleted).care
    assert condition.resource["verificationStatus"]["coding"][0]["code"] == "entered-in-error"
    assert "clinicalStatus" not in condition.resource  # con-5


def test_a_referral_belongs_to_its_stay_and_can_be_taken_back() -> None:
    admitted = told("ADT^A01", 1, PID, PV1)
    asked = told("REF^I12", 2, "RF1|P|R||||R7", "PRD|RT^Referred to||||||||" + "|River^^river", PID, PV1)
    back = told("REF^I14", 3, "RF1|P|R||||R7", "PRD|RT^Referred to||||||||" + "|River^^river", PID, PV1)
    person = one(admitted, asked)
    assert person.referrals[0].stay == person.stays[0].id
    assert person.referrals[0].facts["receivers"] == ["river", "River"]
    assert one(admitted, asked, back).referrals[0].resource["status"] == "revoked"


def test_a_follow_up_segment_and_a_scheduling_message_are_one_appointment() -> None:
    profile = replace(PROFILE, segments={"ZFU-1": "appointment.number", "ZFU-2": "appointment.start"})
    left = told("ADT^A03", 1, PID, PV1, "ZFU|F7|20261125140000")
    cancelled = told("SIU^S15", 2, "SCH||F7|||||||||^^^20261125140000", PID)
    (appointment,) = one(left, cancelled, profile=profile).appointments
    assert appointment.resource["status"] == "cancelled"


def test_a_stays_diagnoses_say_what_they_are_to_it() -> None:
    person = one(told("ADT^A01", 1, PID, PV1, "DG1|1||F33.2^X^I10C|||A" + "|" * 9 + "1", "DG1|2||F41.1^Y^I10C|||F" + "|" * 9 + "2"))
    found = person.stays[0].encounter["diagnosis"]
    assert [(each["use"]["coding"][0]["code"], each["rank"]) for each in found] == [("AD", 1), ("DD", 2)]
    assert [each["condition"]["reference"] for each in found] == [f"Condition/{each['id']}" for each in person.stays[0].parts]
