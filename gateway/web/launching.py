"""Opening an app from a client's page, with that client in context (SMART App Launch 2.2, "EHR Launch")."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import orjson

from gateway.smart import apps, launches
from gateway.store.interface import ALL, ClientRow, Store


@dataclass(frozen=True, slots=True)
class Launcher:
    """Begins launches. `fhir_url` is the FHIR base, which an app is told."""

    store: Store
    fhir_url: str

    def offered(self) -> list[ClientRow]:
        """The apps that can be opened: those that the coordinator may log in to."""
        return [app for app in launches.launchable(self.store.credentials) if app.role in (apps.APP, "coordinator")]

    def begin(self, transition_id: str, app_id: str) -> str | None:
        """Where the app is opened with the transition's client and stay; None where there is no such app or client."""
        app = next((one for one in self.offered() if one.id == app_id), None)
        with self.store.reading() as reader:
            row = reader.transition(ALL, transition_id)
        body: dict[str, Any] = orjson.loads(row.body) if row is not None and row.body is not None else {}
        patient, encounter = (str(body.get(name) or "").rpartition("/")[2] for name in ("patient", "encounter"))
        if app is None or not patient:
            return None
        return launches.begin(self.store.credentials, app, self.fhir_url, patient, encounter, time.time())


def policy(policy: str, offered: list[ClientRow]) -> str:
    """A Content-Security-Policy under which a form's answer may lead to these apps."""
    targets = sorted({apps.form_target(app.launch_url) for app in offered})
    return policy.replace("form-action 'self'", " ".join(("form-action 'self'", *targets)))
