"""fhirpy, a FHIR client of others, against a running gateway."""

from __future__ import annotations

import warnings
from typing import Any

import pytest

from tests.attacks_privacy.town import Json, booking
from tests.clients.house import PEOPLE, House

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from fhirpy import SyncFHIRClient
    from fhirpy.base.exceptions import AuthorizationError, MultipleResourcesFound, OperationOutcome, ResourceNotFound

LENIENT = {"Prefer": "handling=lenient"}


def client(home: House, **more: Any) -> Any:
    return SyncFHIRClient(home.fhir, authorization=f"Bearer {home.river.token}", **more)


def of(api: Any, resource: Json) -> Any:
    """A resource as the client holds it."""
    return api.resource(resource["resourceType"], **{name: value for name, value in resource.items() if name != "resourceType"})


def test_a_search_is_read_to_its_end_page_after_page(home: House) -> None:
    """`fetch_all` follows `next` links until there is none."""
    found = client(home).resources("Patient").limit(2).fetch_all()
    assert sorted(each["name"][0]["family"] for each in found) == sorted(PEOPLE)
    assert len({each.id for each in found}) == len(PEOPLE)


def test_sorting_holds_across_pages(home: House) -> None:
    found = client(home).resources("Patient").sort("-family").limit(3).fetch_all()
    assert [each["name"][0]["family"] for each in found] == sorted(PEOPLE, reverse=True)


def test_criteria_as_the_client_writes_them(home: House) -> None:
    patients = client(home).resources("Patient")
    assert [each["name"][0]["family"] for each in patients.search(family__exact="Elm").fetch()] == ["Elm"]
    assert len(patients.search(birthdate__ge="1980-02-14", birthdate__lt="1980-02-15").fetch()) == len(PEOPLE)
    assert patients.search(birthdate__gt="1980-02-14").fetch() == []
    assert patients.search(family="Fir").first().id == patients.search(_id=home.patients[5]).get().id
    tasks = client(home).resources("Task").search(patient__Patient__identifier=f"https://county.example.org/person|P{7001}").fetch()
    assert [each["for"]["reference"] for each in tasks] == [f"Patient/{home.patients[0]}"]


def test_elements_and_has(home: House) -> None:
    patients = client(home).resources("Patient")
    (one,) = patients.search(family="Ash").elements("name").fetch()
    assert set(one) <= {"resourceType", "id", "meta", "name"}
    assert len(patients.has("Task", "patient", intent="order").fetch()) == len(PEOPLE)


def test_a_resource_is_read_and_its_reference_followed(home: House) -> None:
    api = client(home)
    task = api.resources("Task").search(patient=home.patients[1]).get()
    patient = task["for"].to_resource() if hasattr(task["for"], "to_resource") else api.reference(reference=task["for"]["reference"]).to_resource()
    assert patient["name"][0]["family"] == "Birch"
    with pytest.raises(ResourceNotFound):
        api.reference("Patient", "none-of-ours").to_resource()


def test_inclusions_come_with_their_matches(home: House) -> None:
    raw = client(home).resources("Task").search(patient=home.patients[2]).include("Task", "patient").fetch_raw()
    modes = [(entry["search"]["mode"], entry["resource"]["resourceType"]) for entry in raw["entry"]]
    assert modes == [("match", "Task"), ("include", "Patient")]
    matches = client(home).resources("Task").search(patient=home.patients[2]).include("Task", "patient").fetch()
    assert [each["resourceType"] for each in matches] == ["Task"]


def test_what_is_saved_is_created_and_then_updated_without_if_match(home: House) -> None:
    """The client posts what has no id, and puts what has one, naming no version."""
    api = client(home)
    made = of(api, booking(home.patients[3], home.town.at, description="First visit"))
    made.save()
    assert made.id
    assert made["meta"]["versionId"] == "1"
    made["description"] = "First visit, by telephone"
    made.save()
    assert made["meta"]["versionId"] == "2"
    assert api.reference("Appointment", made.id).to_resource()["description"] == "First visit, by telephone"
    made.refresh()
    assert made["meta"]["versionId"] == "2"


def test_a_conditional_create_makes_one(home: House) -> None:
    """`get_or_create` posts with the criteria in the address; `If-None-Exist` is what R4 has for it."""
    number = {"system": "https://river.example.org/visits", "value": "fhirpy-1"}
    api = client(home, extra_headers={"If-None-Exist": "identifier=https://river.example.org/visits|fhirpy-1"})
    ids = {of(api, booking(home.patients[4], home.town.at, identifier=[number])).save().id for _ in range(2)}
    assert len(ids) == 1


def test_a_task_is_not_claimed_without_naming_its_version(home: House) -> None:
    """Two agencies' systems that save the same Task would overwrite each other's claim."""
    task = client(home).resources("Task").search(patient=home.patients[5]).get()
    task["status"] = "accepted"
    with pytest.raises(MultipleResourcesFound, match="If-Match"):  # as the client calls every 412
        task.save()
    tag = f'W/"{task["meta"]["versionId"]}"'
    assert of(client(home, extra_headers={"If-Match": tag}), task).save()["status"] == "accepted"


def test_counting_sends_a_parameter_that_r4_has_not(home: House) -> None:
    """`count` sends `_totalMethod`: refused by its name, and left out for whoever is lenient."""
    with pytest.raises(OperationOutcome) as refused:
        client(home).resources("Patient").count()
    (issue,) = refused.value.resource["issue"]
    assert "_totalMethod" in str(issue)
    assert client(home, extra_headers=LENIENT).resources("Patient").count() == len(PEOPLE)


def test_an_expired_token_is_told_as_such(home: House) -> None:
    text = home.lasting_token("river-cmhc", seconds=-1)
    with pytest.raises(AuthorizationError, match="OperationOutcome"):
        SyncFHIRClient(home.fhir, authorization=f"Bearer {text}").resources("Patient").fetch()


def test_a_merge_patch_is_refused_for_its_media_type(home: House) -> None:
    """The client's `patch` is no JSON Patch, the one form of R4's that is taken: 415, and nothing is written."""
    api = client(home)
    made = of(api, booking(home.patients[6], home.town.at)).save()
    with pytest.raises(OperationOutcome):
        made.patch(description="changed")
    assert "description" not in api.reference("Appointment", made.id).to_resource()


def test_validation_is_asked_of_the_server(home: House) -> None:
    good = of(client(home), booking(home.patients[6], home.town.at))
    assert good.is_valid()
    good["status"] = "no such status"
    assert not good.is_valid()


def test_what_was_deleted_is_not_found(home: House) -> None:
    api = client(home)
    made = of(api, booking(home.patients[6], home.town.at)).save()
    made.delete()
    with pytest.raises(ResourceNotFound):
        api.reference("Appointment", made.id).to_resource()
