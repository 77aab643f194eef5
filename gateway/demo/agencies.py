"""The county's agencies and its coordinator as software: SMART backend clients that do over HTTP what people there decide.

Nothing here reaches into the gateway: whatever an agency does, any other agency's system can do with the same requests.
"""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import httpx
from joserfc import jwt
from joserfc.jwk import ECKey, RSAKey

from gateway.demo.county import COORDINATOR, County
from gateway.smart.clients import register
from gateway.smart.keys import Jwk, private_key
from gateway.store.interface import Credentials

Json = dict[str, Any]

FHIR_JSON = "application/fhir+json"
VISIT_LENGTH = timedelta(minutes=45)
LAST_STATUS = {"rejected", "cancelled", "completed", "failed", "entered-in-error"}  # of a Task: nothing comes after


class NotDone(Exception):
    """Somebody could not do what the scenario says; the text tells why, without naming a client."""


def new_keys(county: County) -> dict[str, Jwk]:
    """A new private key for each client of the county, by client id: ES384 for most, RS384 for the last agency, as both are in use."""
    clients = [*county.agencies, COORDINATOR]
    keys = {client: ECKey.generate_key("P-384", {"alg": "ES384", "use": "sig"}, auto_kid=True).as_dict(private=True) for client in clients}
    last = list(county.agencies)[-1]
    keys[last] = RSAKey.generate_key(2048, {"alg": "RS384", "use": "sig"}, auto_kid=True).as_dict(private=True)
    return {client: dict(key) for client, key in keys.items()}


def public_set(key: Mapping[str, Any]) -> Jwk:
    """The JSON Web Key Set to register for a private key."""
    return {"keys": [dict(private_key(key).as_dict(private=False))]}


def role_of(client: str) -> str:
    """The role that a client of the county is registered with."""
    return COORDINATOR if client == COORDINATOR else "agency"


