"""What a kick-off may ask for, and by which leave (Bulk Data Access 2.0.0, "Bulk Data Kick-off Request")."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from gateway.api.exporting import AT_ONCE, POLLS
from tests.bulk.bulk_support import GROUP, LEVELS, Exports, exports, flag, patient, place

Json = dict[str, Any]


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[Exports]:
    with exports(tmp_path) as made:
        for id in ("p1", "p2"):
            made.gateway.put(("*", "river"), patient(id), flag(f"f-{id}", id))
        yield made


def issue(answer: Any) -> Json:
    told: Json = answer.json()
    assert told["resourceType"] == "OperationOutcome"
    return told["issue"][0]


# --- headers


def test_without_respond_async_nothing_is_begun(gateway: Exports) -> None:
    refused = gateway.gateway.as_("greedy", "GET", LEVELS["system"])
    assert (refused.status_code, issue(refused)["expression"]) == (400, ["Prefer"])


def test_an_accept_that_is_not_json_is_refused(gateway: Exports) -> None:
    headers = {"Prefer": "respond-async", "Accept": "application/fhir+xml"}
    assert gateway.gateway.as_("greedy", "GET", LEVELS["system"], headers=headers).status_code == 406


# --- parameters

REFUSED = [
    "_outputFormat=application/fhir%2Bxml",
    "_outputFormat=csv",
    "_type=Unicorn",
    "_type=Patient,Unicorn",
    "_type=Slot",  # a type of R4 that is not held
    "_elements=Patient.id",
    "_typeFilter=Patient%3Fgender%3Dfemale",
    "includeAssociatedData=LatestProvenanceResources",
    "_colour=blue",
]


@pytest.mark.parametrize("query", REFUSED)
def test_what_is_not_supported_is_refused_unless_the_client_is_lenient(gateway: Exports, query: str) -> None:
    refused = gateway.kick_off("greedy", f"{LEVELS['system']}?{query}")
    assert refused.status_code == 400
    assert issue(refused)["expression"] == [f"$export?{query.partition('=')[0]}"]
    manifest = gateway.done("greedy", f"{LEVELS['system']}?{query}", prefer="handling=lenient")
    (notes,) = manifest["error"]
    (note,) = gateway.lines("greedy", notes)
    assert (notes["type"], note["resourceType"]) == ("OperationOutcome", "OperationOutcome")
    assert note["issue"][0]["severity"] == "warning"
    assert note["issue"][0]["expression"] == issue(refused)["expression"]


@pytest.mark.parametrize("since", ["2026", "2026-11-22", "2026-11-22T02:00:00", "yesterday", "", "2026-13-01T00:00:00Z"])
def test_since_is_an_instant_even_for_the_lenient(gateway: Exports, since: str) -> None:
    """To ignore it would hand out everything."""
    assert gateway.kick_off("greedy", f"{LEVELS['system']}?_since={since}", prefer="handling=lenient").status_code == 400


def test_types_may_be_listed_or_repeated(gateway: Exports) -> None:
    for query in ("_type=Patient,Flag", "_type=Patient&_type=Flag"):
        assert [each["type"] for each in gateway.done("greedy", f"{LEVELS['system']}?{query}")["output"]] == ["Flag", "Patient"]
    assert [each["type"] for each in gateway.done("greedy", f"{LEVELS['system']}?_type=Flag")["output"]] == ["Flag"]


def test_only_unknown_types_export_nothing_rather_than_everything(gateway: Exports) -> None:
    assert gateway.done("greedy", f"{LEVELS['system']}?_type=Unicorn", prefer="handling=lenient")["output"] == []


def test_types_that_are_no_patients_are_exported_at_system_level_alone(gateway: Exports) -> None:
    for level, status in (("system", 202), ("Patient", 400), ("Group", 400)):
        assert gateway.kick_off("greedy", f"{LEVELS[level]}?_type=Practitioner").status_code == status
        assert gateway.kick_off("greedy", f"{LEVELS[level]}?_type=Practitioner,Patient").status_code == 202


# --- POST


def parameters(*given: Json) -> dict[str, Any]:
    content = orjson.dumps({"resourceType": "Parameters", "parameter": list(given)})
    return {"method": "POST", "content": content}


def test_a_kick_off_by_post_says_the_same(gateway: Exports) -> None:
    asked = parameters(
        {"name": "_outputFormat", "valueString": "application/fhir+ndjson"},
        {"name": "_type", "valueString": "Patient"},
        {"name": "_type", "valueString": "Flag"},
        {"name": "_since", "valueInstant": "2026-11-22T02:00:01.500Z"},
    )
    manifest = gateway.done("greedy", LEVELS["system"], **asked)
    assert manifest["request"] == "https://gw.example/fhir/$export", "the parameters are not part of the address"
    assert gateway.everything("greedy", manifest) == ["Flag/f-p2", "Patient/p2"]


def test_patients_are_named_by_post_and_narrow_the_export(gateway: Exports) -> None:
    asked = parameters({"name": "patient", "valueReference": {"reference": "Patient/p2"}})
    for level in ("Patient", "Group"):
        assert gateway.everything("greedy", gateway.done("greedy", LEVELS[level], **asked)) == ["Flag/f-p2", "Patient/p2"]
    assert gateway.kick_off("greedy", LEVELS["system"], **asked).status_code == 400
    assert gateway.kick_off("greedy", f"{LEVELS['Patient']}?patient=Patient/p2").status_code == 400


def test_a_patient_of_another_agency_is_as_one_that_does_not_exist(gateway: Exports) -> None:
    gateway.gateway.put(("*", "oak"), patient("p3"))
    told = [
        gateway.kick_off("greedy", LEVELS["Patient"], **parameters({"name": "patient", "valueReference": {"reference": f"Patient/{id}"}}))
        for id in ("p3", "nobody")
    ]
    assert [each.status_code for each in told] == [400, 400]
    assert told[0].json() == told[1].json()
    lenient = gateway.done(
        "greedy", LEVELS["Patient"], prefer="handling=lenient", **parameters({"name": "patient", "valueReference": {"reference": "Patient/p3"}})
    )
    assert lenient["output"] == [], "nobody who was named is here: nobody's records"


NO_PARAMETERS = [
    b"{",
    b"[]",
    b'{"resourceType": "Patient"}',
    b'{"resourceType": "Parameters", "parameter": {}}',
    b'{"resourceType": "Parameters", "parameter": [1]}',
    b'{"resourceType": "Parameters", "parameter": [{"name": "_type"}]}',
    b'{"resourceType": "Parameters", "parameter": [{"name": "_type", "valueInteger": 1}]}',
    b'{"resourceType": "Parameters", "parameter": [{"valueString": "Patient"}]}',
]


@pytest.mark.parametrize("body", NO_PARAMETERS)
def test_a_body_that_is_no_parameters_is_refused(gateway: Exports, body: bytes) -> None:
    assert gateway.kick_off("greedy", LEVELS["system"], "POST", content=body).status_code == 400


# --- leave


def test_without_types_all_that_are_granted_are_exported_and_no_other(gateway: Exports) -> None:
    """River's app may read Patients; of Flags nothing is said in its scopes."""
    assert [each["type"] for each in gateway.done("river", LEVELS["system"])["output"]] == ["Patient"]


