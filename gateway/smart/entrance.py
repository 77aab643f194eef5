"""What the authorization pages work with, and how they are answered: never framed, never kept, no script, forms that lead to us or to the app."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

from authlib.oauth2.rfc6749 import OAuth2Error
from fastapi import Request as HttpRequest
from fastapi import Response
from jinja2 import Environment, PackageLoader, StrictUndefined

from gateway.errors import GatewayError, Invalid
from gateway.privacy.audit import Audit, Disclosure, Shown
from gateway.smart import apps, logins
from gateway.smart.authorization import Asked
from gateway.smart.logins import LoggedIn
from gateway.smart.throttle import Throttle
from gateway.store.interface import Credentials, Store

_HEADERS = {
    "Cache-Control": "no-store",
    "Pragma": "no-cache",
    "Referrer-Policy": "same-origin",  # without it, browsers say of our own forms that they come from nowhere
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
_POLICY = "default-src 'none'; style-src 'self'; base-uri 'none'; frame-ancestors 'none'; form-action 'self'"

FAILURES = {"user": 5, "address": 20}
"""Failed logins that one user, and one address, may have within WINDOW."""
WINDOW = 15 * 60.0  # seconds


@dataclass(frozen=True, slots=True)
class Entrance:
    """What the pages are given. `key` seals their forms; `clock` gives wall-clock seconds; `audit` is told of every page that shows a client."""

    store: Store
    key: bytes
    fhir_url: str
    clock: Callable[[], float]
    audit: Audit
    throttle: Throttle
    upstream: str = ""  # what the provider is called at which people log in as well, "" for none
    secure: bool = True  # the gateway is reached over https: cookies must not travel otherwise

    @property
    def credentials(self) -> Credentials:
        return self.store.credentials

    def now(self) -> int:
        """Wall-clock seconds."""
        return int(self.clock())

    def login(self, request: HttpRequest) -> LoggedIn | None:
        """Who is logged in in this browser."""
        return logins.of(self.credentials.users, request.cookies.get(logins.COOKIE), self.clock())

    def tokens(self, asked: Asked, who: LoggedIn, *places: str) -> dict[str, str]:
        """The tokens of a page's forms, by where each leads."""
        return {place: logins.form_token(self.key, who.cookie, place, asked.text) for place in places}

    def disclose(self, asked: Asked, who: LoggedIn, shown: Shown, where: str) -> None:
        """Tell the audit trail what a page shows. Raises Unavailable where it cannot be told: then nothing may be shown."""
        if any(shown):
            user = who.user
            self.audit(
                Disclosure("view", asked.client.id, user.role, user.organization, shown, where, user.name, f"Practitioner/{user.practitioner}")
            )

    def set_cookie(self, answer: Response, name: str, value: str, *, lax: bool) -> None:
        """A cookie for these pages alone; a lax one also comes with a link from another site."""
        answer.set_cookie(name, value, max_age=logins.LASTS, path=logins.PATH, httponly=True, secure=self.secure, samesite="lax" if lax else "strict")


def page(template: str, status: int = 200, **values: Any) -> Response:
    """A page. Its forms lead to us, and by our redirect to the app."""
    asked: Asked | None = values.get("asked")
    body = _templates().get_template(template).render(**values)
    return Response(body, status_code=status, media_type="text/html; charset=utf-8", headers=_headers(asked))


def redirected(url: str, asked: Asked | None = None) -> Response:
    """To another page, by GET."""
    return Response(status_code=303, headers={**_headers(asked), "Location": url})


def told(error: OAuth2Error, *, posted: bool = False) -> Response:
    """An error to the app, by way of the browser; to the user, where no app is known."""
    if not error.redirect_uri:
        return page("refused.html", 400, reason=error.get_error_description() or "the request cannot be read", advice="")
    _, _, headers = error()
    return Response(status_code=303 if posted else 302, headers={**_headers(None), **dict(headers)})


def refused(error: GatewayError) -> Response:
    """A failure, to the user."""
    status = 400 if isinstance(error, Invalid) else error.status  # to a browser, a request that breaks a rule is a bad one
    answer = page("refused.html", status, reason=error.message, advice=error.advice)
    if error.wait:
        answer.headers["Retry-After"] = str(error.wait)
    return answer


def _headers(asked: Asked | None) -> dict[str, str]:
    target = f" {apps.form_target(asked.redirect_uri)}" if asked is not None else ""
    return {**_HEADERS, "Content-Security-Policy": _POLICY + target}


@cache
def _templates() -> Environment:
    return Environment(loader=PackageLoader("gateway.smart"), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
