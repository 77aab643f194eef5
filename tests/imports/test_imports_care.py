"""Plans, requests and care teams that the EHR owns: kept as theirs beside ours, and what becomes of them moves the transition.

The client: an inpatient stay for depression (F32.2), left on 20 November 2026 at 14:00; the plan and the request were made on the 19th. Each resource
comes in a file of its own, as `$export` and a poll deliver them. What is expected was written by hand.
"""

from __future__ import annotations

from itertools import permutations
from pathlib import Path
from typing import Any

import orjson
import pytest

from gateway.pipeline.configuration import Configuration
from gateway.store.interface import ALL, Store
from tests.imports.stores import CONFIGURATION, county, records, taken, transitions
from tests.imports.test_imports_files import diagnosis, lines, patient, stay

Json = dict[str, Any]
VISIT = {"identifier": [{"system": "urn:oid:1.2.4", "value": "V1"}]}
AGENCIES = """
[[agency]]
id = "river"
name = "River Community Mental Health"
postal_codes = ["627*"]
[[agency]]
id = "prairie"
name = "Prairie Center"
postal_codes = ["600*"]
"""


def said(resource: Json, at: str) -> Json:
    return {**resource, "meta": {"lastUpdated": f"2026-11-{at}Z"}}


def plan(**more: Any) -> Json:
    return {
        "resourceType": "CarePlan",
        "id": "cp1",
        "status": "active",
        "intent": "plan",
        "title": "Ward's plan",
        "subject": {"reference": "Patient/p1"},
        "encounter": {"reference": "Encounter/e1"},
        "activity": [{"detail": {"status": "scheduled", "description": "Bring the medication box"}}],
        **more,
    }


def request(**more: Any) -> Json:
    return {
        "resourceType": "ServiceRequest",
        "id": "sr1",
        "status": "active",
        "intent": "order",
        "code": {"text": "Community mental health follow-up"},
        "subject": {"reference": "Patient/p1"},
        "encounter": {"reference": "Encounter/e1"},
        "performer": [{"display": "Prairie Center"}],
        "occurrenceDateTime": "2026-11-25",
        **more,
    }


def team(**more: Any) -> Json:
    return {
        "resourceType": "CareTeam",
        "id": "ct1",
        "status": "active",
        "subject": {"reference": "Patient/p1"},
        "encounter": {"reference": "Encounter/e1"},
        "participant": [{"role": [{"text": "Psychiatrist"}], "member": {"display": "Dr. Ng"}}],
        **more,
    }


STORY = (said(patient(1), "10T15:00:00"), said(stay(1, **VISIT), "20T20:30:00"), said(diagnosis(1), "11T09:00:00"))


def tell(folder: Path, store: Store, configuration: Configuration, *resources: Json) -> None:
    """Each resource by itself, as another file."""
    for number, resource in enumerate(resources):
        file = folder / f"{number}.ndjson"
        file.write_bytes(lines(resource))
        assert not taken(store, configuration, file).refused


def of(store: Store, kind: str, **said: str) -> Json:
    """The one record of the type that says so."""
    (found,) = [each for name, each in records(store).items() if name.startswith(f"{kind}/") and said.items() <= each.items()]
    return found


def test_a_stay_keeps_its_name_whichever_of_its_parts_comes_first(tmp_path: Path) -> None:
    """Law 3, and what agencies rely on: the transition is the same whether the diagnosis comes before its Encounter or months of polling later."""
    names = set()
    for number, order in enumerate(permutations((*STORY, said(plan(), "19T10:00:00")))):
        if number % 5:
            continue  # every fifth of the 24 orders
        with county(tmp_path / str(number)) as (store, configuration):
            tell(tmp_path, store, configuration, *order)
            (transition,) = transitions(store)
            encounter = next(name for name in records(store) if name.startswith("Encounter/"))
            identifiers = records(store)[encounter]["identifier"]
            linked = of(store, "CarePlan", title="Ward's plan")["encounter"]["reference"] == encounter
            names.add((transition["psychiatric"]["answer"], identifiers[0]["value"], linked, len(identifiers)))
    assert names == {("yes", "V1", True, 1)}


def test_the_transition_of_a_stay_is_the_same_before_and_after_an_older_part_of_it_is_told(tmp_path: Path) -> None:
    with county(tmp_path / "data") as (store, configuration):
        tell(tmp_path, store, configuration, *STORY[:2])
        (before,) = transitions(store)
        tell(tmp_path, store, configuration, STORY[2], said(plan(), "19T10:00:00"))
        (after,) = transitions(store)
        assert before["id"] == after["id"]


