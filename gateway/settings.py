"""Settings: one TOML file and `GATEWAY_*` environment variables. An unknown key is an error that names it."""

from __future__ import annotations

import os
import re
import tomllib
from dataclasses import fields
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, SettingsError

from gateway.er7.charsets import codec
from gateway.errors import Usage
from gateway.mappings.feeds import zsegments
from gateway.mappings.feeds.profile import FeedProfile
from transitions.policy import Agency, Policy

RESERVED = ("coordinator", "gateway")
"""Organizations that no agency can be: the coordinator's queue, and the gateway's own."""


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
        if value in RESERVED:
            raise ValueError("is reserved for the coordinator's queue, or for the gateway itself")
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
    """Settings from a TOML file, if there is one, and the environment. TLS files are looked for beside the TOML file.

    Raises `Usage` that names the unknown or wrong key.
    """
    _check_environment()
    try:
        settings = Settings(**_table(path))
    except ValidationError as error:
        raise Usage(*_first_problem(error)) from None
    except SettingsError:
        raise Usage(
            "a GATEWAY_ environment variable is not JSON where JSON is wanted", advice="Lists and tables are written as JSON there."
        ) from None
    if path is not None:
        for section in (settings.http, settings.mllp):
            for key in _TLS_FILES:
                named = getattr(section, key)
                setattr(section, key, str(path.parent / named) if named else "")
    _check_distinct("[[feed]] name", [each.name for each in settings.feeds()])
    _check_distinct("[[agency]] id", [each.id for each in settings.agency])
    return settings


def _table(path: Path | None) -> dict[str, Any]:
    """The TOML file's content; nothing where there is no file."""
    if path is None:
        return {}
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except OSError:
        raise Usage("the configuration cannot be read", location=path.name) from None
    except UnicodeDecodeError:
        raise Usage("the configuration is not text in UTF-8", location=path.name) from None
    except tomllib.TOMLDecodeError as error:
        place = re.search(r"line \d+, column \d+", str(error))
        where = f"{path.name}, {place[0]}" if place else path.name
        raise Usage("the configuration is not TOML", location=where, advice="Mend that line.") from None


def _check_environment() -> None:
    """An unknown variable is an error as an unknown key is; but Kubernetes sets some of its own for a service that is called `gateway`."""
    for name in sorted(os.environ):
        known = name.upper().removeprefix("GATEWAY_").split("__")[0]
        if name.upper().startswith("GATEWAY_") and known.lower() not in Settings.model_fields and not _NOT_OURS.match(known):
            raise Usage(f"the environment has a variable that means nothing: {name}", advice="For example GATEWAY_HTTP__LISTEN=127.0.0.1:8080.")


_NOT_OURS = re.compile(r"(?:DATA|CONFIG|THIRD_PARTY_DATA)$|TEST_|SERVICE_|PORT")
"""Variables of the command line's own options, of the tests, and of Kubernetes."""

_TLS_FILES = ("tls_certificate", "tls_key", "tls_client_ca")


def _check_distinct(what: str, names: list[str]) -> None:
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise Usage(f"the configuration says {what} twice: {twice[0]}", advice="Each has a name of its own.")


_WORDS = {
    "string_type": "must be a text",
    "list_type": "must be a list of tables: write [[double brackets]]",
    "dict_type": "must be a table",
    "model_type": "must be a table",
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "greater_than": "must be above 0",
    "missing": "is missing",
    "string_pattern_mismatch": "must be lower-case letters, digits, dots and dashes",
}


def _first_problem(error: ValidationError) -> tuple[str]:
    first = error.errors(include_url=False, include_input=False, include_context=False)[0]
    where = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        return (f"the configuration has a key that does not exist: {where}",)
    if first["type"] == "value_error":
        return (f"the configuration's {where} {first['msg'].removeprefix('Value error, ')}",)
    return (f"the configuration's {where} {_WORDS.get(first['type'], 'cannot be taken')}",)


_LISTS = {each.name for each in fields(FeedProfile) if str(each.type).startswith("tuple")}
_FLAGS = {each.name for each in fields(FeedProfile) if each.type in ("bool", bool)}
_TABLES = {each.name for each in fields(FeedProfile) if str(each.type).startswith("Mapping")}
_CHOICES = {"kind": ("hl7v2", "fhir"), "facility_kind": ("", "psychiatric", "other")}
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
    for key, choices in _CHOICES.items():
        if table.get(key, choices[0]) not in choices:
            raise Usage(f"{key} must be one of {', '.join(filter(None, choices))}", location=where)
    if not codec(table.get("charset") or "ASCII"):
        raise Usage("charset is not a character set that the gateway reads", location=where, advice='Use a name of HL7 table 0211: "8859/1".')
    wrong = zsegments.problems(table.get("segments", {})) + _wrong_modes(table.get("segment_modes", {}))
    if wrong:
        raise Usage(wrong[0], location=where)
    zone = table.get("timezone")
    if zone:
        try:
            ZoneInfo(zone)
        except (ZoneInfoNotFoundError, ValueError):
            raise Usage("timezone is not the name of a time zone", location=where, advice='Use an IANA name: "America/Chicago".') from None
    values: dict[str, Any] = {key: tuple(value) if key in _LISTS else value for key, value in table.items()}
    return FeedProfile(**values)


def _wrong_modes(modes: dict[str, Any]) -> list[str]:
    """What is wrong with how repeating segments are to be read."""
    return [f'segment_modes.{name} must be "snapshot" or "action"' for name, mode in modes.items() if mode not in ("snapshot", "action")]


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
