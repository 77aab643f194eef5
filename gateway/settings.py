"""Settings: one TOML file and `GATEWAY_*` environment variables. An unknown key is an error that names it."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, SettingsError

from gateway.errors import Usage
from gateway.mappings.care.policy import Policy as CarePolicy
from gateway.mappings.care.policy import default
from gateway.mappings.care.policy import read as read_policy
from gateway.mappings.feeds.problem import Problem, nearest
from gateway.mappings.feeds.profile import FeedProfile
from gateway.mappings.feeds.reading import alike, read
from gateway.sections import (
    SECTIONS,
    AgencySettings,
    CareSettings,
    HttpSettings,
    JourneySettings,
    MllpSettings,
    RetentionSettings,
    SmartSettings,
    StoreSettings,
    SubscriptionSettings,
    TracingSettings,
)
from gateway.toml_files import TomlFile, dotted, read_file
from transitions.policy import Policy


class Settings(BaseSettings):
    """Everything that can be set. Environment variables win over the file: GATEWAY_HTTP__LISTEN, GATEWAY_STORE__URL …"""

    model_config = SettingsConfigDict(env_prefix="GATEWAY_", env_nested_delimiter="__", extra="forbid")

    store: StoreSettings = StoreSettings()
    journey: JourneySettings = JourneySettings()
    http: HttpSettings = HttpSettings()
    mllp: MllpSettings = MllpSettings()
    smart: SmartSettings = SmartSettings()
    care: CareSettings = CareSettings()
    subscriptions: SubscriptionSettings = SubscriptionSettings()
    retention: RetentionSettings = RetentionSettings()
    tracing: TracingSettings = TracingSettings()
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
        return _profiles(self.feed, ())

    def care_policy(self) -> CarePolicy:
        """What is planned for whom. Raises `Usage` naming the file, the line and the reason."""
        if not self.care.policy:
            return default()
        path = Path(self.care.policy)
        if not path.is_file():
            raise Usage(
                "care.policy names a care policy, and there is no such file", location=path.name, advice="Its path is seen from the configuration."
            )
        return read_policy(read_file(path, path.name))

    def policy(self) -> Policy:
        """The policy of assessment: this configuration's agencies, and the windows of the care policy."""
        follow_up = self.care_policy().follow_up
        return Policy(
            agencies=tuple(each.agency() for each in self.agency),
            visit_days=follow_up.last_day,
            court_agency=next((each.id for each in self.agency if each.court), ""),
            first_contact=timedelta(hours=follow_up.first_contact_hours),
            pick_up=timedelta(hours=follow_up.pick_up_hours),
            hold=timedelta(hours=follow_up.hold_hours),
            outcome=timedelta(hours=follow_up.outcome_hours),
            anticipation_days=follow_up.anticipation_days,
            attempts=follow_up.attempts,
            attempt_days=follow_up.attempt_days,
            attempt_means=follow_up.attempt_means,
            typical_stay_days=follow_up.typical_stay_days,
            longest_stay_days=follow_up.longest_stay_days,
        )


class _Place(NamedTuple):
    """Where a [[feed]] stands: a file, and its number there from 0."""

    file: TomlFile
    number: int


def load(path: Path | None) -> Settings:
    """Settings from a TOML file, if there is one, from the feed profiles in the directory `feeds` beside it, and from the environment.

    TLS files are looked for beside the TOML file. Raises `Usage` that names the file, the line, the key, the reason and what to do.
    """
    _check_environment()
    main, *others = _files(path)
    feeds = [_Place(file, number) for file in (main, *others) for number in range(len(_feeds_of(file)))]
    said = {**main.said, "feed": [_feeds_of(each.file)[each.number] for each in feeds]} if feeds else main.said
    try:
        settings = Settings(**said)
    except ValidationError as error:
        raise _refusal(error, main, feeds) from None
    except SettingsError:
        raise Usage(
            "a GATEWAY_ environment variable is not JSON where JSON is wanted", advice="Lists and tables are written as JSON there."
        ) from None
    if path is not None:
        for section in (settings.http, settings.mllp):
            for key in _TLS_FILES:
                named = getattr(section, key)
                setattr(section, key, str(path.parent / named) if named else "")
        if settings.care.policy:
            settings.care.policy = str(path.parent / settings.care.policy)
            settings.care_policy()
        if settings.smart.upstream is not None:
            settings.smart.upstream.client_secret_file = str(path.parent / settings.smart.upstream.client_secret_file)
    _profiles(settings.feed, feeds if settings.feed == said.get("feed") else ())
    _check_agencies(settings, main)
    _check_upstream(settings, main)
    return settings


def _files(path: Path | None) -> list[TomlFile]:
    """The TOML file, and those of the directory `feeds` beside it, which hold [[feed]] tables alone."""
    if path is None:
        return [TomlFile("", "", {})]
    others = [read_file(each, f"feeds/{each.name}") for each in sorted((path.parent / "feeds").glob("*.toml"))]
    for file in others:
        for key in file.said:
            if key != "feed":
                raise Usage(
                    f"a file of feeds/ has a key that is no feed: {key}",
                    location=file.where([key]),
                    advice="Write [[feed]] above a sender's keys; what else is configured stands in the configuration's own file.",
                )
    return [read_file(path, path.name), *others]


