"""Da Vinci's own example notifications through `POST /fhir/$process-message`, with a hospital's token, against what their texts say.

By hand, from the six files: four admits, a transfer and a discharge of one Encounter (one identifier) of one Patient (the same four identifiers).
Their recorded time is `Encounter.meta.lastUpdated` (2020-04-28): the admits at 21:32:21.199 (EMER, in-progress), the transfer at 21:32:28.234 (IMP,
in-progress), the discharge at 21:32:34.376 (IMP, finished, NUBC 1: home, ended 2018-10-23T22:22:15-07:00). Bundle.timestamp would put two of the
admits last and undo the discharge: it counts only where a resource has no lastUpdated. So, in any order: one inpatient stay, discharged home, nothing
booked. Its diagnosis is "Examplitis" of a made-up code system: no psychiatric sign, and no other: undecided, in the coordinator's queue.
"""

from __future__ import annotations

import asyncio
import json
import time
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
from joserfc import jwt
from joserfc.jwk import ECKey

from gateway.app import running
from gateway.clocks import CareClock
from gateway.settings import load
from gateway.smart.clients import register
from gateway.store.interface import ALL, Filter
from tests.third_party import DATA, third_party

Json = dict[str, Any]

FILES = tuple(
    f"{name}.json"
    for name in (
        "admit-notification-message-bundle-01",
        "admit-notification-message-bundle-02",
        "admit-notification-intermediate-transmit-bundle",
        "admit-notification-intermediate-translate-bundle",
        "transfer-notification-message-bundle-01",
        "discharge-notification-message-bundle-01",
    )
)
DAY_OF_THE_BUNDLES = datetime(2020, 8, 18, 12, tzinfo=UTC)
CONFIGURATION = """
[http]
listen = "127.0.0.1:0"
[mllp]
listen = "127.0.0.1:0"
[[feed]]
name = "holy-family"
hospital = "Holy Family Hospital"
timezone = "America/Los_Angeles"
[[agency]]
id = "river"
name = "River Community Mental Health"
postal_codes = ["*"]
"""


@dataclass(frozen=True)
class Taken:
    """What the hospital was answered, and what then stood."""

    answers: list[httpx.Response]
    states: list[str]  # of the inbox
    transitions: list[Json]
    agency_sees: set[str]  # types of records
    records: dict[tuple[str, str], bytes]


async def token(http: httpx.AsyncClient, base_url: str, key: ECKey) -> str:
    """A backend client's token, as SMART App Launch 2.2 has it."""
    now, url = int(time.time()), f"{base_url}/oauth/token"
    claims = {"iss": "adt", "sub": "adt", "aud": url, "iat": now, "exp": now + 240, "jti": str(uuid.uuid4())}
    form = {
        "grant_type": "client_credentials",
        "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        "client_assertion": jwt.encode({"alg": "ES384", "kid": key.kid, "typ": "JWT"}, claims, key, algorithms=["ES384"]),
        "scope": "system/Bundle.c",
    }
    answer = await http.post(url, data=form)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["access_token"])


def taken(directory: Path, files: tuple[str, ...]) -> Taken:
    directory.mkdir()
    (directory / "gateway.toml").write_text(CONFIGURATION, encoding="utf-8")
    key = ECKey.generate_key("P-384", {"alg": "ES384", "use": "sig"}, auto_kid=True)
    jwks = json.dumps({"keys": [key.as_dict(private=False)]})

    async def post() -> Taken:
        clock = CareClock()
        clock.set(DAY_OF_THE_BUNDLES)
        async with running(load(directory / "gateway.toml"), directory, clock) as gateway, httpx.AsyncClient() as http:
            credentials = gateway.store.credentials
            register(credentials, id="adt", role="hospital", organization="holy-family", feeds=("holy-family",), jwks=jwks, now=time.time())
            headers = {"Authorization": f"Bearer {await token(http, gateway.base_url, key)}", "Content-Type": "application/fhir+json"}
            url = f"{gateway.base_url}/fhir/$process-message"
            answers = [await http.post(url, content=(DATA / "fhir" / "davinci-alerts" / name).read_bytes(), headers=headers) for name in files]
            with gateway.store.reading() as reader:
                return Taken(
                    answers,
                    [each.state for each in reader.messages(Filter(oldest_first=True))],
                    [orjson.loads(row.body) for row in reader.worklist(ALL) if row.body is not None],
                    {each.type for each in reader.export("river")},
                    {(each.type, each.id): each.body or b"" for each in reader.export(ALL)},
                )

    return asyncio.run(post())


