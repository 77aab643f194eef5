"""JSON in: doubled keys, NaN, lone surrogates and excess depth are refused (DESIGN, "HTTP"); nothing but Malformed is ever raised."""

from __future__ import annotations

import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import Malformed
from gateway.fhir.parsing import MAX_DEPTH, parse, parse_json


@given(st.binary(max_size=200))
def test_any_bytes_are_a_resource_or_malformed(body: bytes) -> None:
    with suppress(Malformed):
        assert isinstance(parse(body)["resourceType"], str)


values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=20,
)


@given(st.dictionaries(st.text(max_size=8), values, max_size=4))
def test_every_object_with_a_type_is_read_as_it_was_written(said: dict[str, object]) -> None:
    said["resourceType"] = "Patient"
    assert parse(json.dumps(said).encode()) == said


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"", "empty"),
        (b"   ", "blank"),
        (b"MSH|^~\\&|", "HL7 v2"),
        (b"[]", "a list"),
        (b"3", "a number"),
        (b"{}", "no type"),
        (b'{"resourceType": 3}', "a type that is no string"),
        (b'{"resourceType": ""}', "an empty type"),
        (b'{"resourceType": "Patient", "active": NaN}', "NaN"),
        (b'{"resourceType": "Patient", "active": Infinity}', "Infinity"),
        (b'{"resourceType": "Patient", "x": 1e999}', "beyond a double"),
        (b'{"resourceType": "Patient", "id": "\\ud800"}', "a lone surrogate"),
        (b'{"resourceType": "Patient", "id": "\xff"}', "no UTF-8"),
        (b'{"resourceType": "Patient", "id": "a", "id": "b"}', "a doubled key"),
        (b'{"resourceType": "Patient", "name": [{"family": "a", "f\\u0061mily": "b"}]}', "a doubled key, one of them escaped"),
        (b'{"resourceType": "Patient", "x": ' + b"[" * 100 + b"]" * 100 + b"}", "too deep"),
        (b'{"resourceType": "Patient", "x": ' + b'{"a":' * 5000 + b"1" + b"}" * 5001, "far too deep"),
        (b'{"resourceType": "Patient"} x', "something behind it"),
    ],
)
def test_what_is_no_resource_is_refused(body: bytes, why: str) -> None:
    with pytest.raises(Malformed) as refusal:
        parse(body)
    assert refusal.value.status == 400, why


def test_a_byte_order_mark_is_skipped() -> None:
    assert parse(b'\xef\xbb\xbf{"resourceType": "Patient"}') == {"resourceType": "Patient"}


def test_the_deepest_level_taken_is_the_stated_one() -> None:
    assert parse_json(b"[" * MAX_DEPTH + b"]" * MAX_DEPTH)
    with pytest.raises(Malformed):
        parse_json(b"[" * (MAX_DEPTH + 2) + b"]" * (MAX_DEPTH + 2))


def test_a_refusal_repeats_nothing_that_was_sent() -> None:
    with pytest.raises(Malformed) as refusal:
        parse(b'{"resourceType": "Patient", "name": Halvorson}')
    assert "Halvorson" not in str(refusal.value)


def test_depths_beyond_what_the_reader_itself_takes_are_called_depths_too() -> None:
    """orjson gives up at 1,024 levels; that is no fault of the JSON."""
    with pytest.raises(Malformed, match="too deeply"):
        parse(b'{"resourceType": "Patient", "x": ' + b"[" * 5000 + b"]" * 5000 + b"}")
