"""Golden pairs, by hand from HL7 v2.5.1 to v2.9 and FHIR R4, for the events and segments of a hospital's wider world: what was sent | what it says."""

# ruff: noqa: E501 - the tables are there to be read side by side

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from width_support import PID, PROFILE, PV1, at, identify, message, resources, said, translated

from gateway.errors import Invalid

V = "urn:gateway:visit:STMARY|"
A = "urn:gateway:account:STMARY|"
MR = "urn:gateway:facility:STMARY:MR|"

# fmt: off
JOINS = [
    # event  PID (after `PID|1||`)      MRG          PV1-19  effect   what goes                               from whom
    ("A35",  "S1" + "|" * 15 + "A1",    "S1||A2",    "",     "stays", [(f"{A}A1", f"{A}A2")],                 ()),
    ("A41",  "S1" + "|" * 15 + "A1",    "S1||A2",    "",     "stays", [(f"{A}A1", f"{A}A2")],                 ()),
    ("A49",  "S1" + "|" * 15 + "A9",    "S1||A1",    "",     "stays", [(f"{A}A9", f"{A}A1")],                 ()),
    ("A42",  "S1",                      "S1||||V2",  "V1",   "stays", [(f"{V}V1", f"{V}V2")],                 ()),
    ("A50",  "S1",                      "S1||||V2",  "V9",   "stays", [(f"{V}V9", f"{V}V2")],                 ()),
    ("A44",  "S1" + "|" * 15 + "A1",    "S2||A1",    "",     "move",  [f"{A}A1"],                             (f"{MR}S2",)),
    ("A45",  "S1",                      "S2||||V1",  "V1",   "move",  [f"{V}V1"],                             (f"{MR}S2",)),
]

REFUSED = [
    # event  segments after MSH and EVN                         place
    ("A43",  (PID, "MRG|S1"),                                   "PID-2"),     # nobody to whom it goes
    ("A44",  (PID + "|" * 9 + "A1", "MRG|S1||A1"),              "MRG-1"),     # from nobody
    ("A42",  (PID, "MRG|S1"),                                   "MRG-5"),
    ("A50",  (PID, "MRG|S1||||V2"),                             "MRG-5"),     # no new number
    ("A35",  (PID, "MRG|S1||A2"),                               "MRG-3"),
    ("A51",  (PID,),                                            "MRG"),
]

REFERRAL = [
    # event  RF1                                            element                              value
    ("I12",  "RF1|P|S|MH^Mental health",                    "status",                            "active"),
    ("I12",  "RF1|R",                                       "status",                            "revoked"),
    ("I13",  "RF1||S",                                      "status",                            "unknown"),      # a change that says nothing of it
    ("I14",  "RF1|A",                                       "status",                            "revoked"),
    ("I15",  "RF1|A^Accepted",                              "status",                            "active"),
    ("I12",  "RF1|P|S",                                     "priority",                          "stat"),
    ("I12",  "RF1|P|A",                                     "priority",                          "asap"),
    ("I12",  "RF1|P|S|MH^Mental health",                    "code.coding[0].code",               "MH"),
    ("I12",  "RF1|P",                                       "code.text",                         "Referral"),
    ("I12",  "RF1|P|||AM^Assume management",                "orderDetail[0].text",               "Assume management"),
    ("I12",  "RF1|P||||O^Outpatient",                       "category[1].text",                  "Outpatient"),
    ("I12",  "RF1|P|||||R7^EHR",                            "identifier[0]",                     {"system": "urn:gateway:referral:EHR", "value": "R7"}),
    ("I12",  "RF1|P|||||R7|20261122|20270122",              "occurrencePeriod",                  {"start": "2026-11-22", "end": "2027-01-22"}),
    ("I12",  "RF1|P|||||R7|||202611221015",                 "authoredOn",                        "2026-11-22T10:15:00-06:00"),
    ("I12",  "RF1|P|||||R7||||S^Second opinion",            "reasonCode[0].text",                "Second opinion"),
    ("I12",  "RF1|P|||||R7|||||X7^HUB",                     "identifier[1].value",               "X7"),
    ("I12",  "RF1|P",                                       "intent",                            "order"),
]

