"""Each check that Inferno's Bulk Data Test Kit makes of a server under Bulk Data Access 2.0.0, at each of the three levels (docs/conformance.md)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest

from tests.bulk.bulk_support import GROUP, LEVELS, Exports, exports, flag, patient, place
from tests.produced import errors

Json = dict[str, Any]
DEFINITIONS = {"system": "export", "Patient": "patient-export", "Group": "group-export"}
levels = pytest.mark.parametrize("level", LEVELS)


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Exports]:
    """River has two clients, and a flag for each."""
    with exports(tmp_path_factory.mktemp("bulk")) as made:
        for id in ("p1", "p2"):
            made.gateway.put(("*", "river"), patient(id), flag(f"f-{id}", id))
        yield made


@pytest.fixture(scope="module")
def manifests(gateway: Exports) -> dict[str, Json]:
    return {level: gateway.done("greedy", address) for level, address in LEVELS.items()}


@levels
def test_the_capability_statement_declares_the_operation(gateway: Exports, level: str) -> None:
    told = gateway.gateway.http.get("/fhir/metadata").json()
    assert "http://hl7.org/fhir/uv/bulkdata/CapabilityStatement/bulk-data" in told["instantiates"]
    rest = told["rest"][0]
    declares = rest if level == "system" else next(each for each in rest["resource"] if each["type"] == level)
    found = {each["name"]: each["definition"] for each in declares["operation"]}
    assert found["export"] == f"http://hl7.org/fhir/uv/bulkdata/OperationDefinition/{DEFINITIONS[level]}"


@levels
def test_a_kick_off_without_a_token_is_refused(gateway: Exports, level: str) -> None:
    headers = {"Accept": "application/fhir+json", "Prefer": "respond-async"}
    assert gateway.gateway.http.request("GET", LEVELS[level], headers=headers).status_code == 401


@levels
def test_a_kick_off_is_taken_and_says_where_to_ask(gateway: Exports, level: str) -> None:
    taken = gateway.kick_off("greedy", LEVELS[level])
    assert taken.status_code == 202
    assert taken.headers["content-location"].startswith("https://gw.example/")
    assert taken.json()["resourceType"] == "OperationOutcome"
    assert gateway.gateway.as_("greedy", "DELETE", place(taken)).status_code == 202


@levels
def test_the_status_is_202_until_the_manifest_is_there(gateway: Exports, level: str) -> None:
    taken = gateway.kick_off("greedy", LEVELS[level])
    pending = gateway.gateway.as_("greedy", "GET", place(taken), headers={"Accept": "application/json"})
    assert pending.status_code == 202
    assert int(pending.headers["retry-after"]) > 0
    assert 0 < len(pending.headers["x-progress"]) < 100
    gateway.work()
    done = gateway.gateway.as_("greedy", "GET", place(taken), headers={"Accept": "application/json"})
    assert done.status_code == 200
    assert done.headers["content-type"] == "application/json"
    assert done.headers["expires"].endswith(" GMT")
    assert {"transactionTime", "request", "requiresAccessToken", "output", "error"} <= done.json().keys()


@levels
def test_the_manifest_says_what_was_asked_and_that_files_take_a_token(manifests: dict[str, Json], level: str) -> None:
    assert manifests[level]["request"] == f"https://gw.example{LEVELS[level]}"
    assert manifests[level]["requiresAccessToken"] is True
    assert manifests[level]["error"] == []


@levels
def test_each_output_item_has_a_type_and_an_absolute_url(manifests: dict[str, Json], level: str) -> None:
    output = manifests[level]["output"]
    assert [each["type"] for each in output] == ["Flag", "Patient"]
    assert all(each["url"].startswith("https://gw.example/") for each in output)


@levels
def test_a_file_without_a_token_is_refused(gateway: Exports, manifests: dict[str, Json], level: str) -> None:
    for each in manifests[level]["output"]:
        found = gateway.gateway.http.request("GET", each["url"], headers={"Accept": "application/fhir+ndjson"})
        assert found.status_code == 401


@levels
def test_a_file_is_ndjson_of_its_one_type(gateway: Exports, manifests: dict[str, Json], level: str) -> None:
    for each in manifests[level]["output"]:
        found = gateway.gateway.as_("greedy", "GET", each["url"].removeprefix("https://gw.example"), headers={"Accept": "application/fhir+ndjson"})
        assert found.headers["content-type"].startswith("application/fhir+ndjson")
        assert found.content.endswith(b"\n")
        resources = gateway.lines("greedy", each)
        assert {one["resourceType"] for one in resources} == {each["type"]}
        assert len(resources) == each["count"] == 2


@levels
def test_exported_resources_are_valid_us_core(gateway: Exports, manifests: dict[str, Json], level: str) -> None:
    for each in manifests[level]["output"]:
        for one in gateway.lines("greedy", each):
            assert errors(one, "6.1.0") == []


@levels
def test_there_is_more_than_one_patient(gateway: Exports, manifests: dict[str, Json], level: str) -> None:
    found = [each for each in gateway.everything("greedy", manifests[level]) if each.startswith("Patient/")]
    assert found == ["Patient/p1", "Patient/p2"]


def test_the_patients_are_the_members_of_the_group(gateway: Exports, manifests: dict[str, Json]) -> None:
    group = gateway.gateway.as_("greedy", "GET", f"/fhir/Group/{GROUP}").json()
    assert [each["entity"]["reference"] for each in group["member"]] == ["Patient/p1", "Patient/p2"]
    found = {each for each in gateway.everything("greedy", manifests["Group"]) if each.startswith("Patient/")}
    assert found == {each["entity"]["reference"] for each in group["member"]}


@levels
@pytest.mark.parametrize("format", ["application/fhir+ndjson", "application/ndjson", "ndjson"])
def test_each_name_of_the_format_is_taken(gateway: Exports, level: str, format: str) -> None:
    taken = gateway.kick_off("greedy", f"{LEVELS[level]}?_outputFormat={quote(format)}")
    assert taken.status_code == 202
    assert gateway.gateway.as_("greedy", "DELETE", place(taken)).status_code == 202


@levels
@pytest.mark.parametrize("since", ["2026-11-22T02:00:01Z", "2026-11-22T02:00:01.500Z", "2026-11-21T20:00:01-06:00", "2026-11-22T03:00:01+01:00"])
def test_since_is_taken_and_narrows(gateway: Exports, level: str, since: str) -> None:
    """The first client was put down at 02:00:01, the second at 02:00:02."""
    manifest = gateway.done("greedy", f"{LEVELS[level]}?_since={since}")
    assert "Patient/p2" in gateway.everything("greedy", manifest)
    assert ("Patient/p1" in gateway.everything("greedy", manifest)) == (since != "2026-11-22T02:00:01.500Z")


@levels
def test_a_job_can_be_cancelled(gateway: Exports, level: str) -> None:
    taken = gateway.kick_off("greedy", LEVELS[level])
    assert gateway.gateway.as_("greedy", "DELETE", place(taken)).status_code == 202


@levels
def test_a_cancelled_job_is_not_found_and_an_operation_outcome_says_so(gateway: Exports, level: str) -> None:
    for worked in (False, True):
        taken = gateway.kick_off("greedy", LEVELS[level])
        if worked:
            gateway.work()
        gateway.gateway.as_("greedy", "DELETE", place(taken))
        gateway.work()
        gone = gateway.gateway.as_("greedy", "GET", place(taken), headers={"Accept": "application/json"})
        assert gone.status_code == 404
        assert gone.json()["resourceType"] == "OperationOutcome"
        assert errors(gone.json(), "6.1.0") == []
