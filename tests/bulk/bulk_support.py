"""A small gateway for tests of bulk exports: the API's, with the worker that the running gateway has."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import orjson
from prometheus_client import CollectorRegistry

from gateway.api.export_work import Worker
from tests.api.gateway_api import Bench, Client, app_of, bench, identify

Json = dict[str, Any]
KICK_OFF = {"Prefer": "respond-async", "Accept": "application/fhir+json"}
GROUP = identify("Group", "river")
LEVELS = {"system": "/fhir/$export", "Patient": "/fhir/Patient/$export", "Group": f"/fhir/Group/{GROUP}/$export"}


class Exports:
    """The gateway, and what a client of bulk data does with it."""

    def __init__(self, gateway: Bench) -> None:
        self.gateway = gateway
        self.worker = Worker(gateway.store, lambda: gateway.now)

    def kick_off(self, who: str, address: str = LEVELS["system"], method: str = "GET", prefer: str = "", **more: Any) -> httpx.Response:
        headers = {**KICK_OFF, **({"Prefer": f"respond-async, {prefer}"} if prefer else {})}
        return self.gateway.as_(who, method, address, headers=headers, **more)

    def work(self) -> None:
        """Work everything that waits."""
        while self.worker.step():
            pass

    def done(self, who: str, address: str = LEVELS["system"], **more: Any) -> Json:
        """The manifest of an export from beginning to end."""
        taken = self.kick_off(who, address, **more)
        assert taken.status_code == 202, taken.text
        self.work()
        told = self.gateway.as_(who, "GET", place(taken))
        assert told.status_code == 200, told.text
        return told.json()

    def lines(self, who: str, item: Json) -> list[Json]:
        """The resources of one file."""
        found = self.gateway.as_(who, "GET", path(item["url"]))
        assert found.status_code == 200, found.text
        return [orjson.loads(line) for line in found.content.splitlines()]

    def everything(self, who: str, manifest: Json) -> list[str]:
        """ "Type/id" of all that the files of an export hold, in their order."""
        return [f"{each['resourceType']}/{each['id']}" for item in manifest["output"] for each in self.lines(who, item)]

    def deleted(self, who: str, manifest: Json) -> list[str]:
        """ "Type/id" of all that the manifest says is no more."""
        bundles = [each for item in manifest["deleted"] for each in self.lines(who, item)]
        assert all(entry["request"]["method"] == "DELETE" for each in bundles for entry in each["entry"])
        return [entry["request"]["url"] for each in bundles for entry in each["entry"]]


def place(taken: httpx.Response) -> str:
    """Where the status of a job is asked for."""
    return path(taken.headers["content-location"])


def path(address: str) -> str:
    """What follows the gateway's own name in an address of its own."""
    assert address.startswith("https://gw.example/"), address
    return address.removeprefix("https://gw.example")


@contextmanager
def exports(folder: Path) -> Iterator[Exports]:
    """A gateway in which River Community Mental Health is configured."""
    with bench(folder) as made:
        made.http.close()
        made.services = replace(made.services, agencies=frozenset({"river", "oak"}), registry=CollectorRegistry())
        made.http = Client(app_of(made.services))
        yield Exports(made)


def patient(id: str, **more: Any) -> Json:
    name = [{"family": f"Family{id}", "given": ["Ann"]}]
    identifier = [{"system": "urn:oid:1.2.3", "value": id}]
    return {"resourceType": "Patient", "id": id, "identifier": identifier, "name": name, "gender": "female", **more}


def flag(id: str, of: str, text: str = "No follow-up scheduled") -> Json:
    return {"resourceType": "Flag", "id": id, "status": "active", "code": {"text": text}, "subject": {"reference": f"Patient/{of}"}}