CARE = [
    # event       segment                                                                      type         element                                value
    ("PPR^PC1",   "PRB|AD|20261122|F33.2^Major depression^I10C|P1^EHR",                        "Condition", "identifier[0].value",                 "P1"),
    ("PPR^PC1",   "PRB|AD|20261122|F33.2^Major depression^I10C|P1^EHR",                        "Condition", "category[0].coding[0].code",          "problem-list-item"),
    ("PPR^PC1",   "PRB|AD|20261122|F33.2^Major depression^I10C|P1^EHR",                        "Condition", "clinicalStatus.coding[0].code",       "active"),
    ("PPR^PC2",   "PRB|UP|20261122|F33.2^X^I10C|P1^EHR|||20260901||20261120",                  "Condition", "clinicalStatus.coding[0].code",       "resolved"),
    ("PPR^PC2",   "PRB|UP|20261122|F33.2^X^I10C|P1^EHR|||20260901||20261120",                  "Condition", "abatementDateTime",                   "2026-11-20"),
    ("PPR^PC2",   "PRB|UP|20261122|F33.2^X^I10C|P1^EHR|||20260901",                            "Condition", "recordedDate",                        "2026-09-01"),
    ("PPR^PC2",   "PRB|UP|20261122|F33.2^X^I10C|P1^EHR||||||||||I^Inactive",                   "Condition", "clinicalStatus.coding[0].code",       "inactive"),
    ("PPR^PC2",   "PRB|UP|20261122|F33.2^X^I10C|P1^EHR|||||||||P^Provisional",                 "Condition", "verificationStatus.coding[0].code",   "provisional"),
    ("PPR^PC2",   "PRB|UP|20261122|F33.2^X^I10C|P1^EHR||||||||||||202603",                     "Condition", "onsetDateTime",                       "2026-03"),
    ("PPR^PC2",   "PRB|UP|20261122|F33.2^X^I10C|P1^EHR|||||||||||||since spring",              "Condition", "onsetString",                         "since spring"),
    ("PPR^PC3",   "PRB|DE|20261122|F33.2^X^I10C|P1^EHR",                                       "Condition", "verificationStatus.coding[0].code",   "entered-in-error"),
    ("PPR^PC3",   "PRB|DE|20261122|F33.2^X^I10C|P1^EHR",                                       "Condition", "clinicalStatus",                      None),
    ("PGL^PC6",   "GOL|AD|20261122|SLEEP^Sleeps through the night^L|G1",                       "Goal",      "description.text",                    "Sleeps through the night"),
    ("PGL^PC6",   "GOL|AD|20261122|SLEEP^Sleeps^L|G1|||20261101|20261222",                     "Goal",      "startDate",                           "2026-11-01"),
    ("PGL^PC6",   "GOL|AD|20261122|SLEEP^Sleeps^L|G1|||20261101|20261222",                     "Goal",      "target",                              [{"dueDate": "2026-12-22"}]),
    ("PGL^PC7",   "GOL|UP|20261122|SLEEP^Sleeps^L|G1||||||||||||P^Partly^L|well begun",        "Goal",      "achievementStatus.text",              "Partly"),
    ("PGL^PC7",   "GOL|UP|20261122|SLEEP^Sleeps^L|G1||||||||||||P^Partly^L|well begun",        "Goal",      "note[0].text",                        "well begun"),
    ("PGL^PC7",   "GOL|UP|20261122|SLEEP^Sleeps^L|G1||||||||||||||Completed|20261120",         "Goal",      "lifecycleStatus",                     "completed"),
    ("PGL^PC8",   "GOL|DE|20261122|SLEEP^Sleeps^L|G1",                                         "Goal",      "lifecycleStatus",                     "entered-in-error"),
    ("PPP^PCB",   "PTH|AD|SUIC^Suicide prevention|T1|20261122|A^Active",                       "CarePlan",  "title",                               "Suicide prevention"),
    ("PPP^PCB",   "PTH|AD|SUIC^Suicide prevention|T1|20261122|A^Active",                       "CarePlan",  "period",                              {"start": "2026-11-22"}),
    ("PPP^PCC",   "PTH|UP|SUIC^Suicide prevention|T1|20261122|S^Suspended",                    "CarePlan",  "status",                              "on-hold"),
    ("PPP^PCD",   "PTH|DE|SUIC^Suicide prevention|T1",                                         "CarePlan",  "status",                              "entered-in-error"),
    ("PPG^PCG",   "PTH|AD|SUIC^Suicide prevention|T1",                                         "CarePlan",  "intent",                              "plan"),
    ("PPG^PCH",   "PTH|UP|SUIC^Suicide prevention|T1||C^Completed",                            "CarePlan",  "status",                              "completed"),
    ("PPG^PCJ",   "PTH|DE|SUIC^Suicide prevention|T1",                                         "CarePlan",  "status",                              "entered-in-error"),
]

