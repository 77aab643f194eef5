"""SMART clients and access tokens as the store keeps them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple


@dataclass(frozen=True, slots=True)
class ClientRow:
    """A SMART client as registered."""

    id: str
    role: str  # "agency" | "hospital" | "coordinator" | "operator"; "app": it acts for people alone
    organization: str  # agency id, or hospital; "" for none
    scopes: str  # space-separated
    jwks: str = ""  # JSON Web Key Set, inline
    jwks_url: str = ""
    feeds: tuple[str, ...] = ()
    created: int = 0
    revoked: int | None = None
    name: str = ""  # as people are shown it
    redirect_uris: tuple[str, ...] = ()  # of an app that people log in to
    launch_url: str = ""  # where it is launched from here
    secret: str = ""  # SHA-256, hexadecimal; "" for one that has none

    @property
    def is_public(self) -> bool:
        """Whether it has nothing to prove itself by."""
        return not (self.jwks or self.jwks_url or self.secret)


class TokenRow(NamedTuple):
    """An access token, known by its SHA-256 alone."""

    digest: bytes
    client: str
    scopes: str
    expires: int  # seconds, wall clock
    issued: int
    grant: str = ""  # the id of the grant that it was given for; "" where a client acts for itself
