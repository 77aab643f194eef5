"""The simulated county: its hospitals and agencies, as `county.toml` configures them for the gateway."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources

COUNTY_ZONE = "America/Chicago"
"""The time zone of the county's agencies and its coordinator."""

COORDINATOR = "coordinator"


@dataclass(frozen=True, slots=True)
class Hospital:
    """A hospital as a sender: `name` is its feed's name, `charset` the character set (HL7 table 0211) of messages whose MSH-18 says none."""

    name: str
    title: str
    zone: str
    charset: str


@dataclass(frozen=True, slots=True)
class County:
    """Who there is. `configuration` is the TOML text that the gateway is configured with."""

    hospitals: Mapping[str, Hospital]
    agencies: Mapping[str, str]  # id -> name
    configuration: str

    @property
    def zones(self) -> dict[str, str]:
        """The IANA time zone of everybody who can act in a scenario."""
        zones = {hospital.name: hospital.zone for hospital in self.hospitals.values()}
        return zones | dict.fromkeys([*self.agencies, COORDINATOR], COUNTY_ZONE)


def county() -> County:
    """The county that the package carries."""
    text = (resources.files("gateway.demo") / "county.toml").read_text("utf-8")
    table = tomllib.loads(text)
    hospitals = [Hospital(feed["name"], feed["hospital"], feed["timezone"], feed.get("charset", "UNICODE UTF-8")) for feed in table["feed"]]
    return County({hospital.name: hospital for hospital in hospitals}, {agency["id"]: agency["name"] for agency in table["agency"]}, text)
