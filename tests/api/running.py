"""A gateway in one process with the whole journey, and a hospital's notification of a discharge to begin with."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from gateway.api.services import Services
from gateway.mappings.feeds.profile import FeedProfile
from gateway.pipeline import Configuration, Journey
from gateway.pipeline.audit_trail import AuditTrail
from gateway.pipeline.own import put_own_resources
from gateway.records.ids import identifier
from tests.api.gateway_api import BASE, Client, app_of, authenticate, empty_store
from transitions.policy import Agency, Policy

DISCHARGED = 1_795_312_800_000_000  # 2026-11-22T02:00:00Z
PATIENT = "urn:uuid:00000000-0000-4000-8000-000000000001"
ENCOUNTER = "urn:uuid:00000000-0000-4000-8000-000000000002"


def message(event: str, id: str, status: str, updated: str, **more: Any) -> dict[str, Any]:
    resources: list[tuple[str, dict[str, Any]]] = [
        (
            "urn:uuid:00000000-0000-4000-8000-000000000009",
            {
                "resourceType": "MessageHeader",
                "id": id,
                "eventCoding": {"system": "http://hl7.org/fhir/us/davinci-alerts/CodeSystem/notification-event", "code": event},
                "source": {"endpoint": "https://st-mary.example"},
                "focus": [{"reference": ENCOUNTER}],
            },
        ),
        (
            PATIENT,
            {
                "resourceType": "Patient",
                "identifier": [{"system": "urn:oid:1.2.3", "value": "M17"}],
                "name": [{"family": "Doe", "given": ["Ann"]}],
                "birthDate": "1990-05-17",
                "gender": "female",
                "address": [{"postalCode": "62704"}],
            },
        ),
        (
            ENCOUNTER,
            {
                "resourceType": "Encounter",
                "meta": {"lastUpdated": updated},
                "identifier": [{"system": "urn:oid:1.2.4", "value": "V9"}],
                "status": status,
                "class": {"code": "IMP"},
                "type": [{"text": "Inpatient stay"}],
                "subject": {"reference": PATIENT},
                "period": {"start": "2026-11-10T09:00:00-06:00"},
                "reasonCode": [{"coding": [{"system": "http://hl7.org/fhir/sid/icd-10-cm", "code": "F32.2"}]}],
                **more,
            },
        ),
    ]
    entries = [{"fullUrl": url, "resource": each} for url, each in resources]
    return {"resourceType": "Bundle", "type": "message", "id": id, "timestamp": updated, "entry": entries}


ENDED = {
    "period": {"start": "2026-11-10T09:00:00-06:00", "end": "2026-11-21T19:00:00-06:00"},
    "hospitalization": {
        "dischargeDisposition": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/discharge-disposition", "code": "home"}]}
    },
}
DISCHARGE = message("notification-discharge", "m2", "finished", "2026-11-22T01:05:00Z", **ENDED)


class Running:
    """A gateway in one process, its clock in the test's hand."""

    def __init__(self, folder: Path) -> None:
        self.now = DISCHARGED
        self.store = empty_store(folder)
        policy = Policy(agencies=(Agency("river", "River Community Mental Health", ("627*",)), Agency("oak", "Oak Counselling", ("999*",))))
        feeds = (FeedProfile(name="st-mary", kind="fhir", hospital="St. Mary", timezone="America/Chicago"),)
        self.configuration = configuration = Configuration(identify=identifier(self.store.installation_key()), feeds=feeds, policy=policy)
        with self.store.write(self.now) as writer:
            put_own_resources(writer, configuration)
        self.journey = Journey(self.store, configuration, lambda: self.now)
        self.journey.start()
        trail = AuditTrail(self.journey, lambda: self.now)
        self.http = Client(app_of(Services(self.store, self.journey, authenticate, configuration.identify, BASE, b"k" * 32, trail.add, feeds=feeds)))

    def as_(self, who: str, method: str, path: str, **more: Any) -> Any:
        self.now += 60_000_000
        return self.http.request(method, path, headers={"Authorization": f"Bearer {who}", **more.pop("headers", {})}, **more)

    def tell(self, body: dict[str, Any]) -> Any:
        return self.as_("hospital", "POST", "/fhir/$process-message", json=body)

    def flags(self, who: str = "river") -> list[str]:
        (transition,) = self.as_(who, "GET", "/api/transitions").json()["transitions"]
        return [each["code"] for each in transition["flags"]]

    def close(self) -> None:
        self.http.close()
        self.journey.stop()
        self.store.close()


@contextmanager
def running(folder: Path) -> Iterator[Running]:
    """A gateway until the test ends."""
    made = Running(folder)
    try:
        yield made
    finally:
        made.close()
