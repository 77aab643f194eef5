"""What a feed profile says takes effect, from its TOML to the worklist (issue 3, point 5): one test for each thing that it may say."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from gateway.er7 import reader
from gateway.mappings.feeds import local_codes
from gateway.mappings.feeds.profile import FeedProfile, match
from gateway.mappings.hl7v2.bundle import bundle
from gateway.mappings.hl7v2.explain import explain
from gateway.mappings.hl7v2.translate import translate
from gateway.pipeline import Configuration
from gateway.records.times import microseconds
from gateway.settings import load
from gateway.store.interface import Store
from tests.pipeline import county
from tests.pipeline.county import CONFIGURATION, DIAGNOSIS, memory_folder, message, transitions, visit

FEED = '[[feed]]\nname = "st-mary"\nsending_facility = "STMARY"\n'
HERE = FEED + 'timezone = "America/Chicago"\npsychiatric_units = ["BHU"]\n'
DISCHARGED = "20260310104500"
NOW = microseconds(datetime(2026, 3, 11, 14, tzinfo=UTC))
"""The morning after that."""


def feeds(toml: str) -> tuple[FeedProfile, ...]:
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "gateway.toml").write_text(toml, encoding="utf-8")
        return load(Path(folder) / "gateway.toml").feeds()


@contextmanager
def told(toml: str, *messages: bytes) -> Iterator[tuple[Store, Configuration]]:
    """The store after these messages to a gateway with that configuration."""
    configuration = replace(CONFIGURATION, feeds=feeds(toml))
    with memory_folder() as folder, county.store_at(folder, configuration) as store:
        county.feed(store, messages, NOW, configuration)
        yield store, configuration


def worklist(toml: str, *messages: bytes, recipient: str = "*") -> list[dict[str, Any]]:
    with told(toml, *messages) as (store, _):
        return transitions(store, recipient)


def resources(toml: str, raw: bytes) -> dict[str, list[dict[str, Any]]]:
    """The Bundle of one message by resource type, translated by the feed that it matches."""
    message = reader.read(raw)
    profile = match(feeds(toml), message.application, message.facility)
    if profile.charset:
        message = reader.read(raw, profile.charset)
    found: dict[str, list[dict[str, Any]]] = {}
    for entry in bundle(translate(message, profile, NOW, CONFIGURATION.identify), CONFIGURATION.identify)["entry"]:
        found.setdefault(entry["resource"]["resourceType"], []).append(entry["resource"])
    return found


def flags(transition: dict[str, Any]) -> set[str]:
    return {flag["code"] for flag in transition["flags"]}


def admitted(*segments: str, unit: str = "BHU", processing: str = "P") -> bytes:
    return message("ADT^A01^ADT_A01", "20260302090000", "1", visit(unit), *segments, processing=processing)


def discharged(*segments: str, unit: str = "BHU", disposition: str = "01", processing: str = "P") -> bytes:
    left = visit(unit, discharged=DISCHARGED, disposition=disposition)
    return message("ADT^A03^ADT_A03", "20260310110000", "2", left, *segments, processing=processing)


def test_the_profile_that_states_most_of_msh_3_and_4_wins_in_any_order() -> None:
    tables = ['name = "house"\nsending_facility = "STMARY"', 'name = "both"\nsending_facility = "stmary"\nsending_application = "ADT"']
    tables += ['name = "application"\nsending_application = "ADT"']
    for order in (tables, tables[::-1]):
        profiles = feeds("".join(f"[[feed]]\n{table}\n" for table in order))
        for application, facility, name in (
            ("ADT", "STMARY", "both"),
            ("LAB", "StMary", "house"),
            ("adt", "OTHER", "application"),
            ("LAB", "OTHER", "default"),
            ("", "", "default"),
        ):
            assert match(profiles, application, facility).name == name


def test_times_without_an_offset_are_read_in_the_feeds_zone() -> None:
    for zone, offset in (("America/Chicago", "-05:00"), ("Europe/Berlin", "+01:00"), ("", "+00:00")):
        (transition,) = worklist(FEED + f'timezone = "{zone}"\npsychiatric_units = ["BHU"]', admitted(), discharged())
        assert transition["discharged"] == f"2026-03-10T10:45:00{offset}"


def test_text_without_msh_18_is_read_by_the_feeds_character_set() -> None:
    raw = discharged().decode().replace("||||||UNICODE UTF-8", "").replace("Quist^Ada", "Ångström^Zoë")
    for charset, codec in (("8859/1", "latin-1"), ("8859/15", "iso8859_15"), ("UNICODE UTF-8", "utf-8"), ("CP1252", "cp1252")):
        (patient,) = resources(FEED + f'charset = "{charset}"', raw.encode(codec))["Patient"]
        assert patient["name"][0]["family"] == "Ångström"
    greek = raw.replace("Ångström", "Παππάς").replace("Zoë", "Ada").encode("iso8859_7")
    assert resources(FEED + 'charset = "8859/7"', greek)["Patient"][0]["name"][0]["family"] == "Παππάς"


def test_an_assigning_authority_gets_its_identifier_system() -> None:
    toml = HERE + '[feed.authorities]\nSTMARY = "https://st-mary.example.org/mrn"\nCOUNTYMPI = "urn:oid:2.16.840.1.113883.19.5"\n'
    (patient,) = resources(toml, discharged())["Patient"]
    systems = {one["value"]: one["system"] for one in patient["identifier"]}
    assert systems == {"1001": "https://st-mary.example.org/mrn", "77": "urn:oid:2.16.840.1.113883.19.5"}


@pytest.mark.parametrize(
    ("lines", "unit", "service", "found"),
    [
        ('psychiatric_units = ["BHU"]', "bhu", "", "tracked"),
        ('psychiatric_services = ["PSY"]', "U7", "psy", "tracked"),
        ('facility_kind = "psychiatric"', "U7", "", "tracked"),
        ('other_units = ["ICU"]', "ICU", "", "not tracked"),
        ('other_services = ["SUR"]', "U7", "SUR", "not tracked"),
        ('facility_kind = "other"', "U7", "", "not tracked"),
        ("", "U7", "SUR", "undecided"),
        ('facility_kind = "other"\npsychiatric_units = ["BHU"]', "BHU", "", "tracked"),
    ],
)
def test_units_services_and_the_house_tell_a_psychiatric_stay(lines: str, unit: str, service: str, found: str) -> None:
    raw = discharged(unit=unit).replace(b"^1^A||||||||||||||||V1", f"^1^A|||||||{service}|||||||||V1".encode())
    assert f"|{service}|||||||||V1".encode() in raw
    listed = worklist(FEED + lines, raw)
    assert [("undecided" if "service-unknown" in flags(each) else "tracked") for each in listed] == ([] if found == "not tracked" else [found])


WHEN = "30|min|^^30^20260316100000"
LOCAL = (
    # table | segment with the local code X9 | the element that it arrives in | the code as HL7's table has it | as its FHIR value set has it
    ("address-type", "PID|1||1001||Quist^Ada||||||1 Elm St^^^^62701^^X9", "Patient.address", "CONF", "CONF"),
    ("admission-type", "PV1|1|I|BHU|X9", "Encounter.type", "E", "E"),
    ("allergen-type", "AL1|1|X9|7980^Penicillin", "AllergyIntolerance.category", "DA", "medication"),
    ("allergy-severity", "AL1|1|DA|7980^Penicillin|X9", "AllergyIntolerance.criticality", "SV", "high"),
    ("appointment-reason", f"SCH|P1|F1|||||X9||{WHEN}", "Appointment.reasonCode", "CHECKUP", "CHECKUP"),
    ("appointment-status", f"SCH|P1|F1|||||||{WHEN}||||||||||||||X9", "Appointment.status", "Noshow", "noshow"),
    ("appointment-type", f"SCH|P1|F1||||||X9|{WHEN}", "Appointment.appointmentType", "Tentative", "Tentative"),
    ("bed-status", "NPU|BHU^1^A|X9", "Location.operationalStatus", "K", "K"),
    ("class", "PV1|1|X9|BHU", "Encounter.class", "I", "IMP"),
    ("coding-system", "DG1|1||F33.2^x^X9", "Condition.code", "I10", "http://hl7.org/fhir/sid/icd-10"),
    ("confidentiality", "TXA|1|CN|TX|20260302" + "|" * 14 + "X9", "DocumentReference.securityLabel", "V", "V"),
    ("contact-role", "NK1|1|Hollis^Bo|||||X9", "RelatedPerson.relationship", "C", "C"),
    ("diagnosis-type", "DG1|1||F33.2^x^I10|||X9", "Encounter.diagnosis", "A", "AD"),
    ("disposition", "PV1|1|I|BHU" + "|" * 33 + "X9", "Encounter.hospitalization", "07", "aadvice"),
    ("document-completion", "TXA|1|CN|TX|20260302" + "|" * 13 + "X9", "DocumentReference.docStatus", "LA", "final"),
    ("document-type", "TXA|1|X9|TX|20260302|||||||||D9", "DocumentReference.type", "CN", "11488-4"),
    ("ethnicity", "PID|1||1001||Quist^Ada" + "|" * 17 + "X9", "Patient.extension", "H", "2135-2"),
    ("event-reason", "EVN||20260302090000||X9", "Provenance.reason", "01", "PATRQT"),
    ("gender", "PID|1||1001||Quist^Ada|||X9", "Patient.gender", "F", "female"),
    ("identifier-type", "PID|1||1001^^^^X9||Quist^Ada", "Patient.identifier", "MR", "MR"),
    ("interpretation", "OBX|1|NM|718-7^Hb^LN||9|g/dL||X9", "Observation.interpretation", "LL", "LL"),
    ("language", "PID|1||1001||Quist^Ada||||||||||X9", "Patient.communication", "SPA", "es"),
    ("life-cycle", "PRB|AD|20260302|F33.2^x^I10|P1" + "|" * 10 + "X9", "Condition.clinicalStatus", "RESOLVED", "resolved"),
    ("living-will", "PD1|||||||X9", "Observation.valueCodeableConcept", "Y", "Y"),
    ("marital", "PID|1||1001||Quist^Ada|||||||||||X9", "Patient.maritalStatus", "A", "L"),
    ("mode-of-arrival", "PV2" + "|" * 38 + "X9", "Encounter.extension", "A", "A"),
    ("name-type", "PID|1||1001||Quist^Ada^^^^^X9", "Patient.name", "M", "maiden"),
    ("order-status", "ORC|NW|P1|||X9\rOBR|1|P1||80053^Panel^LN", "ServiceRequest.status", "CM", "completed"),
    ("priority", "OBR|1|P1||80053^Panel^LN|X9", "ServiceRequest.priority", "S", "stat"),
    ("provider-role", "ROL|1|AD|X9|9^Lindqvist^Karin", "Encounter.participant", "AT", "ATND"),
    ("race", "PID|1||1001||Quist^Ada|||||X9", "Patient.extension", "2054-5", "2054-5"),
    ("referral-status", "RF1|X9|R", "ServiceRequest.status", "R", "revoked"),
    ("relationship", "NK1|1|Hollis^Bo|X9", "RelatedPerson.relationship", "SPO", "SPS"),
    ("report-status", "OBR|1|P1||80053^Panel^LN" + "|" * 21 + "X9", "DiagnosticReport.status", "F", "final"),
    ("result-status", "OBX|1|NM|718-7^Hb^LN||9" + "|" * 6 + "X9", "Observation.status", "F", "final"),
    ("telecom-equipment", "PID|1||1001||Quist^Ada||||||||555-1234^^X9", "Patient.telecom", "FX", "fax"),
    ("telecom-use", "PID|1||1001||Quist^Ada||||||||555-1234^X9", "Patient.telecom", "WPN", "work"),
)
EVENT_OF = {"SCH": "SIU^S12", "TXA": "MDM^T02", "NPU": "ADT^A20", "PRB": "PPR^PC1", "RF1": "REF^I12"}


@pytest.mark.parametrize(("table", "segment", "element", "standard", "code"), LOCAL, ids=[row[0] for row in LOCAL])
def test_a_local_code_means_what_the_profile_says(table: str, segment: str, element: str, standard: str, code: str) -> None:
    name = segment[:3]
    event = "ORU^R01" if table == "report-status" else EVENT_OF.get(name, "ADT^A01")
    lines = message(event, "20260302090000", "1", "PD1|", visit(), "PV2|").decode().rstrip("\r").split("\r")
    lines = [segment if line[:3] == name else line for line in lines]
    raw = "\r".join(lines if segment in lines else [*lines, segment]).encode()
    kind, within = element.split(".")
    number = next(one.number for one in local_codes._tables() if one.name == table)
    for spelling in (table, number, f"HL7{number}", table.upper().replace("-", "_")):
        found = resources(HERE + f'[feed.codes."{spelling}"]\nX9 = "{standard}"\n', raw)
        assert any(code in leaves(one.get(within)) for one in found[kind]), found[kind]
    without = resources(HERE, raw)
    assert not any(code in leaves(one.get(within)) for one in without.get(kind, []))


def test_every_table_that_a_profile_may_map_is_tried_above() -> None:
    assert sorted(row[0] for row in LOCAL) == local_codes.names()


def leaves(value: Any) -> set[Any]:
    """All values in a resource's element, at any depth."""
    if isinstance(value, dict):
        return set().union(*(leaves(one) for one in value.values()))
    if isinstance(value, list):
        return set().union(*(leaves(one) for one in value))
    return {value}


