"""The OpenAPI description is whole: every route that programs ask is in it, and it describes none that there is not."""

from __future__ import annotations

import json
import re
from typing import Any
from unittest import mock

import httpx
import pytest
from fastapi import FastAPI
from fastapi.routing import iter_route_contexts
from jsonschema import Draft202012Validator

from gateway.http_application import application
from tests.clients.house import House


@pytest.fixture(scope="module")
def described(home: House) -> dict[str, Any]:
    answer = httpx.get(f"{home.url}/openapi.json", trust_env=False)
    assert answer.headers["content-type"] == "application/json"
    return dict(answer.json())


def resolved(described: dict[str, Any], said: dict[str, Any]) -> dict[str, Any]:
    """What a reference points to; anything else is itself."""
    return dict(described["components"]["parameters"][said["$ref"].rpartition("/")[2]]) if "$ref" in said else said


def test_what_fhir_says_of_itself_and_what_openapi_says_agree(home: House, described: dict[str, Any]) -> None:
    """Each interaction of the CapabilityStatement stands at its address, and each search parameter with its search."""
    addresses = {
        "read": ("get", "/fhir/{type}/{{id}}"),
        "vread": ("get", "/fhir/{type}/{{id}}/_history/{{version}}"),
        "update": ("put", "/fhir/{type}/{{id}}"),
        "patch": ("patch", "/fhir/{type}/{{id}}"),
        "delete": ("delete", "/fhir/{type}/{{id}}"),
        "create": ("post", "/fhir/{type}"),
        "search-type": ("get", "/fhir/{type}"),
        "history-instance": ("get", "/fhir/{type}/{{id}}/_history"),
        "history-type": ("get", "/fhir/{type}/_history"),
    }
    statement = home.river.get("/fhir/metadata").json()
    for each in statement["rest"][0]["resource"]:
        said = {one["code"] for one in each["interaction"]}
        for code, (method, path) in addresses.items():
            assert (method in described["paths"].get(path.format(type=each["type"]), {})) is (code in said), (code, each["type"])
        listed = {resolved(described, one)["name"] for one in described["paths"][f"/fhir/{each['type']}"]["get"]["parameters"]}
        assert {one["name"] for one in each.get("searchParam", ())} <= listed


def test_every_route_is_described(home: House, described: dict[str, Any]) -> None:
    """But for pages, which people look at."""
    with mock.patch("gateway.api.edge.guard"):  # the gateway's own app has its counters already
        app: FastAPI = application(home.gateway)
    missing = [
        (method, route.path)
        for route in iter_route_contexts(app.routes)
        if getattr(route, "include_in_schema", False)
        for method in set(route.methods or ()) - {"HEAD"}
        if not any(method.lower() in said and route.path_regex.fullmatch(path) for path, said in described["paths"].items())
    ]
    assert missing == []


def test_every_name_that_a_description_uses_is_there(described: dict[str, Any]) -> None:
    operations = [said for methods in described["paths"].values() for said in methods.values()]
    ids = [each["operationId"] for each in operations]
    assert len(set(ids)) == len(ids)
    for name, schema in described["components"]["schemas"].items():
        Draft202012Validator.check_schema(schema)
        assert name
    used = set(re.findall(r'"#/components/(\w+)/([^"]+)"', json.dumps(described)))
    assert used <= {(kind, name) for kind, named in described["components"].items() for name in named}
