"""What schemathesis makes of the OpenAPI description, sent to a running gateway: half of it with ids and values that stand for something there."""

from __future__ import annotations

import json
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from hypothesis.errors import HypothesisDeprecationWarning
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import content_type_conformance, response_schema_conformance, status_code_conformance

from tests.attacks_privacy.town import Json
from tests.clients.fuzzed_bodies import body_of, prepare
from tests.clients.house import House

CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
_SETTINGS = {"deadline": None, "database": None, "suppress_health_check": list(HealthCheck), "phases": [Phase.generate], "print_blob": False}


@schemathesis.serializer("x-application/hl7-v2+er7")
def _as_er7(_: Any, value: Any) -> bytes:
    return (value if isinstance(value, str) else json.dumps(value)).encode("utf-8", "surrogatepass")


class Fuzzer:
    """Sends cases for operations of a gateway's description, and counts them."""

    def __init__(self, home: House, change: Callable[[Json], Json] = lambda described: described) -> None:
        """`change` is made to the description before it is used."""
        self.home, self.session, self.sent = home, requests.Session(), Counter[str]()
        self.session.trust_env = False
        for partner in (home.river, home.coordinator, home.town.hospital):
            partner.token = home.lasting_token(str(partner.id))
        self.statuses: Counter[int] = Counter()
        described = self.session.get(f"{home.url}/openapi.json", timeout=30).json()
        self.operations = [each.ok() for each in schemathesis.openapi.from_dict(change(described)).get_all_operations()]
        self.tokens = [home.river.token] * 6 + [home.coordinator.token] * 3 + [home.town.hospital.token, "", "no token"]
        prepare(home)
        self.known = _known(home)

    def close(self) -> None:
        self.session.close()

    def fuzz(self, label: str, cases: int, number: int) -> None:
        """So many cases of one operation; raises with what is wrong and how to send it again."""
        (operation,) = [each for each in self.operations if each.label == label]
        made = st.one_of(*(operation.as_strategy(generation_mode=mode) for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)))

        @seed(number)
        @settings(max_examples=cases, **_SETTINGS)
        @given(case=made, token=st.sampled_from(self.tokens), sense=st.randoms(use_true_random=False))
        def send(case: Any, token: str, sense: Any) -> None:
            if sense.random() < 0.6:
                self._make_sense(case, sense)
            headers = {"Authorization": f"Bearer {token}"} if token and label not in _OPEN else {}
            answer = case.call(base_url=self.home.url, session=self.session, headers=headers, timeout=60)
            self.sent[label] += 1
            self.statuses[answer.status_code] += 1
            case.validate_response(answer, checks=CHECKS)

        with warnings.catch_warnings():
            warnings.simplefilter("ignore", HypothesisDeprecationWarning)  # of chance in the gateway's thread, which is none of the strategies'
            send()

    def _make_sense(self, case: Any, sense: Any) -> None:
        """Ids that there are, and bodies that are nearly right."""
        type = case.path.split("/")[2] if case.path.startswith("/fhir/") else ""
        if isinstance(case.path_parameters, dict) and "id" in case.path_parameters and self.known.get(type or "transitions"):
            case.path_parameters["id"] = sense.choice(self.known[type or "transitions"])
        if isinstance(case.path_parameters, dict) and "version" in case.path_parameters:
            case.path_parameters["version"] = sense.choice(["1", "2", "3"])
        if isinstance(case.query, dict):
            for name in case.query:
                if sense.random() < 0.5 and (near := _near(name)):
                    case.query[name] = sense.choice(near)
        make = body_of(case.method, case.path)
        if make is not None:
            case.body = _broken(make(self.home, sense), sense)


_OPEN = ("POST /oauth/token", "POST /oauth/introspect", "POST /oauth/revoke", "POST /oauth/register")


def _known(home: House) -> dict[str, Sequence[str]]:
    """Ids of what there is, by type."""
    kinds = [each["type"] for each in home.river.get("/fhir/metadata").json()["rest"][0]["resource"]]
    found: dict[str, Sequence[str]] = {}
    for kind in kinds:
        answer = home.coordinator.get(f"/fhir/{kind}", params={"_count": "20"} if kind != "Group" else {})
        found[kind] = [entry["resource"]["id"] for entry in answer.json().get("entry", [])] if answer.status_code == 200 else []
    return {**found, "transitions": [row["id"] for row in home.coordinator.feed()[0]]}


def _near(name: str) -> Sequence[str]:
    """Values that a parameter of this name may well have."""
    return {
        "_count": ("0", "1", "1000"),
        "_sort": ("_lastUpdated", "-_id", "status,-_lastUpdated"),
        "_lastUpdated": ("gt2026-03-01", "le2026-03-20T18:00:00Z", "2026"),
        "_summary": ("count", "true"),
        "_elements": ("id,status",),
        "status": ("booked", "requested", "active,finished"),
        "date": ("ge2026-01-01", "ap2026-03-20"),
        "patient:identifier": ("https://county.example.org/person|P7001",),
        "identifier": ("7001", "|", "https://county.example.org/person|"),
        "limit": ("1", "0"),
        "wait": ("0",),
        "_cursor": ("x",),
    }.get(name, ())


def _broken(body: Any, sense: Any) -> Any:
    """The body, with one thing of it removed or of another kind, or left as it is."""
    if isinstance(body, str):
        cut = sense.randrange(len(body))
        return body if sense.random() < 0.3 else body[:cut] + sense.choice(["", "|", "\r", "\u0000", "^~&", body]) + body[cut + sense.randrange(9) :]
    places = list(_places(body))
    if sense.random() < 0.3 or not places:
        return body
    body = json.loads(json.dumps(body))
    path = sense.choice(places)
    node: Any = body
    for step in path[:-1]:
        node = node[step]
    other = sense.choice(_ODD)
    if sense.random() < 0.2:
        del node[path[-1]]
    else:
        node[path[-1]] = other
    return body


_ODD = [None, "", "\u0000", "\ud7ff" * 3, 10**30, -0.0, [], {}, [[]], True, {"reference": "#x"}, "Patient/../..", "9999-99-99", "a" * 70_000]


def _places(node: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if path:
        yield path
    steps = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for step, below in steps:
        yield from _places(below, (*path, step))
