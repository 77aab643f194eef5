"""Inferno as an app: it launches on its own and from a client's page, as a public, a symmetric and an asymmetric client."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import time
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx
from joserfc import jws
from joserfc.jwk import ECKey

from gateway.smart import clients, launches
from tests.attacks_privacy.town import MAJOR_DEPRESSION, Client
from tests.clients.house import CALLBACK, House, Person
from tests.smart.launching import basic

Json = dict[str, Any]

ORIGIN = "http://127.0.0.1:9"
"""Where Inferno runs: its registered redirect URI's origin."""
KIND = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
KEY = ECKey.generate_key("P-384", {"kid": "inferno", "alg": "ES384"})
SECRET = "inferno keeps this one for itself"
HELD = [
    "AllergyIntolerance",
    "CarePlan",
    "CareTeam",
    "Condition",
    "Coverage",
    "Device",
    "DiagnosticReport",
    "DocumentReference",
    "Encounter",
    "Goal",
    "Immunization",
    "Location",
    "Medication",
    "MedicationRequest",
    "Observation",
    "Organization",
    "Patient",
    "Practitioner",
    "PractitionerRole",
    "Procedure",
    "Provenance",
    "ServiceRequest",
]
"""Types of the kits' default scopes."""
STANDALONE = "launch/patient openid fhirUser offline_access " + " ".join(f"patient/{type}.rs" for type in HELD)
EHR = "launch openid fhirUser offline_access " + " ".join(f"user/{type}.rs" for type in HELD)
STANDALONE_V1, EHR_V1 = STANDALONE.replace(".rs", ".read"), EHR.replace(".rs", ".read")
REGISTERED = "launch launch/patient openid fhirUser offline_access patient/*.rs patient/*.read user/*.rs user/*.read"


@dataclass
class Launched:
    """A launch: what was asked, where the browser was sent back to, and the token endpoint's answer."""

    id: str
    asked: str
    state: str
    redirect: Json
    answer: httpx.Response
    verifier: str

    @property
    def body(self) -> Json:
        return dict(self.answer.json())

    @property
    def token(self) -> str:
        return str(self.body["access_token"])


