"""FHIR's times."""

from __future__ import annotations

import pytest

from gateway.fhir import times


@pytest.mark.parametrize(
    ("text", "seconds", "width"),
    [
        ("1970", 0, 365 * 86400),
        ("1970-02", 31 * 86400, 28 * 86400),
        ("1970-12", 334 * 86400, 31 * 86400),
        ("1970-01-02", 86400, 86400),
        ("1970-01-01T01:00:00+01:00", 0, 1),
        ("1970-01-01T00:00:01.5Z", 1.5, 1e-6),
    ],
)
def test_a_time_spans_what_its_precision_says(text: str, seconds: float, width: float) -> None:
    assert times.stretch(text) == (seconds * 1_000_000, (seconds + width) * 1_000_000)


@pytest.mark.parametrize("text", ["", "yesterday", "2020-13-01", "2020-02-30", "20200101", "2020-01-01T25:00:00Z", "2020-1-1", "١٩٧٠"])
def test_what_is_no_time_is_none(text: str) -> None:
    assert times.stretch(text) is None


def test_an_instant_keeps_its_microseconds() -> None:
    assert times.instant(1_700_000_000_000_001) == "2023-11-14T22:13:20.000001Z"
    assert times.first(times.instant(1_700_000_000_000_001)) == 1_700_000_000_000_001
    assert times.http_date(1_700_000_000_999_999) == "Tue, 14 Nov 2023 22:13:20 GMT"
