"""A gateway on real sockets for clients that were not written here: people who have just left hospital, an agency's user, and apps of two kinds."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from gateway.pipeline.own import put_own_resources
from gateway.smart import access, clients, users
from gateway.store.interface import TokenRow
from tests.attacks_privacy.town import CLIENTS, Client, Partner, Town, town
from tests.smart.launching import PASSWORD, Browser

PEOPLE = ("Ash", "Birch", "Cedar", "Dogwood", "Elm", "Fir", "Gum")
"""Family names of River's clients, in the order in which they left."""
AGENCY = "river-cmhc"
SECRET = "a secret of forty characters that it keeps"
CALLBACK = "http://127.0.0.1:9/callback"
"""Where apps have people sent back to. Nothing listens there: the address is all that is looked at."""
APP_SCOPE = "launch launch/patient openid fhirUser profile offline_access patient/*.rs patient/*.read user/*.rs user/Task.u"


class House:
    """`river` and `coordinator` are backend clients with tokens; `ann` can log in for River, `cora` for the coordinator."""

    def __init__(self, made: Town) -> None:
        self.town, self.gateway, self.url = made, made.gateway, made.gateway.base_url
        self.fhir = f"{self.url}/fhir"
        self.river: Partner = made.river
        self.coordinator: Partner = made.coordinator
        self.patients = [made.discharged(Client(str(7001 + number), f"{name}^Ida")) for number, name in enumerate(PEOPLE)]
        for name, role, organization in (("ann", "agency", AGENCY), ("cora", "coordinator", "")):
            self._user(name, role, organization)
        self._app("helper", public=True, name="Follow-up helper", launch_url="http://127.0.0.1:9/launch")
        self._app("keeper", secret=SECRET, name="Record keeper")

    def _user(self, name: str, role: str, organization: str) -> None:
        accounts = self.gateway.store.credentials.users
        user = users.add(
            accounts, name=name, role=role, organization=organization, full_name=f"{name.title()} Doe", password=PASSWORD, now=time.time()
        )
        self.gateway.journey.run(lambda writer, _: put_own_resources(writer, self.gateway.configuration, [user]))

    def _app(self, id: str, **about: Any) -> None:
        store = self.gateway.store.credentials
        clients.register(store, id=id, redirect_uris=(CALLBACK,), scope=APP_SCOPE, now=time.time(), **about)

    def lasting_token(self, client: str, seconds: int = 3600) -> str:
        """A backend client's token that outlives the five minutes of those that it gets itself."""
        text, now = access.new_token(), int(time.time())
        self.gateway.store.credentials.add_token(TokenRow(access.digest(text), client, CLIENTS[client][2], now + seconds, now - 301))
        return text


class Person(Browser):
    """Somebody at a browser, over real HTTP: keeps cookies and fills in forms."""

    def __init__(self, url: str) -> None:
        self.http = httpx.Client(base_url=url, timeout=30, trust_env=False)

    def send(self, method: str, path: str, **more: Any) -> httpx.Response:
        return self.http.request(method, path, **more)

    def let_in(self, url: str, patient: str = "", name: str = "ann", without: tuple[str, ...] = (), parts: tuple[str, ...] = ()) -> str:
        """Follows an app's link, logs in, chooses a client where that is asked, allows (and marks `parts`); where the browser is sent back to."""
        page = self.send("GET", url)
        if 'action="/oauth/login"' in page.text:
            page = self.log_in(page, name)
        if 'action="/oauth/choose"' in page.text:
            page = self.submit(page, "/oauth/choose", patient=patient)
        answer = self.allow(page, without, parts)
        assert answer.is_redirect, answer.text
        return str(answer.headers["location"])


@contextmanager
def house(folder: Path) -> Iterator[House]:
    with town(folder) as made:
        yield House(made)
