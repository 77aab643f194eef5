"""What an export holds: what its recipient saw at one moment, and nothing that has been withheld since (DESIGN, laws 5 and 8)."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest

from gateway.api import export_content, export_work
from gateway.fhir.search import terms
from gateway.fhir.times import first
from gateway.privacy.audit import EXPORT
from gateway.smart.scopes import parse
from gateway.store.interface import Change, ClientRow, NewVersion
from tests.api.gateway_api import CALLERS
from tests.bulk.bulk_support import GROUP, LEVELS, Exports, exports, flag, path, patient, place

Json = dict[str, Any]
RESTRICTED = {"system": "http://terminology.hl7.org/CodeSystem/v3-Confidentiality", "code": "R"}
SUD = {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "SUD"}


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[Exports]:
    with exports(tmp_path) as made:
        yield made


def finished(gateway: Exports, who: str, address: str = LEVELS["system"]) -> Json:
    return gateway.done(who, address)


# --- one moment


def test_what_changes_after_the_transaction_time_is_not_in_the_files(gateway: Exports) -> None:
    """Neither a new resource nor a new version; and the version of then is."""
    gateway.gateway.put(("*", "river"), patient("p1"))
    manifest = finished(gateway, "greedy")
    gateway.gateway.put(("*", "river"), patient("p1", birthDate="1980-01-01"), patient("p2"))
    (one,) = gateway.lines("greedy", manifest["output"][0])
    assert "birthDate" not in one
    assert one["meta"]["versionId"] == "1"
    later = finished(gateway, "greedy", f"{LEVELS['system']}?_since={manifest['transactionTime']}")
    assert gateway.everything("greedy", later) == ["Patient/p1", "Patient/p2"]
    assert gateway.lines("greedy", later["output"][0])[0]["birthDate"] == "1980-01-01"


def test_exports_that_follow_one_another_miss_nothing_and_repeat_nothing(gateway: Exports) -> None:
    """Changes between the kick-offs, between kick-off and work, and while files are read; also when the clock steps back an hour."""
    seen: list[str] = []
    since, number = "1970-01-01T00:00:00Z", 0
    for turn in range(6):
        for _ in range(3):
            gateway.gateway.put(("*", "river"), patient(f"n{(number := number + 1)}"))
        taken = gateway.kick_off("greedy", f"{LEVELS['system']}?_since={since}")
        gateway.gateway.put(("*", "river"), patient(f"n{(number := number + 1)}"))
        gateway.work()
        gateway.gateway.put(("*", "river"), patient(f"n{(number := number + 1)}"))
        manifest = gateway.gateway.as_("greedy", "GET", place(taken)).json()
        found = [one for item in manifest["output"] for one in gateway.lines("greedy", item)]
        assert all(one["meta"]["lastUpdated"] <= manifest["transactionTime"] for one in found)
        seen += [one["id"] for one in found]
        since = manifest["transactionTime"]
        if turn == 2:
            gateway.gateway.now -= 3_600_000_000
    seen += [
        each.removeprefix("Patient/") for each in gateway.everything("greedy", finished(gateway, "greedy", f"{LEVELS['system']}?_since={since}"))
    ]
    assert seen == [f"n{each}" for each in range(1, number + 1)]


def test_the_transaction_time_tells_an_agency_nothing_of_others(gateway: Exports) -> None:
    """It is the moment of the export, not of the last change of anybody's."""
    gateway.gateway.put(("*", "river"), patient("p1"))
    gateway.gateway.put(("*", "oak"), patient("p2"))
    gateway.gateway.now += 5_000_000
    assert first(finished(gateway, "greedy")["transactionTime"]) == gateway.gateway.now


def test_deletions_since_are_listed_and_are_no_output(gateway: Exports) -> None:
    gateway.gateway.put(("*", "river"), patient("p1"), flag("f1", "p1"), flag("f2", "p1"))
    manifest = finished(gateway, "greedy")
    gateway.gateway.delete("river", "Flag", "f1")
    assert finished(gateway, "greedy")["deleted"] == [], "without _since nothing is said to be deleted"
    later = finished(gateway, "greedy", f"{LEVELS['system']}?_since={manifest['transactionTime']}")
    assert gateway.everything("greedy", later) == []
    assert gateway.deleted("greedy", later) == ["Flag/f1"]
    assert [(each["type"], each["count"]) for each in later["deleted"]] == [("Bundle", 1)]
    bundles = [gateway.lines("greedy", each)[0] for each in later["deleted"]]
    assert [each["type"] for each in bundles] == ["transaction"]