def _feeds_of(file: TomlFile) -> list[Any]:
    found = file.said.get("feed", [])
    if not isinstance(found, list):
        raise Usage("the configuration's feed must be a list of tables", location=file.where(["feed"]), advice="Write [[feed]], in double brackets.")
    return found


def _profiles(tables: Sequence[Any], places: Sequence[_Place]) -> tuple[FeedProfile, ...]:
    """The profiles of [[feed]] tables; `places` says where each stands, and is empty where the environment said them all."""
    found = []
    for number, table in enumerate(tables):
        profile, problems = read(table)
        if problems:
            raise _refused(problems[0], number, tables, places)
        found.append(profile)
    for number, problem in alike(found):
        raise _refused(problem, number, tables, places)
    return tuple(found)


def _refused(problem: Problem, number: int, tables: Sequence[Any], places: Sequence[_Place]) -> Usage:
    """The refusal of a feed, with its place."""
    name = tables[number].get("name")
    feed = f"[[feed]] {name if isinstance(name, str) and name else number + 1}"
    key = dotted(problem.path)
    message = f"the configuration's feed {problem.words}" if not key else f"the configuration's {key} {problem.words}"
    if not places:
        return Usage(message, location=feed, advice=problem.advice)
    place = places[number]
    where = place.file.where(["feed", place.number, *problem.path])
    return Usage(message, location=f"{where}, {feed}", advice=problem.advice)


def _check_environment() -> None:
    """An unknown variable is an error as an unknown key is; but Kubernetes sets some of its own for a service that is called `gateway`."""
    for name in sorted(os.environ):
        known = name.upper().removeprefix("GATEWAY_").split("__")[0]
        if name.upper().startswith("GATEWAY_") and known.lower() not in Settings.model_fields and not _NOT_OURS.match(known):
            raise Usage(f"the environment has a variable that means nothing: {name}", advice="For example GATEWAY_HTTP__LISTEN=127.0.0.1:8080.")


_NOT_OURS = re.compile(r"(?:DATA|CONFIG|THIRD_PARTY_DATA)$|TEST_|SERVICE_|PORT")
"""Variables of the command line's own options, of the tests, and of Kubernetes."""

_TLS_FILES = ("tls_certificate", "tls_key", "tls_client_ca")


def _check_agencies(settings: Settings, file: TomlFile) -> None:
    names = [each.id for each in settings.agency]
    for number, name in enumerate(names):
        if name in names[:number]:
            raise Usage(
                f"the configuration says [[agency]] id twice: {name}", location=file.where(["agency", number, "id"]), advice="Give each its own."
            )


def _check_upstream(settings: Settings, file: TomlFile) -> None:
    agencies = {each.id for each in settings.agency}
    for number, each in enumerate(settings.smart.upstream.user if settings.smart.upstream else []):
        if (each.role == "agency" and each.organization not in agencies) or (each.role == "hospital" and not each.organization):
            raise Usage(
                "the configuration's smart.upstream.user names no organization that there is",
                location=file.where(["smart", "upstream", "user", number]),
                advice="Write organization = the id of an [[agency]], or the hospital's.",
            )


_WORDS = {
    "string_type": "must be a text",
    "list_type": "must be a list of tables: write [[double brackets]]",
    "dict_type": "must be a table",
    "model_type": "must be a table",
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "greater_than": "must be above 0",
    "greater_than_equal": "must be 0 or more",
    "float_type": "must be a number",
    "float_parsing": "must be a number",
    "missing": "is missing",
    "string_too_short": "must not be empty",
    "string_too_long": "is too long",
    "literal_error": "is not one of the words that it may be",
    "string_pattern_mismatch": "must be lower-case letters, digits, dots and dashes",
}


def _refusal(error: ValidationError, main: TomlFile, feeds: Sequence[_Place]) -> Usage:
    """The first thing that is wrong with the shape of the configuration."""
    first = error.errors(include_url=False, include_input=False, include_context=False)[0]
    path = first["loc"]
    key = ".".join(str(part) for part in path)
    file = main
    if path[0] == "feed" and len(path) > 1 and feeds:
        file, number = feeds[int(path[1])]
        path = ("feed", number, *path[2:])
    where = file.where(path)
    if first["type"] == "extra_forbidden":
        known = _known_keys(first["loc"])
        return Usage(f"the configuration has a key that does not exist: {key}", location=where, advice=nearest(str(path[-1]), known))
    if first["type"] == "value_error":
        return Usage(f"the configuration's {key} {first['msg'].removeprefix('Value error, ')}", location=where)
    return Usage(f"the configuration's {key} {_WORDS.get(first['type'], 'cannot be taken')}", location=where)


def _known_keys(path: tuple[int | str, ...]) -> list[str]:
    """The keys beside the one at `path`."""
    if len(path) == 1:
        return list(Settings.model_fields)
    return list(SECTIONS[tuple(part for part in path[:-1] if isinstance(part, str))].model_fields)


def address(listen: str) -> tuple[str, int]:
    """Host and port of "127.0.0.1:8080" or "[::1]:8080". Raises `Usage`."""
    host, _, port = listen.rpartition(":")
    if not host or not port.isdigit() or int(port) > 65535:
        raise Usage(f"{listen!r} is not host:port", advice="For example 127.0.0.1:8080.")
    return host.strip("[]"), int(port)
