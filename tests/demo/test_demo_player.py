"""The player: the clock goes first, messages go out in each hospital's bytes, agencies speak HTTP with tokens of their own."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
import respx
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from gateway.demo.agencies import new_keys, public_set
from gateway.demo.county import Hospital, county
from gateway.demo.player import Outcome, play
from gateway.demo.scenario import Scenario, read
from gateway.er7.acknowledgements import Acknowledgement

END = datetime(2026, 11, 22, 18, 0, tzinfo=UTC)
BASE = "http://gateway.test"
MESSAGE = "MSH|^~\\\\&|LKADT|LAKESIDE|GATEWAY|COUNTY|{now minutes}||ADT^A01|1|P|2.3\nPID|1||778||Núñez^José"
STORY = f"""
title = "T"
story = "S"
[client]
name = "José Núñez"
birth_date = 1979-02-03
mrn = "778"
[[step]]
at = "day 9 10:00"
who = "river-cmhc"
what = "Last, though first in the file."
does = "accepts"
[[step]]
at = "day 3 09:30"
who = "lakeside"
what = "Admitted."
sends = \"\"\"
{MESSAGE}
\"\"\"
"""


@pytest.fixture(scope="module")
def keys() -> dict[str, dict[str, Any]]:
    return new_keys(county())


class Wire:
    """What went over the lines and when, by the care clock."""

    def __init__(self, answer: str = "AA") -> None:
        self.answer = answer
        self.clock: list[datetime] = []
        self.sent: list[tuple[str, bytes, datetime]] = []

    async def set_clock(self, at: datetime) -> None:
        self.clock.append(at)

    @asynccontextmanager
    async def connect(self, hospital: Hospital) -> AsyncIterator[Any]:
        wire = self

        class Line:
            async def send(self, message: bytes) -> Acknowledgement:
                wire.sent.append((hospital.name, message, wire.clock[-1]))
                return Acknowledgement("1", wire.answer, "")

        yield Line()


def gateway_answers(router: respx.Router, keys: dict[str, dict[str, Any]]) -> dict[str, respx.Route]:
    """A gateway that knows one client with one requested Task."""

    def token(request: httpx.Request) -> httpx.Response:
        form = dict(pair.split("=", 1) for pair in request.content.decode().split("&"))
        client = next(name for name, key in keys.items() if _claims(form["client_assertion"], key) is not None)
        return httpx.Response(200, json={"access_token": f"token-{client}", "token_type": "bearer", "expires_in": 300})

    task = {"resourceType": "Task", "id": "t1", "status": "requested", "for": {"reference": "Patient/p1"}}
    router.post("/oauth/token").mock(side_effect=token)
    return {
        "poll": router.get("/api/transitions").respond(json={"transitions": [], "cursor": "c"}),
        "patient": router.get("/fhir/Patient").respond(json={"entry": [{"resource": {"resourceType": "Patient", "id": "p1"}}]}),
        "tasks": router.get("/fhir/Task").respond(json={"entry": [{"resource": task}]}),
        "task": router.get("/fhir/Task/t1").respond(json=task, headers={"ETag": 'W/"3"'}),
        "accept": router.put("/fhir/Task/t1").respond(json=task),
    }


def _claims(assertion: str, key: dict[str, Any]) -> dict[str, Any] | None:
    try:
        return jwt.decode(assertion, KeySet.import_key_set(public_set(key)), algorithms=["ES384", "RS384"]).claims
    except JoseError:
        return None


async def _play(story: str, wire: Wire, keys: dict[str, dict[str, Any]], told: list[Outcome] | None = None) -> list[Outcome]:
    scenario: Scenario = read("file.toml", story)
    return await play(
        county(),
        [scenario],
        end=END,
        set_clock=wire.set_clock,
        connect=wire.connect,
        base_url=BASE,
        keys=keys,
        progress=(lambda outcome, number, total: told.append(outcome)) if told is not None else None,
    )


def test_steps_are_played_in_the_order_of_time_with_the_clock_set_first(keys: dict[str, dict[str, Any]]) -> None:
    import asyncio

    wire, told = Wire(), list[Outcome]()
    with respx.mock(base_url=BASE, assert_all_called=False) as router:
        routes = gateway_answers(router, keys)
        outcomes = asyncio.run(_play(STORY, wire, keys, told))
        accept = routes["accept"].calls.last.request
    assert [outcome.answer for outcome in outcomes] == ["AA", "200"]
    assert all(outcome.as_told for outcome in outcomes)
    assert told == outcomes
    # 14 is 22 November; day 3 is the 11th at Lakeside (UTC-5), day 9 the 17th at River (UTC-6); then the end.
    assert wire.clock == [datetime(2026, 11, 11, 14, 30, tzinfo=UTC), datetime(2026, 11, 17, 16, 0, tzinfo=UTC), END]
    assert json.loads(accept.content)["status"] == "accepted"
    assert accept.headers["If-Match"] == 'W/"3"'
    assert accept.headers["Authorization"] == "Bearer token-river-cmhc"


def test_a_message_goes_out_in_its_hospital_s_character_set_with_segments_ended_by_cr(keys: dict[str, dict[str, Any]]) -> None:
    import asyncio

    wire = Wire()
    with respx.mock(base_url=BASE, assert_all_called=False) as router:
        gateway_answers(router, keys)
        asyncio.run(_play(STORY, wire, keys))
    name, message, at = wire.sent[0]
    assert name == "lakeside"
    assert at == datetime(2026, 11, 11, 14, 30, tzinfo=UTC)
    assert message == "MSH|^~\\&|LKADT|LAKESIDE|GATEWAY|COUNTY|202611110930||ADT^A01|1|P|2.3\rPID|1||778||Núñez^José\r".encode("latin-1")


def test_a_step_that_does_not_come_out_as_told_is_reported_and_the_rest_is_played(keys: dict[str, dict[str, Any]]) -> None:
    import asyncio

    wire = Wire(answer="AE")
    with respx.mock(base_url=BASE, assert_all_called=False) as router:
        gateway_answers(router, keys)
        router.get("/fhir/Patient").respond(json={"entry": []})
        outcomes = asyncio.run(_play(STORY, wire, keys))
    assert [(outcome.answer, outcome.as_told) for outcome in outcomes] == [("AE", False), ("failed", False)]
    assert outcomes[1].text == "no client is shown under this record number"


def test_the_agencies_sign_with_both_algorithms_and_an_assertion_of_at_most_five_minutes(keys: dict[str, dict[str, Any]]) -> None:
    assert {key["alg"] for key in keys.values()} == {"ES384", "RS384"}
    import time

    from gateway.demo.agencies import Partner

    for client, key in keys.items():
        partner = Partner(client, key, httpx.AsyncClient(), f"{BASE}/oauth/token")
        claims = _claims(partner._assertion(), key)
        assert claims is not None
        assert (claims["iss"], claims["sub"], claims["aud"]) == (client, client, f"{BASE}/oauth/token")
        assert 0 < claims["exp"] - time.time() <= 300