def test_deletions_of_types_that_are_not_asked_for_or_granted_are_not_listed(gateway: Exports) -> None:
    gateway.gateway.put(("*", "river"), patient("p1"), flag("f1", "p1"))
    for each in ("Flag/f1", "Patient/p1"):
        gateway.gateway.delete("river", *each.split("/"))
    since = "_since=2026-01-01T00:00:00Z"
    assert gateway.deleted("greedy", finished(gateway, "greedy", f"{LEVELS['system']}?{since}&_type=Patient")) == ["Patient/p1"]
    assert gateway.deleted("river", finished(gateway, "river", f"{LEVELS['system']}?{since}")) == ["Patient/p1"]
    assert gateway.deleted("greedy", finished(gateway, "greedy", f"{LEVELS['system']}?{since}")) == ["Flag/f1", "Patient/p1"]


def test_a_deletion_counts_where_what_was_deleted_met_the_scope(gateway: Exports) -> None:
    def observation(id: str, category: str) -> Json:
        coding = [{"system": "http://x", "code": category}]
        return {"resourceType": "Observation", "id": id, "status": "final", "category": [{"coding": coding}], "code": {"text": "Score"}}

    gateway.gateway.put(("*", "river"), observation("o1", "laboratory"), observation("o2", "survey"))
    for id in ("o1", "o2"):
        gateway.gateway.delete("river", "Observation", id)
    later = finished(gateway, "river", f"{LEVELS['system']}?_since=2026-01-01T00:00:00Z")
    assert gateway.deleted("river", later) == ["Observation/o1"]


# --- whose it is


def test_an_agency_exports_its_own_view_and_nothing_of_others(gateway: Exports) -> None:
    gateway.gateway.put(("*", "river"), patient("p1"))
    gateway.gateway.put(("*", "oak"), patient("p2"))
    gateway.gateway.put(("*",), patient("p3"))
    assert gateway.everything("greedy", finished(gateway, "greedy")) == ["Patient/p1"]
    assert gateway.everything("oak", finished(gateway, "oak")) == ["Patient/p2"]
    assert gateway.everything("coordinator", finished(gateway, "coordinator")) == ["Patient/p1", "Patient/p2", "Patient/p3"]


def test_each_recipient_gets_its_own_version(gateway: Exports) -> None:
    """What is withheld from the agency is not in its file, nor in the number of the version."""
    gateway.gateway.put(("*",), patient("p1", birthDate="1980-01-01"))
    gateway.gateway.put(("river",), patient("p1"))
    for who, said in (("greedy", None), ("coordinator", "1980-01-01")):
        (one,) = gateway.lines(who, finished(gateway, who)["output"][0])
        assert (one.get("birthDate"), one["meta"]["versionId"]) == (said, "1")


@pytest.mark.parametrize("other", ["river", "oak", "coordinator"])
def test_a_job_is_its_clients_own(gateway: Exports, other: str) -> None:
    """Another client of the same organization, another organization's, and even the coordinator's find nothing there."""
    gateway.gateway.put(("*", "river"), patient("p1"))
    taken = gateway.kick_off("greedy")
    gateway.work()
    file = path(gateway.gateway.as_("greedy", "GET", place(taken)).json()["output"][0]["url"])
    for method, address in (("GET", place(taken)), ("GET", file), ("DELETE", place(taken))):
        found = gateway.gateway.as_(other, method, address)
        assert found.status_code == 404
        assert found.json()["resourceType"] == "OperationOutcome"
    assert gateway.gateway.as_("greedy", "GET", file).status_code == 200