def test_a_code_of_the_fhir_value_set_may_stand_for_the_table_code() -> None:
    raw = admitted().replace(b"PV1|1|I|", b"PV1|1|STATION|").replace(b"|F|||1 Elm", b"|w2|||1 Elm")
    found = resources(HERE + '[feed.codes.class]\nSTATION = "IMP"\n[feed.codes.gender]\nw2 = "female"\n', raw)
    assert (found["Encounter"][0]["class"]["code"], found["Patient"][0]["gender"]) == ("IMP", "female")


def test_local_codes_and_authorities_are_met_in_any_case_and_as_written_first() -> None:
    raw = admitted().replace(b"PV1|1|I|", b"PV1|1|Station|").replace(b"|F|||1 Elm", b"|a|||1 Elm").replace(b"COUNTYMPI", b"countympi")
    toml = HERE + '[feed.codes.class]\nstation = "I"\n[feed.codes.gender]\nA = "F"\na = "M"\n[feed.authorities]\nCountyMPI = "urn:oid:2.16.1"\n'
    found = resources(toml, raw)
    assert (found["Encounter"][0]["class"]["code"], found["Patient"][0]["gender"]) == ("IMP", "male")
    assert {one["value"]: one["system"] for one in found["Patient"][0]["identifier"]}["77"] == "urn:oid:2.16.1"
    (woman,) = resources(toml, raw.replace(b"|a|||1 Elm", b"|A|||1 Elm"))["Patient"]
    assert woman["gender"] == "female"


