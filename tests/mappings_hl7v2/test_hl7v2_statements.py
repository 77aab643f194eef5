"""The rules of DESIGN and DOMAIN that a translation must keep: identity, time, what is said and what is not, refusals and reports."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hl7v2_support import PID, PROFILE, RECEIVED, check_bundle, message, said, translated

from gateway.errors import GatewayError, Invalid, Unsupported
from gateway.mappings.feeds.profile import FeedProfile

SSN = "http://hl7.org/fhir/sid/us-ssn"

# fmt: off
KEYS = [
    # PID-3 (and what follows)                       the person's keys
    ("12345",                                        ("urn:gateway:facility:STMARY:MR|12345",)),
    ("12345^^^MRN",                                  ("urn:gateway:facility:STMARY:MR|12345",)),
    ("12345^^^MR^MR",                                ("urn:gateway:facility:STMARY:MR|12345",)),
    ("12345^^^HOSP A^MR",                            ("urn:gateway:authority:HOSP%20A|12345",)),
    ("12345^^^X&1.2.840.5&ISO^MR",                   ("urn:oid:1.2.840.5|12345",)),
    ("1^^^&2.16.840.1.113883.4.1&ISO^SS",            ("urn:gateway:unidentified:STMARY|M1",)),
    ("412550192^^^SSA^SS",                           (SSN + "|412550192",)),
    ("412-55-0192^^^^SS",                            (SSN + "|412550192",)),
    ("1~2^^^LAB",                                    ("urn:gateway:facility:STMARY:MR|1", "urn:gateway:authority:LAB|2")),
    ("1||A^B||||||||||||||412-55-0192",              None),
    ("1~ACC7^^^^AN",                                 ("urn:gateway:facility:STMARY:MR|1",)),
    ("1~999-99-9999^^^^SS",                          ("urn:gateway:facility:STMARY:MR|1",)),
    ("000000",                                       ("urn:gateway:unidentified:STMARY|M1",)),
    ("UNKNOWN",                                      ("urn:gateway:unidentified:STMARY|M1",)),
    ("1EG4TE5MK73^^^MBI^MC",                         ("http://hl7.org/fhir/sid/us-mbi|1EG4TE5MK73",)),
]
# fmt: on


@pytest.mark.parametrize(("pid3", "keys"), KEYS)
def test_person_keys(pid3: str, keys: tuple[str, ...] | None) -> None:
    found = said(message("ADT^A28", f"PID|1||{pid3}"), "person")
    assert found.keys == (keys if keys is not None else ("urn:gateway:facility:STMARY:MR|1", SSN + "|412550192"))
    assert found.person == found.keys


def test_the_profiles_authorities_come_first() -> None:
    profile = replace(PROFILE, authorities={"HOSP": "urn:oid:1.2.3"})
    assert said(message("ADT^A28", "PID|1||7^^^HOSP"), "person", profile).keys == ("urn:oid:1.2.3|7",)


def test_a_placeholder_is_told_apart_by_the_visit() -> None:
    """Two unknown patients must not become one person: each is known by the visit."""
    first, second = (said(message("ADT^A01", "PID|1||000", f"PV1|1|E|ED{'|' * 16}{visit}"), "person") for visit in ("V1", "V2"))
    assert first.keys != second.keys
    assert first.keys == ("urn:gateway:unidentified:STMARY|urn:gateway:visit:STMARY|V1",)


def test_stay_keys_strongest_first_and_their_kinds() -> None:
    data = message("ADT^A01", "PID|1||S1" + "|" * 15 + "ACC7^^^STMARY^AN", "PV1|1|I|BHU" + "|" * 16 + "V9^^^STMARY^VN" + "|" * 31 + "ALT3")
    assert said(data, "stay").keys == ("urn:gateway:visit:STMARY|V9", "urn:gateway:visit:STMARY|ALT3", "urn:gateway:account:STMARY|ACC7")


def test_a_stay_without_a_number_has_no_key() -> None:
    assert said(message("ADT^A03", PID, "PV1|1|I|BHU"), "stay").keys == ()


@pytest.mark.parametrize("event", ["A08", "A31", "A28"])
@pytest.mark.parametrize("pv1", ["PV1|1|N|", "PV1|1|N", None])
def test_pv1_that_says_nothing_makes_no_stay(event: str, pv1: str | None) -> None:
    found = translated(message(f"ADT^{event}", PID, *([pv1] if pv1 else [])))
    assert [one.kind for one in found.statements] == ["person"]


def test_a_discharge_needs_no_pv1() -> None:
    """It still says that the stay ended."""
    assert said(message("ADT^A03", PID), "stay").facts["effect"] == "discharge"


def test_context_alone_says_nothing_of_a_stays_state() -> None:
    """PV1 of an SIU, MDM or ORU names a visit at most."""
    named = message("SIU^S12", "SCH|P|F|||||||||^^^20261125140000", PID, "PV1|1|O|CLINIC" + "|" * 16 + "V9")
    unnamed = message("SIU^S12", "SCH|P|F|||||||||^^^20261125140000", PID, "PV1|1|O|CLINIC")
    assert said(named, "stay").facts["effect"] == "none"
    assert [one.kind for one in translated(unnamed).statements] == ["person", "appointment"]


# Recorded time (DESIGN): EVN-2, else MSH-7, else receipt; more than a day ahead of receipt is not believed.
def micro(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp() * 1_000_000)


# fmt: off
RECORDED = [
    # EVN-2                  MSH-7                    taken from    recorded
    ("20261122080000",       "20261122080500",        "EVN-2",      "2026-11-22T08:00:00-06:00"),
    ("20261122080000-0500",  "20261122080500",        "EVN-2",      "2026-11-22T08:00:00-05:00"),
    ("",                     "20261122080500",        "MSH-7",      "2026-11-22T08:05:00-06:00"),
    ("nonsense",             "20261122080500",        "MSH-7",      "2026-11-22T08:05:00-06:00"),
    ("20271122080000",       "20261122080500",        "MSH-7",      "2026-11-22T08:05:00-06:00"),
    ("20271122080000",       "20271122080500",        "receipt",    "2026-11-22T18:00:00+00:00"),
    ("",                     "",                      "receipt",    "2026-11-22T18:00:00+00:00"),
    ("20261122",             "20261122080500",        "MSH-7",      "2026-11-22T08:05:00-06:00"),
    ("20261122",             "",                      "EVN-2",      "2026-11-22T00:00:00-06:00"),
]
# fmt: on


@pytest.mark.parametrize(("evn", "msh", "source", "recorded"), RECORDED)
def test_recorded_time(evn: str, msh: str, source: str, recorded: str) -> None:
    heading = translated(message("ADT^A01", PID, "PV1|1|I|BHU", evn=evn, msh=msh)).heading
    assert (heading.recorded_from, heading.recorded) == (source, micro(recorded))


def times(event: str, left: str = "", expected: str = "", evn: str = "20261122080000") -> dict[str, object]:
    data = message(f"ADT^{event}", PID, f"PV1|1|I|BHU{'|' * 41}20261115091200|{left}", f"PV2||||||||{'|'}{expected}", evn=evn)
    facts = said(data, "stay").facts
    return {name: facts.get(name) for name in ("discharged", "expected_discharge") if name in facts}


def test_when_a_stay_ended_and_when_it_is_expected_to() -> None:
    """Outside A03 a PV1-45 ahead of the recorded time is an expectation; an A03 is a discharge also then; A13 ignores it."""
    assert times("A08", "20261122070000") == {"discharged": "2026-11-22T07:00:00-06:00"}
    assert times("A08", "20261124070000") == {"expected_discharge": "2026-11-24T07:00:00-06:00"}
    assert times("A03", "20261124070000") == {"discharged": "2026-11-24T07:00:00-06:00"}
    assert times("A13", "20261122070000") == {}
    assert times("A01", "", "20261124") == {"expected_discharge": "2026-11-24"}
    assert times("A08", '""') == {"discharged": None}
    assert times("A08", "", '""') == {"expected_discharge": None}


def test_a16_expects_what_evn_3_plans() -> None:
    data = message("ADT^A16", PID, "PV1|1|I|BHU", evn="20261122080000|20261124101500")
    assert said(data, "stay").facts["expected_discharge"] == "2026-11-24T10:15:00-06:00"


def test_null_deletes_and_empty_says_nothing() -> None:
    found = said(message("ADT^A31", 'PID|1||S1||""||""|""|||""||""|""'), "person")
    assert set(found.deletes) == {"name", "birthDate", "gender", "address", "telecom"}
    assert said(message("ADT^A31", "PID|1||S1"), "person").deletes == ()


def test_one_bad_date_never_costs_the_rest() -> None:
    found = translated(message("ADT^A03", "PID|1||S1||Hollis^Marian||19841399|F", "PV1|1|I|BHU" + "|" * 41 + "201904714005700|20261122070000"))
    assert [report.location for report in found.reports if report.code == "102"] == ["PID-7", "PV1-44"]
    stay = next(one for one in found.statements if one.kind == "stay")
    assert stay.facts["discharged"] == "2026-11-22T07:00:00-06:00"
    assert "birthDate" not in (found.statements[0].own or {})


def test_death_and_its_withdrawal() -> None:
    died = said(message("ADT^A08", "PID|1||S1" + "|" * 27 + "Y"), "person")
    alive = said(message("ADT^A08", "PID|1||S1" + "|" * 27 + "N"), "person")
    assert died.own is not None
    assert alive.own is not None
    assert died.own["deceasedBoolean"] is True
    assert alive.own["deceasedBoolean"] is False
    assert "deceasedDateTime" in alive.deletes


def test_test_messages_are_marked() -> None:
    data = message("ADT^A01", PID, "PV1|1|I|BHU").replace(b"|P|2.5.1", b"|T|2.5.1")
    assert translated(data).heading.test
    assert not translated(data, replace(PROFILE, processing_ids=("P", "T"))).heading.test
    assert not translated(data.replace(b"|T|2.5.1", b"||2.5.1")).heading.test


@pytest.mark.parametrize("event", ["A18", "A30", "A34", "A36", "A39", "A40"])
def test_merges_name_who_stays_and_who_gives_way(event: str) -> None:
    data = message(f"ADT^{event}", "PID|1||NEW||Hollis^Marian" + "|" * 13 + "ACC2", "MRG|OLD^^^STMARY~OLDER||ACC1")
    found = said(data, "merge")
    assert found.keys == found.person == ("urn:gateway:facility:STMARY:MR|NEW",)
    assert found.retires == ("urn:gateway:authority:STMARY|OLD", "urn:gateway:facility:STMARY:MR|OLDER")
    assert found.facts["effect"] == "merge"
    assert found.facts["stays"] == [("urn:gateway:account:STMARY|ACC2", "urn:gateway:account:STMARY|ACC1")]
    made = check_bundle(translated(data))
    links = [entry["resource"]["link"][0]["type"] for entry in made["entry"] if "link" in entry["resource"]]
    assert sorted(links) == ["replaced-by", "replaces"]


def test_a_merge_message_may_hold_several_pairs() -> None:
    data = message("ADT^A40", "PID|1||A", "MRG|B", "PID|2||C", "MRG|D")
    pairs = [(one.keys[0][-1], one.retires[0][-1]) for one in translated(data).statements if one.kind == "merge"]
    assert pairs == [("A", "B"), ("C", "D")]


def test_links_and_unlinks() -> None:
    assert said(message("ADT^A24", "PID|1||A", "PID|2||B"), "merge").facts["effect"] == "link"
    assert said(message("ADT^A37", "PID|1||A", "PID|2||B"), "merge").facts["effect"] == "unlink"


# fmt: off
REFUSED = [
    # message                                                    error         place       table 0357
    (message("ADT^A01"),                                         Invalid,      "PID",      "100"),
    (message("ADT^A01", "PID|1||"),                              Invalid,      "PID-3",    "101"),
    (message("SIU^S12", PID),                                    Invalid,      "SCH",      "100"),
    (message("SIU^S12", "SCH|", PID),                            Invalid,      "SCH-2",    "101"),
    (message("MDM^T02", PID),                                    Invalid,      "TXA",      "100"),
    (message("ADT^A40", PID),                                    Invalid,      "MRG",      "100"),
    (message("ADT^A40", PID, "MRG|"),                            Invalid,      "MRG-1",    "101"),
    (message("ADT^A99", PID),                                    Unsupported,  "MSH-9.2",  "201"),
    (message("ADT^A19", PID),                                    Unsupported,  "MSH-9.2",  "201"),
    (message("ADT^A45", PID),                                    Invalid,      "MRG",      "100"),
    (message("RDE^O11", PID),                                    Unsupported,  "MSH-9.1",  "200"),
    (message("", PID),                                           Unsupported,  "MSH-9",    "200"),
]
# fmt: on


@pytest.mark.parametrize(("data", "error", "place", "code"), REFUSED)
def test_refusals_name_the_place_and_the_code(data: bytes, error: type[GatewayError], place: str, code: str) -> None:
    with pytest.raises(error) as raised:
        translated(data)
    assert (raised.value.location, raised.value.condition) == (place, code)


def test_what_is_reported_and_not_refused() -> None:
    data = message("ADT^A03", PID, "PV1|1|ff|BHU", version="3.9").replace(b"EVN|A03", b"EVN|A01").replace(b"|M1|", b"||")
    found = {report.location: (report.code, report.severity) for report in translated(data).reports}
    assert found == {"MSH-10": ("101", "W"), "MSH-12": ("203", "W"), "EVN-1": ("103", "W"), "PV1-2": ("103", "W"), "PV1-19": ("101", "W")}
    with pytest.raises(Unsupported) as raised:
        translated(data, replace(PROFILE, strict=True))
    assert raised.value.condition == "203"


def test_an_assumed_time_zone_is_said_once() -> None:
    reports = translated(message("ADT^A03", PID, "PV1|1|I|BHU"), FeedProfile()).reports
    assert [report.severity for report in reports if "UTC" in report.text] == ["I"]
    numbered = "PV1|1|I|BHU" + "|" * 16 + "V1"
    assert not translated(message("ADT^A03", PID, numbered)).reports


def test_a_visit_event_that_does_not_name_its_visit_is_taken_and_told() -> None:
    told = [translated(message("ADT^A03", PID, *visit)).reports for visit in ((), ("PV1|1|I|BHU",))]
    assert [[(each.location, each.code, each.severity) for each in reports] for reports in told] == [[("PV1", "100", "W")], [("PV1-19", "101", "W")]]


def test_reports_hold_no_values() -> None:
    data = message("ADT^A03", "PID|1||S1||Secretname^Marian||Secretdate|Secretsex", "PV1|1|Secretclass|BHU" + "|" * 33 + "Secretend")
    assert not any("secret" in report.text.lower() for report in translated(data).reports)


def test_local_codes_go_through_the_profile() -> None:
    profile = replace(PROFILE, codes={"disposition": {"XFERPSY": "65"}, "class": {"BED": "I"}})
    stay = said(message("ADT^A03", PID, "PV1|1|BED|BHU" + "|" * 33 + "XFERPSY"), "stay", profile)
    assert (stay.facts["disposition"]["code"], stay.facts["disposition"]["source"], stay.facts["visit_class"]) == ("65", "XFERPSY", "IMP")


@pytest.mark.parametrize(("unit", "kind"), [("bhu", "psychiatric"), ("ICU", "other"), ("7W", None)])
def test_unit_kinds_by_the_profile_exact_in_any_case(unit: str, kind: str | None) -> None:
    assert said(message("ADT^A01", PID, f"PV1|1|I|{unit}"), "stay").facts["unit_kind"] == kind


@pytest.mark.parametrize(("units", "part2"), [(("DETOX",), True), (("*",), True), (("BHU",), None), ((), None)])
def test_part_2_units(units: tuple[str, ...], part2: bool | None) -> None:
    profile = replace(PROFILE, part2_units=units)
    assert said(message("ADT^A01", PID, "PV1|1|I|Detox"), "stay", profile).facts.get("part2") == part2


def test_mental_health_services_by_the_profile() -> None:
    profile = replace(PROFILE, mental_health_services=("Medication management",), other_appointment_services=("DENT",))

    def kind(service: str) -> object:
        data = message("SIU^S12", "SCH|P|F|||||||||^^^20261125140000", PID, f"AIS|1||{service}")
        return said(data, "appointment", profile).facts.get("mental_health")

    assert (kind("M1^medication management"), kind("DENT^Dental"), kind("X^Follow-up")) == (True, False, None)


def test_translation_is_pure() -> None:
    """The same message, profile and receipt give the same translation."""
    data = message("ADT^A01", PID, "PV1|1|I|BHU^2^A|||ED|Z^Hay^Jo", "DG1|1||F33.2^X^I10C", "OBX|1|NM|A||1")
    assert translated(data) == translated(data)
    assert translated(data, received=RECEIVED + 1).statements == translated(data).statements


def test_the_time_of_receipt_is_in_utc_microseconds() -> None:
    assert datetime.fromtimestamp(RECEIVED / 1_000_000, UTC).isoformat() == "2026-11-22T18:00:00+00:00"


def test_deleting_a_person_is_said() -> None:
    assert said(message("ADT^A29", PID), "person").facts["effect"] == "delete"


def test_two_codes_of_one_meaning_stay_beside_each_other() -> None:
    """CWE.4-6 is the alternate code; its order and the sender's words stay."""
    data = message("ADT^A01", PID, "PV1|1|I|BHU", "DG1|1||F33.2^Depression^I10C^310497006^Severe depression^SCT^^^as the clinician wrote it")
    code = said(data, "stay").parts["DG1"][0].resource["code"]
    assert [one["system"] for one in code["coding"]] == ["http://hl7.org/fhir/sid/icd-10-cm", "http://snomed.info/sct"]
    assert code["text"] == "as the clinician wrote it"


def test_a_code_that_cannot_be_of_its_system_loses_the_system_not_the_code() -> None:
    """A simulator sends ICD-10 codes labelled SNOMED CT (DG1-2)."""
    data = message("ADT^A01", PID, "PV1|1|I|BHU" + "|" * 16 + "V1", "DG1|1|SNMCT|F33.2^Depression")
    facts = said(data, "stay").facts["diagnoses"][0]
    assert (facts["system"], facts["code"]) == ("", "F33.2")
    assert [report.location for report in translated(data).reports] == ["DG1-3"]
