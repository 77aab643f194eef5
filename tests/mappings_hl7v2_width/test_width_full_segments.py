"""Of PID, PV1 and DG1 at least 60 % of what is sent is mapped in every ADT, SIU, MDM, REF, PPR and ORU message, however full (issue 3, point 3)."""

# ruff: noqa: E501 - the tables are there to be read by field

from __future__ import annotations

from dataclasses import replace

import pytest
from width_support import PROFILE, RECEIVED, identify, message, resources

from gateway.er7 import reader
from gateway.mappings.hl7v2.events import EVENTS
from gateway.mappings.hl7v2.explain import explain

BAR = 0.6
# fmt: off
PID = {
    1: "1", 2: "P2^^^EXT&1.2.3.4&ISO^PT", 3: "S1^4^M11^STM&2.16.840.1.1&ISO^MR^STMARY^20200101^20300101", 4: "ALT4^^^ALT^PT",
    5: "Hollis^Marian^Jane^Jr^Ms^MD^L^A^^20010101&20300101^G^20010102^20290101^PHD", 6: "Maiden^Ma^^^^^M", 7: "198403121530", 8: "F", 9: "Ace^Nick^^^^^N",
    10: "2106-3^White^CDCREC^W^Whi^L", 11: "4 Alder St&Alder St&4^Apt 5^Springfield^IL^62704^USA^H^Geo^17167^CT1^A^^20200101^20300101", 12: "SANG",
    13: "(217) 555-0142^PRN^PH^a@b.org", 14: "555-0190^WPN^PH", 15: "eng^English^ISO639", 16: "D^Divorced^HL70002", 17: "CAT^Catholic^HL70006",
    18: "A1^^^STM^AN", 19: "412-55-0192", 20: "D123^IL^20301231", 21: "MOM1^^^STM^MR", 22: "H^Hispanic^HL70189", 23: "Springfield General", 24: "Y", 25: "2",
    26: "USA^US^HL70171", 27: "V^Vet^HL70172", 28: "USA^US^HL70212", 29: "20261120031500", 30: "Y", 31: "Y", 32: "AL~US", 33: "20261101101500-0500",
    34: "STMF^1.2.3^ISO", 35: "337915000^Homo sapiens^SCT", 36: "BR^Breed^L", 37: "Strain x", 38: "PC^Prod^HL70429", 39: "CIT^Tribe^HL70171",
    40: "555-9999^ORN^CP",
}
PV1 = {
    1: "1", 2: "I^Inpatient^HL70004", 3: "BHU^2^A^STMARY&1.2.3&ISO^O^N^BLD^4^Behavioral", 4: "E^Emergency^HL70007", 5: "PRE5^^^STM^VN", 6: "ED^1^B^STMARY",
    7: "1174823942^Lindqvist^Karin^M^Jr^Dr^MD^^NPI&2.16.840.1.113883.4.6&ISO^L^9^M10^NPI^STMARY", 8: "R8^Ref^Doc", 9: "C9^Con^Doc~C10^Con2^Doc",
    10: "PSY^Psych^L", 11: "TMP^1^C", 12: "PA^Preadm^HL70087", 13: "R^Readm^HL70092", 14: "7^ER^HL70023", 15: "A1^Amb^HL70009~B6", 16: "VIP",
    17: "AD17^Adm^Doc", 18: "PT18^ptype", 19: "V9^^^STM^VN", 20: "FC20^20260101", 21: "CPI21", 22: "CC22", 23: "CR23", 24: "CT24", 25: "20260101",
    26: "500.00", 27: "12", 28: "IC28", 29: "BD29", 30: "20260201", 31: "BDA31", 32: "200.00", 33: "50.00", 34: "DEL34", 35: "20260301", 36: "01^Home^NUBC",
    37: "NH^20261122", 38: "DIET^Low salt^L", 39: "SVF39", 40: "O", 41: "AS41", 42: "PND^1", 43: "PTL^2", 44: "20261115091200", 45: "20261122080000",
    46: "100.00", 47: "2000.00", 48: "10.00", 49: "1990.00", 50: "ALTV50^^^STM^VN", 51: "V", 52: "O52^Oth^Doc", 53: "Episode", 54: "EP54^^^STM^VN",
}
DG1 = {
    1: "1", 2: "I10", 3: "F33.2^Major depression^I10C^296.33^MDD^I9C", 4: "Depression severe", 5: "20261115", 6: "F^Final^HL70052", 7: "MDC7^x^L",
    8: "885^DRG^L", 9: "Y", 10: "RC10", 11: "OT11", 12: "3", 13: "500&USD", 14: "GV14", 15: "1", 16: "DC16^Diag^Doc", 17: "C^Consult^HL70228", 18: "Y",
    19: "20261116101500", 20: "DGID20^STM", 21: "A", 22: "PAR22^STM", 23: "DGR23", 24: "DGD24", 25: "DGU25", 26: "Y",
}
# fmt: on
EVENT_TYPES = ("ADT", "SIU", "MDM", "REF", "PPR", "ORU")
TAKEN = [event for event in EVENTS.values() if event.type in EVENT_TYPES and event.subject not in ("", "place")]


