"""A town under attack: a real gateway on real sockets, its hospitals' messages, and partners with tokens of the widest scopes there are."""

from __future__ import annotations

import asyncio
import json
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
from joserfc import jwt
from joserfc.jwk import ECKey

from gateway.app import running
from gateway.clocks import CareClock
from gateway.instance import Gateway
from gateway.settings import load
from gateway.smart.clients import register
from gateway.smart.keys import private_key

Json = dict[str, Any]

CONFIGURATION = """
[http]
listen = "127.0.0.1:0"
[mllp]
listen = "127.0.0.1:0"

[[feed]]
name = "st-mary"
hospital = "St. Mary Medical Center"
sending_facility = "STMARY"
timezone = "America/Chicago"
psychiatric_units = ["BHU"]
other_units = ["MED3"]
part2_units = ["DETOX"]
mental_health_services = ["PSYFU"]
other_appointment_services = ["DENTAL"]
[feed.authorities]
STMARY = "https://st-mary.example.org/mrn"
COUNTYMPI = "https://county.example.org/person"

[[feed]]
name = "cedar-ridge"
hospital = "Cedar Ridge Recovery Center"
sending_facility = "CEDAR"
timezone = "America/Denver"
facility_kind = "psychiatric"
part2_units = ["*"]
[feed.authorities]
CEDAR = "https://cedar-ridge.example.org/mrn"
COUNTYMPI = "https://county.example.org/person"

[[agency]]
id = "river-cmhc"
name = "River Community Mental Health"
postal_codes = ["627*", "6290*"]

[[agency]]
id = "harbor-house"
name = "Harbor House Community Services"
postal_codes = ["625*", "629*"]
"""

NOW = datetime(2026, 3, 20, 18, 0, tzinfo=UTC)
WIDEST = "system/*.cruds"
CLIENTS = {
    "river-cmhc": ("agency", "river-cmhc", WIDEST),
    "harbor-house": ("agency", "harbor-house", WIDEST),
    "narrow": ("agency", "river-cmhc", "system/Task.s"),
    "coordinator": ("coordinator", "", WIDEST),
    "operator": ("operator", "", WIDEST),
    "hospital": ("hospital", "st-mary", WIDEST),
}
FHIR_JSON = "application/fhir+json"


class Partner:
    """One SMART backend client over real HTTP; `id` None has no token at all."""

    def __init__(self, base_url: str, id: str | None, key: Json | None) -> None:
        self.http = httpx.Client(base_url=base_url, timeout=30, trust_env=False)
        self.id = id
        self.token = self._token(base_url, key) if id and key else ""

    def _token(self, base_url: str, key: Json) -> str:
        now = int(time.time())
        claims = {"iss": self.id, "sub": self.id, "aud": f"{base_url}/oauth/token", "iat": now, "exp": now + 240, "jti": str(uuid.uuid4())}
        assertion = jwt.encode({"alg": "ES384", "kid": key["kid"], "typ": "JWT"}, claims, private_key(key), algorithms=["ES384"])
        form = {
            "grant_type": "client_credentials",
            "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
            "client_assertion": assertion,
            "scope": CLIENTS[str(self.id)][2],
        }
        answer = self.http.post("/oauth/token", data=form)
        assert answer.status_code == 200, answer.text
        return str(answer.json()["access_token"])

    def ask(self, method: str, path: str, **request: Any) -> httpx.Response:
        headers = {"Connection": "close", "Accept": FHIR_JSON if path.startswith("/fhir") else "application/json"}
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        if isinstance(request.get("json"), dict | list):
            headers["Content-Type"] = FHIR_JSON
        return self.http.request(method, path, **(request | {"headers": headers | request.get("headers", {})}))

    def get(self, path: str, **more: Any) -> httpx.Response:
        return self.ask("GET", path, **more)

    def search(self, kind: str, **parameters: str) -> list[Json]:
        """Every match, page after page."""
        found: list[Json] = []
        path: str | None = f"/fhir/{kind}"
        answer = self.get(path, params=parameters)
        while True:
            assert answer.status_code == 200, answer.text
            bundle = answer.json()
            found += [entry["resource"] for entry in bundle.get("entry", [])]
            path = next((link["url"] for link in bundle["link"] if link["relation"] == "next"), None)
            if path is None:
                return found
            answer = self.get(path.split("/fhir", 1)[0] and "/fhir" + path.split("/fhir", 1)[1])

    def feed(self, cursor: str = "") -> tuple[list[Json], str]:
        """All rows of the feed behind a cursor, and the cursor after them."""
        rows: list[Json] = []
        while True:
            page = self.get("/api/transitions", params={"cursor": cursor, "limit": "3"}).json()
            rows += page["transitions"]
            if not page["transitions"]:
                return rows, page["cursor"]
            cursor = page["cursor"]

    def task(self, patient: str) -> tuple[Json, str]:
        """The client's Task and its ETag."""
        [task] = [each for each in self.search("Task", patient=patient) if each["status"] not in ("rejected", "cancelled")]
        answer = self.get(f"/fhir/Task/{task['id']}")
        return answer.json(), answer.headers["ETag"]

    def accept(self, patient: str, status: str = "accepted", **more: Any) -> httpx.Response:
        task, tag = self.task(patient)
        return self.ask("PUT", f"/fhir/Task/{task['id']}", json=task | {"status": status} | more, headers={"If-Match": tag})

    def everything(self, about: str = "") -> dict[str, bytes]:
        """Every byte that this partner can read: all types by search; each resource by read, history and version, with their headers; the feed.

        With `about`, a Patient's id, single resources only as far as they speak of that client.
        """
        got: dict[str, bytes] = {}
        kinds = [each["type"] for each in self.get("/fhir/metadata").json()["rest"][0]["resource"]]
        for kind in [*kinds, "Consent", "AuditEvent"]:
            answer = self.get(f"/fhir/{kind}", params={"_count": "1000"})
            got[kind] = answer.content
            for entry in answer.json().get("entry", []) if answer.status_code == 200 else []:
                if about in json.dumps(entry):
                    got |= self.one(f"{kind}/{entry['resource']['id']}")
        got["/api/transitions"] = self.get("/api/transitions").content
        got["/fhir/metadata"] = self.get("/fhir/metadata").content
        return got

    def one(self, reference: str) -> dict[str, bytes]:
        """A resource by read, history and each version."""
        got: dict[str, bytes] = {}
        paths = [reference, f"{reference}/_history"]
        history = self.get(f"/fhir/{reference}/_history").json()
        paths += [f"{reference}/_history/{entry['resource']['meta']['versionId']}" for entry in history.get("entry", [])]
        for path in paths:
            answer = self.get(f"/fhir/{path}")
            shown = {name: value for name, value in answer.headers.items() if name not in ("date",)}
            got[path] = json.dumps(shown).encode() + answer.content
        return got