PARTS = [
    # segments before PV1                                      segments after PV1                        type                   element                                   value
    (("PDA|R96^Sudden death",),                                (),                                       "Observation",         "valueCodeableConcept.text",              "Sudden death"),
    (("PDA||||20261120101500",),                               (),                                       "Observation",         "component[0].valueDateTime",             "2026-11-20T10:15:00-06:00"),
    (("ARV|1|A|NOINFO^Tell nobody",),                          (),                                       "Patient",             "meta.security[0].code",                  "R"),
    (("ARV|1|A|NOINFO^Tell nobody",),                          (),                                       "Observation",         "valueCodeableConcept.text",              "Tell nobody"),
    ((),                                                       ("ARV|1|A|NOINFO^Tell nobody",),          "Encounter",           "meta.security[0].code",                  "R"),
    (("CON|1|001^Release of information||C1|||||||A||20261101",), (),                                    "Consent",             "status",                                 "active"),
    (("CON|1|001^Release of information||C1|||||||R||20261101",), (),                                    "Consent",             "provision.type",                         "deny"),
    (("CON|1|001^Release of information||C1|||||||X||20261101",), (),                                    "Consent",             "status",                                 "inactive"),
    (("CON|1|001^Release of information||C1||||||||||20261101|20271101",), (),                           "Consent",             "provision.period",                       {"start": "2026-11-01", "end": "2027-11-01"}),
    (("CON|1|002^Procedure||C2|||||||A",),                     (),                                       "Consent",             "scope.coding[0].code",                   "treatment"),
    ((),                                                       ("DB1|1|PT||Y|20261101",),                "Observation",         "component[1].valueBoolean",              True),
    ((),                                                       ("DRG|885^Psychoses^DRG|20261122",),      "Observation",         "valueCodeableConcept.coding[0].code",    "885"),
    ((),                                                       ("DRG|885^Psychoses^DRG|20261122",),      "Observation",         "effectiveDateTime",                      "2026-11-22"),
    ((),                                                       ("DRG|885|||||3|1000&USD",),              "Observation",         "component[1].valueQuantity",             {"value": 1000, "unit": "USD"}),
    ((),                                                       ("ACC|202611150830|MVA^Car accident",),   "Observation",         "effectiveDateTime",                      "2026-11-15T08:30:00-06:00"),
    ((),                                                       ("ACC|202611150830|MVA^Car accident|Main St|IL|N",), "Observation", "component[2].valueBoolean",            False),
    ((),                                                       ("UB1|1||||||A~B",),                      "Observation",         "component[1].valueCodeableConcept.coding[0].code", "B"),
    ((),                                                       ("UB2|1||A~B|12",),                       "Observation",         "component[2].valueQuantity.value",       12),
    ((),                                                       ("IN1|1|MCD^Medicaid|ILHFS|Illinois HFS", "IN2||||||1EG4TE5MK73"), "Coverage", "identifier[0].value",          "1EG4TE5MK73"),
    ((),                                                       ("IN1|1|MCD^Medicaid|ILHFS|Illinois HFS", "IN2|" + "|" * 59 + "|M61"), "Coverage", "subscriberId",             "M61"),
    ((),                                                       ("IN1|1|MCD^Medicaid|ILHFS|Illinois HFS", "IN3|1|C2||Y"), "Observation", "component[0].valueString",           "C2"),
    ((),                                                       ("IN1|1|MCD^Medicaid|ILHFS|Illinois HFS", "IN3|1|C2" + "|" * 18 + "|Ann Case"), "CareTeam", "participant[0].role[0].coding[0].code", "768832004"),
    ((),                                                       ("IN1|1|MCD^Medicaid|ILHFS|Illinois HFS" + "|" * 12 + "Hollis^Robert|SPO^Spouse",), "RelatedPerson", "name[0].given", ["Robert"]),
    (("ROL|R1|AD|PP^Primary care^HL70443|77^Gray^Gus",),       (),                                       "CareTeam",            "participant[0].member.display",          "Gus Gray"),
    (("ROL|R1|AD|PP^Primary care^HL70443|77^Gray^Gus",),       (),                                       "Patient",             "generalPractitioner[0].display",         "Gus Gray"),
    (("ROL|R1|AD|PP^Primary care^HL70443|77^Gray^Gus" + "|" * 10 + "Oak Clinic",), (),                   "CareTeam",            "participant[0].onBehalfOf.display",      "Oak Clinic"),
    ((),                                                       ("ROL|R1|AD|AT^Attending^HL70443|77^Gray^Gus|20261101|20261120",), "CareTeam", "participant[0].period", {"start": "2026-11-01", "end": "2026-11-20"}),
    ((),                                                       ("PRT|P1|AD||AT^Attending^HL70443|77^Gray^Gus|PSYCH^Psychiatrist",), "PractitionerRole", "specialty[0].text",    "Psychiatrist"),
    (("PRT|P1|AD||FTH^Father^HL70063|^Poe^Edgar",),            (),                                       "RelatedPerson",       "relationship[0].coding[0].code",         "FTH"),
    (("PRT|P1|AD||CP||||Night Team",),                         (),                                       "CareTeam",            "participant[0].member.display",          "Night Team"),
    (("PD1|||||||Y",),                                         (),                                       "Observation",         "code.coding[0].code",                    "75320-2"),
    ((),                                                       ("DG1|1||F33.2^X^I10C|||A" + "|" * 9 + "1",), "Encounter",       "diagnosis[0].use.coding[0].code",        "AD"),
    ((),                                                       ("DG1|1||F33.2^X^I10C|||A" + "|" * 9 + "1",), "Encounter",       "diagnosis[0].rank",                      1),
]

