"""A stay that is found by its admission time, or as the only one, is marked where people look, and goes its way all the same (issue 3, point 4)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.pipeline.county import DIAGNOSIS, feed, memory_folder, message, state, store_at, visit

ADMITTED = message("ADT^A01^ADT_A01", "20260302090500", "1", visit(number="V1"), DIAGNOSIS)
BY_TIME = "by its admission time, not by a visit number"
ONLY_ONE = "as the only one open, not by a visit number"


def discharged(number: str = "", admitted: str = "20260302090000", account: str = "") -> bytes:
    """Its discharge, with the numbers and times that are given; without a visit number PV1-19 is empty."""
    left = visit(number=number, admitted=admitted, discharged="20260310104500", disposition="01").replace("|^^^STMARY^VN|", "||")
    return message("ADT^A03^ADT_A03", "20260310110000", "2", left, DIAGNOSIS).replace(b"701^USA^H\r", f"701^USA^H|||||||{account}\r".encode())


def records(*messages: bytes) -> dict[str, Any]:
    with memory_folder() as folder, store_at(folder) as store:
        feed(store, messages)
        return state(store)


def of_type(kind: str, told: dict[str, Any], recipient: str = "*") -> Iterator[Any]:
    return (body for key, body in told.items() if key.startswith(f"{recipient} {kind}"))


@pytest.mark.parametrize(
    ("first", "second", "marked"),
    [
        (ADMITTED, discharged("V1"), ""),
        (ADMITTED.replace(b"701^USA^H\r", b"701^USA^H|||||||ACC7\r"), discharged(account="ACC7"), ""),
        (ADMITTED, discharged(), BY_TIME),
        (ADMITTED, discharged(admitted=""), ONLY_ONE),
    ],
    ids=["visit number", "account number", "admission time", "the only one"],
)
def test_what_no_number_places_is_marked_in_the_record_and_to_people_and_raises_no_doubt(first: bytes, second: bytes, marked: str) -> None:
    for order in ((first, second), (second, first)):
        told = records(*order)
        (transition,) = of_type("transition", told, "river")
        flags = {one["code"]: one for one in transition["flags"]}
        assert "identity-uncertain" not in flags
        text = "ADT^A03 from st-mary, control ID 2" + (f", taken for this stay {marked}" if marked else "")
        assert text in [one["text"] for one in flags["no-follow-up-scheduled"]["evidence"]]
        (encounter,) = of_type("Encounter/", told)
        assert encounter["status"] == "finished"
        assert [tag["code"] for tag in encounter["meta"].get("tag", [])] == (["stay-inferred"] if marked else [])
        said = {entity["what"].get("display") for each in of_type("Provenance/", told) for entity in each.get("entity", [])}
        assert said == ({None, f"Taken for this stay {marked}"} if marked else {None})


def test_a_second_stay_that_could_be_meant_raises_the_doubt() -> None:
    other = message("ADT^A01^ADT_A01", "20260303090500", "3", visit(number="V2", admitted="20260303090000"), DIAGNOSIS)
    told = records(ADMITTED, other, discharged(admitted=""))
    flags = {flag["code"] for each in of_type("transition", told) for flag in each["flags"]}
    assert "identity-uncertain" in flags