def test_a_local_disposition_decides_what_becomes_of_the_stay() -> None:
    toml = HERE + '[feed.codes.disposition]\nFAREWELL = "20"\nRAN = "07"\n'
    (died,) = worklist(toml, admitted(), discharged(disposition="FAREWELL"))
    assert (died["status"], died["closed_as"]) == ("closed", "died")
    (left,) = worklist(toml, admitted(), discharged(disposition="RAN"))
    assert "left-against-advice" in flags(left)
    (unknown,) = worklist(HERE, admitted(), discharged(disposition="RAN"))
    assert "disposition-unknown" in flags(unknown)


SUBSTANCE = "DG1|1||F11.20^Opioid dependence^I10|||A|||||||||1"


def test_a_part_2_unit_is_withheld_from_agencies_and_an_attested_one_is_not() -> None:
    stay = (admitted(DIAGNOSIS), discharged(DIAGNOSIS))
    assert len(worklist(HERE, *stay, recipient="river")) == 1
    for unit in ("BHU", "*"):
        assert worklist(HERE + f'part2_units = ["{unit}"]', *stay, recipient="river") == []
    assert len(worklist(HERE + 'part2_units = ["SUD"]', *stay, recipient="river")) == 1


PROGRAM = HERE + 'part2_units = ["4North"]\n[feed.segments]\n"ZDC-3" = "stay.unit"\n"ZFU-1" = "appointment.start"\n"ZFU-2" = "appointment.place"\n'
PLAIN = (admitted(DIAGNOSIS), discharged(DIAGNOSIS))


