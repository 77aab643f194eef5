"""Translating a 2 KB ADT^A03 to its complete Bundle as JSON bytes, against the bare lexical reader with 40 reads, in one run on one core.

    python -m benchmarks.translate

Bars (DESIGN, "Numbers to reach"): 6,000 messages/s; at most 6 times the cost of the reader. Time grows linearly with the message, to 10 MB, and
memory stays under 3 times the message. The messages are the project's own.

Every message is about somebody else: names, numbers, addresses, telephones, times, policies and results are each message's own, and none is
translated twice, so that no cache knows them. Doctors, wards, plans, drugs and diagnoses repeat, as they do in a hospital. That is the figure to be
held to the bars. Beside it stand two of people who are known, whose segments are remembered: one message told again and again with another control ID
and other times, which is what such figures elsewhere mostly mean; and a few people's messages in turn. Processor time is measured, in turns, because
others use the machine too.
"""

# ruff: noqa: E501 - a segment is one line

from __future__ import annotations

import random
import subprocess
import sys
import time
from base64 import b64encode
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import orjson

from gateway.er7 import reader
from gateway.mappings.feeds.profile import FeedProfile
from gateway.mappings.hl7v2.bundle import serialized
from gateway.mappings.hl7v2.translate import translate
from gateway.memory import give_back_large_blocks
from gateway.records.ids import identifier

RECEIVED = 1_795_600_000_000_000  # 25 November 2026
MESSAGE = "\r".join(
    (
        r"MSH|^~\&|REGADT|STMARY^2.16.840.1.113883.3.9999.1^ISO|GATEWAY|COUNTY|20261122143005-0600||ADT^A03^ADT_A03|STM0042731|P|2.5.1|||AL|NE|USA|UNICODE UTF-8",
        "EVN|A03|20261122143000-0600|||88021^Okafor^Ngozi^A^^^RN|20261122141500-0600",
        "PID|1||S0048211^^^STMARY^MR~1EG4TE5MK73^^^MBI^MC||Hollis^Marian^Jane^^Ms^^L~Harmon^Marian^^^^^M||19840312|F||2106-3^White^CDCREC"
        "|412 Alder Street^Apt 5^Springfield^IL^62704^USA^H^^Sangamon|Sangamon|^PRN^PH^^1^217^5550142~^PRS^CP^^1^217^5550177"
        "|^WPN^PH^^1^217^5550190|eng^English^ISO639|D^Divorced^HL70002||ACC778120^^^STMARY^AN|412-55-0192|||2186-5^Not Hispanic or Latino^CDCREC||||||||N",
        "PD1|||Springfield Family Medicine^L^4471|1467599126^Adeyemi^Tunde^^^Dr^MD^^NPI",
        "NK1|1|Hollis^Robert^^^Mr|SPO^Spouse^HL70063|88 Elm Court^^Springfield^IL^62702^USA|^PRN^PH^^1^217^5550111||C^Emergency Contact^HL70131",
        "NK1|2|Dawson^Ruth^^^Mrs|MTH^Mother^HL70063|9 Birch Lane^^Decatur^IL^62521^USA|^PRN^PH^^1^217^5550166||N^Next-of-Kin^HL70131",
        "PV1|1|I|BHU^212^A^STMARY^^^MAIN^2|U^Urgent^HL70007||ED^04^^STMARY|1174823942^Lindqvist^Karin^M^^Dr^MD^^NPI"
        "|1467599126^Adeyemi^Tunde^^^Dr^MD^^NPI|1588662217^Barros^Paulo^^^Dr^MD^^NPI|PSY||||7|||1174823942^Lindqvist^Karin^M^^Dr^MD^^NPI|PSY|V2026118804^^^STMARY^VN"
        "|||||||||||||||||01^Home^NUBC||||||||20261115091200-0600|20261122141500-0600",
        "PV2|||F33.2^Major depressive disorder, recurrent severe^I10C||||||20261122||7|||||||||||R|||2",
        "ROL|1|AD|PP^Primary Care Provider^HL70443|1467599126^Adeyemi^Tunde^^^Dr^MD^^NPI|20200101",
        "DG1|1||F33.2^Major depressive disorder, recurrent, severe without psychotic features^I10C||20261115|F|||||||||1|1174823942^Lindqvist^Karin^M^^Dr^MD^^NPI",
        "DG1|2||R45.851^Suicidal ideations^I10C||20261115|A|||||||||2",
        "OBX|1|NM|44261-6^PHQ-9 total score^LN||17|{score}^score^UCUM|0-4|H|||F|||20261121100000-0600",
        "AL1|1|DA^Drug allergy^HL70127|7980^Penicillin G^RXNORM|SV^Severe^HL70128|Hives|20010501",
        "IN1|1|MCD-IL^Illinois Medicaid|ILHFS|Illinois Healthcare and Family Services|201 South Grand^^Springfield^IL^62763|||||||20250101|||MC|Hollis^Marian^Jane"
        "|SEL^Self^HL70063|19840312||||||||||||||||||9910044721",
    )
).encode()
identify = identifier(b"a fixed public key for stateless conversion")
PROFILE = FeedProfile(name="st-mary", timezone="America/Chicago", psychiatric_units=("BHU",), psychiatric_services=("PSY",))
_READS = (
    ("PID", (3, 5, 7, 8, 11, 13, 14, 15, 16, 18)),
    ("PV1", (2, 3, 4, 7, 8, 9, 10, 14, 17, 18, 19, 36, 44, 45)),
    ("MSH", (3, 4, 7, 9, 10, 11, 12)),
    ("DG1", (3, 6, 15)),
    ("NK1", (2, 3, 4)),
    ("AL1", (2, 3, 4)),
)
"""40 values: (segment, fields)."""
_OWN = (
    *("S0048211", "1EG4TE5MK73", "Hollis", "Marian", "Harmon", "412 Alder", "5550142", "5550177", "5550190", "ACC778120", "412-55-0192"),
    *("Robert", "88 Elm", "5550111", "Dawson", "Ruth", "9 Birch", "5550166", "V2026118804", "9910044721", "STM0042731", "BHU^212^A"),
    *("20261122143005", "20261122143000", "20261122141500", "20261115091200", "20261121100000", "19840312", "20010501", "||17|{score}"),
)
"""What is each message's own: in every copy these have other letters and digits."""
_TOLD_ANEW = ("STM0042731", *(one for one in _OWN if one.startswith("2026")))
"""What differs when the same is told of the same person another time: the control ID and the times."""


