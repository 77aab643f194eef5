"""Bodies that the gateway would take, by address: what is sent is made of these, with one thing broken."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from typing import Any

from tests.attacks_privacy.town import Client, Json, booking, consent, pv1
from tests.clients.house import AGENCY, House

Make = Callable[[House, Any], Any]
_HOOK = "https://hooks.example.invalid/"


def prepare(home: House) -> None:
    """Something to read and to change of each type that clients write."""
    home.gateway.store.subscriptions.allow_endpoint(AGENCY, _HOOK)
    for patient in home.patients:
        for partner, body in (
            (home.river, booking(patient, home.town.at)),
            (home.river, _said_to(patient, home.town.at.isoformat())),
            (home.coordinator, consent(patient, AGENCY, home.town.at)),
        ):
            answer = partner.ask("POST", f"/fhir/{body['resourceType']}", json=body)
            assert answer.status_code == 201, answer.text
    answer = home.river.ask("POST", "/fhir/Subscription", json=_subscription(home, None))
    assert answer.status_code == 201, answer.text


def body_of(method: str, path: str) -> Make | None:
    """What makes a body for this address; None where schemathesis' own is as good."""
    return next((make for pattern, make in _BODIES if re.fullmatch(pattern, f"{method} {path}")), None)


def _appointment(home: House, sense: Any) -> Json:
    number = {"system": "https://fuzz.example.org", "value": str(sense.randrange(5))}
    return booking(sense.choice(home.patients), home.town.at, identifier=[number])


def _said_to(patient: str, sent: str) -> Json:
    medium = {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v3-ParticipationMode", "code": "PHONE"}]}
    about = {"reference": f"Patient/{patient}"}
    sender = {"reference": f"Organization/{AGENCY}"}
    return {"resourceType": "Communication", "status": "completed", "subject": about, "sent": sent, "medium": [medium], "sender": sender}


def _communication(home: House, sense: Any) -> Json:
    return _said_to(sense.choice(home.patients), home.town.at.isoformat())


def _consent(home: House, sense: Any) -> Json:
    return consent(sense.choice(home.patients), AGENCY, home.town.at)


def _task(home: House, sense: Any) -> Json:
    return {**home.river.search("Task", patient=sense.choice(home.patients))[0], "note": [{"text": "called"}]}


def _subscription(home: House, sense: Any) -> Json:
    content = {"url": "http://hl7.org/fhir/uv/subscriptions-backport/StructureDefinition/backport-payload-content", "valueCode": "id-only"}
    channel = {"type": "rest-hook", "endpoint": f"{_HOOK}1", "payload": "application/fhir+json", "_payload": {"extension": [content]}}
    topic = f"{home.fhir}/SubscriptionTopic/transition-opened"
    return {"resourceType": "Subscription", "status": "requested", "reason": "to act", "criteria": topic, "channel": channel}


def _patch(home: House, sense: Any) -> list[Json]:
    return [
        {"op": sense.choice(["add", "replace", "test"]), "path": sense.choice(["/comment", "/status", "/note/-", "/participant/0"]), "value": "x"}
    ]


def _batch(home: House, sense: Any) -> Json:
    entries: list[Json] = [{"request": {"method": "GET", "url": f"Task?_count={number}"}} for number in range(sense.randrange(3))]
    entries.append({"fullUrl": "urn:uuid:0", "resource": _appointment(home, sense), "request": {"method": "POST", "url": "Appointment"}})
    patch = {
        "resourceType": "Binary",
        "contentType": "application/json-patch+json",
        "data": base64.b64encode(b'[{"op":"test","path":"/id"}]').decode(),
    }
    entries.append({"resource": patch, "request": {"method": "PATCH", "url": f"Appointment?patient={sense.choice(home.patients)}"}})
    return {"resourceType": "Bundle", "type": sense.choice(["batch", "transaction"]), "entry": entries[: sense.randrange(1, 5)]}


def _parameters(home: House, sense: Any) -> Json:
    one = sense.choice(
        [{"name": "_type", "valueString": "Task"}, {"name": "patient", "valueReference": {"reference": f"Patient/{home.patients[0]}"}}]
    )
    return {"resourceType": "Parameters", "parameter": [one]}


def _to_validate(home: House, sense: Any) -> Json:
    wrapped = [{"name": "resource", "resource": _appointment(home, sense)}, {"name": "mode", "valueCode": "create"}]
    return {"resourceType": "Parameters", "parameter": wrapped}


def _decision(home: House, sense: Any) -> Json:
    what, value = sense.choice([("close", "left-region"), ("reopen", ""), ("psychiatric", "yes"), ("disposition", "01")])
    return {"what": what, "value": value, "about": "", "reason": "so it is"}


def _opening(home: House, sense: Any) -> Json:
    return {"open": True, "places": sense.choice([None, 3]), "until": None, "reason": "a place is free"}


def _message(home: House, sense: Any) -> str:
    stamp = home.town.at.strftime("%Y%m%d%H%M%S+0000")
    lines = (
        f"MSH|^~\\&|ADT|STMARY|GW|COUNTY|{stamp}||ADT^A01^ADT_A01|F{sense.randrange(10**6)}|P|2.5.1",
        f"EVN||{stamp}",
        Client("7301", "Ivy^Ida", postal_code="62501").pid("STMARY"),
        pv1("BHU", "V7301", home.town.at),
    )
    return "\r".join(lines) + "\r"


def _form(home: House, sense: Any) -> Json:
    kinds = ["client_credentials", "authorization_code", "refresh_token"]
    form = {
        "grant_type": sense.choice(kinds),
        "client_id": "helper",
        "code": "x",
        "refresh_token": "y",
        "token": home.river.token,
        "code_verifier": "v" * 43,
    }
    return {name: value for name, value in form.items() if sense.random() < 0.8}


_BODIES: tuple[tuple[str, Make], ...] = (
    (r"(POST|PUT) /fhir/Appointment(/\{id\})?", _appointment),
    (r"(POST|PUT) /fhir/Communication(/\{id\})?", _communication),
    (r"(POST|PUT) /fhir/Consent(/\{id\})?", _consent),
    (r"(POST|PUT) /fhir/Task(/\{id\})?", _task),
    (r"(POST|PUT) /fhir/Subscription(/\{id\})?", _subscription),
    (r"PATCH .*", _patch),
    (r"POST /fhir", _batch),
    (r"POST .*\$(export|status|events)", _parameters),
    (r"POST .*\$validate", _to_validate),
    (r"POST /api/transitions/\{id\}/decisions", _decision),
    (r"PUT /api/agenc.*", _opening),
    (r"POST /hl7/v2", _message),
    (r"POST /oauth/(token|introspect|revoke)", _form),
)