def test_a_file_takes_a_token_that_reaches_its_type(gateway: Exports, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same client comes back with a token for less."""
    gateway.gateway.put(("*", "river"), patient("p1"), flag("f1", "p1"))
    manifest = finished(gateway, "greedy")
    monkeypatch.setitem(CALLERS, "greedy", replace(CALLERS["greedy"], scopes=parse("system/Patient.rs")))
    found = {each["type"]: gateway.gateway.as_("greedy", "GET", path(each["url"])).status_code for each in manifest["output"]}
    assert found == {"Flag": 403, "Patient": 200}


def test_a_file_holds_no_more_than_the_kick_off_was_granted(gateway: Exports, monkeypatch: pytest.MonkeyPatch) -> None:
    gateway.gateway.put(("*", "river"), patient("p1"), patient("p2", gender="male"))
    monkeypatch.setitem(CALLERS, "greedy", replace(CALLERS["greedy"], scopes=parse("system/Patient.rs?gender=male")))
    manifest = finished(gateway, "greedy")
    monkeypatch.setitem(CALLERS, "greedy", replace(CALLERS["greedy"], scopes=parse("system/Patient.rs")))
    assert gateway.everything("greedy", manifest) == ["Patient/p2"]


# --- what was withheld since


def test_what_was_withdrawn_after_the_export_is_left_out_of_its_files(gateway: Exports) -> None:
    """A consent is revoked between the manifest and the download: it counts at once. The next export tells of it."""
    gateway.gateway.put(("*", "river"), patient("p1"), patient("p2"))
    manifest = finished(gateway, "greedy")
    gateway.gateway.delete("river", "Patient", "p1")
    assert gateway.everything("greedy", manifest) == ["Patient/p2"]
    later = finished(gateway, "greedy", f"{LEVELS['system']}?_since={manifest['transactionTime']}")
    assert gateway.deleted("greedy", later) == ["Patient/p1"]


def test_a_version_with_a_label_that_was_taken_off_since_is_left_out(gateway: Exports) -> None:
    """As `vread` does: it was disclosed once, and may not be now. The version of today comes with the next export."""
    gateway.gateway.put(("*", "river"), patient("p1", meta={"security": [RESTRICTED, SUD]}))
    manifest = finished(gateway, "greedy")
    gateway.gateway.put(("*", "river"), patient("p1", meta={"security": [RESTRICTED]}))
    assert gateway.everything("greedy", manifest) == []
    later = finished(gateway, "greedy", f"{LEVELS['system']}?_since={manifest['transactionTime']}")
    assert gateway.everything("greedy", later) == ["Patient/p1"]


def test_whoever_is_revoked_gets_no_more(gateway: Exports, monkeypatch: pytest.MonkeyPatch) -> None:
    gateway.gateway.put(("*", "river"), patient("p1"))
    manifest = finished(gateway, "greedy")
    gateway.gateway.store.credentials.add_client(ClientRow("greedy", "agency", "river", "system/*.rs", revoked=5))
    assert gateway.gateway.as_("greedy", "GET", path(manifest["output"][0]["url"])).status_code == 403


# --- a Group, for somebody who sees more than its agency


def stored(gateway: Exports, person: str, *versions: tuple[tuple[str, ...], Json], partition: bool = True) -> None:
    """Commit resources in the partition of one person, or of nobody."""
    with gateway.gateway.store.write(gateway.gateway.now) as writer:
        number = 0
        if partition:
            known = writer.partitions([person])
            number = writer.bind([person], known[0] if known else None)
        made = [NewVersion(who, each["resourceType"], each["id"], orjson.dumps(each), terms(each)) for whom, each in versions for who in whom]
        writer.apply(Change(number, made))


def test_a_coordinator_exports_an_agencys_clients_as_the_coordinator_sees_them(gateway: Exports) -> None:
    def provenance(id: str, target: str) -> Json:
        return {"resourceType": "Provenance", "id": id, "target": [{"reference": target}], "recorded": "2026-03-02T10:00:00Z", "agent": []}

    both = ("*", "river")
    stored(
        gateway,
        "one",
        (both, patient("p1")),
        (("*",), flag("withheld", "p1")),
        (("*",), provenance("v1", "Flag/withheld")),
    )
    stored(gateway, "two", (("*", "oak"), patient("p2")), (("*", "oak"), flag("f2", "p2")), (("*",), provenance("v2", "Flag/f2")))
    practitioner = {"resourceType": "Practitioner", "id": "d1", "name": [{"family": "House"}]}
    stored(gateway, "", (both, practitioner), (("*",), {**practitioner, "id": "d2"}), partition=False)
    expected = ["Flag/withheld", "Patient/p1", "Practitioner/d1", "Provenance/v1"]
    address = f"/fhir/Group/{GROUP}/$export"
    assert gateway.everything("coordinator", finished(gateway, "coordinator", address)) == expected
    assert gateway.everything("greedy", finished(gateway, "greedy", address)) == ["Patient/p1", "Practitioner/d1"]


# --- files


def test_a_file_is_packed_if_asked(gateway: Exports) -> None:
    gateway.gateway.put(("*", "river"), *(patient(f"p{number}") for number in range(50)))
    address = path(finished(gateway, "greedy")["output"][0]["url"])
    plain = gateway.gateway.as_("greedy", "GET", address, headers={"Accept-Encoding": "identity"})
    assert "content-encoding" not in plain.headers
    assert gateway.gateway.as_("greedy", "GET", address, headers={"Accept-Encoding": "gzip;q=0"}).headers.get("content-encoding") is None
    packed = gateway.gateway.as_("greedy", "GET", address, headers={"Accept-Encoding": "br, gzip;q=0.5"})
    assert packed.headers["content-encoding"] == "gzip"
    assert packed.headers["vary"] == "Accept-Encoding"
    assert packed.content == plain.content, "httpx has unpacked it"
    assert len(gzip.compress(plain.content)) < len(plain.content) / 3
    assert gateway.gateway.as_("greedy", "GET", address, headers={"Accept": "application/fhir+xml"}).status_code == 406


def test_large_exports_come_in_pages_and_files_with_nothing_lost_between(gateway: Exports, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages of 7, files of 20: cut anywhere, the lines are the same."""
    monkeypatch.setattr(export_content, "PAGE", 7)
    gateway.worker = export_work.Worker(gateway.gateway.store, lambda: gateway.gateway.now, file=20)
    ids = [f"p{number:03}" for number in range(100)]
    gateway.gateway.put(("*",), *(patient(id) for id in (*ids, "x1", "x2")))
    gateway.gateway.put(("river",), *(patient(id) for id in ids))  # of bodies that there are: one position after the other
    manifest = finished(gateway, "greedy")
    sizes = [each["count"] for each in manifest["output"]]
    assert len(sizes) > 3
    assert all(20 <= size < 27 for size in sizes[:-1])
    assert [len(gateway.lines("greedy", each)) for each in manifest["output"]] == sizes
    assert gateway.everything("greedy", manifest) == [f"Patient/{id}" for id in ids]


def test_nothing_to_export_is_an_empty_manifest(gateway: Exports) -> None:
    manifest = finished(gateway, "greedy")
    assert (manifest["output"], manifest["deleted"], manifest["error"]) == ([], [], [])


@pytest.mark.parametrize("name", ["1.ndjson", "-1.ndjson", "x.ndjson", "0.ndjson.gz", "٣.ndjson", "99999999.ndjson", ".ndjson"])
def test_a_file_that_there_is_not_is_not_found(gateway: Exports, name: str) -> None:
    gateway.gateway.put(("*", "river"), patient("p1"))
    taken = gateway.kick_off("greedy")
    assert gateway.gateway.as_("greedy", "GET", f"{place(taken)}/0.ndjson").status_code == 404, "not yet"
    gateway.work()
    assert gateway.gateway.as_("greedy", "GET", f"{place(taken)}/0.ndjson").status_code == 200
    assert gateway.gateway.as_("greedy", "GET", f"{place(taken)}/{name}").status_code == 404


# --- audit


def test_each_download_is_audited_with_whom_it_is_about(gateway: Exports) -> None:
    gateway.gateway.put(("*", "river"), patient("p1"), flag("f1", "p1"), patient("p2"))
    manifest = finished(gateway, "greedy")
    assert gateway.gateway.disclosed == [], "the manifest shows no record"
    for each in manifest["output"]:
        gateway.lines("greedy", each)
    flags, patients = gateway.gateway.disclosed
    assert (flags.act, flags.who, flags.organization, flags.query) == ("export", "greedy", "river", "https://gw.example/fhir/$export")
    assert flags.shown.patients == ("Patient/p1",)
    assert patients.shown.patients == ("Patient/p1", "Patient/p2")
    assert flags.shown.identifiers == ((EXPORT, path(manifest["output"][0]["url"]).removeprefix("/api/exports/")),)


def test_what_cannot_be_audited_is_not_sent(gateway: Exports) -> None:
    gateway.gateway.put(("*", "river"), patient("p1"))
    manifest = finished(gateway, "greedy")
    gateway.gateway.full = True
    refused = gateway.gateway.as_("greedy", "GET", path(manifest["output"][0]["url"]))
    assert refused.status_code == 503
    assert b"Familyp1" not in refused.content