def messages(number: int, seed: int = 1, own: tuple[str, ...] = _OWN) -> list[bytes]:
    """So many messages of the same shape and size, each with its `own` values: by default each is about somebody else."""
    chance = random.Random(seed)
    made = []
    for _ in range(number):
        text, earlier = MESSAGE.decode(), chance.randint(0, 14)
        for one in own:
            text = text.replace(one, _other(one, earlier, chance))
        made.append(text.encode())
    return made


def _other(text: str, earlier: int, chance: random.Random) -> str:
    if text in ("19840312", "20010501"):  # long ago: any day
        return f"{chance.randint(1930, 2015)}{chance.randint(1, 12):02}{chance.randint(1, 28):02}"
    if len(text) == 14 and text.isdigit():  # these days: so many days earlier, at another hour, minute and second
        return f"{text[:6]}{int(text[6:8]) - earlier:02}{chance.randint(0, 23):02}{chance.randint(0, 59):02}{chance.randint(0, 59):02}"
    if text.startswith("BHU"):
        return f"BHU^2{chance.randint(0, 19):02}^{chance.choice('AB')}"
    if "{score}" in text:
        return f"||{chance.randint(10, 27)}|{{score}}"
    swapped = (chance.choice("123456789") if one.isdigit() else chance.choice("abcdefghij") if one.islower() else one for one in text)
    return "".join(swapped)


def read_forty(data: bytes = MESSAGE) -> None:
    """The bare lexical reader with 40 reads."""
    message = reader.read(data)
    for name, fields in _READS:
        segment = message.first(name)
        assert segment is not None
        for field in fields:
            segment.value(field)