class Town:
    """The gateway with its clock and everybody who acts."""

    def __init__(self, gateway: Gateway, loop: asyncio.AbstractEventLoop) -> None:
        self.gateway = gateway
        self._loop = loop
        keys = {id: dict(ECKey.generate_key("P-384", {"alg": "ES384", "use": "sig"}, auto_kid=True).as_dict(private=True)) for id in CLIENTS}
        for id, (role, organization, scope) in CLIENTS.items():
            public = json.dumps({"keys": [dict(private_key(keys[id]).as_dict(private=False))]})
            feeds = ("st-mary", "cedar-ridge") if role == "hospital" else ()
            register(gateway.store.credentials, id=id, role=role, organization=organization, scope=scope, jwks=public, feeds=feeds, now=time.time())
        self.partners = {id: Partner(gateway.base_url, id, key) for id, key in keys.items()}
        self.nobody = Partner(gateway.base_url, None, None)
        self.river, self.harbor = self.partners["river-cmhc"], self.partners["harbor-house"]
        self.coordinator, self.hospital = self.partners["coordinator"], self.partners["hospital"]
        self.at = NOW
        self.clock(NOW)
        self._control = 0

    def clock(self, at: datetime) -> None:
        """The care clock stands at a moment; everything due by then is done."""
        self.at = at
        asyncio.run_coroutine_threadsafe(self.gateway.set_clock(at), self._loop).result(30)

    def later(self, **span: float) -> None:
        self.clock(self.at + timedelta(**span))

    def close(self) -> None:
        for partner in (*self.partners.values(), self.nobody):
            partner.http.close()

    def send(self, event: str, who: Client, *segments: str, facility: str = "STMARY", at: datetime | None = None, **pid: Any) -> None:
        """One message over HTTPS from the hospitals' client, a second after the last; it must be accepted."""
        self._control += 1
        moment = at or self.at
        stamp = moment.strftime("%Y%m%d%H%M%S+0000")
        lines = [
            f"MSH|^~\\&|ADT|{facility}|GW|COUNTY|{stamp}||{event}|{facility}{self._control}|P|2.5.1||||||UNICODE UTF-8",
            f"EVN||{stamp}",
            who.pid(facility, **pid),
            *segments,
        ]
        raw = ("\r".join(lines) + "\r").encode()
        answer = self.hospital.ask("POST", "/hl7/v2", content=raw, headers={"Content-Type": "x-application/hl7-v2+er7"})
        assert "MSA|AA" in answer.text, answer.text
        if at is None:
            self.later(seconds=1)

    def patient(self, who: Client, partner: Partner | None = None) -> str:
        """The id of the client's active Patient, as somebody sees it."""
        found = [each for each in (partner or self.coordinator).search("Patient", identifier=who.county) if each.get("active", True)]
        return str(found[0]["id"])

    def discharged(self, who: Client, *more: str, unit: str = "BHU", facility: str = "STMARY", visit: str = "") -> str:
        """Admitted ten days ago, discharged now; the Patient's id."""
        visit = visit or f"V{who.mrn}"
        start, end = self.at - timedelta(days=10), self.at - timedelta(minutes=20)
        self.send("ADT^A01^ADT_A01", who, pv1(unit, visit, start), *(more or (MAJOR_DEPRESSION,)), facility=facility, at=start)
        self.send("ADT^A03^ADT_A03", who, pv1(unit, visit, start, end, "01"), *(more or (MAJOR_DEPRESSION,)), facility=facility)
        return self.patient(who)


