"""A transition's records as they stand in the store, in the coordinator's view."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from gateway.mappings.care.provenance import MESSAGE, RULE
from gateway.privacy import labels, notice
from gateway.privacy.scrub import references
from gateway.records.statements import Identify, Json
from gateway.store.interface import ALL, Reader


@dataclass(frozen=True, slots=True)
class Rule:
    """The rule that made a derived record, and the messages it rests on as (sender, control ID)."""

    name: str
    version: str
    messages: tuple[tuple[str, str], ...]

    def __str__(self) -> str:
        return f"rule {self.name}, version {self.version}"


@dataclass(frozen=True, slots=True)
class Records:
    """The three records and everything that they refer to, by reference."""

    plan: Json
    known: Mapping[str, Json] = field(default_factory=dict)
    rules: Mapping[str, Rule] = field(default_factory=dict)

    def find(self, reference: Json | None) -> Json | None:
        """What a reference points to; None where that is not in the store."""
        return self.known.get(str((reference or {}).get("reference", "")))

    @property
    def team(self) -> Json | None:
        """The CareTeam."""
        return next((found for one in self.plan.get("careTeam", []) if (found := self.find(one))), None)

    @property
    def requests(self) -> list[Json]:
        """The ServiceRequests, in the plan's order."""
        found = (self.find(activity.get("reference")) for activity in self.plan.get("activity", []))
        return [one for one in found if one is not None and one["resourceType"] == "ServiceRequest"]

    def rests_on(self, sender: str, name: str) -> bool:
        """Whether the plan rests on a message, by sender and control ID or, without one, digest."""
        rule = self.rules.get(f"CarePlan/{self.plan['id']}")
        return rule is not None and any(sender == by and (name == said or name.startswith(said)) for by, said in rule.messages)

    @property
    def notices(self) -> tuple[str, ...]:
        """The words that 42 CFR Part 2 wants on whatever is passed on of its content; () where there is none."""
        every = (self.plan, *self.known.values())
        return (notice.NOTICE,) if any({"42CFRPart2", notice.MARK} & labels.labels_of(one) for one in every) else ()


def read(reader: Reader, identify: Identify, transition: str) -> Records | None:
    """The records of a transition; None where it has none."""
    plan = _body(reader, "CarePlan", identify("CarePlan", f"{transition}|care-plan"))
    if plan is None:
        return None
    known: dict[str, Json] = {}
    _follow(reader, plan, known)
    for one in [known[name] for name in known if name.split("/")[0] in ("CareTeam", "ServiceRequest", "Task")]:
        _follow(reader, one, known)
    mine = {f"CarePlan/{plan['id']}": plan, **known}
    rules = {name: found for name in mine if (found := _rule(reader, identify, transition, name))}
    return Records(plan, known, rules)


def _follow(reader: Reader, resource: Json, known: dict[str, Json]) -> None:
    for name in sorted(references(resource) - known.keys()):
        kind, _, local = name.partition("/")
        body = _body(reader, kind, local)
        if body is not None:
            known[name] = body


def _rule(reader: Reader, identify: Identify, transition: str, name: str) -> Rule | None:
    kind, _, local = name.partition("/")
    origin = _body(reader, "Provenance", identify("Provenance", f"{transition}|provenance|{kind}|{local}"))
    if origin is None:
        return None
    said = next((policy for policy in origin.get("policy", []) if policy.startswith(f"{RULE}:")), f"{RULE}::")
    rule, _, version = said.removeprefix(f"{RULE}:").rpartition(":")
    return Rule(rule, version, tuple(_messages(origin)))


def _messages(origin: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for entity in origin.get("entity", []):
        identifier = entity["what"].get("identifier", {})
        if identifier.get("system") == MESSAGE:
            sender, _, name = str(identifier["value"]).rpartition("/")
            yield sender, name


def _body(reader: Reader, kind: str, local: str) -> Json | None:
    found = reader.read(ALL, kind, local)
    return orjson.loads(found.body) if found is not None and found.body is not None else None
