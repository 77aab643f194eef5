"""Apps that people log in to: where they may be sent back to, and who may use them."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from gateway.errors import Invalid
from gateway.smart.scopes import NAMED
from gateway.store.interface import ClientRow
from gateway.store.users import UserRow

APP = "app"
"""The role of an app that is everybody's: it acts for its users alone."""

DEFAULT_SCOPE = " ".join((*NAMED, "patient/*.rs", "user/*.rs"))
"""What an app may ask for whose registration names no scopes."""

MOST = 20  # redirect URIs of one app
_PRIVATE_USE = re.compile(r"[a-z][a-z0-9+-]*(\.[a-z0-9+-]+)+")  # a domain name reversed: RFC 8252 section 7.1
_LOOPBACK = ("127.0.0.1", "::1", "localhost")


def check(redirect_uris: tuple[str, ...], launch_url: str, name: str) -> None:
    """Whether an app may be registered so. Raises Invalid."""
    if len(redirect_uris) > MOST:
        raise Invalid(f"an app has at most {MOST} redirect URIs", location="redirect_uris")
    for uri in redirect_uris:
        _check_redirect(uri)
    if launch_url:
        if not redirect_uris:
            raise Invalid("only an app that people log in to is launched", location="launch_url")
        _check_web(launch_url, "launch_url")
    if len(name) > 100 or not name.isprintable():
        raise Invalid("an app's name is at most 100 printable characters", location="name")


def _check_redirect(uri: str) -> None:
    scheme = uri.partition(":")[0]
    if _PRIVATE_USE.fullmatch(scheme) and _is_plain(uri):
        return
    _check_web(uri, "redirect_uris")


def _check_web(uri: str, location: str) -> None:
    try:
        parts = urlsplit(uri)
        host, _ = parts.hostname, parts.port
    except ValueError:
        host = None
    if not host or not _is_plain(uri) or parts.username or parts.password:
        raise Invalid("not a whole https URL without fragment", location=location)
    if parts.scheme != "https" and not (parts.scheme == "http" and host in _LOOPBACK):
        raise Invalid("not an https URL", location=location, advice="Plain http is for an app on the user's own machine alone: http://127.0.0.1.")


def _is_plain(uri: str) -> bool:
    """Nothing that two readers might read differently, and no fragment (RFC 6749 section 3.1.2)."""
    return re.fullmatch(r"[\x21-\x7E]{1,2000}", uri) is not None and not set(uri) & set('#\\"<>`{}|^')


def may_redirect(client: ClientRow, uri: str) -> bool:
    """Whether this is one of the client's redirect URIs, character for character; but on the user's own machine an app without a secret takes the
    port that it can get (RFC 8252 section 7.3)."""
    if uri in client.redirect_uris:
        return True
    return client.is_public and _is_plain(uri) and any(_but_for_the_port(uri) == _but_for_the_port(each) != "" for each in client.redirect_uris)


def _but_for_the_port(uri: str) -> str:
    """A URI of this machine by address, without its port; "" for any other."""
    found = re.fullmatch(r"(http://(?:127\.0\.0\.1|\[::1\]))(?::\d{1,5})?(/.*)?", uri)
    return found[1] + (found[2] or "") if found else ""


def form_target(uri: str) -> str:
    """The redirect URI as Content-Security-Policy names it: browsers hold what a form leads to against form-action."""
    parts = urlsplit(uri)
    if parts.scheme in ("http", "https") and "[" not in parts.netloc:
        return f"{parts.scheme}://{parts.netloc}"
    return f"{parts.scheme}:"


def may_use(client: ClientRow, user: UserRow) -> bool:
    """Whether the app is for this user: everybody's, or that of the user's own organization. Else an agency's app could read with a coordinator's
    eyes."""
    return client.role == APP or (client.role, client.organization) == (user.role, user.organization)