def convert(data: bytes = MESSAGE) -> bytes:
    """The whole of step 2."""
    return serialized(translate(reader.read(data), PROFILE, RECEIVED, identify), identify)


class Rates(NamedTuple):
    """Messages a second of processor time."""

    reader: float
    unseen: float  # people whom no earlier message was about
    again: float  # one person, told again and again
    known: float  # a few people's messages in turn


def rates(rounds: int = 12, each: int = 500) -> Rates:
    """Each the best of many turns."""
    best = [0.0] * len(Rates._fields)
    known = messages(25, seed=-1) * (each // 25)
    for turn in range(rounds):
        fresh = messages(each, seed=turn)
        anew = messages(each, seed=turn, own=_TOLD_ANEW)
        for position, (work, given) in enumerate(((read_forty, fresh), (convert, fresh), (convert, anew), (convert, known))):
            start = time.process_time()
            for data in given:
                work(data)
            best[position] = max(best[position], each / (time.process_time() - start))
    return Rates(*best)


def with_document(size: int) -> bytes:
    """An MDM^T02 with a document of about so many bytes in Base64."""
    document = b64encode(random.Random(size).randbytes(size * 3 // 4)).decode()
    return "\r".join(
        (
            r"MSH|^~\&|REG|STMARY|GW|COUNTY|20261122080001||MDM^T02^MDM_T02|M1|P|2.5.1",
            "EVN|T02|20261122080000",
            "PID|1||S0048211^^^STMARY^MR||Hollis^Marian||19840312|F",
            "PV1|1|I|BHU" + "|" * 16 + "V9",
            "TXA|1|DS|TX|20261122|1174823942^Lindqvist^Karin|20261122070000|||||||D9||||plan.pdf|AU|R|AV",
            f"OBX|1|ED|PDF||^APPLICATION^PDF^Base64^{document}||||||F",
        )
    ).encode()


def documents(sizes: tuple[int, ...] = (100_000, 1_000_000, 10_000_000)) -> Iterator[tuple[int, float, float]]:
    """(bytes, nanoseconds a byte, memory beside the message itself as a multiple of it) for messages with ever larger documents.

    Memory is a fresh process's, for one that has worked before has some to spare.
    """
    for size in sizes:
        data = with_document(size)
        least = min(_seconds(lambda data=data: convert(data)) for _ in range(3))  # type: ignore[misc]
        child = "import sys; from benchmarks.translate import resident; print(resident(sys.stdin.buffer.read()))"
        told = subprocess.run([sys.executable, "-c", child], input=data, capture_output=True, check=True)
        yield len(data), least / len(data) * 1e9, int(told.stdout) / len(data)


def resident(data: bytes) -> int:
    """How many bytes of real memory a conversion takes at its peak (Linux): what is reserved and never touched is not counted."""
    give_back_large_blocks()
    convert()
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    before = _peak()
    made = convert(data)
    after = _peak()
    del made
    return after - before


def _peak() -> int:
    line = next(line for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) * 1024


def _seconds(work: Callable[[], object]) -> float:
    start = time.process_time()
    work()
    return time.process_time() - start


def main() -> None:
    """Print the rates and their ratios, and how time and memory grow."""
    measured = rates()
    lexical = measured.reader
    made = convert()
    print(f"message {len(MESSAGE)} bytes, Bundle of {len(orjson.loads(made)['entry'])} entries, {len(made)} bytes")
    print(f"reader with 40 reads  {lexical:9,.0f} msg/s")
    for words, rate in (("translate to Bundle", measured.unseen), ("  one person again", measured.again), ("  of known people", measured.known)):
        print(f"{words:20}  {rate:9,.0f} msg/s   {lexical / rate:.1f} times the reader's cost")
    for size, nanoseconds, memory in documents():
        print(f"document of {size:10,} bytes   {nanoseconds:5.1f} ns a byte   memory {memory:.1f} times the message")


if __name__ == "__main__":
    main()