def test_a_type_that_is_named_has_to_be_granted(gateway: Exports) -> None:
    refused = gateway.kick_off("river", f"{LEVELS['system']}?_type=Patient,Flag")
    assert (refused.status_code, issue(refused)["code"]) == (403, "forbidden")
    manifest = gateway.done("river", f"{LEVELS['system']}?_type=Patient,Flag", prefer="handling=lenient")
    assert [each["type"] for each in manifest["output"]] == ["Patient"]
    assert len(manifest["error"]) == 1


def test_searching_alone_or_reading_alone_is_not_enough(gateway: Exports) -> None:
    """The narrow client may search for Tasks, and may not read them."""
    assert gateway.kick_off("narrow", LEVELS["system"]).status_code == 403


def test_a_scope_with_a_constraint_narrows_the_files(gateway: Exports) -> None:
    def observation(id: str, category: str) -> Json:
        coding = [{"system": "http://x", "code": category}]
        return {"resourceType": "Observation", "id": id, "status": "final", "category": [{"coding": coding}], "code": {"text": "Score"}}

    gateway.gateway.put(("*", "river"), observation("o1", "laboratory"), observation("o2", "survey"))
    manifest = gateway.done("river", f"{LEVELS['system']}?_type=Observation")
    assert gateway.everything("river", manifest) == ["Observation/o1"]
    assert [each["count"] for each in manifest["output"]] == [1]


