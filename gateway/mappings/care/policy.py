"""The care policy: what is planned for whom. TOML, reviewed by a clinical lead; one that breaks a rule is refused with line and reason."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cache
from importlib import resources
from typing import Any

from gateway.errors import Usage

PRIORITIES = ("routine", "urgent", "asap", "stat")
CATEGORIES = ("counselling", "education", "evaluation", "social")
TIERS = ("urgent", "high", "standard")


@dataclass(frozen=True, slots=True)
class FollowUpWindow:
    """In days after the day of discharge, counted in the facility's calendar."""

    first_day: int
    last_day: int
    plan_days: int


@dataclass(frozen=True, slots=True)
class Activity:
    """Something to do that is nobody's request: `hours` after discharge it is due; `done_by` "contact" or "" (nobody reports it)."""

    name: str
    text: str
    hours: int | None = None
    done_by: str = ""
    code: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Service:
    """A service to request, and for whom: all stated conditions hold, of each list any entry."""

    name: str
    title: str
    category: str
    code: Mapping[str, str] | None = None
    everyone: bool = False
    routed: bool = False
    by_tier: bool = False
    window: bool = False
    protected: bool = False  # substance-use content, labelled as such
    interpreter: bool = False
    diagnoses: tuple[str, ...] = ()  # ICD-10-CM prefixes
    words: tuple[str, ...] = ()  # in a diagnosis's text; an alternative to `diagnoses`
    tiers: tuple[str, ...] = ()
    dispositions: tuple[str, ...] = ()  # NUBC FL17 codes
    min_age: int | None = None
    max_age: int | None = None


@dataclass(frozen=True, slots=True)
class Policy:
    """The whole policy."""

    version: str
    follow_up: FollowUpWindow
    priority: Mapping[str, str]
    relationships: tuple[str, ...]
    know: Mapping[str, tuple[str, ...]]
    goals: tuple[str, ...]
    activities: tuple[Activity, ...]
    services: tuple[Service, ...]


@cache
def default() -> Policy:
    """The policy that the gateway ships."""
    return read(resources.files(__package__).joinpath("policy.toml").read_text(encoding="utf-8"), "care policy")


def read(text: str, name: str) -> Policy:
    """A policy from TOML; `Usage` names the line and the reason where it breaks a rule."""
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise Usage(f"The {name} is not TOML", location=f"{name}: {str(error).rpartition('(')[2].rstrip(')')}") from error
    return _Reader(text, name, data).policy()