# fmt: on


@pytest.mark.parametrize(("event", "pid", "mrg", "visit", "effect", "goes", "former"), JOINS)
def test_joins_moves_and_renumberings(event: str, pid: str, mrg: str, visit: str, effect: str, goes: list[object], former: tuple[str, ...]) -> None:
    segments = [f"PID|1||{pid}", f"MRG|{mrg}", *([f"PV1|1|I|BHU{'|' * 16}{visit}"] if visit else [])]
    first = translated(message(f"ADT^{event}", *segments)).statements[0]
    assert first.kind == "merge"  # before anything else that the message says: what is called how is true only then
    assert (first.facts["effect"], first.facts["stays"], first.retires, first.person) == (effect, goes, former, (f"{MR}S1",))
    resources(message(f"ADT^{event}", *segments))


def test_a43_by_the_person_above_the_identifier_and_by_the_identifiers_alone() -> None:
    above = translated(message("ADT^A43", "PID|1|B^^^MPI|S1", "MRG|S1|||A^^^MPI")).statements[0]
    assert above.facts["identifiers"] == (f"{MR}S1",)
    assert above.person == ("urn:gateway:authority:MPI|B",)
    assert above.retires == (f"{MR}S1", "urn:gateway:authority:MPI|A")
    alone = translated(message("ADT^A43", "PID|1||S1", "MRG|S9")).statements[0]
    assert (alone.person, alone.facts["identifiers"]) == ((f"{MR}S1",), (f"{MR}S9",))


def test_a45_to_another_account_of_the_same_person_moves_nobody() -> None:
    data = message("ADT^A45", "PID|1||S1" + "|" * 15 + "A2", "MRG|S1||A1||V1", f"PV1|1|I|BHU{'|' * 16}V1")
    (joined,) = said(data, "merge")
    assert (joined.facts["effect"], joined.facts["stays"]) == ("stays", [(f"{A}A2", f"{A}A1")])


@pytest.mark.parametrize(("event", "segments", "place"), REFUSED)
def test_a_move_without_what_it_needs_is_refused_with_the_place(event: str, segments: tuple[str, ...], place: str) -> None:
    with pytest.raises(Invalid) as refused:
        translated(message(f"ADT^{event}", *segments))
    assert refused.value.location == place


def test_swapped_beds_are_two_peoples_transfers() -> None:
    data = message("ADT^A17", "PID|1||S1||A^B", "PV1|1|I|BHU^1", "PID|2||S2||C^D", "PV1|1|I|BHU^2")
    assert [(one.person[0], one.facts["effect"], one.facts["unit"]) for one in said(data, "stay")] == [
        (f"{MR}S1", "transfer", "BHU"),
        (f"{MR}S2", "transfer", "BHU"),
    ]
    found = resources(data)
    assert [each["subject"]["reference"] for each in found["Encounter"]] == [f"Patient/{each['id']}" for each in found["Patient"]]