def in_field(number: int, value: str) -> bytes:
    """The discharge with a value in one field of PV1."""
    before, pv1, after = discharged(DIAGNOSIS).decode().partition(visit(discharged=DISCHARGED, disposition="01"))
    fields = pv1.split("|")
    fields[number] = value
    return (before + "|".join(fields) + after).encode()


@pytest.mark.parametrize(
    "named",
    [
        in_field(6, "4NORTH^2^B"),
        in_field(11, "4North"),
        in_field(37, "4NORTH"),
        in_field(42, "4NORTH^2"),
        discharged(DIAGNOSIS, "PV2|4NORTH^2"),
        discharged(DIAGNOSIS, "ROL|1|AD|AT|9^Lindqvist^Karin" + "|" * 9 + "4NORTH"),
        discharged(DIAGNOSIS, "ZDC|||4NORTH"),
        discharged(DIAGNOSIS, "ZDC|||BHU~4north"),
        discharged(DIAGNOSIS, "ZDC|||BHU", "ZDC|||4NORTH"),
    ],
    ids=["prior", "temporary", "discharged to", "pending", "prior pending", "of an attending", "Z-segment", "second repetition", "second Z-segment"],
)
def test_a_part_2_unit_is_withheld_whichever_field_names_it(named: bytes) -> None:
    assert len(worklist(PROGRAM, *PLAIN, recipient="river")) == 1
    assert worklist(PROGRAM, PLAIN[0], named, recipient="river") == []
    assert len(worklist(PROGRAM, PLAIN[0], named)) == 1  # the coordinator loses nobody


