"""Hostile bodies: whatever is sent, the answer is no 5xx, a failure is an OperationOutcome of R4's codes, and no value that was sent comes back."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.cli.profile_checks import check_profile
from gateway.store.interface import ALL
from tests.api.gateway_api import APPOINTMENT, PATIENT, TASK, Bench, bench
from tests.api.test_api_write_permissions import COMMUNICATION, CONSENT

Json = dict[str, Any]
SECRET = "Halvorson"  # a name that must not come back
CODES = frozenset(
    [
        "structure",
        "required",
        "value",
        "invariant",
        "login",
        "forbidden",
        "processing",
        "not-supported",
        "not-found",
        "deleted",
        "too-long",
        "code-invalid",
        "extension",
        "invalid",
        "business-rule",
        "conflict",
        "transient",
        "informational",
        "throttled",
        "too-costly",
    ]
)
OWN = [{"system": "urn:gateway:write:river", "value": "1"}]
BASES = (APPOINTMENT, COMMUNICATION, CONSENT, TASK)
NAMES = [
    "id",
    "meta",
    "text",
    "contained",
    "extension",
    "modifierExtension",
    "implicitRules",
    "identifier",
    "status",
    "start",
    "end",
    "participant",
    "subject",
    "patient",
    "for",
    "owner",
    "output",
    "note",
    "statusReason",
    "about",
    "payload",
    "provision",
    "reasonReference",
    "_status",
    "resourceType",
    "minutesDuration",
    "requestedPeriod",
    "serviceType",
    "fullUrl",
    "request",
    "entry",
    "type",
]

ATOMS: st.SearchStrategy[Any] = st.sampled_from(
    [
        None,
        True,
        0,
        -1,
        1.5,
        10**18,
        "",
        " ",
        SECRET,
        "Patient/p1",
        "Patient/",
        "#a",
        "urn:uuid:1",
        "Patient?identifier=x",
        "?",
        "2026",
        "booked",
        [],
        {},
        [None],
        [[]],
        [{}],
        {"": None},
        {"reference": 5},
        {"reference": "Patient/p1", "type": 5},
        {"start": 5, "end": []},
        {"coding": 5},
        [{"resourceType": "Patient", "id": "a"}],
        [{"resourceType": ["Patient"]}],
        {"coding": [{"code": {"x": SECRET}}]},
        OWN,
    ]
)
VALUES = st.one_of(
    ATOMS, st.recursive(ATOMS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=3), max_leaves=5)
)


@st.composite
def bodies(draw: st.DrawFn) -> Json:
    """A resource that was valid, changed in one to three places."""
    body = copy.deepcopy(draw(st.sampled_from(BASES)))
    for _ in range(draw(st.integers(0, 3))):
        node: Any = body
        while isinstance(node, dict | list) and node and draw(st.booleans()):
            inner = node[draw(st.sampled_from(sorted(node)))] if isinstance(node, dict) else node[draw(st.integers(0, len(node) - 1))]
            if not isinstance(inner, dict | list):
                break
            node = inner
        if isinstance(node, dict):
            node[draw(st.sampled_from(NAMES))] = copy.deepcopy(draw(VALUES))
        elif isinstance(node, list):
            node.append(copy.deepcopy(draw(VALUES)))
    return body


ADDRESSES = st.sampled_from(
    [f"{kind}{rest}" for kind in ("Appointment", "Communication", "Consent", "Task") for rest in ("", "/x1", "/t1", "/none", "?identifier=urn:x|7")]
    + [
        "Appointment/$validate?mode=create",
        "Task/t1/$validate?mode=update",
        "Patient?_count=1",
        "Nonsense/1",
        "Appointment?identifier=",
        "Task/_search",
    ]
)
METHODS = st.sampled_from(["POST", "PUT", "PATCH", "DELETE", "GET"])
OPERATIONS = st.lists(
    st.one_of(
        VALUES,
        st.fixed_dictionaries(
            {
                "op": st.sampled_from(["add", "remove", "replace", "move", "copy", "test", "x"]),
                "path": st.sampled_from(["", "/", "/status", "/id", "/a/b", "/~2"]),
            },
            optional={"value": VALUES, "from": st.sampled_from(["", "/status", "/identifier"])},
        ),
    ),
    max_size=3,
)
CONDITIONS = st.dictionaries(
    st.sampled_from(["If-Match", "If-None-Match", "If-None-Exist", "Prefer"]),
    st.sampled_from(["*", 'W/"1"', "x", "", "identifier=urn:x|7", "identifier=", "return=minimal", "%ff"]),
    max_size=2,
)
ENTRIES = st.lists(
    st.builds(
        lambda method, url, body, name: {"fullUrl": name, "resource": body, "request": {"method": method, "url": url}},
        METHODS,
        ADDRESSES,
        bodies(),
        st.sampled_from(["urn:uuid:1", "urn:uuid:2", "", 5]),
    )
    | VALUES,
    max_size=3,
)


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    with bench(tmp_path_factory.mktemp("fuzz")) as made:
        made.serve(profiles=check_profile)
        yield made


def check(gateway: Bench, method: str, address: str, content: Any, headers: dict[str, str]) -> None:
    gateway.put((ALL, "river"), PATIENT, TASK, *({**each, "id": "x1", "identifier": OWN} for each in BASES[:3]))
    answer = gateway.as_("greedy", method, f"/fhir/{address}", content=json.dumps(content), headers=headers)
    assert answer.status_code < 500
    told = answer.json() if answer.content else {}
    if answer.status_code >= 400:
        assert told["resourceType"] == "OperationOutcome"
        assert SECRET not in answer.text
    entries = told.get("entry", []) if str(told.get("type", "")).endswith("-response") else []
    for each in [told, *(entry["response"].get("outcome", {}) for entry in entries)]:
        assert {issue["code"] for issue in each.get("issue", ())} <= CODES
    assert all(entry["response"]["status"] < "500" for entry in entries)


SOME = settings(max_examples=60, derandomize=True, deadline=None, database=None, suppress_health_check=list(HealthCheck))
MANY = settings(max_examples=2_000, deadline=None, database=None, suppress_health_check=list(HealthCheck))

SINGLE = given(method=METHODS, address=ADDRESSES, body=bodies(), operations=OPERATIONS, headers=CONDITIONS)
SEVERAL = given(kind=st.sampled_from(["batch", "transaction", "message"]), entries=ENTRIES, headers=CONDITIONS)


def alone(gateway: Bench, method: str, address: str, body: Json, operations: Any, headers: dict[str, str]) -> None:
    """One write."""
    if method == "PATCH":
        check(gateway, method, address, operations, {"Content-Type": "application/json-patch+json", **headers})
    else:
        check(gateway, method, address, body, headers)


def together(gateway: Bench, kind: str, entries: Any, headers: dict[str, str]) -> None:
    """Several."""
    check(gateway, "POST", "", {"resourceType": "Bundle", "type": kind, "entry": entries}, headers)


@pytest.mark.theirs
@SOME
@SINGLE
def test_a_hostile_write_is_answered(gateway: Bench, **asked: Any) -> None:
    alone(gateway, **asked)


@pytest.mark.theirs
@SOME
@SEVERAL
def test_a_hostile_bundle_is_answered(gateway: Bench, **asked: Any) -> None:
    together(gateway, **asked)


@pytest.mark.sweep
@pytest.mark.theirs
@MANY
@SINGLE
def test_many_hostile_writes_are_answered(gateway: Bench, **asked: Any) -> None:
    alone(gateway, **asked)


@pytest.mark.sweep
@pytest.mark.theirs
@MANY
@SEVERAL
def test_many_hostile_bundles_are_answered(gateway: Bench, **asked: Any) -> None:
    together(gateway, **asked)
