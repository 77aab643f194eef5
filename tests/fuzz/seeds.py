"""`python -m tests.fuzz.seeds DIR` writes what the fuzzer begins with: the demo's messages, every segment in each kind of event, samples."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from gateway.demo.county import county
from gateway.demo.player import encode
from gateway.demo.scenario import materialize, scenarios
from gateway.er7 import reader
from tests.third_party import DATA

SEGMENTS = (
    "EVN||20261122080000|20261122|01|OP^Smith^Al|20261122075900-0600|STMARY",
    "PID|1|9^^^MPI|S1^^^STMARY^MR~999-12-3456^^^SSA^SS||Hollis^Marian^B^^^^L~Old^Name^^^^^M|Roe|198403121530|F|||"
    "12 Elm St^^Springfield^IL^62704^USA^H||^PRN^PH^^1^217^5550100~x@example.org|(217)555-0101|eng|M|CHR|ACC7^^^STMARY|||||||Y|2||||20261201|Y",
    "PD1|||Clinic^L^77|1174823942^Lindqvist^Karin^^^^^^NPI||||Y||||Y||20260101|A",
    "ARV|1|A|DEM|VIP|x|20260101^20270101",
    "ROL|R1|AD|PP|1174823942^Lindqvist^Karin^^^^^^NPI|20260101|20270101|||PHY||1 St^^Town|555",
    "NK1|1|Hollis^Bo|SPO|1 Elm^^Springfield|5550100||C|20200101|20300101",
    "PV1|1|I|BHU^101^A^STMARY|E|PRE1|MED3|1^A^B~2^C^D|3^E^F|4^G^H|PSY|||R|7|A1|VIP|5^I^J|AD|V1^^^STMARY^VN|SP|||||||||||||||01|HOME^20261122|DIET||C|||"
    "|20261101090000-0600|20261122100000|||||ALT9",
    "PV2||SEMI|^Depressed|||||20261101|20261125|14|5|desc|9^Ref^By||||||||||R|||||||||||||||AMB",
    "DB1|1|PT||Y",
    "OBX|1|NM|44261-6^PHQ-9^LN|1|17|{score}|0-27|H|||F|||20261122",
    "OBX|2|ED|PDF||^APPLICATION^PDF^Base64^SGVsbG8=||||||F",
    "AL1|1|DA|7980^Penicillin^RXNORM|SV|Hives~Rash|20010501",
    "IAM|2|DA|7981^Nuts|MO|Rash|A|77||SE||20010501",
    "DG1|1|I10|F33.2^Major depression^I10|x|20261101|A|||||||||1|1^A^B||||D1|A",
    "DRG|470|20261101|Y",
    "PR1|1|C4|90870^ECT^C4|x|20261105093000|A|30",
    "GT1|1||Hollis^Bo||1 Elm^^Springfield|5550100|||||SPO",
    "IN1|1|PLAN^Gold|INS1|Insurer|1 St^^Town||555|GRP|Group|||20260101|20261231|||Hollis^Marian|SEL|19840312|||||||||||||||||POL1",
    "IN2||999-12-3456",
    "IN3|1|CERT1||Y|||20260101",
    "ACC|20261101|MVA",
    "NTE|1||a note~second",
    "MRG|S0^^^STMARY^MR~77^^^MPI|||ACC0||V0|Old^Name",
    "CON|1|01|||||||||A|20260101|20260101",
    "TXA|1|DS|TX|20261122|9^Who^Is|20261122|20261122||9^Who|||D9^SYS||||plan.txt|AU|R|AV",
    "ORC|NW|P1|F1|||||20261122",
    "OBR|1|P1|F1|44249-1^PHQ^LN|||20261122|||||||||9^Who||||||20261122||LAB|F",
    "SCH|P7^EHR|F7^SCHED|1|||CHG^x|FOLLOWUP^Follow-up|NORMAL|45|MIN|^^45^20261125140000-0600|Z^Hay^Jo||||Y^Bo^Al|||||||||Booked",
    "TQ1|1||||||20261125140000|20261125143000|R",
    "RGS|1|A",
    "AIS|1|A|PSYFU^Medication^L|20261125140000|||45|MIN",
    "AIG|1|A|ROOM^Group room|R",
    "AIL|1|A|RIVER^Room 2",
    "AIP|1|A|9^Lindqvist^Karin^^^^^^NPI|PSYCH^Psychiatrist",
    "RF1|A^Accepted|R|MED|WR|O|R1^X|20261122|20261201|20261122|why",
    "PRD|RP|Lindqvist^Karin|1 St^^Town|||555|9^NPI",
    "CTD|PR|Bo^Al|1 St^^Town|||555",
    "PRB|AD|20261122|F33.2^Depression^I10|PB1|EP1|1|20261101|20261101||20261201||||A",
    "GOL|AD|20261122|G1^Sleep|GI1||1|20261101|20261201|||||||||A",
    "PTH|AD|PW^Path|PI1|20261122|A|20261122",
    "VAR|V1|20261122|20261122|9^Who",
    "PRT|P1|AD||AT|9^Lindqvist^Karin^^^^^^NPI",
    "ZFU|F7|b|20261125140000|45|PSYFU^x|9^Lindqvist^Karin|RIVER|Booked|words",
)
EVENTS = (
    "ADT^A01",
    "ADT^A03",
    "ADT^A08",
    "ADT^A40",
    "ADT^A44",
    "ADT^A60",
    "SIU^S12",
    "SIU^S26",
    "MDM^T02",
    "REF^I12",
    "PPR^PC1",
    "ORU^R01",
    "PGL^PC6",
    "PPP^PCB",
)


def seeds() -> Iterator[bytes]:
    """Messages, each as it is sent."""
    world = county()
    for each in materialize(list(scenarios()), world.zones, datetime(2026, 11, 21, 18, tzinfo=UTC)):
        if each.step.sends:
            yield encode(each.message, world.hospitals[each.step.who].charset)
    for event in EVENTS:
        header = rf"MSH|^~\&|REG|STMARY|GW|COUNTY|20261122080001||{event}|M1|P|2.5.1|||AL|NE|USA|UNICODE UTF-8"
        yield "\r".join((header, *SEGMENTS)).encode()
        yield from ("\r".join((header, SEGMENTS[1], segment)).encode() for segment in SEGMENTS)
    for file in sorted((DATA / "hl7v2").rglob("*.hl7")):
        yield from reader.split(file.read_bytes())


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(seeds()):
        (folder / f"seed-{number}").write_bytes(bytes([number % 16]) + seed)