@pytest.mark.parametrize(
    "more",
    [
        message("SIU^S12^SIU_S12", "20260310120000", "3", *county.BOOKED, "AIL|1||4NORTH^2"),
        message("ADT^A08^ADT_A01", "20260310120000", "3", visit(discharged=DISCHARGED, disposition="01"), "ZFU|20260316100000|4NORTH"),
        message("SIU^S12^SIU_S12", "20260310120000", "3", *county.BOOKED, "PV1|1|O|4NORTH"),
        message("ORU^R01^ORU_R01", "20260310120000", "3", "PV1|1|O|4NORTH", "OBR|1|||44249-1^PHQ-9^LN", "OBX|1|NM|44261-6^PHQ-9^LN||21||||||F"),
    ],
    ids=["place of an appointment", "place of a Z-segment's", "visit of an appointment", "visit of a result"],
)
def test_what_is_told_of_a_part_2_unit_outside_of_a_stay_is_withheld_and_leaves_no_trace(more: bytes) -> None:
    def seen(*messages: bytes, recipient: str = "river") -> dict[str, bytes]:
        with told(PROGRAM, *messages) as (store, _), store.reading() as look:
            return {f"{version.type}/{version.id}": version.body for version in look.export(recipient) if version.body}

    assert seen(*PLAIN) == seen(*PLAIN, more)
    assert seen(*PLAIN, recipient="*") != seen(*PLAIN, more, recipient="*")


def test_substance_use_is_withheld_unless_the_source_attests_that_it_is_not_of_part_2() -> None:
    stay = (admitted(DIAGNOSIS, SUBSTANCE), discharged(DIAGNOSIS, SUBSTANCE))
    for attested in (False, True):
        with told(HERE + f"sud_attested = {str(attested).lower()}", *stay) as (store, _), store.reading() as look:
            shown = b"".join(version.body for version in look.export("river") if version.body)
        assert (b"F11.20" in shown) is attested
        assert b"F33.2" in shown


FOLLOW_UP = '[feed.segments]\n"ZFU-1" = "appointment.number"\n"ZFU-3.1" = "appointment.start"\n"ZFU-5" = "appointment.service"\n'


def test_a_hospitals_own_follow_up_segment_is_evidence_of_a_booking_and_clears_the_flag() -> None:
    segment = "ZFU|F7||20260316100000^x||PSYFU^Psychiatric follow-up"
    (without,) = worklist(HERE, admitted(), discharged(segment))
    assert "no-follow-up-scheduled" in flags(without)
    (booked,) = worklist(HERE + 'mental_health_services = ["PSYFU"]\n' + FOLLOW_UP, admitted(), discharged(segment))
    assert "no-follow-up-scheduled" not in flags(booked)
    assert (booked["follow_up"]["state"], booked["follow_up"]["start"]) == ("booked", "2026-03-16T10:00:00-05:00")
    assert booked["follow_up"]["evidence"][0]["text"] == "ADT^A03 from st-mary, control ID 2"


def test_a_follow_up_segment_of_unknown_kind_is_shown_and_clears_nothing() -> None:
    (transition,) = worklist(HERE + FOLLOW_UP, admitted(), discharged("ZFU|F7||20260316100000||VISIT"))
    assert {"no-follow-up-scheduled", "kind-unconfirmed"} <= flags(transition)


def test_a_later_siu_of_the_same_number_cancels_what_the_segment_booked() -> None:
    cancelled = message("SIU^S15^SIU_S12", "20260311080000", "3", "SCH||F7|||||PSYFU|||||||||||||||||||Cancelled", "RGS|1")
    toml = HERE + 'mental_health_services = ["PSYFU"]\n' + FOLLOW_UP
    for order in (0, 1):
        told_in = [discharged("ZFU|F7||20260316100000||PSYFU"), cancelled][:: -1 if order else 1]
        (transition,) = worklist(toml, admitted(), *told_in)
        assert transition["follow_up"]["state"] == "cancelled"
        assert "no-follow-up-scheduled" in flags(transition)


