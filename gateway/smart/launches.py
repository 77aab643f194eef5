"""EHR launch: somebody who looks at a client here opens an app with that client in context (SMART App Launch 2.2, "EHR Launch").

The handle opens nothing: whoever brings it back logs in, and must be allowed to see the client.
"""

from __future__ import annotations

import secrets
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from gateway.smart import access
from gateway.store.app_grants import LaunchRow
from gateway.store.interface import ClientRow, Credentials

LASTS = 600  # seconds, wall clock: time enough to log in


def launchable(credentials: Credentials) -> list[ClientRow]:
    """The apps that can be launched from here, by name."""
    found = [client for client in credentials.clients() if client.launch_url and client.revoked is None]
    return sorted(found, key=lambda client: (client.name, client.id))


def begin(credentials: Credentials, client: ClientRow, fhir_url: str, patient: str, encounter: str, now: float) -> str:
    """The URL that launches the app with this patient (an id), and encounter ("" for none). `now` is wall-clock seconds."""
    handle = secrets.token_urlsafe(32)
    row = LaunchRow(access.digest(handle), client.id, patient, encounter, int(now) + LASTS)
    credentials.grants.add_launch(row, int(now))
    parts = urlsplit(client.launch_url)
    query = [*parse_qsl(parts.query, keep_blank_values=True), ("iss", fhir_url), ("launch", handle)]
    return urlunsplit(parts._replace(query=urlencode(query)))


def of(credentials: Credentials, handle: str, client: ClientRow, now: float) -> LaunchRow | None:
    """The launch that an app brings back: its own, and not too old."""
    row = credentials.grants.launch(access.digest(handle)) if handle.isascii() else None
    return row if row is not None and row.client == client.id and now < row.expires else None
