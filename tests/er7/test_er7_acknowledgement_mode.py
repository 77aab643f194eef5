"""Which acknowledgements are sent, written by hand from HL7 v2 chapter 2 (2.9.2 original mode, 2.9.3 enhanced mode) and tables 0008 and 0155."""

from __future__ import annotations

import pytest

from gateway.er7.acknowledgement_mode import asked_for, enhanced
from gateway.er7.reader import Message, read

OUTCOMES = ("AA", "AE", "AR", "CE")
"""Understood; quarantined, though committed; never to be taken; not committed now."""

# MSH-15 MSH-16 | understood | quarantined | rejected | not committed
ENHANCED = """
    AL     AL     | CA AA      | CA AE       | CR       | CE
    AL     NE     | CA         | CA          | CR       | CE
    AL     ER     | CA         | CA AE       | CR       | CE
    AL     SU     | CA AA      | CA          | CR       | CE
    NE     AL     | AA         | AE          | AR       | AR
    NE     NE     |            |             |          |
    NE     ER     |            | AE          | AR       | AR
    NE     SU     | AA         |             |          |
    ER     AL     | AA         | AE          | CR       | CE
    ER     NE     |            |             | CR       | CE
    ER     ER     |            | AE          | CR       | CE
    ER     SU     | AA         |             | CR       | CE
    SU     AL     | CA AA      | CA AE       | AR       | AR
    SU     NE     | CA         | CA          |          |
    SU     ER     | CA         | CA AE       | AR       | AR
    SU     SU     | CA AA      | CA          |          |
"""
# One field valued: original mode, unless the feed's profile says that the sender goes by the standard; the empty field counts as NE.
HALF = """
    AL     -      | CA         | CA          | CR       | CE
    NE     -      |            |             |          |
    ER     -      |            |             | CR       | CE
    SU     -      | CA         | CA          |          |
    -      AL     | AA         | AE          | AR       | AR
    -      NE     |            |             |          |
    -      ER     |            | AE          | AR       | AR
    -      SU     | AA         |             |          |
"""
ORIGINAL = ("AA",), ("AE",), ("AR",), ("AR",)
"""One answer, whatever came of it."""

CONDITIONS = ("", "AL", "NE", "ER", "SU")


def rows(table: str) -> list[tuple[str, str, str, tuple[str, ...]]]:
    """(MSH-15, MSH-16, outcome, codes) for each cell."""
    found = []
    for line in table.strip().splitlines():
        conditions, *cells = line.split("|")
        accept, application = (each.strip("-") for each in conditions.split())
        found += [(accept, application, outcome, tuple(cell.split())) for outcome, cell in zip(OUTCOMES, cells, strict=True)]
    return found


def message(accept: str, application: str, event: str = "ADT^A03") -> Message:
    return read(f"MSH|^~\\&|A|B|||2026||{event}|4711|P|2.5|||{accept}|{application}\r".encode())


@pytest.mark.parametrize(("accept", "application", "outcome", "codes"), rows(ENHANCED))
def test_both_fields_valued_is_enhanced_mode(accept: str, application: str, outcome: str, codes: tuple[str, ...]) -> None:
    assert asked_for(message(accept, application), outcome) == codes
    assert asked_for(message(accept.lower(), f" {application} "), outcome) == codes


@pytest.mark.parametrize(("accept", "application", "outcome", "codes"), rows(HALF))
def test_one_field_valued_is_enhanced_mode_where_the_profile_says_so(accept: str, application: str, outcome: str, codes: tuple[str, ...]) -> None:
    assert asked_for(message(accept, application), outcome, "enhanced") == codes
    assert asked_for(message(accept, application), outcome) == ORIGINAL[OUTCOMES.index(outcome)]


@pytest.mark.parametrize("accept", CONDITIONS)
@pytest.mark.parametrize("application", CONDITIONS)
def test_a_profile_of_original_mode_gets_one_answer_whatever_the_fields_say(accept: str, application: str) -> None:
    assert tuple(asked_for(message(accept, application), outcome, "original") for outcome in OUTCOMES) == ORIGINAL


@pytest.mark.parametrize("mode", ["", "original", "enhanced"])
@pytest.mark.parametrize("null", ["", '""', " "])
def test_no_field_valued_is_original_mode_in_every_profile(mode: str, null: str) -> None:
    assert tuple(asked_for(message(null, null), outcome, mode) for outcome in OUTCOMES) == ORIGINAL
    assert not enhanced(message(null, null), mode)


def test_a_condition_that_table_0155_does_not_know_counts_as_always() -> None:
    assert asked_for(message("Y", "?"), "AA") == ("CA", "AA")


@pytest.mark.parametrize("event", ["ACK", "ACK^A01^ACK", "MCF"])
def test_an_acknowledgement_gets_no_application_acknowledgement(event: str) -> None:
    assert [asked_for(message("", "", event), outcome) for outcome in OUTCOMES] == [()] * 4
    assert [asked_for(message("", "", event), outcome, "original") for outcome in OUTCOMES] == [()] * 4
    assert asked_for(message("AL", "AL", event), "AE") == ("CA",)
    assert asked_for(message("NE", "AL", event), "AR") == ()
