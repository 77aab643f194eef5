"""Translating a 2 KB ADT^A03 to its complete Bundle as JSON bytes, against the bare lexical reader with 40 reads, in one run on one core.

    python -m benchmarks.translate

Bars (DESIGN, "Numbers to reach"): 6,000 messages/s; at most 6 times the cost of the reader. The message is the project's own.
"""

# ruff: noqa: E501 - a segment is one line

from __future__ import annotations

import hashlib
import hmac
import time
from collections.abc import Callable

import orjson

from gateway.er7 import reader
from gateway.mappings.feeds.profile import FeedProfile
from gateway.mappings.hl7v2.bundle import bundle
from gateway.mappings.hl7v2.translate import translate

RECEIVED = 1_795_600_000_000_000  # 25 November 2026
MESSAGE = "\r".join(
    (
        r"MSH|^~\&|REGADT|STMARY^2.16.840.1.113883.3.9999.1^ISO|GATEWAY|COUNTY|20261122143005-0600||ADT^A03^ADT_A03|STM0042731|P|2.5.1|||AL|NE|USA|UNICODE UTF-8",
        "EVN|A03|20261122143000-0600|||88021^Okafor^Ngozi^A^^^RN|20261122141500-0600",
        "PID|1||S0048211^^^STMARY^MR~1EG4TE5MK73^^^MBI^MC||Hollis^Marian^Jane^^Ms^^L~Harmon^Marian^^^^^M||19840312|F||2106-3^White^CDCREC"
        "|412 Alder Street^Apt 5^Springfield^IL^62704^USA^H^^Sangamon|Sangamon|^PRN^PH^^1^217^5550142~^PRS^CP^^1^217^5550177"
        "|^WPN^PH^^1^217^5550190|eng^English^ISO639|D^Divorced^HL70002||ACC778120^^^STMARY^AN|412-55-0192|||2186-5^Not Hispanic or Latino^CDCREC||||||||N",
        "PD1|||Springfield Family Medicine^L^4471|1467599123^Adeyemi^Tunde^^^Dr^MD^^NPI",
        "NK1|1|Hollis^Robert^^^Mr|SPO^Spouse^HL70063|88 Elm Court^^Springfield^IL^62702^USA|^PRN^PH^^1^217^5550111||C^Emergency Contact^HL70131",
        "NK1|2|Dawson^Ruth^^^Mrs|MTH^Mother^HL70063|9 Birch Lane^^Decatur^IL^62521^USA|^PRN^PH^^1^217^5550166||N^Next-of-Kin^HL70131",
        "PV1|1|I|BHU^212^A^STMARY^^^MAIN^2|U^Urgent^HL70007||ED^04^^STMARY|1174823947^Lindqvist^Karin^M^^Dr^MD^^NPI"
        "|1467599123^Adeyemi^Tunde^^^Dr^MD^^NPI|1588662210^Barros^Paulo^^^Dr^MD^^NPI|PSY||||7|||1174823947^Lindqvist^Karin^M^^Dr^MD^^NPI|PSY|V2026118804^^^STMARY^VN"
        "|||||||||||||||||01^Home^NUBC||||||||20261115091200-0600|20261122141500-0600",
        "PV2|||F33.2^Major depressive disorder, recurrent severe^I10C||||||20261122||7|||||||||||R|||2",
        "ROL|1|AD|PP^Primary Care Provider^HL70443|1467599123^Adeyemi^Tunde^^^Dr^MD^^NPI|20200101",
        "DG1|1||F33.2^Major depressive disorder, recurrent, severe without psychotic features^I10C||20261115|F|||||||||1|1174823947^Lindqvist^Karin^M^^Dr^MD^^NPI",
        "DG1|2||R45.851^Suicidal ideations^I10C||20261115|A|||||||||2",
        "OBX|1|NM|44261-6^PHQ-9 total score^LN||17|{score}^score^UCUM|0-4|H|||F|||20261121100000-0600",
        "AL1|1|DA^Drug allergy^HL70127|7980^Penicillin G^RXNORM|SV^Severe^HL70128|Hives|20010501",
        "IN1|1|MCD-IL^Illinois Medicaid|ILHFS|Illinois Healthcare and Family Services|201 South Grand^^Springfield^IL^62763|||||||20250101|||MC|Hollis^Marian^Jane"
        "|SEL^Self^HL70063|19840312||||||||||||||||||9910044721",
    )
).encode()
_KEY = b"a fixed public key for stateless conversion"


def identify(kind: str, key: str) -> str:
    """A 128-bit HMAC, as the gateway makes ids."""
    return hmac.digest(_KEY, f"{kind}|{key}".encode(), hashlib.sha256)[:16].hex()


def read_forty() -> None:
    """The bare lexical reader with 40 reads."""
    message = reader.read(MESSAGE)
    for name, fields in (("PID", (3, 5, 7, 8, 11, 13, 14, 15, 16, 18)), ("PV1", (2, 3, 4, 7, 8, 9, 10, 14, 17, 18, 19, 36, 44, 45))):
        segment = message.first(name)
        assert segment is not None
        for field in fields:
            segment.value(field)
    for name, fields in (("MSH", (3, 4, 7, 9, 10, 11, 12)), ("DG1", (3, 6, 15)), ("NK1", (2, 3, 4)), ("AL1", (2, 3, 4))):
        segment = message.first(name)
        assert segment is not None
        for field in fields:
            segment.value(field)


PROFILE = FeedProfile(name="st-mary", timezone="America/Chicago", psychiatric_units=("BHU",), psychiatric_services=("PSY",))


def convert() -> bytes:
    """The whole of step 2."""
    return orjson.dumps(bundle(translate(reader.read(MESSAGE), PROFILE, RECEIVED, identify), identify))


def rate(work: Callable[[], object], seconds: float = 2.0) -> float:
    """Calls a second, the best of five stretches: what else the machine does only ever slows one down."""
    best = 0.0
    for _ in range(5):
        count, start = 0, time.perf_counter()
        while (passed := time.perf_counter() - start) < seconds / 5:
            for _ in range(50):
                work()
            count += 50
        best = max(best, count / passed)
    return best


def main() -> None:
    """Print both rates and their ratio."""
    converted, lexical = rate(convert), rate(read_forty)
    entries = len(orjson.loads(convert())["entry"])
    print(f"message {len(MESSAGE)} bytes, Bundle of {entries} entries, {len(convert())} bytes")
    print(f"reader with 40 reads  {lexical:9,.0f} msg/s")
    print(f"translate to Bundle   {converted:9,.0f} msg/s   {lexical / converted:.1f} times the reader's cost")


if __name__ == "__main__":
    main()