def test_appointments_count_as_follow_up_by_the_services_that_the_profile_names() -> None:
    booked = message("SIU^S12^SIU_S12", "20260310120000", "3", *county.BOOKED)
    for lines, cleared in (('mental_health_services = ["psyfu"]', True), ('other_appointment_services = ["PSYFU"]', False)):
        (transition,) = worklist(HERE + lines, admitted(), discharged(), booked)
        assert ("no-follow-up-scheduled" not in flags(transition)) is cleared


def test_an_ignored_field_is_not_mapped_and_explain_names_the_rule() -> None:
    toml = HERE + 'ignore = ["PID-8", "DG1-3", "ZFU-9"]'
    raw = admitted(DIAGNOSIS, "ZFU|||||||||note")
    assert "gender" not in resources(HERE + 'ignore = ["PID-8"]', raw)["Patient"][0] or (
        resources(HERE + 'ignore = ["PID-8"]', raw)["Patient"][0]["gender"] == "unknown"
    )
    account = explain(reader.read(raw), feeds(toml)[0], NOW, CONFIGURATION.identify)
    rules = {one.path: (one.fate, one.rule) for one in account.fields if one.path.startswith(("PID-8", "DG1-3", "ZFU-9"))}
    assert set(rules) == {"PID-8[1].1", "DG1-3[1].1", "DG1-3[1].2", "DG1-3[1].3", "ZFU-9[1].1"}
    assert set(rules.values()) == {("ignored", "feed-profile")}
    assert sum(account.fates().values()) == len(account.fields)


def test_a_quarantined_message_is_accepted_with_a_warning_where_the_profile_says_so() -> None:
    broken = b"MSH|^~\\&|ADT|STMARY|GW|COUNTY|20260310||ADT^A03|9|P|2.5.1\rEVN||20260310\r"
    for accepts, code, severity in ((False, b"MSA|AE|9", b"|E|"), (True, b"MSA|AA|9", b"|W|")):
        configuration = replace(CONFIGURATION, feeds=feeds(HERE + f"accept_quarantined = {str(accepts).lower()}"))
        with memory_folder() as folder, county.store_at(folder, configuration) as store:
            (outcome,) = county.feed(store, [broken], NOW, configuration)
        assert outcome.state == "quarantined"
        assert code in outcome.answer
        assert severity in next(line for line in outcome.answer.split(b"\r") if line.startswith(b"ERR"))


def test_messages_of_other_processing_ids_make_no_transition() -> None:
    stay = (admitted(processing="T"), discharged(processing="T"))
    assert worklist(HERE, *stay) == []
    assert len(worklist(HERE + 'processing_ids = ["P", "t"]', *stay)) == 1


def test_a_strict_feed_refuses_unknown_events_with_ar() -> None:
    odd = message("ADT^A99", "20260310110000", "9")
    for strict, code in ((False, b"MSA|AE|9"), (True, b"MSA|AR|9")):
        configuration = replace(CONFIGURATION, feeds=feeds(HERE + f"strict = {str(strict).lower()}"))
        with memory_folder() as folder, county.store_at(folder, configuration) as store:
            (outcome,) = county.feed(store, [odd], NOW, configuration)
        assert code in outcome.answer


@pytest.mark.parametrize(("mode", "names"), [("", {"F33.2", "F41.1"}), ("snapshot", {"F41.1"}), ("action", {"F33.2", "F41.1"})])
def test_a_segments_mode_says_whether_it_replaces_or_adds(mode: str, names: set[str]) -> None:
    """DG1-21 = A adds to what stands, unless the profile says that the feed always sends its whole list."""
    lines = f'segment_modes = {{ DG1 = "{mode}" }}' if mode else ""
    second = "DG1|1||F41.1^Anxiety^I10|||A|||||||||1" + "|" * 5 + "D2|A"
    first = "DG1|1||F33.2^Depression^I10|||A|||||||||1" + "|" * 5 + "D1|A"
    with told(HERE + lines, admitted(first), discharged(second)) as (store, configuration):
        state = county.state(store, configuration)
    conditions = [body for key, body in state.items() if key.startswith("* Condition/") and isinstance(body, dict)]
    stand = [each for each in conditions if each.get("verificationStatus", {}).get("coding", [{}])[0].get("code") != "entered-in-error"]
    assert {each["code"]["coding"][0]["code"] for each in stand} == names