@pytest.fixture(scope="module")
def as_it_went(tmp_path_factory: pytest.TempPathFactory) -> Taken:
    return taken(tmp_path_factory.mktemp("davinci") / "data", FILES)


@pytest.fixture(scope="module")
def backwards(tmp_path_factory: pytest.TempPathFactory) -> Taken:
    return taken(tmp_path_factory.mktemp("davinci") / "data", FILES[::-1])


@pytest.fixture(params=["as_it_went", "backwards"])
def six(request: pytest.FixtureRequest) -> Taken:
    found: Taken = request.getfixturevalue(request.param)
    return found


@third_party
def test_each_notification_is_taken_and_answered_as_a_message(six: Taken) -> None:
    """R4 messaging: 200 with a response Bundle whose MessageHeader names the one that was sent."""
    assert [answer.status_code for answer in six.answers] == [200] * len(FILES)
    assert six.states == ["processed"] * len(FILES)
    sent = {name: orjson.loads((DATA / "fhir" / "davinci-alerts" / name).read_bytes())["entry"][0]["resource"]["id"] for name in FILES}
    answered = [answer.json()["entry"][0]["resource"]["response"] for answer in six.answers]
    assert {each["code"] for each in answered} == {"ok"}
    assert {each["identifier"] for each in answered} == set(sent.values())


@third_party
def test_the_six_tell_of_one_stay_that_ended_with_nothing_booked(six: Taken) -> None:
    assert len([kind for kind, _ in six.records if kind == "Patient"]) == 1
    encounters = [orjson.loads(body) for (kind, _), body in six.records.items() if kind == "Encounter"]
    assert [(each["status"], each["class"]["code"]) for each in encounters] == [("finished", "IMP")]
    (transition,) = six.transitions
    assert (transition["status"], transition["closed_as"], transition["follow_up"]["state"]) == ("open", None, "none")
    assert datetime.fromisoformat(transition["admitted"]) == datetime.fromisoformat("2018-10-21T21:22:15-07:00")
    assert datetime.fromisoformat(transition["discharged"]) == datetime.fromisoformat("2018-10-23T22:22:15-07:00")
    flags = {flag["code"] for flag in transition["flags"]}
    assert {"no-follow-up-scheduled", "service-unknown"} <= flags
    assert not flags & {"disposition-unknown", "identity-uncertain"}


@third_party
def test_a_stay_of_unknown_kind_is_the_coordinators_alone(six: Taken) -> None:
    (transition,) = six.transitions
    assert (transition["psychiatric"]["answer"], transition["queue"], transition["agency"]) == ("undecided", "coordinator", None)
    assert six.agency_sees <= {"Organization", "Device"}


@third_party
def test_a_notification_sent_twice_changes_nothing(tmp_path: Path, as_it_went: Taken) -> None:
    """Law 1: the same answer again, and no record more."""
    twice = taken(tmp_path / "data", tuple(name for name in FILES for _ in range(2)))
    assert twice.states == ["processed", "duplicate"] * len(FILES)
    assert [answer.status_code for answer in twice.answers] == [200] * len(twice.answers)
    assert [_body(answer) for answer in twice.answers[::2]] == [_body(answer) for answer in twice.answers[1::2]]
    assert len(twice.records) == len(as_it_went.records)


def _body(answer: httpx.Response) -> Json:
    body: Json = answer.json()
    return body
