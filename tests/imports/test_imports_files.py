"""Files on disk become the same records as what is sent: NDJSON, single resources, Bundles, HL7 v2; plain or compressed; again and again."""

from __future__ import annotations

import bz2
import gzip
from collections import Counter
from pathlib import Path
from typing import Any

import orjson
import pytest

from gateway.adapters.files.reading import Document, documents, files_in
from gateway.adapters.files.sending import groups
from gateway.errors import GatewayError, Malformed, Usage
from tests.imports.stores import NOW, county, last, records, states, taken, transitions, types

Json = dict[str, Any]


def patient(number: int) -> Json:
    return {"resourceType": "Patient", "id": f"p{number}", "identifier": [{"system": "urn:oid:1.2.3", "value": f"M{number}"}], "gender": "female"}


def stay(number: int, **more: Any) -> Json:
    return {
        "resourceType": "Encounter",
        "id": f"e{number}",
        "status": "finished",
        "class": {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "IMP"},
        "subject": {"reference": f"Patient/p{number}"},
        "period": {"start": "2026-11-10T09:00:00-06:00", "end": "2026-11-20T14:00:00-06:00"},
        **more,
    }


def diagnosis(number: int, code: str = "F32.2") -> Json:
    return {
        "resourceType": "Condition",
        "id": f"c{number}",
        "code": {"coding": [{"system": "http://hl7.org/fhir/sid/icd-10-cm", "code": code}]},
        "subject": {"reference": f"Patient/p{number}"},
        "encounter": {"reference": f"Encounter/e{number}"},
    }


def lines(*resources: Json) -> bytes:
    return b"".join(orjson.dumps(each) + b"\n" for each in resources)


def message(control_id: str, event: str = "A03") -> bytes:
    return (
        f"MSH|^~\\&|ADT|STMARY|||20261120140000-0600||ADT^{event}|{control_id}|P|2.5.1\rEVN|{event}|20261120140000-0600\r"
        "PID|1||M1^^^STMARY^MR||Doe^Ann||19800102|F\rPV1|1|I|BHU^1^A||||||||||||||||V1|||||||||||||||||01||||||||20261110|20261120140000-0600\r"
    ).encode()


def test_an_export_by_types_becomes_what_each_client_had(tmp_path: Path) -> None:
    """Bulk Data: a file for each type, its lines in any order. The diagnosis, which comes by itself, makes the stay a psychiatric one."""
    (tmp_path / "Condition.ndjson").write_bytes(lines(*(diagnosis(number) for number in (3, 1, 2))))
    (tmp_path / "Encounter.ndjson.gz").write_bytes(gzip.compress(lines(*(stay(number) for number in (1, 2, 3)))))
    (tmp_path / "Patient.ndjson.bz2").write_bytes(bz2.compress(lines(*(patient(number) for number in (2, 3, 1)))))
    (tmp_path / "manifest.xml").write_text("<none/>")
    files, others = files_in([tmp_path])
    assert ([file.name for file in files], others) == (["Condition.ndjson", "Encounter.ndjson.gz", "Patient.ndjson.bz2"], 1)
    with county(tmp_path / "data") as (store, configuration):
        tally = taken(store, configuration, *files)
        assert tally.taken == Counter(Patient=3, Encounter=3, Condition=3)
        assert {each["psychiatric"]["answer"] for each in transitions(store)} == {"yes"}
        assert len(transitions(store)) == 3
        assert (types(store)["Patient"], types(store)["Encounter"], types(store)["Condition"]) == (3, 3, 3)


def test_the_order_of_files_does_not_matter(tmp_path: Path) -> None:
    """Law 3, where each resource says when it was recorded."""
    said = {"meta": {"lastUpdated": "2026-11-21T08:00:00Z"}}
    files = [tmp_path / f"{number}.ndjson" for number in range(3)]
    for file, resource in zip(files, (patient(1), stay(1), diagnosis(1)), strict=True):
        file.write_bytes(lines({**resource, **said}))
    found = []
    for number, order in enumerate((files, files[::-1])):
        with county(tmp_path / f"data{number}") as (store, configuration):
            taken(store, configuration, *order)
            found.append(([(one["status"], one["psychiatric"]["answer"], one["discharged"]) for one in transitions(store)], types(store)))
    assert found[0] == found[1]


def test_a_line_that_is_refused_costs_its_neighbours_nothing(tmp_path: Path) -> None:
    """Law 4: it is kept whole, with its file, its line and the reason."""
    file = tmp_path / "mixed.ndjson"
    file.write_bytes(lines(patient(1), stay(1), {**diagnosis(1), "code": "F32.2"}, stay(2)) + b'{"resourceType": "Condition",\n' + lines(patient(2)))
    with county(tmp_path / "data") as (store, configuration):
        tally = taken(store, configuration, file)
        assert tally.taken == Counter(Patient=2, Encounter=2)
        assert {(one.place.partition(",")[0], one.types.total()) for one in tally.refused} == {("line 3", 1), ("line 5", 1)}
        assert all(one.why and one.input for one in tally.refused)
        assert states(store) == Counter(processed=2, quarantined=2)
        again = taken(store, configuration, file)
        assert (again.known, len(again.refused)) == (Counter(Patient=2, Encounter=2), 2)
        assert states(store)["quarantined"] == 2, "what is refused again is the same row"


