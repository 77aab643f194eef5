"""Settings: one TOML file and `GATEWAY_*` environment variables. An unknown key is an error that names it."""

from __future__ import annotations

import tomllib
from dataclasses import fields
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from gateway.errors import Usage
from gateway.mappings.feeds.profile import FeedProfile
from transitions.policy import Agency, Policy

COORDINATOR = "coordinator"
"""Reserved: the coordinator's queue."""


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid")


class StoreSettings(_Section):
    """Where records are kept: SQLite in the data directory unless a URL says otherwise."""

    url: str = ""


class HttpSettings(_Section):
    """Where HTTP listens, and what links call it."""

    listen: str = "127.0.0.1:8080"
    base_url: str = ""
    tls_certificate: str = ""
    tls_key: str = ""
    tls_client_ca: str = ""
    max_body: int = Field(default=16 * 1024 * 1024, gt=0)


class MllpSettings(_Section):
    """Where MLLP listens."""

    listen: str = "127.0.0.1:2575"
    max_frame: int = Field(default=16 * 1024 * 1024, gt=0)
    tls_certificate: str = ""
    tls_key: str = ""
    tls_client_ca: str = ""


class AgencySettings(_Section):
    """A community agency and whom it serves."""

    id: str = Field(pattern=r"^[a-z0-9][a-z0-9.-]{0,62}$")
    name: str
    postal_codes: list[str] = []

    @field_validator("id")
    @classmethod
    def _not_reserved(cls, value: str) -> str:
        if value == COORDINATOR:
            raise ValueError("is reserved for the coordinator's queue")
        return value


class Settings(BaseSettings):
    """Everything that can be set. Environment variables win over the file: GATEWAY_HTTP__LISTEN, GATEWAY_STORE__URL …"""

    model_config = SettingsConfigDict(env_prefix="GATEWAY_", env_nested_delimiter="__", extra="forbid")

    store: StoreSettings = StoreSettings()
    http: HttpSettings = HttpSettings()
    mllp: MllpSettings = MllpSettings()
    feed: list[dict[str, Any]] = []
    agency: list[AgencySettings] = []

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The environment wins over what the file says."""
        return env_settings, init_settings

    def feeds(self) -> tuple[FeedProfile, ...]:
        """The feed profiles. Raises `Usage` naming the feed and the key."""
        return tuple(_profile(number, table) for number, table in enumerate(self.feed, start=1))

    def policy(self) -> Policy:
        """The policy with this configuration's agencies."""
        return Policy(agencies=tuple(Agency(id=each.id, name=each.name, postal_codes=tuple(each.postal_codes)) for each in self.agency))


def load(path: Path | None) -> Settings:
    """Settings from a TOML file, if there is one, and the environment.

    Raises `Usage` that names the unknown or wrong key.
    """
    table: dict[str, Any] = {}
    if path is not None and path.exists():
        try:
            table = tomllib.loads(path.read_text(encoding="utf-8"))
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise Usage(f"the configuration is not TOML: {error}", location=path.name, advice="Mend the line it names.") from None
    try:
        settings = Settings(**table)
    except ValidationError as error:
        raise Usage(*_first_problem(error)) from None
    settings.feeds()
    return settings


def _first_problem(error: ValidationError) -> tuple[str]:
    first = error.errors(include_url=False, include_input=False, include_context=False)[0]
    where = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        return (f"the configuration has a key that does not exist: {where}",)
    return (f"the configuration's {where} cannot be taken: {first['msg']}",)


_LISTS = {each.name for each in fields(FeedProfile) if str(each.type).startswith("tuple")}
_FLAGS = {each.name for each in fields(FeedProfile) if each.type in ("bool", bool)}
_TABLES = {each.name for each in fields(FeedProfile) if str(each.type).startswith("Mapping")}
_KNOWN = {each.name for each in fields(FeedProfile)}


def _profile(number: int, table: dict[str, Any]) -> FeedProfile:
    name = str(table.get("name") or "")
    where = f"[[feed]] {name or number}"
    if not name:
        raise Usage(f"{where} has no name", location=where, advice='Give it one: name = "st-mary".')
    for key, value in table.items():
        if key not in _KNOWN:
            raise Usage(f"the configuration has a key that does not exist: {key}", location=where)
        _check_kind(key, value, where)
    zone = table.get("timezone")
    if zone:
        try:
            ZoneInfo(zone)
        except (ZoneInfoNotFoundError, ValueError):
            raise Usage("timezone is not the name of a time zone", location=where, advice='Use an IANA name: "America/Chicago".') from None
    values: dict[str, Any] = {key: tuple(value) if key in _LISTS else value for key, value in table.items()}
    return FeedProfile(**values)


def _check_kind(key: str, value: Any, where: str) -> None:
    """Whether the value is of the kind that the key takes."""
    if key in _LISTS:
        fits, wanted = isinstance(value, list) and all(isinstance(each, str) for each in value), "a list of texts"
    elif key in _FLAGS:
        fits, wanted = isinstance(value, bool), "true or false"
    elif key in _TABLES:
        fits, wanted = isinstance(value, dict), "a table"
    else:
        fits, wanted = isinstance(value, str), "a text"
    if not fits:
        raise Usage(f"{key} must be {wanted}", location=where)


def address(listen: str) -> tuple[str, int]:
    """Host and port of "127.0.0.1:8080" or "[::1]:8080". Raises `Usage`."""
    host, _, port = listen.rpartition(":")
    if not host or not port.isdigit() or int(port) > 65535:
        raise Usage(f"{listen!r} is not host:port", advice="For example 127.0.0.1:8080.")
    return host.strip("[]"), int(port)