@dataclass
class App:
    """Inferno's registrations: `inf-public`, `inf-secret` and `inf-keys` are apps, `inf-backend` acts for itself."""

    home: House
    http: httpx.Client
    patient: str  # of whom there is more to see than of others
    people: list[Person] = field(default_factory=list)

    def close(self) -> None:
        self.http.close()
        for person in self.people:
            person.http.close()

    def person(self) -> Person:
        """Somebody at a browser of their own."""
        made = Person(self.home.url)
        self.people.append(made)
        return made

    def assertion(self, id: str, **changes: Any) -> str:
        now = int(time.time())
        claims = {"iss": id, "sub": id, "aud": f"{self.home.url}/oauth/token", "exp": now + 240, "jti": secrets.token_hex(16), **changes}
        return jws.serialize_compact({"alg": "ES384", "kid": "inferno", "typ": "JWT"}, json.dumps(claims), KEY, algorithms=["ES384"])

    def prove(self, id: str, form: Json) -> tuple[Json, dict[str, str]]:
        """A form and headers with which this client proves who it is."""
        if id == "inf-public":
            return {**form, "client_id": id}, {}
        if id == "inf-secret":
            return form, {"Authorization": basic(id, SECRET)}
        return {**form, "client_assertion_type": KIND, "client_assertion": self.assertion(id)}, {}

    def post(self, path: str, id: str, headers: dict[str, str] | None = None, **form: str) -> httpx.Response:
        said, proof = self.prove(id, form)
        return self.http.post(path, data=said, headers={**proof, **(headers or {})})

    def get(self, path: str, token: str = "", **more: Any) -> httpx.Response:
        headers = {"Accept": "application/fhir+json", **({"Authorization": f"Bearer {token}"} if token else {}), **more.pop("headers", {})}
        return self.http.get(path, headers=headers, **more)

    def begin(self, id: str, patient: str, encounter: str = "") -> Json:
        """A launch from a client's page: what the launch URL is called with."""
        row = self.home.gateway.store.credentials.client(id)
        assert row is not None
        url = launches.begin(self.home.gateway.store.credentials, row, self.home.fhir, patient, encounter, time.time())
        return {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}

    def code(
        self,
        id: str,
        scope: str,
        *,
        patient: str = "",
        method: str = "GET",
        name: str = "ann",
        without: tuple[str, ...] = (),
        parts: tuple[str, ...] = (),
        **more: str,
    ) -> tuple[Json, str]:
        """Ask for authorization and let the user allow it; what came back, and the verifier."""
        verifier = secrets.token_urlsafe(48)
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")
        asked = {
            "response_type": "code",
            "client_id": id,
            "redirect_uri": CALLBACK,
            "scope": scope,
            "state": secrets.token_hex(8),
            "aud": self.home.fhir,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
            **more,
        }
        person = self.person()
        if method == "POST":
            page = person.send("POST", "/oauth/authorize", data=asked)
            location = page.headers["location"] if page.is_redirect else f"/oauth/authorize?{urlencode(asked)}"
        else:
            location = f"/oauth/authorize?{urlencode(asked)}"
        back = person.let_in(location, patient, name, without, parts)
        told = {key: values[0] for key, values in parse_qs(urlsplit(back).query).items()}
        assert told["state"] == asked["state"]
        return {**told, "asked_state": asked["state"]}, verifier

    def exchange(self, id: str, code: str, verifier: str, **changes: str) -> httpx.Response:
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": CALLBACK, "code_verifier": verifier, **changes}
        return self.post("/oauth/token", id, {"Origin": ORIGIN}, **form)

    def launched(self, id: str, scope: str, **how: Any) -> Launched:
        redirect, verifier = self.code(id, scope, **how)
        return Launched(id, scope, redirect["asked_state"], redirect, self.exchange(id, redirect["code"], verifier), verifier)

    def refresh(self, made: Launched, token: str, **more: str) -> httpx.Response:
        return self.post("/oauth/token", made.id, grant_type="refresh_token", refresh_token=token, **more)

    def encounter(self, patient: str) -> str:
        """A stay of the patient, as River sees it."""
        return str(self.home.river.search("Encounter", patient=patient)[0]["id"])


def app_of(home: House) -> App:
    """Register Inferno."""
    store, now = home.gateway.store.credentials, time.time()
    jwks = json.dumps({"keys": [KEY.as_dict(private=False)]})
    shared: Json = {"redirect_uris": (CALLBACK,), "scope": REGISTERED, "launch_url": "http://127.0.0.1:9/launch", "now": now}
    clients.register(store, id="inf-public", public=True, **shared)
    clients.register(store, id="inf-secret", secret=SECRET, **shared)
    clients.register(store, id="inf-keys", jwks=jwks, **shared)
    clients.register(store, id="inf-backend", role="agency", organization="river-cmhc", jwks=jwks, scope="system/*.rs", now=now)
    clients.register(store, id="inf-operator", role="operator", organization="", jwks=jwks, scope="system/*.rs", now=now)
    return App(home, httpx.Client(base_url=home.url, timeout=30, trust_env=False), rich(home))


def rich(home: House) -> str:
    """A patient with records of most types of US Core, from two messages."""
    who = Client("7999", "Hazel^Ida")
    patient = home.town.discharged(
        who,
        MAJOR_DEPRESSION,
        "AL1|1|DA|7980^Penicillin^RXNORM|SV|Hives",
        "PR1|1||90834^Psychotherapy, 45 minutes^CPT||20260315100000+0000",
        "IN1|1|MCD|12345|Medicaid of Illinois|||||||||||MCD|Hazel^Ida|SEL|19800214",
    )
    home.town.send(
        "ORU^R01^ORU_R01",
        who,
        "PV1|1|I|BHU^201^A",
        "OBR|1||123|44249-1^PHQ-9^LN|||20260318100000+0000|||||||||||||||20260318100000+0000||LAB|F",
        "OBX|1|NM|44261-6^PHQ-9 total score^LN||17|{score}|||||F|||20260318100000+0000",
    )
    return patient