def test_an_import_again_changes_nothing(tmp_path: Path) -> None:
    """Laws 1 and 3: nothing is counted twice, nothing is written anew."""
    (tmp_path / "a.ndjson").write_bytes(lines(patient(1), stay(1)))
    (tmp_path / "b.json").write_bytes(orjson.dumps({"resourceType": "Bundle", "type": "searchset", "entry": [{"resource": diagnosis(1)}]}))
    (tmp_path / "c.hl7").write_bytes(message("1"))
    files = [tmp_path / name for name in ("a.ndjson", "b.json", "c.hl7")]
    with county(tmp_path / "data") as (store, configuration):
        taken(store, configuration, *files[:2])
        taken(store, configuration, files[2], feed="")
        before, stood = last(store), records(store)
        again = taken(store, configuration, *files[:2], now=NOW + 86_400_000_000)
        assert again.known == Counter(Patient=1, Encounter=1, Condition=1)
        assert taken(store, configuration, files[2], feed="", now=NOW + 86_400_000_000).known == Counter(message=1)
        assert (last(store), records(store)) == (before, stood)


@pytest.mark.parametrize(
    ("written", "read"),
    [
        (message("1"), ["message 1"]),
        (b"\x0b" + message("1") + b"\x1c\r\x0b" + message("2") + b"\x1c\r", ["message 1", "message 2"]),
        (b"FHS|^~\\&\rBHS|^~\\&\r" + message("1") + message("2") + b"BTS|2\rFTS|1\r", ["message 1", "message 2"]),
        (gzip.compress(message("1")), ["message 1"]),
    ],
)
def test_hl7v2_comes_alone_in_numbers_and_in_batches(tmp_path: Path, written: bytes, read: list[str]) -> None:
    file = tmp_path / "adt.hl7"
    file.write_bytes(written)
    assert [sent.place for group in groups(documents(file), "") for sent in group] == read
    with county(tmp_path / "data") as (store, configuration):
        assert taken(store, configuration, file, feed="").taken == Counter(message=len(read))
        (found,) = transitions(store)
        assert (found["status"], found["psychiatric"]["answer"]) == ("open", "yes")


def test_a_message_bound_to_another_feed_is_refused(tmp_path: Path) -> None:
    (tmp_path / "adt.hl7").write_bytes(message("1"))
    with county(tmp_path / "data") as (store, configuration):
        tally = taken(store, configuration, tmp_path / "adt.hl7", feed="ehr")
        assert (tally.taken.total(), [one.place for one in tally.refused]) == (0, ["message 1, MSH-4"])


def test_what_nobodys_care_rests_on_is_kept_raw_and_named(tmp_path: Path) -> None:
    (tmp_path / "Claim.ndjson").write_bytes(lines({"resourceType": "Basic", "id": "b1", "code": {"text": "note"}}))
    with county(tmp_path / "data") as (store, configuration):
        tally = taken(store, configuration, tmp_path / "Claim.ndjson")
        assert (tally.taken, tally.kept, tally.refused) == (Counter(Basic=1), Counter(Basic=1), [])
        assert states(store) == Counter(processed=1)


@pytest.mark.parametrize(
    ("name", "written", "kinds"),
    [
        ("pretty.json", orjson.dumps(patient(1), option=orjson.OPT_INDENT_2), [("json", 0)]),
        ("one line.json", orjson.dumps(patient(1)), [("json", 1)]),
        ("marked.ndjson", b"\xef\xbb\xbf" + lines(patient(1), patient(2)), [("json", 1), ("json", 2)]),
        ("gaps.ndjson", b"\n\r\n" + lines(patient(1)) + b"\n" + lines(patient(2)).strip(), [("json", 3), ("json", 5)]),
        ("broken first.ndjson", b"{broken\n" + lines(patient(1)), [("json", 1), ("json", 2)]),
        ("empty.json", b"", []),
    ],
)
def test_files_are_read_a_document_at_a_time(tmp_path: Path, name: str, written: bytes, kinds: list[tuple[str, int]]) -> None:
    file = tmp_path / name
    file.write_bytes(written)
    assert [(one.kind, one.line) for one in documents(file)] == kinds


@pytest.mark.parametrize("written", [b"%PDF-1.7", b"<Patient/>", gzip.compress(lines(patient(1)) * 50)[:-20], bz2.compress(b"{}" * 5000)[:-4]])
def test_what_cannot_be_read_is_refused_by_name(tmp_path: Path, written: bytes) -> None:
    file = tmp_path / "scan.json"
    file.write_bytes(written)
    with pytest.raises(Malformed):
        list(documents(file))
    with county(tmp_path / "data") as (store, configuration):
        assert [one.file for one in taken(store, configuration, file).refused] == [file]


def test_what_came_before_the_damage_was_taken(tmp_path: Path) -> None:
    file = tmp_path / "cut.ndjson.gz"
    resources = [{**patient(number), "extension": [{"url": "urn:x", "valueString": f"{number * 7919 % 10007:x}" * 40}]} for number in range(3000)]
    file.write_bytes(gzip.compress(lines(*resources))[:-2000])
    read: list[Document] = []
    with pytest.raises(GatewayError):
        read.extend(documents(file))
    assert len(read) > 1000


def test_a_path_that_is_not_there_is_a_wrong_command(tmp_path: Path) -> None:
    with pytest.raises(Usage):
        files_in([tmp_path / "nothing"])
