"""JSON Patch (RFC 6902) and FHIR's times."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.errors import Conflict, GatewayError, Invalid, Malformed
from gateway.fhir import patch, times

TASK = {"resourceType": "Task", "status": "requested", "note": [{"text": "a"}, {"text": "b"}], "a/b": 1}


@pytest.mark.parametrize(
    ("operations", "element", "value"),
    [
        ([{"op": "replace", "path": "/status", "value": "accepted"}], "status", "accepted"),
        ([{"op": "add", "path": "/note/-", "value": {"text": "c"}}], "note", [{"text": "a"}, {"text": "b"}, {"text": "c"}]),
        ([{"op": "add", "path": "/note/0", "value": {"text": "c"}}], "note", [{"text": "c"}, {"text": "a"}, {"text": "b"}]),
        ([{"op": "remove", "path": "/note/0"}], "note", [{"text": "b"}]),
        ([{"op": "move", "from": "/note/0", "path": "/note/1"}], "note", [{"text": "b"}, {"text": "a"}]),
        ([{"op": "copy", "from": "/status", "path": "/description"}], "description", "requested"),
        ([{"op": "test", "path": "/status", "value": "requested"}, {"op": "remove", "path": "/note"}], "note", None),
        ([{"op": "replace", "path": "/a~1b", "value": 2}], "a/b", 2),
        ([{"op": "replace", "path": "/note/1/text", "value": "z"}], "note", [{"text": "a"}, {"text": "z"}]),
    ],
)
def test_an_operation_does_what_the_rfc_says(operations: list[Any], element: str, value: Any) -> None:
    before = repr(TASK)
    assert patch.apply(TASK, operations).get(element) == value
    assert repr(TASK) == before, "the resource given is not changed"


@pytest.mark.parametrize(
    ("operations", "error"),
    [
        ({"op": "add"}, Malformed),
        ([3], Malformed),
        ([{"op": "add", "path": "/x"}], Malformed),
        ([{"op": "spoil", "path": "/x", "value": 1}], Malformed),
        ([{"op": "add", "path": "x", "value": 1}], Malformed),
        ([{"op": "replace", "path": "/nothing", "value": 1}], Invalid),
        ([{"op": "remove", "path": "/note/2"}], Invalid),
        ([{"op": "remove", "path": "/note/01"}], Invalid),
        ([{"op": "add", "path": "/note/9", "value": 1}], Invalid),
        ([{"op": "move", "from": "/note", "path": "/note/0"}], Invalid),
        ([{"op": "test", "path": "/status", "value": "accepted"}], Conflict),
        ([{"op": "test", "path": "/a~1b", "value": True}], Conflict),
    ],
)
def test_what_cannot_be_done_is_told(operations: Any, error: type[GatewayError]) -> None:
    with pytest.raises(error):
        patch.apply(TASK, operations)


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