def test_a_hospital_exports_nothing(gateway: Exports) -> None:
    assert gateway.kick_off("hospital", LEVELS["system"]).status_code == 403


# --- Groups


def test_an_agency_finds_its_own_group_and_no_other(gateway: Exports) -> None:
    gateway.gateway.put(("*", "oak"), patient("p3"))
    found = gateway.gateway.as_("coordinator", "GET", "/fhir/Group").json()["entry"]
    members = {each["resource"]["identifier"][0]["value"]: each["resource"] for each in found}
    assert {name: each["quantity"] for name, each in members.items()} == {"river": 2, "oak": 1}
    assert len(members["oak"]["id"]) == 32, "opaque"
    (own,) = gateway.gateway.as_("greedy", "GET", "/fhir/Group").json()["entry"]
    assert own["resource"]["id"] == GROUP == members["river"]["id"]
    for address in (f"/fhir/Group/{members['oak']['id']}", "/fhir/Group/nonsense"):
        assert gateway.gateway.as_("greedy", "GET", address).status_code == 404
    assert gateway.kick_off("greedy", f"/fhir/Group/{members['oak']['id']}/$export").status_code == 404
    assert gateway.gateway.as_("greedy", "GET", "/fhir/Group?identifier=river").json()["total"] == 1
    assert gateway.gateway.as_("greedy", "GET", "/fhir/Group?identifier=oak").json()["total"] == 0
    assert gateway.gateway.as_("greedy", "GET", "/fhir/Group?member=Patient/p1").status_code == 400


def test_who_reads_a_group_is_audited_with_its_members(gateway: Exports) -> None:
    gateway.gateway.as_("greedy", "GET", f"/fhir/Group/{GROUP}")
    (told,) = gateway.gateway.disclosed
    assert (told.act, told.shown.patients) == ("read", ("Patient/p1", "Patient/p2"))


# --- not too much at once


def test_a_client_has_so_many_exports_under_way(gateway: Exports) -> None:
    taken = [gateway.kick_off("greedy") for _ in range(AT_ONCE)]
    refused = gateway.kick_off("greedy")
    assert (refused.status_code, issue(refused)["code"], refused.headers["retry-after"]) == (429, "throttled", "1")
    assert gateway.kick_off("river").status_code == 202, "another client has its own"
    gateway.gateway.as_("greedy", "DELETE", place(taken[0]))
    assert gateway.kick_off("greedy").status_code == 202


def test_a_status_that_is_asked_for_without_a_pause_is_refused_for_a_while(gateway: Exports) -> None:
    taken = gateway.kick_off("greedy")
    found = [gateway.gateway.as_("greedy", "GET", place(taken)) for _ in range(POLLS.burst * 10)]
    statuses = [each.status_code for each in found]
    assert statuses[: POLLS.burst] == [202] * POLLS.burst
    assert 429 in statuses
    refused = found[statuses.index(429)]
    assert int(refused.headers["retry-after"]) > 0
    assert issue(refused)["code"] == "throttled"