@dataclass(frozen=True, slots=True)
class _Reader:
    """One reading of one file: knows where in it a table stands."""

    text: str
    name: str
    data: Mapping[str, Any]

    def policy(self) -> Policy:
        known = {"version", "follow_up", "priority", "care_team", "know", "goal", "activity", "service"}
        for key in self.data:
            self.check(key in known, key, 0, key, f"unknown key {key!r}")
        for key in sorted(known - {"know", "goal", "activity"}):
            self.check(key in self.data, "", 0, "", f"{key!r} is missing")
        self.check(isinstance(self.data["version"], str) and bool(self.data["version"]), "", 0, "version", "version must be a text")
        policy = Policy(
            version=self.data["version"],
            follow_up=self.window(),
            priority=self.priorities(),
            relationships=tuple(self.data["care_team"].get("relationships", ())),
            know={key: tuple(words) for key, words in self.data.get("know", {}).items()},
            goals=tuple(str(goal.get("text", "")) for goal in self.data.get("goal", ())),
            activities=tuple(self.entry(Activity, "activity", number, entry) for number, entry in enumerate(self.data.get("activity", ()))),
            services=tuple(self.service(number, entry) for number, entry in enumerate(self.data["service"])),
        )
        self.unique("activity", [activity.name for activity in policy.activities])
        self.unique("service", [service.name for service in policy.services])
        routed = sum(service.routed for service in policy.services)
        self.check(routed == 1, "service", 0, "", f"exactly one service must be routed = true (the one that the Task asks for), not {routed}")
        return policy

    def window(self) -> FollowUpWindow:
        entry: FollowUpWindow = self.entry(FollowUpWindow, "follow_up", 0, self.data["follow_up"])
        right = all(isinstance(value, int) for value in (entry.first_day, entry.last_day, entry.plan_days))
        self.check(right and 0 <= entry.first_day <= entry.last_day <= entry.plan_days, "follow_up", 0, "", "0 <= first_day <= last_day <= plan_days")
        return entry

    def priorities(self) -> Mapping[str, str]:
        given: Mapping[str, str] = self.data["priority"]
        self.check(set(given) == set(TIERS), "priority", 0, "", f"priority names exactly the tiers {', '.join(TIERS)}")
        for tier, priority in given.items():
            self.check(priority in PRIORITIES, "priority", 0, tier, f"{tier} must be one of {', '.join(PRIORITIES)}")
        return given

    def service(self, number: int, entry: Mapping[str, Any]) -> Service:
        service: Service = self.entry(Service, "service", number, entry)
        conditions = (service.diagnoses, service.words, service.tiers, service.dispositions, service.min_age, service.max_age, service.interpreter)
        self.check(service.category in CATEGORIES, "service", number, "category", f"category must be one of {', '.join(CATEGORIES)}")
        self.check(set(service.tiers) <= set(TIERS), "service", number, "tiers", f"tiers are {', '.join(TIERS)}")
        self.check(
            service.everyone != any(conditions), "service", number, "name", "a service is for everyone, or says for whom; not both, not neither"
        )
        return service

    def entry(self, kind: type[Any], table: str, number: int, entry: Mapping[str, Any]) -> Any:
        """A table as a dataclass; unknown keys, missing keys and values of the wrong type are refused."""
        wanted = {one.name: one for one in fields(kind)}
        for key, value in entry.items():
            self.check(key in wanted, table, number, key, f"unknown key {key!r}")
            self.check(_fits(str(wanted[key].type), value), table, number, key, f"{key} must be {_words(str(wanted[key].type))}")
        required = [key for key, one in wanted.items() if "None" not in str(one.type) and one.default is one.default_factory]
        for key in required:
            self.check(bool(entry.get(key) or entry.get(key) == 0), table, number, "", f"{key!r} is missing")
        return kind(**{key: tuple(value) if isinstance(value, list) else value for key, value in entry.items()})

    def unique(self, table: str, names: list[str]) -> None:
        for number, name in enumerate(names):
            self.check(name not in names[:number], table, number, "name", f"{name!r} is there twice")

    def check(self, holds: bool, table: str, number: int, key: str, reason: str) -> None:
        if not holds:
            raise Usage(f"The {self.name} cannot be used: {reason}", location=f"{self.name} line {self.line(table, number, key)}")

    def line(self, table: str, number: int, key: str) -> int:
        """The line of a key within the number-th table of that name; the table's own line where the key is not found."""
        lines, start, seen = self.text.splitlines(), 1, -1
        for place, line in enumerate(lines, 1):
            stripped = line.strip()
            if stripped.startswith("["):
                if seen == number:
                    break
                if stripped.split("#")[0].strip() in (f"[[{table}]]", f"[{table}]"):
                    seen += 1
                    start = place
            elif key and seen in (number, -1) and stripped.split("=")[0].strip() == key and (seen == number or not table or table == key):
                return place
        return start


def _fits(kind: str, value: Any) -> bool:
    if kind.startswith("tuple"):
        return isinstance(value, list) and all(isinstance(item, str) for item in value)
    if kind.startswith("Mapping"):
        return isinstance(value, dict) and {"system", "code"} <= value.keys() and all(isinstance(item, str) for item in value.values())
    if kind == "bool":
        return isinstance(value, bool)
    if kind.startswith("int"):
        return isinstance(value, int) and not isinstance(value, bool)
    return isinstance(value, str)


def _words(kind: str) -> str:
    names = {"tuple": "a list of texts", "Mapping": "a code with system and code", "bool": "true or false", "int": "a whole number"}
    return next((words for start, words in names.items() if kind.startswith(start)), "a text")
