"""The sections of the configuration, a class a section: what can be set, what it is unless it is set, and what is refused."""

from __future__ import annotations

import os
import re
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from gateway.networks import is_network
from transitions.policy import Agency

RESERVED = ("coordinator", "gateway")
"""Organizations that no agency can be: the coordinator's queue, and the gateway's own."""


class Section(BaseModel):
    """A table of the configuration. A key that it does not have is an error."""

    model_config = ConfigDict(extra="forbid")


def networks_named(values: list[str]) -> list[str]:
    """Networks in CIDR notation, or single addresses."""
    for each in values:
        if not is_network(each):
            raise ValueError(f'must name networks, and {each!r} is none: write "10.1.0.0/16"')
    return values


class StoreSettings(Section):
    """Where records are kept: SQLite in the data directory unless a URL says otherwise."""

    url: str = ""


class JourneySettings(Section):
    """How many processes work messages out ahead of the writer; unless said, one fewer than there are processors, and four at most."""

    processes: int | None = Field(default=None, ge=0, le=64)

    def ahead(self) -> int:
        """The number of processes."""
        return min(4, len(os.sched_getaffinity(0)) - 1) if self.processes is None else self.processes


class HttpSettings(Section):
    """Where HTTP listens, what links call it, and what it takes at most, in each process. A rate is in requests a second, and 0 is without limit."""

    listen: str = "127.0.0.1:8080"
    base_url: str = ""
    tls_certificate: str = ""
    tls_key: str = ""
    tls_client_ca: str = ""
    max_body: int = Field(default=16 * 1024 * 1024, gt=0)
    client_rate: float = Field(default=500, ge=0)
    client_burst: int = Field(default=5_000, gt=0)
    address_rate: float = Field(default=50, ge=0)
    address_burst: int = Field(default=500, gt=0)
    max_requests: int = Field(default=1_000, gt=0)
    max_client_requests: int = Field(default=100, gt=0)
    max_connections: int = Field(default=2_000, gt=0)
    trusted_proxies: list[str] = ["127.0.0.1", "::1"]


class MllpSettings(Section):
    """Where MLLP listens, who may connect (networks; none: whoever can reach it), how many connections there may be, and from one address."""

    listen: str = "127.0.0.1:2575"
    max_frame: int = Field(default=16 * 1024 * 1024, gt=0)
    max_connections: int = Field(default=1_000, gt=0)
    max_address_connections: int = Field(default=250, gt=0)
    allow: list[str] = []
    tls_certificate: str = ""
    tls_key: str = ""
    tls_client_ca: str = ""

    _networks = field_validator("allow")(networks_named)


class UpstreamUserSettings(Section):
    """Whoever's claim is this value, or holds it, has this role."""

    claim: str
    value: str
    role: Literal["agency", "hospital", "coordinator", "operator"]
    organization: str = ""


class UpstreamSettings(Section):
    """An OpenID provider at which people log in, whom it knows, and what they are here: the first [[smart.upstream.user]] that fits."""

    issuer: str
    client_id: str = Field(min_length=1)
    client_secret_file: str
    name: str = Field(default="your organization", min_length=1, max_length=60)
    scope: str = "openid profile"
    user: list[UpstreamUserSettings] = []

    @field_validator("issuer")
    @classmethod
    def _is_url(cls, value: str) -> str:
        if not re.fullmatch(r"https://[^\s?#@]+|http://(localhost|127\.0\.0\.1)(:\d+)?(/[^\s?#]*)?", value):
            raise ValueError("must be the issuer's https URL, as the provider writes it")
        return value


class SmartSettings(Section):
    """Who comes in through SMART: whether whoever is invited may register a client (`gateway clients invite`), and where people log in elsewhere."""

    registration: Literal["closed", "token"] = "closed"
    upstream: UpstreamSettings | None = None


class CareSettings(Section):
    """What is planned for whom: the care policy that the gateway ships, or a file of one's own."""

    policy: str = ""


class SubscriptionSettings(Section):
    """How subscribers are notified: how far endpoints may lie, how long a dead one is tried, and how long events are kept."""

    loopback: bool = False  # endpoints on this machine, also without https: for development
    private: bool = False  # endpoints in private networks
    give_up_hours: float = Field(default=72, gt=0)
    keep_days: float = Field(default=30, gt=0)


class RetentionSettings(Section):
    """After how many days what is no longer needed is removed; unless said, it is kept. What was accepted into the inbox is never removed."""

    duplicates_days: float | None = Field(default=None, gt=0)
    quarantined_days: float | None = Field(default=None, gt=0)
    superseded_days: float | None = Field(default=None, ge=1)  # versions, counted from when another one followed
    audit_days: float | None = Field(default=None, gt=0)


class TracingSettings(Section):
    """Where traces are sent by OTLP over HTTP; nowhere unless said. `sample`: the part of all inputs and requests that is traced."""

    endpoint: str = ""
    sample: float = Field(default=1.0, ge=0, le=1)


class AgencySettings(Section):
    """A community agency and whom it serves."""

    id: str = Field(pattern=r"^[a-z0-9][a-z0-9.-]{0,62}$")
    name: str
    postal_codes: list[str] = []
    counties: list[str] = []
    youngest: int | None = Field(default=None, ge=0)
    oldest: int | None = Field(default=None, ge=0)
    payers: list[str] = []
    languages: list[str] = []
    court: bool = False

    @field_validator("id")
    @classmethod
    def _not_reserved(cls, value: str) -> str:
        if value in RESERVED:
            raise ValueError("is reserved for the coordinator's queue, or for the gateway itself")
        return value

    def agency(self) -> Agency:
        """The agency as routing knows it."""
        lists = {name: tuple(getattr(self, name)) for name in ("postal_codes", "counties", "payers", "languages")}
        return Agency(id=self.id, name=self.name, ages=(self.youngest, self.oldest), **lists)


SECTIONS: dict[tuple[str, ...], type[Section]] = {
    ("store",): StoreSettings,
    ("http",): HttpSettings,
    ("mllp",): MllpSettings,
    ("smart",): SmartSettings,
    ("care",): CareSettings,
    ("subscriptions",): SubscriptionSettings,
    ("retention",): RetentionSettings,
    ("tracing",): TracingSettings,
    ("agency",): AgencySettings,
    ("smart", "upstream"): UpstreamSettings,
    ("smart", "upstream", "user"): UpstreamUserSettings,
    ("journey",): JourneySettings,
}
"""Each by where it stands."""