def test_bed_status_is_a_places_and_nobodys() -> None:
    data = message("ADT^A20", "NPU|BHU^2^A|H")
    assert translated(data).statements == ()
    assert [each.get("operationalStatus", {}).get("code") for each in resources(data)["Location"]] == [None, "H"]


def test_results_of_several_people_are_each_their_own() -> None:
    data = message("ORU^R01", "PID|1||S1", "OBR|1||F1|X", "OBX|1|NM|A||1||||||F", "PID|2||S2", "OBR|1||F2|X", "OBX|1|NM|A||2||||||F")
    found = resources(data)
    assert [each["valueQuantity"]["value"] for each in found["Observation"]] == [1, 2]
    assert len({each["subject"]["reference"] for each in found["Observation"]}) == 2
    assert len(found["DiagnosticReport"]) == 2


def test_a_group_appointment_is_everybodys() -> None:
    data = message("SIU^S12", "SCH||F1|||||||30|MIN|^^30^20261125140000", "PID|1||S1", "PID|2||S2", "RGS|1", "AIP|1||77^Gray^Gus")
    both = said(data, "appointment")
    assert [one.person for one in both] == [(f"{MR}S1",), (f"{MR}S2",)]
    assert [one.facts["practitioner"] for one in both] == [["Gus Gray"], ["Gus Gray"]]


def test_a_second_person_where_there_can_be_one_only_is_reported() -> None:
    assert "PID[2]" in [report.location for report in translated(message("ADT^A01", PID, PV1, "PID|2||S2")).reports]


@pytest.mark.parametrize(("event", "rf1", "path", "value"), REFERRAL)
def test_rf1_becomes_a_service_request(event: str, rf1: str, path: str, value: object) -> None:
    (request,) = resources(message(f"REF^{event}", rf1, "PRD|RT^Referred to|Poe^Ann", PID))["ServiceRequest"]
    assert at(request, path) == value


def test_who_refers_and_to_whom() -> None:
    data = message(
        "REF^I12",
        "RF1|P|R|MH^Mental health|||R7",
        "PRD|RP^Referring provider^HL70286|Lindqvist^Karin|||||1174823942^NPI",
        "PRD|RT^Referred to provider^HL70286|Gray^Gus|||||77^^||" + "|River CMHC^^river-cmhc",
        "CTD|CP^Contact person|Poe^Ann|||^PRN^PH^^1^217^5550101",
        PID,
        "DG1|1||F33.2^Major depression^I10C",
        PV1,
        "NTE|1||please call first",
    )
    (request,) = resources(data)["ServiceRequest"]
    assert request["requester"]["display"] == "Karin Lindqvist"
    assert [each["display"] for each in request["performer"]] == ["Gus Gray", "River CMHC"]
    assert [each["text"] for each in request["note"]] == ["please call first", "Contact: Ann Poe, Contact person, +1 217 5550101"]
    assert request["reasonCode"][-1]["text"] == "Major depression"
    assert request["encounter"]["reference"].startswith("Encounter/")
    (statement,) = said(data, "referral")
    assert statement.facts["receivers"] == ["77", "river-cmhc", "River CMHC", "Gus Gray"]
    assert statement.facts["stay_key"] == f"{V}V9"


@pytest.mark.parametrize(("event", "segment", "kind", "path", "value"), CARE)
def test_problems_goals_and_pathways(event: str, segment: str, kind: str, path: str, value: object) -> None:
    (resource,) = resources(message(event, PID, segment))[kind]
    assert at(resource, path) == value


