"""The bare lexical reader: 2 KB ADT^A03 -> segments, and 40 unescaped values. The yardstick that translation is measured against."""

from __future__ import annotations

import time

from gateway.er7.reader import Message, read

MESSAGE = "\r".join(
    [
        r"MSH|^~\&|ADT|STMARY|GATEWAY|COUNTY|20261122101500-0600||ADT^A03^ADT_A03|4711|P|2.5.1|||AL|NE|USA|UNICODE UTF-8",
        "EVN|A03|20261122101500-0600|||JONES^Jones^Indira^^^^^^STMARY|20261122100500-0600",
        "PID|1||100234^^^STMARY^MR~999-12-3456^^^SSA^SS||Whitfield^Daniel^Robert^^Mr^^L~Field^Dan^^^^^A||19871103|M||2106-3^White^HL70005|"
        "418 Birch Lane^Apt 4^Springfield^IL^62704^USA^H||^PRN^PH^^1^217^5550142~^NET^Internet^dan.whitfield@example.org|^WPN^PH^^1^217^5550177|"
        "en^English^ISO639|S^Single^HL70002|NOE|ACC55231^^^STMARY^AN|||||Springfield|N|1|||||N",
        "PD1|||River Community Mental Health^^^^^CMHC|1447289^Okafor^Grace^^^Dr^^^NPI",
        "NK1|1|Whitfield^Margaret^^^Mrs|MTH^Mother^HL70063|418 Birch Lane^^Springfield^IL^62704|^PRN^PH^^1^217^5550143||C^Emergency contact^HL70131",
        "NK1|2|Whitfield^Tom|BRO^Brother^HL70063|22 Elm Street^^Decatur^IL^62521|^PRN^PH^^1^217^5550155||N^Next of kin^HL70131",
        "PV1|1|I|BHU^214^A^STMARY^^BED^MAIN|U|||1234567893^Ramirez^Elena^^^Dr^^^NPI|1098765435^Chen^Wei^^^Dr^^^NPI|1357924681^Novak^Petr^^^Dr^^^NPI|PSY|||"
        "|7|||1234567893^Ramirez^Elena^^^Dr^^^NPI|IP|V778201^^^STMARY^VN|MEDICAID|||||||||||||||01|HOME^Home|||STMARY||||20261112081500-0600|"
        "20261122100000-0600",
        r"PV2||SEMI^Semi-private|F33.2^Severe recurrent depression \T\ suicidal ideation^I10C|||||20261112|20261121|10|||||||||20261201",
        "ROL|1|AD|AT^Attending^HL70443|1234567893^Ramirez^Elena^^^Dr^^^NPI|20261112081500",
        "DG1|1||F33.2^Major depressive disorder, recurrent, severe^I10C||20261112|A|||||||||1|1234567893^Ramirez^Elena",
        "DG1|2||R45.851^Suicidal ideations^I10C||20261112|W|||||||||2",
        "DG1|3||Z59.01^Sheltered homelessness^I10C||20261113|F|||||||||3",
        "OBX|1|NM|44261-6^PHQ-9 total score^LN||18|{score}|0-4|H|||F|||20261120093000-0600",
        r"OBX|2|TX|11503-0^Note^LN||Aftercare plan discussed.\.br\Patient agrees to visit within seven days.||||||F|||20261121150000-0600",
        "IN1|1|MCD^Illinois Medicaid|IL001|Illinois Medicaid|PO Box 19105^^Springfield^IL^62794|||||||20260101|||MC|Whitfield^Daniel|SEL|19871103",
    ]
).encode()

READS = (
    *(("MSH", 1, field, 1) for field in (3, 4, 7, 10, 12)),
    ("MSH", 1, 9, 2),
    ("EVN", 1, 2, 1),
    ("EVN", 1, 6, 1),
    *(("PID", 1, 3, component) for component in (1, 4, 5)),
    *(("PID", 1, 5, component) for component in (1, 2, 3)),
    *(("PID", 1, 7 + number, 1) for number in (0, 1, 3)),
    *(("PID", 1, 11, component) for component in (1, 3, 4, 5)),
    ("PID", 1, 13, 7),
    *(("PV1", 1, 3, component) for component in (1, 2, 3)),
    *(("PV1", 1, 7, component) for component in (1, 2, 3)),
    *(("PV1", 1, field, 1) for field in (2, 10, 19, 36, 44, 45)),
    ("PV2", 1, 3, 2),
    *(("DG1", number, 3, component) for number in (1, 2) for component in (1, 2)),
    ("OBX", 2, 5, 1),
)
"""40 values: (segment, which of its name, field, component)."""


def read_once(data: bytes = MESSAGE) -> Message:
    """Read the message and its 40 values."""
    message = read(data)
    for name, number, field, component in READS:
        message.all(name)[number - 1].value(field, component)
    return message


def messages_a_second(seconds: float = 1.0) -> float:
    """How many messages one core reads in a second, with 40 values each: the best of many short rounds, for others use the machine too."""
    best, end = float("inf"), time.perf_counter() + seconds
    while (start := time.perf_counter()) < end:
        for _ in range(100):
            read_once()
        best = min(best, time.perf_counter() - start)
    return 100 / best


if __name__ == "__main__":
    print(f"{len(MESSAGE)} bytes, {len(READS)} values: {messages_a_second():,.0f} messages/s")
