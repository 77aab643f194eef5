"""A hospital's own segment says what callers must know: through the journey to the top of the plan, by the feed's profile."""

from __future__ import annotations

import re
from dataclasses import replace
from html import unescape

import orjson
import pytest

from gateway.store.interface import ALL
from tests.pipeline.county import CONFIGURATION, DIAGNOSIS, FEEDS, feed, memory_folder, message, store_at, visit

SEGMENTS = {
    "ZCM-1": "care.safe_contact",
    "ZCM-2": "care.legal_status",
    "ZCM-3": "care.long_acting_injection",
    "ZCM-4": "care.medication_runs_out",
    "ZCN-1.2": "care.safe_contact",
}
OURS = replace(CONFIGURATION, feeds=(replace(FEEDS[0], segments=SEGMENTS), *FEEDS[1:]))
LEFT = visit(discharged="20260310104500", disposition="01")


def known(*lines: str, agency: str = ALL) -> dict[str, str]:
    """What the plan says at its top after one discharge for each line, in order."""
    told = [message("ADT^A08^ADT_A01", f"2026031{number}120000", f"{number}9", LEFT, DIAGNOSIS, line) for number, line in enumerate(lines)]
    with memory_folder() as folder, store_at(folder, OURS) as store:
        outcomes = feed(store, [message("ADT^A03^ADT_A03", "20260310110000", "1", LEFT, DIAGNOSIS), *told], configuration=OURS)
        assert {one.state for one in outcomes} == {"processed"}
        with store.reading() as reader:
            (plan,) = (orjson.loads(one.body or b"") for one in reader.search(agency, "CarePlan"))
    return {unescape(question): unescape(answer) for question, answer in re.findall(r"<tr><th>(.*?)</th><td>(.*?)</td></tr>", plan["text"]["div"])}


ANSWERS = [
    # the segment                                      the question                      the answer
    ("ZCM|No voicemail~No post", "Safe contact", "No voicemail; No post"),
    ("ZCM|NV^No voicemail^L", "Safe contact", "No voicemail"),
    ("ZCN|x^Ask for Bo", "Safe contact", "Ask for Bo"),
    ("ZCM||5250^Involuntary, 14 days^L", "Legal status", "Involuntary, 14 days"),
    ("ZCM|||20261204", "Long-acting injection", "2026-12-04"),
    ("ZCM|||Paliperidone palmitate 156 mg on 4 December", "Long-acting injection", "Paliperidone palmitate 156 mg on 4 December"),
    ("ZCM||||20260324", "Discharge medication runs out", "2026-03-24"),
    ("ZCM||||14 days", "Discharge medication runs out", "14 days"),
    ("ZCM|20261204", "Safe contact", "20261204"),  # a number to call is no day
    ("ZCM||||", "Discharge medication runs out", "unknown"),
    ("ZCM|<b>No</b> post", "Safe contact", "<b>No</b> post"),
    ("ZXX|No post", "Safe contact", "unknown"),
]


@pytest.mark.parametrize(("line", "question", "answer"), ANSWERS, ids=[line for line, _, _ in ANSWERS])
def test_a_field_of_the_segment_answers_its_question(line: str, question: str, answer: str) -> None:
    assert known(line)[question] == answer


def test_the_routed_agency_reads_the_same() -> None:
    assert known("ZCM|No voicemail", agency="river")["Safe contact"] == "No voicemail"


def test_a_later_empty_field_says_nothing_and_two_quotes_take_back() -> None:
    first = "ZCM|No voicemail|Involuntary hold"
    assert known(first, "ZCM||Voluntary admission")["Safe contact"] == "No voicemail"
    assert known(first, "ZCM||Voluntary admission")["Legal status"] == "Voluntary admission"
    assert known(first, 'ZCM|""')["Safe contact"] == "unknown"
    assert known(first, 'ZCM|""')["Legal status"] == "Involuntary hold"