@pytest.mark.parametrize("resource", [plan(), request(), team()], ids=lambda one: str(one["resourceType"]))
def test_what_the_ehr_owns_is_kept_with_its_origin_beside_ours(tmp_path: Path, resource: Json) -> None:
    with county(tmp_path / "data") as (store, configuration):
        tell(tmp_path, store, configuration, *STORY, said(resource, "19T10:00:00"))
        with store.reading() as reader:
            bodies = [orjson.loads(each.body) for each in reader.export(ALL, resource["resourceType"]) if each.body is not None]
        theirs = [each for each in bodies if each.get("meta", {}).get("source") == "urn:gateway:feed:ehr"]
        assert [each["status"] for each in theirs] == ["active"]
        assert len(bodies) > 1, "ours stands beside it"


@pytest.mark.parametrize(("status", "is_open"), [("active", True), ("on-hold", True), ("revoked", False), ("completed", False)])
def test_what_is_open_of_the_wards_plan_is_said_until_the_plan_is_over(tmp_path: Path, status: str, is_open: bool) -> None:
    with county(tmp_path / "data") as (store, configuration):
        tell(tmp_path, store, configuration, *STORY, said(plan(), "19T10:00:00"), said(plan(status=status), "21T10:00:00"))
        theirs, ours = of(store, "CarePlan", title="Ward's plan"), of(store, "CarePlan", title="Aftercare plan")
        assert theirs["status"] == status
        assert ours["basedOn"] == [{"reference": f"CarePlan/{theirs['id']}"}]
        assert ("Bring the medication box" in str(ours)) is is_open


def follow_up(store: Store) -> Json:
    """Our own request for community follow-up: the first of our plan's activities."""
    ours = of(store, "CarePlan", title="Aftercare plan")
    return records(store)[ours["activity"][0]["reference"]["reference"]]


@pytest.mark.parametrize(("status", "agency"), [("active", "prairie"), ("revoked", None), ("entered-in-error", None)])
def test_a_clinicians_request_leads_to_the_agency_that_it_names_until_it_is_withdrawn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, status: str, agency: str | None
) -> None:
    """The client lives nowhere that the agencies serve: without the request, the transition waits in the coordinator's queue."""
    monkeypatch.setattr("tests.imports.stores.CONFIGURATION", CONFIGURATION + AGENCIES)
    with county(tmp_path / "data") as (store, configuration):
        tell(tmp_path, store, configuration, *STORY, said(request(), "19T10:00:00"), said(request(status=status), "21T10:00:00"))
        (transition,) = transitions(store)
        assert transition["agency"] == agency
        theirs = of(store, "ServiceRequest", status=status, intent="order") if status != "active" else None
        based = follow_up(store).get("basedOn", [])
        assert bool(based) is (status == "active"), "ours rests on theirs while theirs stands"
        assert theirs is None or f"ServiceRequest/{theirs['id']}" not in str(based)


def test_a_request_that_moves_is_what_it_says_last(tmp_path: Path) -> None:
    """An older copy that arrives after a newer one changes nothing."""
    newer = said(request(occurrenceDateTime="2026-12-02"), "21T10:00:00")
    with county(tmp_path / "data") as (store, configuration):
        tell(tmp_path, store, configuration, *STORY, newer, said(request(), "19T10:00:00"))
        assert of(store, "ServiceRequest", intent="order")["occurrenceDateTime"] == "2026-12-02"


@pytest.mark.parametrize(
    ("start", "status", "state", "late"),
    [
        ("2026-11-24T16:00:00Z", "booked", "booked", False),
        ("2026-12-15T16:00:00Z", "booked", "booked", True),  # 25 days after the discharge
        ("2026-11-24T16:00:00Z", "cancelled", "cancelled", None),
    ],
)
def test_a_visit_that_moves_or_is_cancelled_moves_the_transition(tmp_path: Path, start: str, status: str, state: str, late: bool | None) -> None:
    visit = {
        "resourceType": "Appointment",
        "id": "a1",
        "status": "booked",
        "serviceType": [{"coding": [{"system": "http://snomed.info/sct", "code": "1"}], "text": "psychiatry"}],
        "start": "2026-11-24T16:00:00Z",
        "end": "2026-11-24T17:00:00Z",
        "participant": [{"actor": {"reference": "Patient/p1"}, "status": "accepted"}],
    }
    later = {**visit, "status": status, "start": start, "end": start.replace("16:", "17:")}
    with county(tmp_path / "data") as (store, configuration):
        tell(tmp_path, store, configuration, *STORY, said(visit, "20T21:00:00"), said(later, "21T10:00:00"))
        (transition,) = transitions(store)
        flags = {flag["code"] for flag in transition["flags"]}
        assert transition["follow_up"]["state"] == state
        assert ("follow-up-too-late" in flags) is bool(late)
        assert ("no-follow-up-scheduled" in flags) is (late is None)
