"""SMART's Python client (`fhirclient`) against a running gateway: it knows of the endpoints only what the CapabilityStatement says."""

from __future__ import annotations

import time
import warnings
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from gateway.smart import launches
from tests.clients.house import CALLBACK, PEOPLE, SECRET, House, Person

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from fhirclient.client import FHIRClient
    from fhirclient.models.appointment import Appointment
    from fhirclient.models.patient import Patient
    from fhirclient.models.task import Task
    from fhirclient.server import FHIRPermissionDeniedException, FHIRUnauthorizedException

WANTED = "openid fhirUser offline_access patient/*.rs"


class Phone:
    """Makes apps, and lets people in to them."""

    def __init__(self, home: House) -> None:
        self.home = home
        self._made: list[Any] = []
        self._people: list[Person] = []

    def app(self, id: str = "helper", **more: Any) -> Any:
        settings = {"app_id": id, "api_base": self.home.fhir, "redirect_uri": CALLBACK, "scope": WANTED, **more}
        return self._kept(FHIRClient(settings=settings))

    def again(self, state: Any) -> Any:
        return self._kept(FHIRClient(state=state))

    def launched(self, patient: str = "", **about: Any) -> Any:
        """An app, after ann has logged in, chosen a client where that is asked, and allowed everything."""
        made = self.app(**about)
        made.prepare()
        person = Person(self.home.url)
        self._people.append(person)
        made.handle_callback(person.let_in(made.authorize_url, patient))
        return made

    def _kept(self, made: Any) -> Any:
        self._made.append(made)
        return made

    def close(self) -> None:
        for made in self._made:
            made.server.session.close()
        for person in self._people:
            person.http.close()


@pytest.fixture
def phone(home: House, monkeypatch: pytest.MonkeyPatch) -> Iterator[Phone]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    made = Phone(home)
    yield made
    made.close()


@pytest.mark.parametrize(("id", "secret"), [("helper", None), ("keeper", SECRET)])
def test_an_app_is_launched_by_what_metadata_says_and_reads_its_patient(phone: Phone, home: House, id: str, secret: str | None) -> None:
    made = phone.launched(home.patients[0], id=id, app_secret=secret)
    assert made.ready
    assert made.patient_id == home.patients[0]
    assert made.human_name(made.patient.name[0]) == f"Ida {PEOPLE[0]}"


def test_it_searches_within_the_patient_that_was_chosen(phone: Phone, home: House) -> None:
    made = phone.launched(home.patients[1])
    assert [each.id for each in Patient.where({}).perform_resources_iter(made.server)] == [home.patients[1]]
    (task,) = Task.where({"patient": home.patients[1], "_count": "1"}).perform_resources_iter(made.server)
    assert task.for_fhir.reference == f"Patient/{home.patients[1]}"
    assert list(Task.where({"patient": home.patients[2]}).perform_resources_iter(made.server)) == []


def test_pages_are_followed_to_their_end(phone: Phone, home: House) -> None:
    made = phone.launched(home.patients[0], scope="user/*.rs")
    families = [each.name[0].family for each in Patient.where({"_count": "2", "_sort": "family"}).perform_resources_iter(made.server)]
    assert families == sorted(PEOPLE)


def test_a_token_that_is_refused_is_refreshed_once(phone: Phone, home: House) -> None:
    """On 401 the client asks for a new token with its refresh token, and reads anew."""
    made = phone.launched(home.patients[2], id="keeper", app_secret=SECRET)
    made.server.auth.access_token = "no token at all"
    before = made.server.auth.refresh_token
    assert made.patient.name[0].family == PEOPLE[2]
    assert made.server.auth.refresh_token != before


def test_without_a_token_nothing_is_read(phone: Phone, home: House) -> None:
    made = phone.app()
    made.prepare()
    with pytest.raises(FHIRUnauthorizedException):
        Patient.read(home.patients[0], made.server)


def test_what_was_not_granted_is_forbidden(phone: Phone, home: House) -> None:
    made = phone.launched(home.patients[0], scope="patient/Patient.rs")
    with pytest.raises(FHIRPermissionDeniedException):
        list(Appointment.where({"patient": home.patients[0]}).perform_resources_iter(made.server))


def test_a_launch_from_a_page_of_ours_has_its_patient(phone: Phone, home: House) -> None:
    """EHR launch: the handle that came with the launch goes back with the request, and nobody is asked for a client."""
    credentials = home.gateway.store.credentials
    row = credentials.client("helper")
    assert row is not None
    began = parse_qs(urlsplit(launches.begin(credentials, row, home.fhir, home.patients[4], "", time.time())).query)
    made = phone.launched(api_base=began["iss"][0], launch_token=began["launch"][0])
    assert made.patient.name[0].family == PEOPLE[4]


def test_its_state_is_saved_and_taken_up_again(phone: Phone, home: House) -> None:
    again = phone.again(phone.launched(home.patients[3]).state)
    assert again.ready
    assert again.patient.name[0].family == PEOPLE[3]