class Client:
    """A person as the hospitals' messages tell of them."""

    def __init__(self, mrn: str, name: str, postal_code: str = "62701", county: str = "", birth_date: str = "19800214") -> None:
        self.mrn, self.name, self.postal_code, self.county, self.birth_date = mrn, name, postal_code, county or f"P{mrn}", birth_date

    def pid(self, facility: str, mrn: str = "", died: str = "", postal_code: str = "") -> str:
        number = mrn or (self.mrn if facility == "STMARY" else f"{facility[:2]}-{self.mrn}")
        identifiers = f"{number}^^^{facility}^MR~{self.county}^^^COUNTYMPI^PI"
        address = f"1 Elm St^^Springfield^IL^{postal_code or self.postal_code}^USA^H"
        return f"PID|1||{identifiers}||{self.name}||{self.birth_date}|F|||{address}||||||||||||||||||{died}"


def pv1(unit: str, visit: str, admitted: datetime, discharged: datetime | None = None, disposition: str = "", kind: str = "I") -> str:
    """PV1 with fields 2, 3, 7, 19, 36, 44, 45."""
    fields = [""] * 46
    fields[1], fields[2], fields[3], fields[7], fields[19] = "1", kind, f"{unit}^201^A", f"1518^Okafor^Ngozi^^^Dr{unit}", visit
    fields[36], fields[44] = disposition, admitted.strftime("%Y%m%d%H%M%S+0000")
    fields[45] = discharged.strftime("%Y%m%d%H%M%S+0000") if discharged else ""
    return "PV1|" + "|".join(fields[1:])


MAJOR_DEPRESSION = "DG1|1||F33.2^Major depressive disorder, recurrent severe^I10|||F|||||||||1"
OPIOIDS = "DG1|2||F11.20^Opioid dependence, uncomplicated^I10|||F|||||||||2"


def booking(who: str, at: datetime, **more: Any) -> Json:
    return {
        "resourceType": "Appointment",
        "status": "booked",
        "serviceType": [{"text": "Psychiatric follow-up"}],
        "start": at.isoformat(),
        "end": (at + timedelta(minutes=45)).isoformat(),
        "participant": [{"actor": {"reference": f"Patient/{who}"}, "status": "accepted"}],
    } | more


def consent(who: str, recipient: str, at: datetime, verdict: str = "permit", days: float = 365, **more: Any) -> Json:
    """A client's written consent (42 CFR 2.31), or the opposite of one."""
    return {
        "resourceType": "Consent",
        "status": "active",
        "scope": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/consentscope", "code": "patient-privacy"}]},
        "category": [{"coding": [{"system": "http://loinc.org", "code": "59284-0"}]}],
        "patient": {"reference": f"Patient/{who}"},
        "dateTime": at.isoformat(),
        "policyRule": {"text": "42 CFR Part 2"},
        "provision": {
            "type": verdict,
            "period": {"start": at.isoformat(), "end": (at + timedelta(days=days)).isoformat()},
            "actor": [
                {
                    "role": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v3-ParticipationType", "code": "IRCP"}]},
                    "reference": {"reference": f"Organization/{recipient}"},
                }
            ],
            "purpose": [{"system": "http://terminology.hl7.org/CodeSystem/v3-ActReason", "code": "TREAT"}],
            "securityLabel": [{"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "42CFRPart2"}],
        },
    } | more


@contextmanager
def town(directory: Path) -> Iterator[Town]:
    """A fresh gateway in a thread of its own."""
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "gateway.toml").write_text(CONFIGURATION)
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    clock = CareClock()
    clock.set(NOW - timedelta(days=60))
    context = running(load(directory / "gateway.toml"), directory, clock)
    gateway = asyncio.run_coroutine_threadsafe(context.__aenter__(), loop).result(30)
    try:
        made = Town(gateway, loop)
        try:
            yield made
        finally:
            made.close()
    finally:
        asyncio.run_coroutine_threadsafe(context.__aexit__(None, None, None), loop).result(30)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
