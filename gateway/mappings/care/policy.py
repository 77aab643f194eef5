"""The care policy: what is planned for whom. TOML, reviewed by a clinical lead; one that breaks a rule is refused with line and reason."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, dataclass, fields
from functools import cache
from importlib import resources
from typing import Any, cast

from gateway.errors import Usage
from gateway.fhir.check_digits import problem_of
from gateway.mappings import tables
from gateway.toml_files import TomlFile

PRIORITIES = ("routine", "urgent", "asap", "stat")
CATEGORIES = ("counselling", "education", "evaluation", "social")
TIERS = ("urgent", "high", "standard")
DOMAINS = tuple(sorted({row["target"] for row in tables.rows("social-needs")}))
KNOWN = ("safe_contact", "legal_status", "long_acting_injection", "interpreter", "medication_ends")
"""What callers must know that is found by words of the policy."""
_NEEDED = ("follow_up", "priority", "care_team", "service")
_TABLES = (*_NEEDED, "know", "goal")
_CODE = {"system", "code"}
_RELATION = re.compile(r"[A-Z][A-Z0-9]*")
_NAME = re.compile(r"[a-z0-9][a-z0-9-]*")
_VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9.-]*")
_PATTERNS = (
    ("diagnoses", re.compile(r"[A-Z][0-9A-Z]{0,3}(\.[0-9A-Z]{1,4})?"), "an ICD-10-CM code or the beginning of one"),
    ("words", re.compile(r"[^A-Z]+"), "in lower-case letters"),
    ("tiers", re.compile("|".join(TIERS)), f"a tier: {', '.join(TIERS)}"),
    ("dispositions", re.compile(r"[0-9]{2}"), "a code of two digits (NUBC FL17)"),
    ("ambulatory", re.compile(r"[A-C][0-9]"), "an ambulatory status (HL7 table 0009)"),
    ("asked", re.compile(r"[^A-Z]+"), "in lower-case letters"),
)
"""What the texts of a list look like: one that could never match would plan nothing, and nobody would see why."""


_BOUNDS = (
    *((name, 1, 24 * 366) for name in ("pick_up_hours", "hold_hours", "outcome_hours")),
    ("anticipation_days", 0, 366),
    *((name, 1, 100) for name in ("attempts", "attempt_days", "attempt_means")),
)
"""(number, least, most)"""


@dataclass(frozen=True, slots=True)
class FollowUpWindow:
    """When follow-up is due: days after the day of discharge in the facility's calendar, hours from the discharge.

    The one place where these numbers stand: `settings` gives them to assessment (`transitions.policy`) too.
    """

    last_day: int
    first_contact_hours: int
    plan_days: int
    pick_up_hours: int = 24
    hold_hours: int = 24
    outcome_hours: int = 24
    anticipation_days: int = 3
    attempts: int = 3
    attempt_days: int = 3
    attempt_means: int = 2
    typical_stay_days: int | None = None
    longest_stay_days: int = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """What is planned, and for whom: all stated conditions hold, of each list any entry."""

    name: str
    everyone: bool = False
    interpreter: bool = False
    diagnoses: tuple[str, ...] = ()  # ICD-10-CM prefixes
    words: tuple[str, ...] = ()  # in a diagnosis's text, whole ("homeless*" a beginning), not negated; an alternative to `diagnoses`
    tiers: tuple[str, ...] = ()
    ambulatory: tuple[str, ...] = ()  # PV1-15, HL7 table 0009; likewise
    domains: tuple[str, ...] = ()  # Gravity's categories of social needs: an answer to a screening question counts like a diagnosis
    dispositions: tuple[str, ...] = ()  # NUBC FL17 codes
    outside_area: bool = False  # the client lives where the agency that the transition is routed to does not serve
    min_age: int | None = None
    max_age: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal(Planned):
    """What the plan is for; due on the last day of the follow-up window, or of the plan."""

    text: str
    window: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Service(Planned):
    """A service to request."""

    title: str
    category: str
    code: Mapping[str, str] | None = None
    routed: bool = False
    by_tier: bool = False
    window: bool = False  # asked for within the days of the follow-up
    contact: bool = False  # asked for within the hours of the first contact, and done once the client was reached
    protected: bool = False  # substance-use content, labelled as such
    asked: tuple[str, ...] = ()  # words by which a clinician's own request for the same is known, beside its code


@dataclass(frozen=True, slots=True)
class Policy:
    """The whole policy."""

    version: str
    follow_up: FollowUpWindow
    priority: Mapping[str, str]
    relationships: tuple[str, ...]
    relationships_of_minors: tuple[str, ...]
    know: Mapping[str, tuple[str, ...]]
    goals: tuple[Goal, ...]
    services: tuple[Service, ...]


@cache
def default() -> Policy:
    """The policy that the gateway ships."""
    text = resources.files(__package__).joinpath("policy.toml").read_text(encoding="utf-8")
    return read(TomlFile("care policy", text, tomllib.loads(text)))


def read(file: TomlFile) -> Policy:
    """A policy as written. Raises `Usage` with the file, the line and the reason."""
    return _Reader(file).policy()


@dataclass(frozen=True, slots=True)
class _Reader:
    """A policy as it was written. A path says where in it something stands: ("service", 3, "max_age")."""

    file: TomlFile

    @property
    def data(self) -> Mapping[str, Any]:
        return self.file.said

    def policy(self) -> Policy:
        for key in self.data:
            self.check(key in _TABLES or key == "version", (key,), f"unknown key {key!r}")
        for key in ("version", *_NEEDED):
            self.check(key in self.data, (), f"{key!r} is missing")
        version = self.data["version"]
        self.check(isinstance(version, str) and bool(_VERSION.fullmatch(version)), ("version",), "version must be a text of letters, digits and dots")
        window = self.window()
        policy = Policy(
            version=version,
            follow_up=window,
            priority=self.priorities(),
            **self.relationships(),
            know=self.lists("know", KNOWN),
            goals=tuple(self.planned(Goal, window, number, entry) for number, entry in enumerate(self.tables("goal"))),
            services=tuple(self.service(window, number, entry) for number, entry in enumerate(self.tables("service"))),
        )
        self.unique("goal", policy.goals)
        self.unique("service", policy.services)
        routed = sum(service.routed for service in policy.services)
        self.check(routed == 1, ("service",), f"exactly one service must be routed = true (the one that the Task asks for), not {routed}")
        return policy

    def window(self) -> FollowUpWindow:
        entry: FollowUpWindow = self.entry(FollowUpWindow, ("follow_up",), self.table("follow_up"))
        self.check(1 <= entry.last_day <= entry.plan_days <= 366, ("follow_up",), "1 <= last_day <= plan_days <= 366")
        for name, least, most in _BOUNDS:
            self.check(least <= getattr(entry, name) <= most, ("follow_up", name), f"{name} must be from {least} to {most}")
        few = max(entry.attempt_days, entry.attempt_means) <= entry.attempts
        self.check(few, ("follow_up", "attempts"), "attempts must not be fewer than the days and the means that they must cover")
        lengths = entry.longest_stay_days >= 1 and (entry.typical_stay_days is None or entry.typical_stay_days >= 1)
        self.check(lengths, ("follow_up",), "typical_stay_days and longest_stay_days are 1 or more")
        within = 1 <= entry.first_contact_hours <= 24 * entry.last_day
        self.check(within, ("follow_up", "first_contact_hours"), "the first contact must be due before the follow-up is, and after the discharge")
        return entry

    def priorities(self) -> Mapping[str, str]:
        given = self.table("priority")
        self.check(set(given) == set(TIERS), ("priority",), f"priority names exactly the tiers {', '.join(TIERS)}")
        for tier, priority in given.items():
            self.check(priority in PRIORITIES, ("priority", tier), f"{tier} must be one of {', '.join(PRIORITIES)}")
        return given

    def lists(self, table: str, keys: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
        """A table of lists of texts, () for each of `keys` that it does not have."""
        given = self.table(table)
        for key, value in given.items():
            self.check(key in keys, (table, key), f"unknown key {key!r}")
            self.check(_fits("tuple", value), (table, key), f"{key} must be a list of texts")
        return {key: tuple(given.get(key, ())) for key in keys}

    def relationships(self) -> dict[str, tuple[str, ...]]:
        """Who acts for the client by what they are to them, and who for a minor."""
        found = self.lists("care_team", ("relationships", "relationships_of_minors"))
        for key, codes in found.items():
            for code in codes:
                self.check(bool(_RELATION.fullmatch(code)), ("care_team", key), f"{code!r} in {key} is not a code of v3-RoleCode or HL7 table 0063")
        return found

    def service(self, window: FollowUpWindow, number: int, entry: Mapping[str, Any]) -> Service:
        service: Service = self.planned(Service, window, number, entry)
        self.check(service.category in CATEGORIES, ("service", number, "category"), f"category must be one of {', '.join(CATEGORIES)}")
        if service.code is not None:
            problem = problem_of(service.code["system"], service.code["code"])
            self.check(not problem, ("service", number, "code"), f"the code {service.code['code']!r} {problem}")
        return service

    def planned(self, kind: type[Any], window: FollowUpWindow, number: int, entry: Mapping[str, Any]) -> Any:
        """A [[goal]] or [[service]]: for everyone, or for whom is said; `{last_day}` in its words is the policy's own number."""
        table = kind.__name__.lower()
        words = {key: _worded(value, window) if key in ("text", "title") else value for key, value in entry.items()}
        one = self.entry(kind, (table, number), words)
        self.check(bool(_NAME.fullmatch(one.name)), (table, number, "name"), "name must be lower-case letters, digits and dashes")
        for key, wanted, reason in _PATTERNS:
            for each in getattr(one, key, ()):
                self.check(bool(wanted.fullmatch(each)), (table, number, key), f"{each!r} in {key} is not {reason}")
        self.check(set(one.domains) <= set(DOMAINS), (table, number, "domains"), f"domains are {', '.join(DOMAINS)}")
        ordered = one.min_age is None or one.max_age is None or one.min_age <= one.max_age
        self.check(ordered, (table, number, "max_age"), "max_age must not be below min_age")
        ages = one.min_age is not None or one.max_age is not None
        needs = (one.diagnoses, one.words, one.ambulatory, one.domains)
        limited = ages or any((*needs, one.tiers, one.dispositions, one.interpreter, one.outside_area))
        self.check(one.everyone != limited, (table, number), f"a {table} is for everyone, or says for whom; not both, not neither")
        return one

    def entry(self, kind: type[Any], path: tuple[str | int, ...], entry: Mapping[str, Any]) -> Any:
        """A table as a dataclass; unknown keys, missing keys and values of the wrong type are refused."""
        wanted = {one.name: one for one in fields(kind)}
        for key, value in entry.items():
            self.check(key in wanted, (*path, key), f"unknown key {key!r}")
            self.check(_fits(str(wanted[key].type), value), (*path, key), f"{key} must be {_words(str(wanted[key].type))}")
        for key, one in wanted.items():
            given = one.default is not MISSING or entry.get(key) not in (None, "")
            self.check(given, path, f"{key!r} is missing")
        return kind(**{key: tuple(value) if isinstance(value, list) else value for key, value in entry.items()})

    def table(self, key: str) -> Mapping[str, Any]:
        value = self.data.get(key, {})
        self.check(isinstance(value, dict), (key,), f"{key} must be a table: [{key}]")
        return cast(Mapping[str, Any], value)

    def tables(self, key: str) -> list[Mapping[str, Any]]:
        value = self.data.get(key, [])
        right = isinstance(value, list) and all(isinstance(one, dict) for one in value)
        self.check(right, (key,), f"{key} must be a list of tables: [[{key}]]")
        return cast(list[Mapping[str, Any]], value)

    def unique(self, table: str, entries: Sequence[Planned]) -> None:
        names = [entry.name for entry in entries]
        for number, name in enumerate(names):
            self.check(name not in names[:number], (table, number, "name"), f"{name!r} is there twice")

    def check(self, holds: bool, path: tuple[str | int, ...], reason: str) -> None:
        if not holds:
            raise Usage(f"The care policy cannot be used: {reason}", location=self.file.where(path), advice="Mend that line.")


def _worded(value: Any, window: FollowUpWindow) -> Any:
    """Words with the policy's own numbers in them."""
    if isinstance(value, str):
        for key in ("last_day", "first_contact_hours"):
            value = value.replace(f"{{{key}}}", str(getattr(window, key)))
    return value


def _fits(kind: str, value: Any) -> bool:
    if kind.startswith("tuple"):
        return isinstance(value, list) and all(isinstance(item, str) and item.strip() for item in value)
    if kind.startswith("Mapping"):
        return isinstance(value, dict) and _CODE <= value.keys() <= {*_CODE, "display"} and all(isinstance(item, str) for item in value.values())
    if kind == "bool":
        return isinstance(value, bool)
    if kind.startswith("int"):
        return isinstance(value, int) and not isinstance(value, bool)
    return isinstance(value, str)


def _words(kind: str) -> str:
    names = {"tuple": "a list of texts", "Mapping": "a code with system, code and display", "bool": "true or false", "int": "a whole number"}
    return next((words for start, words in names.items() if kind.startswith(start)), "a text")
