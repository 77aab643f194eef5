"""Field accounting over every third-party message: the fates of a message's values add up to what stands in it, counted here by splitting alone."""

from __future__ import annotations

import re
from collections import Counter
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest
from hl7v2_support import RECEIVED, identify

from gateway.er7 import reader
from gateway.mappings.feeds.profile import FeedProfile
from gateway.mappings.hl7v2.explain import Account, explain
from tests.third_party import DATA, third_party

TYPES = ("ADT", "SIU", "MDM", "REF", "PPR", "ORU")
BAR = 0.6
MESSAGES = 532
"""491 of simhospital, 41 of the three collections of samples; one file more holds no MSH."""


def lines_of(text: str) -> list[list[str]]:
    """The segments of each message in a file, as text: a message begins with a line that begins with MSH."""
    messages: list[list[str]] = []
    for line in re.split(r"[\r\n]+", text.removeprefix("\xef\xbb\xbf").lstrip("\x0b")):
        if line.startswith("MSH"):
            messages.append([line])
        elif line.strip() and messages and not re.match(r"FHS|BHS|BTS|FTS|\x1c", line):
            separator = messages[-1][0][3]
            if re.match(rf"\s*[A-Za-z0-9]{{1,6}}{re.escape(separator)}", line):
                messages[-1].append(line)
            else:
                messages[-1][-1] += line  # a line break within a field
    return messages


def count(lines: list[str]) -> int:
    """How many values stand between the delimiters that MSH-1 and MSH-2 declare, these two left out."""
    separator = lines[0][3]
    encoding = "".join(dict.fromkeys(lines[0].split(separator)[1]))
    delimiters = [each for each in (encoding[:1], encoding[1:2], encoding[3:4]) if each]
    found = 0
    for line in lines:
        for field in line.split(separator)[2 if line.startswith("MSH") else 1 :]:
            values = [field]
            for delimiter in delimiters:
                values = [part for value in values for part in value.split(delimiter)]
            found += sum(bool(value) for value in values)
    return found


def test_the_counter_counts_as_the_standard_says() -> None:
    assert count(["MSH|^~\\&|A|B", 'PID|1||7^^^X&Y&&Z~8|""| ']) == 2 + 1 + 5 + 1 + 1
    assert count(["MSH#@!?%#A", "PID#1@2!3%4#5|6^7"]) == 1 + 4 + 1
    assert count(["MSH|^~|A", "PID|1&2^3"]) == 1 + 2


class Accounted(NamedTuple):
    """One message of a file, its account, and what the counter counts in it."""

    where: str
    account: Account
    counted: int


@cache
def accounts() -> tuple[Accounted, ...]:
    """Every message of the third-party data: the account from its bytes as the reader parts the file, the count from the file's text."""
    found = []
    for file in sorted(each for each in (DATA / "hl7v2").rglob("*") if each.is_file()):
        data = file.read_bytes()
        accounts = [explain(reader.read(raw), FeedProfile(), RECEIVED, identify) for raw in reader.split(data) if b"MSH" in raw[:8]]
        counts = [count(lines) for lines in lines_of(data.decode("latin-1"))]
        found += [Accounted(f"{_short(file)} {number}", *both) for number, both in enumerate(zip(accounts, counts, strict=True), 1)]
    return tuple(found)


def _short(file: Path) -> str:
    return str(file.relative_to(DATA / "hl7v2"))


@third_party
@pytest.mark.sweep
def test_the_fates_of_every_message_add_up_to_the_values_that_stand_in_it() -> None:
    found = accounts()
    assert [(each.where, sum(each.account.fates().values())) for each in found] == [(each.where, each.counted) for each in found]


@third_party
@pytest.mark.sweep
def test_every_message_of_every_file_was_accounted_for() -> None:
    assert len(accounts()) == MESSAGES


@third_party
@pytest.mark.sweep
def test_of_pid_pv1_and_dg1_at_least_60_percent_are_mapped_in_every_message_of_the_named_types() -> None:
    below = {}
    for each in accounts():
        if each.account.event[:3] in TYPES and not each.account.error:
            fates = Counter(one.fate for one in each.account.fields if one.path[:3] in ("PID", "PV1", "DG1"))
            if fates["mapped"] < BAR * fates.total():
                below[each.where] = dict(fates)
    assert below == {}
