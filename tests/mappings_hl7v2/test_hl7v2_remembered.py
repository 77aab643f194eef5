"""What is remembered of a sender from message to message changes nothing but the time that it takes."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hl7v2_support import PROFILE, RECEIVED, identify, message

from benchmarks.translate import MESSAGE, messages
from gateway.er7 import reader
from gateway.errors import GatewayError
from gateway.mappings.feeds.profile import FeedProfile
from gateway.mappings.hl7v2 import senders, values
from gateway.mappings.hl7v2.bundle import bundle, serialized
from gateway.mappings.hl7v2.translate import translate
from tests.third_party import DATA, third_party

KIN = [
    "NK1|1|Hollis^Robert|SPO^Spouse^HL70063|1 Elm^^X|^PRN^PH^^1^217^5550111",
    "GT1|1||Hollis^Ann||1 Elm^^X|^PRN^PH^^1^217^5550111|||F||SPO",
    "AL1|1|DA|7980^Penicillin|SV|Hives|20010501",
    "IN1|1|P^Plan|ILHFS|Services^L|||||||||20250101|||MC|||SEL|||||||||||||||||||77",
    "DG1|1||F33.2^Depression^I10C||20261115|F|||||||||1|1174823942^Lindqvist^Karin",
    "DG1|2|SNMCT|F33.1^Depression||20261115|W",  # reported
]
PV1 = "PV1|1|I|BHU^212^A^STMARY|U||ED^04|1174823942^Lindqvist^Karin^^^^^^NPI" + "|" * 12 + "V1"
PAYER = "IN1|1|P^Plan|ILHFS|Services^L|{}|||||||20250101|||MC|||SEL|||||||||||||||||||77"
LEFT = "PV1|1|I|BHU^212|||||||||||7||||||V1" + "|" * 17 + "{}"
AGREEING = [  # in part: the same allergy since another day, the same payer at another place, stays that ended alike or in no known way
    message("ADT^A03", f"PID|1||S{person}", LEFT.format(how), f"AL1|1|DA|7980^Penicillin|{severity}|{reaction}|{day}", PAYER.format(street))
    for person, (how, severity, reaction, day, street) in enumerate(
        (
            ("01^Home^NUBC", "SV", "Hives", "20010501", "1 Elm^^X"),
            ("01^Home^NUBC", "SV", "Hives", "20140211", "2 Oak^^Y"),
            ("07", "MO", "Hives", "", "1 Elm^^X~2 Oak^^Y"),
            ("", "", "", "20140211", ""),
            ("beamed up", "SV", "Rash", "no day", "1 Elm^^X"),
            ('""', "SV", "Hives", "20010501", '""'),
        )
    )
]
OURS = [
    *AGREEING,
    *(message(event, PID, PV1, *KIN) for event in ("ADT^A01", "ADT^A08", "ADT^A03") for PID in ("PID|1||S1^^^^MR||A^B||19840312|F",)),
    message("ADT^A08", "PID|1||S2^^^^MR~F1^^^^AN||C^D||1984031|X", PV1, *reversed(KIN)),
    MESSAGE,
    *messages(2),
]


def said(data: bytes, profile: FeedProfile) -> bytes:
    """All that a message says, as bytes, so that a later change of a shared part would show."""
    try:
        translation = translate(reader.read(data), profile, RECEIVED, identify)
    except GatewayError as error:
        return str(error).encode()
    facts: list[Any] = [[one.kind, one.keys, one.person, one.deletes, dict(one.facts), one.retires] for one in translation.statements]
    return orjson.dumps([bundle(translation, identify), facts, [one._asdict() for one in translation.reports]])


def check(inputs: list[bytes], profile: FeedProfile) -> None:
    alone = []
    for data in inputs:
        senders._senders.clear()
        alone.append(said(data, profile))
    senders._senders.clear()
    for _ in range(3):
        assert [said(data, profile) for data in inputs] == alone


@pytest.mark.parametrize("profile", [PROFILE, FeedProfile()], ids=["with-a-zone", "zone-assumed"])
def test_a_message_says_the_same_first_or_last(profile: FeedProfile) -> None:
    check(OURS, profile)


@third_party
def test_a_partners_message_says_the_same_first_or_last() -> None:
    files = sorted((DATA / "hl7v2" / "samples").rglob("*.hl7"))
    check([piece for file in files for piece in reader.split(file.read_bytes())], PROFILE)
    check(reader.split((DATA / "hl7v2" / "simhospital" / "feed.hl7").read_bytes())[:60], PROFILE)


def test_the_bytes_of_a_bundle_are_the_bundle() -> None:
    for data in [*OURS, *messages(20), *OURS]:
        translation = translate(reader.read(data), PROFILE, RECEIVED, identify)
        assert serialized(translation, identify) == orjson.dumps(bundle(translation, identify))


def test_a_sign_that_delimits_ends_a_time() -> None:
    data = message("ADT^A03", "PID|1||S1", "PV1|1|I|BHU" + "|" * 41 + "20261115091200-0900|20261122141500-0900").replace(b"^", b"-")
    encounter = next(one.own for one in translate(reader.read(data), PROFILE, RECEIVED, identify).statements if one.kind == "stay")
    assert encounter is not None
    assert encounter["period"]["start"] == "2026-11-15T09:12:00-06:00"  # of the zone: what follows the hyphen is another component


def test_two_profiles_and_two_installations_do_not_share() -> None:
    other = FeedProfile(name=PROFILE.name, timezone="Europe/London", hospital="Another")
    first = said(MESSAGE, PROFILE)
    second = said(MESSAGE, other)
    assert (said(MESSAGE, PROFILE), said(MESSAGE, other)) == (first, second)
    assert b"Another" in second
    assert b"Another" not in first
    elsewhere = translate(reader.read(MESSAGE), PROFILE, RECEIVED, lambda kind, key: "x" + identify(kind, key))
    assert all(one.resource["id"].startswith("x") for one in elsewhere.shared)


def test_what_is_remembered_is_bounded() -> None:
    senders._senders.clear()
    for number in range(3 * values.MOST):
        doctor = f"{number}^Doctor{number}"
        translate(reader.read(message("ADT^A01", "PID|1||S1", f"PV1|1|I|BHU||||{doctor}|{doctor}")), PROFILE, RECEIVED, identify)
    (sender,) = senders._senders.values()
    assert len(sender.values) <= values.MOST
    assert len(sender.segments) <= senders.MOST_SEGMENTS
    for number in range(100):
        header = message("ADT^A01", "PID|1||S1", "PV1|1|I").replace(b"STMARY", f"H{number}".encode())
        translate(reader.read(header), PROFILE, RECEIVED, identify)
    assert len(senders._senders) <= 32