@dataclass(slots=True)
class Partner:
    """One backend client: `id` is its client id and, for an agency, its organization's id. `http` has the gateway's address as base URL."""

    id: str
    key: Mapping[str, Any]
    http: httpx.AsyncClient
    token_url: str
    cursor: str = ""
    transitions: dict[str, Json] = field(default_factory=dict)  # what it has polled, by transition id
    booked: dict[str, str] = field(default_factory=dict)  # record number -> id of the Appointment that it made
    _token: str = ""
    _token_ends: float = 0.0  # wall clock: tokens keep real time while the care clock runs ahead

    async def poll(self) -> None:
        """Reads what has changed for this client since it last asked."""
        while True:
            answer = await self._ask("GET", "/api/transitions", params={"cursor": self.cursor})
            if answer.status_code == httpx.codes.NOT_MODIFIED:
                return
            page = answer.json()
            for transition in page["transitions"]:
                if transition["status"] == "withdrawn":
                    self.transitions.pop(transition["id"], None)
                else:
                    self.transitions[transition["id"]] = transition
            if not page["transitions"] or page["cursor"] == self.cursor:
                return
            self.cursor = page["cursor"]

    async def do(self, action: str, mrn: str, at: datetime, details: Mapping[str, Any], appointment: datetime | None) -> httpx.Response:
        """Does one of `scenario.ACTIONS` for the client with this record number at a moment of the care clock. Raises `NotDone`."""
        await self.poll()
        if action == "accepts":
            return await self._answer_task(mrn, {"status": "accepted"})
        if action == "declines":
            return await self._answer_task(mrn, {"status": "rejected", "statusReason": {"text": details["reason"]}})
        if action == "calls":
            return await self._call(mrn, at, bool(details["reached"]))
        if action == "books" and appointment is not None:
            return await self._book(mrn, appointment)
        if action == "records consent":
            return await self._consent(mrn, at, str(details["to"]))
        outcomes = {"records a no-show": "noshow", "records the visit": "fulfilled", "cancels the appointment": "cancelled"}
        return await self._settle(mrn, outcomes[action])

    async def _answer_task(self, mrn: str, change: Json) -> httpx.Response:
        task, tag = await self._task(mrn)
        return await self._write("PUT", f"/fhir/Task/{task['id']}", task | change, {"If-Match": tag})

    async def _call(self, mrn: str, at: datetime, reached: bool) -> httpx.Response:
        task, _ = await self._task(mrn)
        communication = {
            "resourceType": "Communication",
            "status": "completed" if reached else "not-done",
            "medium": [{"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v3-ParticipationMode", "code": "PHONE"}]}],
            "subject": task["for"],
            "sent": at.isoformat(),
            "sender": {"reference": f"Organization/{self.id}"},
        }
        if not reached:
            communication["statusReason"] = {"text": "Not reached"}
        return await self._write("POST", "/fhir/Communication", communication | _encounter(task))

    async def _book(self, mrn: str, start: datetime) -> httpx.Response:
        task, _ = await self._task(mrn)
        appointment = {
            "resourceType": "Appointment",
            "status": "booked",
            "serviceType": [{"text": "Psychiatric follow-up"}],
            "start": start.isoformat(),
            "end": (start + VISIT_LENGTH).isoformat(),
            "participant": [{"actor": task["for"], "status": "accepted"}],
        }
        answer = await self._write("POST", "/fhir/Appointment", appointment)
        self.booked[mrn] = answer.headers["Location"].split("/Appointment/")[1].split("/")[0]
        return answer

    async def _settle(self, mrn: str, status: str) -> httpx.Response:
        if mrn not in self.booked:
            raise NotDone("no appointment was booked by this agency")
        path = f"/fhir/Appointment/{self.booked[mrn]}"
        appointment = (await self._ask("GET", path)).json()
        return await self._write("PUT", path, appointment | {"status": status})

    async def _consent(self, mrn: str, at: datetime, recipient: str) -> httpx.Response:
        """A client's written consent (42 CFR 2.31): one recipient, treatment, Part 2 records, for a year."""
        patient = await self._patient(mrn)
        consent = {
            "resourceType": "Consent",
            "status": "active",
            "scope": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/consentscope", "code": "patient-privacy"}]},
            "category": [{"coding": [{"system": "http://loinc.org", "code": "59284-0"}]}],
            "patient": {"reference": patient},
            "dateTime": at.isoformat(),
            "policyRule": {"text": "42 CFR Part 2"},
            "provision": {
                "type": "permit",
                "period": {"start": at.date().isoformat(), "end": (at + timedelta(days=365)).date().isoformat()},
                "actor": [
                    {
                        "role": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v3-ParticipationType", "code": "IRCP"}]},
                        "reference": {"reference": f"Organization/{recipient}"},
                    }
                ],
                "purpose": [{"system": "http://terminology.hl7.org/CodeSystem/v3-ActReason", "code": "TREAT"}],
                "securityLabel": [{"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "42CFRPart2"}],
            },
        }
        return await self._write("POST", "/fhir/Consent", consent)

    async def _task(self, mrn: str) -> tuple[Json, str]:
        """This client's current Task and its ETag."""
        found = await self._search("Task", {"patient": await self._patient(mrn)})
        current = [task for task in found if task["status"] not in LAST_STATUS]
        if not current:
            raise NotDone("there is no Task for this client")
        answer = await self._ask("GET", f"/fhir/Task/{current[-1]['id']}")
        return answer.json(), answer.headers["ETag"]

    async def _patient(self, mrn: str) -> str:
        found = await self._search("Patient", {"identifier": mrn})
        current = [patient for patient in found if patient.get("active", True)]
        if not current:
            raise NotDone("no client is shown under this record number")
        return f"Patient/{current[0]['id']}"

    async def _search(self, kind: str, parameters: Mapping[str, str]) -> list[Json]:
        bundle = (await self._ask("GET", f"/fhir/{kind}", params=parameters)).json()
        return [entry["resource"] for entry in bundle.get("entry", []) if entry["resource"]["resourceType"] == kind]

    async def _write(self, method: str, path: str, resource: Json, headers: Mapping[str, str] | None = None) -> httpx.Response:
        return await self._ask(method, path, json=resource, headers={"Content-Type": FHIR_JSON, **(headers or {})})

    async def _ask(self, method: str, path: str, **request: Any) -> httpx.Response:
        headers = {"Authorization": f"Bearer {await self._bearer()}", "Accept": FHIR_JSON if path.startswith("/fhir") else "application/json"}
        answer = await self.http.request(method, path, **(request | {"headers": headers | request.get("headers", {})}))
        if answer.status_code >= httpx.codes.BAD_REQUEST:
            raise NotDone(
                f"{method} {path.rsplit('/', 1)[0] if path.count('/') > 2 else path} was answered {answer.status_code}: {_diagnostics(answer)}"
            )
        return answer

    async def _bearer(self) -> str:
        if time.time() < self._token_ends:
            return self._token
        form = {
            "grant_type": "client_credentials",
            "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
            "client_assertion": self._assertion(),
            "scope": SCOPES[role_of(self.id)],
        }
        answer = await self.http.post("/oauth/token", data=form)
        if answer.status_code != httpx.codes.OK:
            raise NotDone(f"the token endpoint answered {answer.status_code}")
        granted = answer.json()
        self._token, self._token_ends = granted["access_token"], time.time() + granted["expires_in"] - 30
        return self._token

    def _assertion(self) -> str:
        """A JWT for one request of a token, as SMART App Launch 2.2 asks for it."""
        now = int(time.time())
        header = {"alg": self.key["alg"], "kid": self.key["kid"], "typ": "JWT"}
        claims = {"iss": self.id, "sub": self.id, "aud": self.token_url, "iat": now, "exp": now + 240, "jti": str(uuid.uuid4())}
        return jwt.encode(header, claims, private_key(self.key), algorithms=[self.key["alg"]])


SCOPES = {
    "agency": "system/Patient.rs system/Task.rus system/Appointment.crus system/Communication.crs",
    COORDINATOR: "system/*.rs system/Consent.cu",
}
"""What each role asks for when it gets a token; no more than it uses."""


def register_clients(credentials: Credentials, keys: Mapping[str, Mapping[str, Any]], now: float) -> None:
    """Registers the county's clients with their public keys; `now` is wall-clock seconds."""
    for client, key in keys.items():
        organization = "" if client == COORDINATOR else client
        register(credentials, id=client, role=role_of(client), organization=organization, jwks=json.dumps(public_set(key)), now=now)


def _encounter(task: Json) -> Json:
    return {"encounter": task["encounter"]} if "encounter" in task else {}


def _diagnostics(answer: httpx.Response) -> str:
    """What an OperationOutcome says; other bodies are not repeated."""
    try:
        issue = answer.json()["issue"][0]
        return str(issue.get("diagnostics") or issue.get("details", {}).get("text") or issue["code"])
    except (ValueError, LookupError, TypeError, AttributeError):
        return answer.reason_phrase