def test_what_stands_together_is_about_each_other() -> None:
    """PPR: the goal and the pathway address the problem above them; the pathway has the goal. VAR and NTE are notes of what stands before them."""
    data = message(
        "PPR^PC1",
        PID,
        PV1,
        "PRB|AD|20261122|F33.2^Major depression^I10C|P1",
        "NTE|1||worse in winter",
        "VAR|V1|20261122|20261121101500|77^Gray^Gus|L^Late|started a week late",
        "ROL|R1|AD|PP^Primary care provider^HL70443|77^Gray^Gus",
        "PTH|AD|SUIC^Suicide prevention|T1",
        "GOL|AD|20261122|SLEEP^Sleeps^L|G1",
        "PRB|AD|20261122|F10.20^Alcohol dependence^I10C|P2",
        "GOL|AD|20261122|SOBER^Stays sober^L|G2",
    )
    found = resources(data)
    first, second = (f"Condition/{identify('Condition', f'urn:gateway:problem:STMARY|{number}')}" for number in ("P1", "P2"))
    assert [each["addresses"] for each in found["Goal"]] == [[{"reference": first}], [{"reference": second}]]
    assert found["CarePlan"][0]["addresses"] == [{"reference": first}]
    assert found["CarePlan"][0]["goal"] == [{"reference": f"Goal/{found['Goal'][0]['id']}"}]
    notes = found["Condition"][0]["note"]
    assert [each["text"] for each in notes] == ["worse in winter", "Late: started a week late"]
    assert (notes[1]["time"], notes[1]["authorReference"]["display"]) == ("2026-11-21T10:15:00-06:00", "Gus Gray")
    assert found["CareTeam"][0]["participant"][0]["member"]["display"] == "Gus Gray"
    assert {one.facts["stay_key"] for one in said(data, "care")} == {f"{V}V9"}


@pytest.mark.parametrize(("before", "after", "kind", "path", "value"), PARTS)
def test_what_hangs_on_a_person_or_a_stay(before: tuple[str, ...], after: tuple[str, ...], kind: str, path: str, value: object) -> None:
    found = resources(message("ADT^A01", PID, *before, PV1, *after))[kind]
    assert value in [at(one, path) for one in found]


def test_action_codes_and_the_profiles_mode() -> None:
    """ROL-2, PRT-2, IAM-6, DG1-21 as A, U, D; "snapshot" leaves nothing but deletions, "action" makes an update of what has no code."""

    def actions(profile: Any = PROFILE) -> list[str]:
        data = message("ADT^A08", PID, "ROL|R1|AD|PP|1^A^B", "ROL|R2|UP|CP|2^C^D", "ROL|R3|DE|CP|3^E^F", "ROL|R4|UN|CP|4^G^H", "ROL|R5||CP|5^I^J")
        return [one.action for one in said(data, "person", profile)[0].parts["ROL"]]

    assert actions() == ["A", "U", "D", "D", ""]
    assert actions(replace(PROFILE, segment_modes={"ROL": "snapshot"})) == ["", "", "D", "D", ""]
    assert actions(replace(PROFILE, segment_modes={"ROL": "action"})) == ["A", "U", "D", "D", "U"]


@pytest.mark.parametrize("version", ["2.1", "2.2", "2.3", "2.3.1", "2.4", "2.5", "2.5.1", "2.6", "2.7", "2.7.1", "2.8", "2.8.1", "2.8.2", "2.9"])
def test_every_version_is_read(version: str) -> None:
    data = message("ADT^A03", PID, PV1, version=version)
    assert not [report for report in translated(data).reports if report.location == "MSH-12"]
    assert said(data, "stay")[0].facts["effect"] == "discharge"


def test_a03_in_its_own_order_says_what_a01s_order_says() -> None:
    """The structure ADT_A03 has PR1, OBX, GT1 and IN1 after DG1; ADT_A01 has OBX and AL1 before it."""
    parts = {
        "OBX": "OBX|1|NM|44261-6^PHQ-9^LN||17||||||F",
        "AL1": "AL1|1|DA|7980^Penicillin^RXNORM",
        "DG1": "DG1|1||F33.2^X^I10C",
        "PR1": "PR1|1||90870^ECT^C4",
        "GT1": "GT1|1||Hollis^Robert||||||||SPO",
        "IN1": "IN1|1|MCD^Medicaid|ILHFS|Illinois HFS",
    }
    first = resources(message("ADT^A03", PID, PV1, *(parts[name] for name in ("OBX", "AL1", "DG1", "PR1", "GT1", "IN1"))))
    other = resources(message("ADT^A03", PID, PV1, *(parts[name] for name in ("AL1", "DG1", "PR1", "OBX", "GT1", "IN1"))))
    assert {kind: sorted(each["id"] for each in found) for kind, found in first.items()} == {
        kind: sorted(each["id"] for each in found) for kind, found in other.items()
    }