def segment(name: str, values: dict[int, str], bare: bool = False) -> str:
    fields = [values.get(number, "") for number in range(1, max(values) + 1)]
    return "|".join((name, *((field.split("~")[0].split("^")[0].split("&")[0] for field in fields) if bare else fields)))


def of(event: str, pid: str, pv1: str, dg1: str) -> bytes:
    """The message with what its type needs beside the three."""
    kind, _, code = event.partition("^")
    mrg = "MRG|S2^^^STM^MR||A2||V2|V3" if EVENTS[kind, code].person in ("merge", "move", "stays") else ""
    second = "PID|2||S7^^^STM^MR||Poe^Edgar||19700101|M" if EVENTS[kind, code].person in ("link", "unlink") else ""
    before = {"SIU": ("SCH|P1|F1|||||||30|MIN|^^30^20261125140000",), "REF": ("RF1|P|S|MH^Mental health|||R7",)}.get(kind, ())
    after = {
        "MDM": ("TXA|1|DS|TX|20261122||||||||D9|||||AU",),
        "PPR": ("PRB|AD|20261122|F33.2^X^I10C|P1^EHR",),
        "ORU": ("OBR|1|P|F|X^Y", "OBX|1|NM|A^B||1||||||F"),
    }.get(kind, ())
    return message(event, *before, pid, *(one for one in (mrg,) if one), pv1, *(one for one in (second,) if one), dg1, *after)


def shares(data: bytes) -> dict[str, float]:
    """The part of each segment's values that is mapped."""
    fields = explain(reader.read(data), PROFILE, RECEIVED, identify).fields
    found = {}
    for name in ("PID", "PV1", "DG1"):
        fates = [one.fate for one in fields if one.path.startswith((f"{name}-", f"{name}[1]-"))]
        if fates:
            found[name] = sum(fate == "mapped" for fate in fates) / len(fates)
    return found


@pytest.mark.parametrize("event", [event.name for event in TAKEN])
def test_single_values_in_every_field_are_mapped(event: str) -> None:
    found = shares(of(event, segment("PID", PID, bare=True), segment("PV1", PV1, bare=True), segment("DG1", DG1, bare=True)))
    assert {name: share for name, share in found.items() if share < BAR} == {}


@pytest.mark.parametrize("event", ["ADT^A03", "ADT^A13", "ADT^A31", "SIU^S12", "MDM^T02", "REF^I12", "PPR^PC1", "ORU^R01"])
def test_every_component_of_every_field_is_mapped(event: str) -> None:
    found = shares(of(event, segment("PID", PID), segment("PV1", PV1), segment("DG1", DG1)))
    assert {name: share for name, share in found.items() if share < BAR} == {}


def test_a_visit_that_has_no_number_is_told_with_its_results() -> None:
    """As laboratories send it: the class and the place of a visit, and nothing by which it could be found."""
    data = message("ORU^R01", segment("PID", {1: "1", 3: "S1"}), "PV1||E|G52008|||||77^Gray^Gus", "OBR|1|P|F|X^Y", "OBX|1|NM|A^B||1||||||F")
    assert shares(data)["PV1"] >= BAR
    told = resources(data)
    assert [one["encounter"]["display"] for one in (*told["Observation"], *told["DiagnosticReport"])] == ["emergency, G52008, Gus Gray"] * 2
    assert "Encounter" not in told


def test_where_such_a_visit_was_is_not_told_of_a_part_2_unit() -> None:
    data = message("ORU^R01", segment("PID", {1: "1", 3: "S1"}), "PV1||I|DETOX", "OBR|1|P|F|X^Y", "OBX|1|NM|A^B||1||||||F")
    assert "encounter" not in resources(data, replace(PROFILE, part2_units=("detox",)))["Observation"][0]
