"""Golden pairs, by hand from HL7 v2.5.1 and FHIR R4: what was sent | what it says. Each row names the field that it is about."""

# ruff: noqa: E501 - the tables are there to be read side by side

from __future__ import annotations

from typing import Any

import pytest
from hl7v2_support import PID, check_bundle, message, said, translated

V3 = "http://terminology.hl7.org/CodeSystem/v3-"
MR = {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v2-0203", "code": "MR", "display": "Medical record number"}]}


def at(value: Any, path: str) -> Any:
    """`name[0].family` of a resource; None when it is not there."""
    for step in path.replace("[", ".[").split("."):
        if value is None:
            return None
        if step.startswith("["):
            place = int(step[1:-1])
            value = value[place] if place < len(value) else None
        else:
            value = value.get(step)
    return value


# fmt: off
PATIENT = [
    # PID after `PID|1||`                                              element                         value
    ("S1^^^^MR||A^B||19840312|F",                                      "identifier[0].system",         "urn:gateway:facility:STMARY:MR"),
    ("S1^^^^MR||A^B||19840312|F",                                      "identifier[0].type",           MR),
    ("S1||Hollis^Marian^Jane^Jr^Ms^MD^L||19840312|F",                  "name[0]",
        {"use": "official", "family": "Hollis", "given": ["Marian", "Jane"], "prefix": ["Ms"], "suffix": ["Jr", "MD"]}),
    ("S1||O\\T\\Neil^Ann||19840312|F",                                 "name[0].family",               "O&Neil"),
    ("S1||van Dyk&van&Dyk^Ann||19840312|F",                            "name[0].family",               "van Dyk"),
    ("S1||A^B||19840312|F",                                            "birthDate",                    "1984-03-12"),
    ("S1||A^B||198403|F",                                              "birthDate",                    "1984-03"),
    ("S1||A^B||19840312233000|F",                                      "birthDate",                    "1984-03-12"),
    ("S1||A^B|||F",                                                    "gender",                       "female"),
    ("S1||A^B|||INVALID",                                              "gender",                       "unknown"),
    ("S1||A^B||||Ace^Nick^^^^^N",                                      "name[1]",                      {"use": "nickname", "family": "Ace", "given": ["Nick"]}),
    ("S1||A^B||||||4 Alder St^Apt 5^Springfield^IL^62704^USA^H^^Sangamon", "address[0]",
        {"use": "home", "line": ["4 Alder St", "Apt 5"], "city": "Springfield", "district": "Sangamon", "state": "IL", "postalCode": "62704", "country": "USA"}),
    ("S1||A^B||||||1&Main&12^^X",                                      "address[0].line",              ["1"]),
    ("S1||A^B||||||&Main&12^^X",                                       "address[0].line",              ["12 Main"]),
    ("S1||A^B||||||||(217) 555-0142^PRN^PH",                           "telecom[0]",                   {"system": "phone", "value": "(217) 555-0142", "use": "home"}),
    ("S1||A^B||||||||^PRS^CP^^1^217^5550177",                          "telecom[0]",                   {"system": "phone", "value": "+1 217 5550177", "use": "mobile"}),
    ("S1||A^B||||||||^NET^Internet^a@b.org",                           "telecom[0]",                   {"system": "email", "value": "a@b.org", "use": "home"}),
    ("S1||A^B|||||||||555-0190",                                       "telecom[0].use",               "work"),
    ("S1||A^B||||||||||eng^English^ISO639",                            "communication[0].language.coding[0]", {"system": "urn:ietf:bcp:47", "code": "en", "display": "English"}),
    ("S1||A^B|||||||||||D",                                            "maritalStatus.coding[0]",      {"system": V3 + "MaritalStatus", "code": "D", "display": "Divorced"}),
    ("S1||A^B|||||||||||Q^Quarrelling",                                "maritalStatus.coding[0].system", "urn:gateway:codes:STMARY:PID-16"),
    ("S1||A^B||||||||||||||412-55-0192",                               "identifier[1].value",          "412550192"),
    ("S1||A^B|||||||||||||||||||2",                                    "multipleBirthBoolean",         None),
    ("S1||A^B||||||||||||||||||||2",                                   "multipleBirthInteger",         2),
    ("S1||A^B||||||||||||||||||||||||202611200315|Y",                  "deceasedDateTime",             "2026-11-20T03:15:00-06:00"),
    ("S1||A^B|||||||||||||||||||||||||Y",                              "deceasedBoolean",              True),
    ("S1||A^B|||||||||||||||||||||||||N",                              "deceasedBoolean",              False),
    ("S1||A^B|||||2106-3^White^CDCREC",                                "extension[0].extension[0].valueCoding.code", "2106-3"),
    ("S1||A^B|||||2106-3^White^CDCREC",                                "extension[0].extension[1]",    {"url": "text", "valueString": "White"}),
    ("S1||A^B|||||||||||||||||J^Pakistani",                            "extension[0].extension",       [{"url": "text", "valueString": "Pakistani"}]),
    ("S1||A^B|||||||||||||||||H",                                      "extension[0].extension[0].valueCoding.code", "2135-2"),
]

ENCOUNTER = [
    # PV1 after `PV1|1|` (event A01)                                   element                         value
    ("I",                                                              "class.code",                   "IMP"),
    ("INPATIENT|BHU",                                                  "class.code",                   "IMP"),
    ("E^EMERGENCY^HL70004|ED",                                         "class.code",                   "EMER"),
    ("ff|BHU",                                                         "class",                        None),
    ("I|BHU",                                                          "status",                       "in-progress"),
    ("I|BHU^2^A",                                                      "location[0].location.display", "BHU 2 A"),
    ("I|BHU|U",                                                        "type[0].coding[0].code",       "U"),
    ("I|BHU|||ED^1",                                                   "location[1].status",           "completed"),
    ("I|BHU||||1174823942^Lindqvist^Karin^^^Dr^^^NPI",                 "participant[0].individual.display", "Dr Karin Lindqvist"),
    ("I|BHU||||1174823942^Lindqvist^Karin^^^Dr^^^NPI",                 "participant[0].type[0].coding[0].code", "ATND"),
    ("I|BHU||||||Z^Hay^Jo",                                            "participant[0].type[0].coding[0].code", "CON"),
    ("I|BHU||||||||||||||Z^Hay^Jo",                                    "participant[0].type[0].coding[0].code", "ADM"),
    ("I|BHU|||||||PSY",                                                "serviceType.coding[0]",        {"system": "urn:gateway:codes:STMARY:PV1-10", "code": "PSY"}),
    ("I|BHU|||||||MED",                                                "serviceType.coding[0].system", "http://terminology.hl7.org/CodeSystem/v2-0069"),
    ("I|BHU|||||||||||7",                                              "hospitalization.admitSource.coding[0]",
        {"system": "http://terminology.hl7.org/CodeSystem/v2-0023", "code": "7"}),
    ("I|BHU|||||||||||||||||V9^^^STMARY^VN",                           "identifier[0].value",          None),
    ("I|BHU||||||||||||||||V9^^^STMARY^VN",                            "identifier[0].system",         "urn:gateway:visit:STMARY"),
    ("I|BHU" + "|" * 41 + "20261115091200",                            "period.start",                 "2026-11-15T09:12:00-06:00"),
    ("I|BHU" + "|" * 41 + "20261115091200-0500",                       "period.start",                 "2026-11-15T09:12:00-05:00"),
    ("I|BHU" + "|" * 38 + "20261115091200",                            "period.start",                 "2026-11-15T09:12:00-06:00"),
    ("I|BHU" + "|" * 34 + "20261115091200",                            "period.start",                 "2026-11-15T09:12:00-06:00"),
    ("I|BHU" + "|" * 41 + "something wrong",                           "period",                       None),
]

DISPOSITION = [
    # PV1-36                           normal form    FHIR code
    ("01",                             "01",          "home"),
    ("1",                              "01",          "home"),
    ("001",                            "01",          "home"),
    ("01^Home^NUBC",                   "01",          "home"),
    ("06",                             "06",          "home"),
    ("07",                             "07",          "aadvice"),
    ("AMA",                            "07",          "aadvice"),
    ("^Left against medical advice",   "07",          "aadvice"),
    ("20",                             "20",          "exp"),
    ("Expired",                        "20",          "exp"),
    ("21",                             "21",          "oth"),
    ("41",                             "41",          "exp"),
    ("50",                             "50",          "hosp"),
    ("02",                             "02",          "other-hcf"),
    ("65",                             "65",          "psy"),
    ("03",                             "03",          "snf"),
    ("62",                             "62",          "rehab"),
    ("63",                             "63",          "long"),
    ("93",                             "93",          "psy"),
    ("99",                             "",            None),
    ("went to live with her aunt",     "",            None),
]

STATUS = [
    # event      SCH-25          Appointment.status
    ("S12",      "",             "booked"),
    ("S12",      "Pending",      "pending"),
    ("S12",      "BOOKED",       "booked"),
    ("S12",      "Waitlist",     "waitlist"),
    ("S13",      "Booked",       "booked"),
    ("S14",      "",             None),
    ("S14",      "Complete",     "fulfilled"),
    ("S14",      "Started",      "checked-in"),
    ("S14",      "Noshow",       "noshow"),
    ("S15",      "Booked",       "cancelled"),
    ("S16",      "",             "cancelled"),
    ("S17",      "Booked",       "entered-in-error"),
    ("S26",      "Booked",       "noshow"),
    ("S12",      "Moonphase",    "booked"),
]

EFFECT = [
    # event   effect                       Encounter.status
    ("A01",   "admit",                     "in-progress"),
    ("A02",   "transfer",                  "in-progress"),
    ("A03",   "discharge",                 "finished"),
    ("A04",   "register",                  "in-progress"),
    ("A05",   "pre-admit",                 "planned"),
    ("A06",   "to-inpatient",              "in-progress"),
    ("A07",   "to-outpatient",             "in-progress"),
    ("A08",   "update",                    None),
    ("A11",   "cancel-admit",              "cancelled"),
    ("A12",   "cancel-transfer",           "in-progress"),
    ("A13",   "cancel-discharge",          "in-progress"),
    ("A16",   "pending-discharge",         "in-progress"),
    ("A21",   "leave",                     "onleave"),
    ("A22",   "return",                    "in-progress"),
    ("A23",   "delete",                    "entered-in-error"),
    ("A25",   "cancel-pending-discharge",  "in-progress"),
    ("A38",   "cancel-pre-admit",          "cancelled"),
    ("A52",   "return",                    "in-progress"),
    ("A53",   "leave",                     "onleave"),
]
# fmt: on


@pytest.mark.parametrize(("pid", "path", "value"), PATIENT)
def test_pid_becomes_patient(pid: str, path: str, value: object) -> None:
    data = message("ADT^A08", f"PID|1||{pid}")
    assert at(said(data, "person").own, path) == value
    check_bundle(translated(data))


@pytest.mark.parametrize(("pv1", "path", "value"), ENCOUNTER)
def test_pv1_becomes_encounter(pv1: str, path: str, value: object) -> None:
    data = message("ADT^A01", PID, f"PV1|1|{pv1}")
    assert at(said(data, "stay").own, path) == value
    check_bundle(translated(data))


@pytest.mark.parametrize(("sent", "normal", "target"), DISPOSITION)
def test_disposition_normal_form(sent: str, normal: str, target: str | None) -> None:
    data = message("ADT^A03", PID, f"PV1|1|I|BHU{'|' * 33}{sent}")
    stay = said(data, "stay")
    assert stay.facts["disposition"]["code"] == normal
    codes = [
        one["code"]
        for one in at(stay.own, "hospitalization.dischargeDisposition").get("coding", [])
        if one["system"] == "http://terminology.hl7.org/CodeSystem/discharge-disposition"
    ]
    assert codes == ([target] if target else [])
    assert at(stay.own, "hospitalization.dischargeDisposition.text")
    assert any(report.location == "PV1-36" for report in translated(data).reports) == (not normal)
    check_bundle(translated(data))


@pytest.mark.parametrize(("event", "filler_status", "status"), STATUS)
def test_appointment_status_by_event_and_filler_status(event: str, filler_status: str, status: str | None) -> None:
    data = message(f"SIU^{event}", f"SCH|P1|F1|||||||30|MIN|^^30^20261125140000|{'|' * 13}{filler_status}", PID)
    assert said(data, "appointment").own.get("status") == status  # type: ignore[union-attr]
    check_bundle(translated(data))


@pytest.mark.parametrize(("event", "effect", "status"), EFFECT)
def test_event_says_what_it_does_to_the_stay(event: str, effect: str, status: str | None) -> None:
    data = message(f"ADT^{event}", PID, "PV1|1|I|BHU^2^A")
    stay = said(data, "stay")
    assert stay.facts["effect"] == effect
    assert stay.own is not None
    assert stay.own.get("status") == status
    assert stay.facts["unit"] == "BHU"
    assert stay.facts["unit_kind"] == "psychiatric"
    check_bundle(translated(data))


def test_dg1_keeps_order_and_names_the_principal() -> None:
    """DG1-15 = 1 is principal wherever it stands; DG1-6 says how certain it is."""
    data = message(
        "ADT^A01",
        PID,
        "PV1|1|I|BHU",
        "DG1|1||R45.851^Suicidal ideations^I10C||20261115|A|||||||||2",
        "DG1|2||F33.2^Major depression^I10C|||F|||||||||1",
    )
    stay = said(data, "stay")
    assert [(one["code"], one["principal"], one["kind"]) for one in stay.facts["diagnoses"]] == [
        ("R45.851", False, "admitting"),
        ("F33.2", True, "final"),
    ]
    first, second = (fragment.resource for fragment in stay.parts["DG1"])
    assert first["code"]["coding"][0]["system"] == "http://hl7.org/fhir/sid/icd-10-cm"
    assert first["onsetDateTime"] == "2026-11-15"
    assert first["verificationStatus"]["coding"][0]["code"] == "provisional"
    assert second["verificationStatus"]["coding"][0]["code"] == "confirmed"
    assert second["category"][0]["coding"][0]["code"] == "encounter-diagnosis"
    check_bundle(translated(data))


def test_the_first_diagnosis_is_principal_when_none_is_marked() -> None:
    data = message("ADT^A01", PID, "PV1|1|I|BHU", "DG1|1|I10|F20.0|Paranoid schizophrenia||W", "DG1|2|I10|I10")
    facts = said(data, "stay").facts["diagnoses"]
    assert [one["principal"] for one in facts] == [True, False]
    assert facts[0] == {
        "system": "http://hl7.org/fhir/sid/icd-10",
        "code": "F20.0",
        "text": "Paranoid schizophrenia",
        "principal": True,
        "kind": "working",
    }


def test_dg1_21_deletes_in_action_code_mode() -> None:
    data = message("ADT^A08", PID, "PV1|1|I|BHU", "DG1|1||F33.2^X^I10C" + "|" * 17 + "D7|D")
    (fragment,) = said(data, "stay").parts["DG1"]
    assert (fragment.local, fragment.action) == ("DG1-20|D7", "D")
    assert fragment.resource["verificationStatus"]["coding"][0]["code"] == "entered-in-error"
    assert said(data, "stay").facts["diagnoses"] == []


def test_obx_by_its_type() -> None:
    data = message(
        "ADT^A08",
        PID,
        "PV1|1|I|BHU",
        "OBX|1|NM|44261-6^PHQ-9 total^LN||17|{score}^score^UCUM|0-4|H|||F|||20261121100000",
        "NTE|1||asked by phone",
        "OBX|2|CWE|93374-7^C-SSRS risk^LN||LA9194-7^High^LN||||||P",
        "OBX|3|TX|N^Note||one~two||||||F",
        "OBX|4|SN|X^Y||>^10||||||F",
        "OBX|5|NM|X^Y||many||||||F",
    )
    score, risk, note, above, words = (fragment.resource for fragment in said(data, "stay").parts["OBX"])
    assert score["valueQuantity"] == {"value": 17, "unit": "score", "system": "http://unitsofmeasure.org", "code": "{score}"}
    assert score["effectiveDateTime"] == "2026-11-21T10:00:00-06:00"
    assert score["interpretation"][0]["coding"][0]["code"] == "H"
    assert score["referenceRange"] == [{"text": "0-4"}]
    assert score["note"] == [{"text": "asked by phone"}]
    assert (risk["status"], risk["valueCodeableConcept"]["text"]) == ("preliminary", "High")
    assert note["valueString"] == "one\ntwo"
    assert above["valueQuantity"] == {"value": 10, "comparator": ">"}
    assert words["valueString"] == "many"
    check_bundle(translated(data))


def test_results_of_one_order_replace_no_other_orders() -> None:
    data = message("ORU^R01", PID, "OBR|1|P1|F1|X", "OBX|1|NM|A||1||||||F", "OBR|2|P2|F2|Y", "OBX|1|NM|A||2||||||F")
    assert list(said(data, "person").parts) == ["OBX:F1", "OBX:F2"]
    check_bundle(translated(data))


def test_allergies_contacts_and_coverage_are_the_persons() -> None:
    data = message(
        "ADT^A01",
        PID,
        "NK1|1|Hollis^Robert|SPO^Spouse^HL70063|88 Elm Ct^^Springfield|555-0111||C^Emergency Contact^HL70131",
        "PV1|1|I|BHU",
        "AL1|1|DA|7980^Penicillin G^RXNORM|SV|Hives|20010501",
        "IN1|1|MCD^Medicaid|ILHFS|Illinois HFS||||||||20250101|||MC|Hollis^Marian|SEL" + "|" * 19 + "9910044721",
        "GT1|1||Hollis^Robert||88 Elm Ct^^Springfield||||||SPO",
    )
    parts = said(data, "person").parts
    kin = parts["NK1"][0].resource
    assert kin["relationship"][0]["coding"][0]["code"] == "SPS"
    assert kin["relationship"][1]["coding"][0] == {
        "system": "http://terminology.hl7.org/CodeSystem/v2-0131",
        "code": "C",
        "display": "Emergency Contact",
    }
    allergy = parts["AL1"][0].resource
    assert (allergy["category"], allergy["criticality"], allergy["reaction"][0]["severity"]) == (["medication"], "high", "severe")
    assert allergy["onsetDateTime"] == "2001-05-01"
    coverage = parts["IN1"][0].resource
    assert (coverage["subscriberId"], coverage["period"], coverage["payor"][0]["display"]) == ("9910044721", {"start": "2025-01-01"}, "Illinois HFS")
    assert coverage["relationship"]["coding"][0]["code"] == "self"
    assert parts["GT1"][0].resource["relationship"][0]["coding"][0]["code"] == "GUAR"
    made = check_bundle(translated(data))
    kinds = {entry["resource"]["resourceType"] for entry in made["entry"]}
    assert {"Patient", "Encounter", "RelatedPerson", "AllergyIntolerance", "Coverage", "Organization", "Location"} <= kinds


def test_siu_with_its_resources() -> None:
    data = message(
        "SIU^S12",
        "SCH|P7^EHR|F7^SCHED|||||FOLLOWUP^Follow-up^HL70276|NORMAL^Normal^HL70277|45|MIN|^^45^20261125140000-0600",
        PID,
        "RGS|1",
        "AIS|1||PSYMED^Medication management^L|20261125140000-0600",
        "AIP|1||1174823942^Lindqvist^Karin^^^^^^NPI|PSYCH^Psychiatrist^L",
        "AIL|1||RIVER^Room 2",
    )
    found = said(data, "appointment")
    assert found.keys == ("urn:gateway:appointment:filler:SCHED|F7", "urn:gateway:appointment:placer:EHR|P7")
    assert found.own is not None
    assert (found.own["start"], found.own["end"]) == ("2026-11-25T14:00:00-06:00", "2026-11-25T14:45:00-06:00")
    assert found.own["minutesDuration"] == 45
    assert found.own["reasonCode"][0]["coding"][0]["code"] == "FOLLOWUP"
    assert found.own["serviceType"][0]["coding"][0]["code"] == "PSYMED"
    assert [one["text"] for one in found.facts["service"]] == ["Follow-up", "Normal", "Medication management"]
    assert found.facts["practitioner"] == ["Karin Lindqvist"]
    assert found.facts["specialty"][0]["text"] == "Psychiatrist"
    assert found.facts["place"] == "RIVER Room 2"
    assert "default_end" not in found.facts
    check_bundle(translated(data))


def test_an_end_that_nobody_stated_is_the_policys_and_marked() -> None:
    data = message("SIU^S12", "SCH|P7|F7|||||||||^^^20261125140000", PID)
    found = said(data, "appointment")
    assert found.own is not None
    assert found.own["end"] == "2026-11-25T15:00:00-06:00"
    assert found.facts["default_end"] is True


def test_tq1_times_an_appointment_where_sch_11_is_silent() -> None:
    data = message("SIU^S12", "SCH|P7|F7", "TQ1|1||||||20261125140000|20261125143000", PID)
    own = said(data, "appointment").own
    assert own is not None
    assert (own["start"], own["end"]) == ("2026-11-25T14:00:00-06:00", "2026-11-25T14:30:00-06:00")


def test_mdm_t02_carries_its_text() -> None:
    data = message(
        "MDM^T02",
        PID,
        "PV1|1|I|BHU" + "|" * 16 + "V9",
        "TXA|1|DS^Discharge summary^HL70270|TX|20261122|1174823942^Lindqvist^Karin^^^^^^NPI|20261122070000||||||D9||||plan.txt|AU|R||||||||Aftercare plan",
        "OBX|1|TX|DS||Take with food.||||||F",
        "OBX|2|TX|DS||See Dr. Hay.||||||F",
    )
    found = said(data, "document")
    assert found.keys == ("urn:gateway:document:STMARY|D9",)
    assert found.own is not None
    assert found.own["type"]["coding"][0] == {"system": "http://loinc.org", "code": "18842-5", "display": "Discharge summary"}
    assert found.own["content"][0]["attachment"]["data"] == "VGFrZSB3aXRoIGZvb2QuClNlZSBEci4gSGF5Lg=="
    assert found.own["securityLabel"][0]["coding"][0]["code"] == "R"
    assert found.own["docStatus"] == "final"
    made = check_bundle(translated(data))
    (document,) = [entry["resource"] for entry in made["entry"] if entry["resource"]["resourceType"] == "DocumentReference"]
    assert document["context"]["encounter"][0]["reference"].startswith("Encounter/")
