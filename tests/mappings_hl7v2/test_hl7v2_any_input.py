"""Any message gives a translation or a GatewayError, and every Bundle holds together: third-party messages whole, and mutations of our own."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter

import orjson
import pytest
from hl7v2_support import PROFILE, RECEIVED, check_bundle, identify, message, references, translated
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from benchmarks.translate import MESSAGE
from gateway.er7 import reader
from gateway.errors import GatewayError
from gateway.mappings.feeds.profile import FeedProfile
from gateway.mappings.hl7v2.bundle import bundle, convert
from gateway.mappings.hl7v2.events import EVENTS
from gateway.mappings.hl7v2.translate import translate
from tests.third_party import DATA, third_party

SIMULATOR = FeedProfile(name="sim", sending_application="SIMHOSP", timezone="Europe/London", processing_ids=("P", "T"))
LATE = RECEIVED + 10 * 365 * 24 * 3600 * 1_000_000

FULL = [
    MESSAGE,
    message(
        "SIU^S12",
        r"SCH|P7^EHR|F7^SCHED|1|||CHG^Changed|FOLLOWUP^Follow-up|NORMAL|45|MIN|^^45^20261125140000-0600|Z^Hay^Jo||||Y^Bo^Al|||||||||Booked",
        "TQ1|1||||||20261125140000|20261125143000",
        "PID|1||S1^^^^MR||Hollis^Marian||19840312|F",
        "PV1|1|O|CLINIC" + "|" * 16 + "V9",
        "RGS|1",
        "AIS|1|A|PSYMED^Medication management^L|20261125140000|||45|MIN",
        "NTE|1||bring the list",
        "AIG|1||ROOM^Group room",
        "AIP|1||1174823942^Lindqvist^Karin^^^^^^NPI|PSYCH^Psychiatrist",
        "AIL|1||RIVER^Room 2",
    ),
    message(
        "MDM^T02",
        "PID|1||S1^^^^MR||Hollis^Marian||19840312|F",
        "PV1|1|I|BHU" + "|" * 16 + "V9",
        "TXA|1|DS|TX|20261122|1174823942^Lindqvist^Karin|20261122070000|||||||D9||||plan.txt|AU|R|AV",
        "OBX|1|ED|PDF||^APPLICATION^PDF^Base64^SGVsbG8=||||||F",
        "OBX|2|TX|DS||See Dr. Hay.||||||F",
    ),
    message("ADT^A40", "PID|1||NEW", "MRG|OLD", "PID|2||C", "MRG|D"),
    message("ADT^A60", "PID|1||S1", "IAM|1|DA|7980^Penicillin|SV|Hives|A|77||||20010501||20020101"),
    message("ORU^R01", "PID|1||S1", "OBR|1|P|F|A^B|||20261101", "OBX|1|NM|44261-6^PHQ^LN||17|{score}|||||F", "NTE|1||x"),
]
FRAGMENTS = ['""', "~", "^", "&", "\\", "|", "\\X00\\", "\\X0B\\", "\\T\\", " ", "\u00a0", "\ud83d\ude00", "\u2028", "\x0b", "A\tB", "٣"]
FRAGMENTS += ["19841399", "999999999999999999999", "20261122100000", "-1", "1e5", "NaN", "x" * 300, "1.2.3", "urn:x", "PID"]


def attempt(data: bytes, profile: FeedProfile = PROFILE) -> str:
    try:
        translation = translated(data, profile, LATE)
    except GatewayError as error:
        return type(error).__name__
    made = bundle(translation, identify)
    orjson.dumps(made)
    assert set(references(made)) <= {entry["request"]["url"] for entry in made["entry"]}
    return "translated"


@pytest.mark.parametrize("data", FULL)
def test_the_seeds_translate_whole(data: bytes) -> None:
    check_bundle(translated(data))


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_a_mutated_message_never_raises_anything_else(data: st.DataObject) -> None:
    """Replace, insert, drop and swap fields, components and segments with what hurts: refused or translated, and if translated, whole."""
    text = data.draw(st.sampled_from(FULL)).decode()
    lines = text.split("\r")
    for _ in range(data.draw(st.integers(1, 6))):
        row = data.draw(st.integers(0, len(lines) - 1))
        fields = lines[row].split("|")
        column = data.draw(st.integers(1 if row else 6, max(len(fields) + 3, 7)))
        fields += [""] * (column + 1 - len(fields))
        value = data.draw(st.one_of(st.sampled_from(FRAGMENTS), st.text(max_size=12)))
        action = data.draw(st.sampled_from(["replace", "append", "component", "drop", "segment"]))
        if action == "replace":
            fields[column] = value
        elif action == "append":
            fields[column] += value
        elif action == "component":
            parts = fields[column].split("^")
            parts[data.draw(st.integers(0, len(parts) - 1))] = value
            fields[column] = "^".join(parts)
        elif action == "drop" and row:
            fields = fields[:column]
        elif action == "segment" and row:
            lines.insert(data.draw(st.integers(1, len(lines))), "|".join(fields))
        lines[row] = "|".join(fields)
    attempt("\r".join(lines).encode("utf-8", "surrogatepass"))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_a_mutated_value_keeps_the_resources_valid(data: st.DataObject) -> None:
    """What FHIR forbids in a string, a code or a date never gets into one."""
    lines = data.draw(st.sampled_from(FULL)).decode().split("\r")
    row = data.draw(st.integers(2, len(lines) - 1)) if len(lines) > 2 else 1
    fields = lines[row].split("|")
    fields[data.draw(st.integers(1, len(fields) - 1))] = data.draw(st.sampled_from(FRAGMENTS))
    lines[row] = "|".join(fields)
    try:
        translation = translated("\r".join(lines).encode("utf-8", "surrogatepass"))
    except GatewayError:
        return
    check_bundle(translation)


@pytest.mark.parametrize("event", sorted(EVENTS))
def test_every_event_of_the_table_is_taken_or_refused(event: tuple[str, str]) -> None:
    assert attempt(FULL[0].replace(b"ADT^A03^ADT_A03", "^".join(event).encode())) in ("translated", "Unsupported", "Invalid")


@third_party
def test_every_sample_is_translated_or_refused() -> None:
    outcomes: Counter[str] = Counter()
    for file in sorted((DATA / "hl7v2" / "samples").rglob("*.hl7")):
        for piece in reader.split(file.read_bytes()):
            outcomes[attempt(piece)] += 1
            if attempt(piece) == "translated":
                check_bundle(translated(piece))
    # by hand: 12 of types not taken (6 OML, 2 ORM, 3 RDE, 1 DFT); one without MSH; one PIDX for PID, one PID without anything in it
    assert (outcomes["Unsupported"], outcomes["Malformed"], outcomes["Invalid"]) == (12, 1, 2)


@third_party
def test_every_simulated_message_is_translated() -> None:
    """491 messages of ADT and MDM, all well formed: each gives a Bundle that holds together, in the number of events that the file has."""
    effects: Counter[str] = Counter()
    pieces = reader.split((DATA / "hl7v2" / "simhospital" / "feed.hl7").read_bytes())
    assert len(pieces) == 491
    for number, piece in enumerate(pieces):
        translation = translate(reader.read(piece), SIMULATOR, LATE, identify)
        made = bundle(translation, identify) if number % 8 else check_bundle(translation)
        assert set(references(made)) <= {entry["request"]["url"] for entry in made["entry"]}
        assert not [report for report in translation.reports if report.location.split("-")[0] not in ("DG1",) and report.location != "PV1-19"]
        effects.update(one.facts["effect"] for one in translation.statements if one.kind in ("stay", "merge"))
    # counted in the file's MSH-9: A01 120, A02 35, A03 116, A04 31, A08 31, A11 8, A12 17, A13 18, A15 18, A16 45, A23 6, A25 14, A31 18,
    # A34 8, MDM 6
    assert effects == {
        "admit": 120,
        "transfer": 35,
        "discharge": 116,
        "register": 31,
        "update": 31 + 18,  # A08 and A15; the A31s carry `PV1|1|N|` alone, which speaks of no stay
        "cancel-admit": 8,
        "cancel-transfer": 17,
        "cancel-discharge": 18,
        "pending-discharge": 45,
        "delete": 6,
        "cancel-pending-discharge": 14,
        "merge": 8,
        "none": 6,
    }


def test_convert_yields_a_bundle_a_message() -> None:
    made = list(convert(b"\r\n".join(FULL[:3]), [PROFILE], RECEIVED, identify))
    assert [one["type"] for one in made] == ["transaction"] * 3
    assert all(entry["request"]["method"] == "PUT" for one in made for entry in one["entry"])


def test_convert_needs_no_heavy_library() -> None:
    """`gateway convert` starts in half a second: it never loads what only a server needs."""
    code = (
        "import sys\nfrom gateway.mappings.hl7v2.bundle import convert\n"
        "print([name for name in ('sqlalchemy', 'fastapi', 'fhir.resources', 'pydantic', 'hl7apy') if name in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"
