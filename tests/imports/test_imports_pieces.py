"""A large Bundle in pieces: each entry once and as it was sent, whole stays together, nothing that dangles. A rebuild derives the same."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest

from gateway.adapters.files import sending
from gateway.mappings.fhir.pieces import Piece, pieces
from gateway.pipeline.rebuild import rebuild
from tests.imports.stores import NOW, county, last, records, taken, types

Json = dict[str, Any]


def url(number: int) -> str:
    return f"urn:uuid:00000000-0000-4000-8000-{number:012}"


def entry(number: int, type: str, **said: Any) -> Json:
    return {"fullUrl": url(number), "resource": {"resourceType": type, "id": url(number)[9:], **said}, "request": {"method": "POST", "url": type}}


def to(number: int) -> Json:
    return {"reference": url(number)}


INPATIENT = {"status": "finished", "class": {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "IMP"}}
CODE = {"coding": [{"system": "http://hl7.org/fhir/sid/icd-10-cm", "code": "F32.2"}]}
BUNDLE = {
    "resourceType": "Bundle",
    "type": "transaction",
    "entry": [
        entry(1, "Patient", identifier=[{"system": "urn:oid:1.2.3", "value": "M1"}], gender="female"),
        entry(2, "Practitioner", identifier=[{"system": "http://hl7.org/fhir/sid/us-npi", "value": "1245319599"}], name=[{"family": "Ng"}]),
        entry(10, "Encounter", **INPATIENT, subject=to(1), period={"start": "2026-03-01", "end": "2026-03-09"}),
        entry(11, "Condition", code=CODE, subject=to(1), encounter=to(10), asserter=to(2)),
        entry(12, "Observation", status="final", code={"text": "weight"}, subject=to(1), encounter=to(10), performer=[to(2)]),
        entry(20, "Encounter", **INPATIENT, subject=to(1), period={"start": "2026-05-01", "end": "2026-05-02"}, diagnosis=[{"condition": to(11)}]),
        entry(21, "Procedure", status="completed", code={"text": "ECT"}, subject=to(1), encounter=to(20), reasonReference=[to(11)]),
        entry(30, "Location", name="Ward 3"),
    ],
}
RAW = orjson.dumps(BUNDLE, option=orjson.OPT_INDENT_2).replace(b'"weight"', b'"weight: 71.50 \\u00fc"')


def numbers(piece: Piece) -> list[int]:
    return [int(each["fullUrl"][-12:]) for each in orjson.loads(piece.raw)["entry"]]


def test_a_piece_holds_whole_stays_and_the_people_they_name() -> None:
    found = pieces(RAW, 3)
    assert [numbers(piece) for piece in found] == [[1], [10, 11, 12, 2], [20, 21, 11, 2], [30]], (
        "the second stay is judged by the first one's diagnosis"
    )
    assert sorted(kind for piece in found for kind in piece.types) == sorted(each["resource"]["resourceType"] for each in BUNDLE["entry"])


def test_what_stands_elsewhere_is_told_beside_by_type_and_identifiers() -> None:
    first = pieces(RAW, 3)[1]
    person = {"resourceType": "Patient", "id": url(1)[9:], "identifier": [{"system": "urn:oid:1.2.3", "value": "M1"}]}
    assert first.beside == ({"fullUrl": url(1), "resource": person},)


def test_entries_stay_as_they_were_sent() -> None:
    """Law 2: the inbox holds the bytes, decimals, escapes and all."""
    assert any(b'"weight: 71.50 \\u00fc"' in piece.raw for piece in pieces(RAW, 3))


@pytest.mark.parametrize(
    "raw",
    [
        RAW.replace(b'"transaction"', b'"message"'),
        RAW.replace(b'"transaction"', b'"document"'),
        RAW[:-9],
        b"[]",
        b'{"resourceType":"Patient"}',
        b'{"resourceType":"Bundle","entry":[{},{},{},{}]}',
        b'{"resourceType":"Bundle","entry":[{"resource":1},{},{},{}]}',
    ],
)
def test_what_is_one_statement_or_cannot_be_read_is_not_divided(raw: bytes) -> None:
    assert pieces(raw, 3) == []


def test_a_small_bundle_stays_whole() -> None:
    assert pieces(RAW, len(BUNDLE["entry"])) == []


def test_a_rebuild_derives_the_same_of_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sending, "ENTRIES", 3)
    file = tmp_path / "life.json"
    file.write_bytes(RAW)
    with county(tmp_path / "data") as (store, configuration):
        assert not taken(store, configuration, file).refused
        assert (types(store)["Encounter"], types(store)["Patient"]) == (2, 1)
        before, stood = last(store), records(store)
        done = rebuild(store, configuration, NOW)
        assert (done.inputs, done.failed, done.removed) == (4, 0, 0)
        assert (last(store), records(store)) == (before, stood)
