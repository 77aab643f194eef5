"""Whatever stands in a field of the wider segments, the answer is a translation or a refusal: never another failure, and never a Bundle
that is not R4 or refers to what is not in it."""

from __future__ import annotations

import runpy
from contextlib import suppress
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from width_support import PID, PROFILE, PV1, message, resources

from gateway.errors import GatewayError

COVERAGE: dict[str, Any] = runpy.run_path(str(Path(__file__).resolve().parents[2] / "docs/mapping_coverage/__main__.py"))
WIDE = [
    *COVERAGE["probes"](),
    message(
        "REF^I12",
        "RF1|P|R|MH|A|O|R7^EHR|20261122|20270122|20261122|S|X7",
        "PRD|RT|Poe^Ann|1 Elm^^X|BHU|555|PH|77^NPI||20261122|River^^r",
        "CTD|CP|A^B|||5",
        PID,
    ),
    message(
        "PPR^PC1",
        PID,
        PV1,
        "PRB|AD|20261122|F33.2|P1|||20261101|||||||C|A||202603",
        "VAR|V|20261122||1^A^B|S|x",
        "PTH|AD|S|T|20261122|A",
        "GOL|AD||G|G1",
    ),
    message("ADT^A45", PID, "MRG|S2||A1||V9", PV1),
    message("ADT^A43", "PID|1|B^^^MPI|S1", "MRG|S1|||A^^^MPI"),
    message("ADT^A42", PID, "MRG|S1||||V2|V3", PV1),
    message(
        "ADT^A01",
        PID,
        "CON|1|001|F|C1|w||||W|R|A|20261101|20261102|20261103|20271103" + "|" * 9 + "A^B|SPO",
        "PDA|R96|W|Y|20261101|1^A|Y|20261101^20261102",
        PV1,
        "ACC|20261101|M|P|IL|Y|N|1^A|d|b|Y|1 Elm",
        "DB1|1|PT|7|Y|20261101",
        "DRG|885|20261122|Y|G|O|3|10&USD|P|9|Y|T|A^B",
        "UB1|1|2|3|4|5|6|A|7|8|V&1|9",
        "UB2|1|2|A|3|4|V&1|O&20261101",
        "IN1|1|M|I|J",
        "IN2|1|2|3^A|||6||8",
        "IN3|1|C|1^A|Y||20261101|20261101|1^A|20261101|20261102|AP^3|N",
    ),
]
"""Every field of every segment that was added."""
VALUES = st.one_of(
    st.sampled_from(
        [
            '""',
            "^",
            "^^^^",
            "~",
            "&",
            "^&^",
            "\\",
            "\\X",
            "0",
            "-1",
            "99999999999999999999",
            "20261301",
            "2026",
            "x" * 300,
            "D",
            "DE",
            "UN",
            "é",
            "^~&\\",
        ]
    ),
    st.text(alphabet=st.characters(blacklist_characters="\r\n|", blacklist_categories=("Cs",)), max_size=12),
)


@settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(WIDE), st.lists(st.tuples(st.integers(0, 40), st.integers(1, 45), VALUES), min_size=1, max_size=6))
def test_any_value_anywhere_is_answered(data: bytes, changes: list[tuple[int, int, str]]) -> None:
    lines = [line.split("|") for line in data.decode().split("\r")]
    for segment, field, value in changes:
        fields = lines[1 + segment % (len(lines) - 1)]
        fields.extend([""] * (field + 1 - len(fields)))
        fields[field] = value
    with suppress(GatewayError):
        resources("\r".join("|".join(fields) for fields in lines).encode(), PROFILE)
