"""What a check of one or many resources found, as data, as a text table and as a page."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any, NamedTuple

from conformance.profiles.findings import Finding
from conformance.profiles.meaning import Presence
from conformance.profiles.profiles import Profiles

Json = dict[str, Any]

_ID = re.compile(r"[A-Za-z0-9\-.]{1,64}")
_INDEX = re.compile(r"\[\d+\]")
_SEVERITIES = ("error", "warning", "information")


class Support(NamedTuple):
    """How much of what a profile marks as must-support one resource says."""

    profile: str
    elements: tuple[Presence, ...]

    @property
    def absent(self) -> tuple[str, ...]:
        """The elements that are not there."""
        return tuple(one.path for one in self.elements if not one.present)


@dataclass(frozen=True, slots=True)
class Checked:
    """One resource that was checked: its number in the file (from 1), what it is, and what was found."""

    number: int
    name: str
    findings: tuple[Finding, ...]
    support: tuple[Support, ...]

    def json(self) -> Json:
        """The keys of `gateway check resource --json`."""
        return {
            "number": self.number,
            "resource": self.name,
            "findings": [one._asdict() for one in self.findings],
            "must_support": [{"profile": one.profile, "of": len(one.elements), "absent": one.absent} for one in self.support],
        }


class Row(NamedTuple):
    """A finding, how often it was made and the first resource that it was made in."""

    finding: Finding
    times: int
    first: str


def checked(profiles: Profiles, number: int, resource: Any, given: Sequence[str]) -> Checked:
    """Check one resource against its type, the profiles it claims and those given, or else those that it is meant for."""
    found = profiles.check(resource, given, meant=True)
    support: list[Support] = []
    if isinstance(resource, dict) and isinstance(resource.get("resourceType"), str):
        fitting = profiles.for_type(resource["resourceType"])
        held = [url for url in profiles.held_to(resource, given) if url in fitting]
        support = [Support(url, tuple(profiles.presence(resource, url))) for url in held]
    return Checked(number, _name(resource), tuple(found), tuple(support))


def _name(resource: Any) -> str:
    """What a resource is called in a report: its type, and its id where that is one."""
    kind, identifier = (resource.get("resourceType"), resource.get("id")) if isinstance(resource, dict) else ("", "")
    parts = [one for one in (kind, identifier) if isinstance(one, str) and _ID.fullmatch(one)]
    return "/".join(parts) or "no resource"


def rows(checks: Sequence[Checked]) -> list[Row]:
    """The findings, errors first; of many resources each kind once, with its count, its list numbers left out."""
    many = len(checks) > 1
    found: dict[Finding, Row] = {}
    for check in checks:
        for one in check.findings:
            kind = one._replace(location=_INDEX.sub("", one.location)) if many else one
            already = found.get(kind)
            found[kind] = Row(kind, already.times + 1 if already else 1, already.first if already else f"{check.name} ({check.number})")
    return sorted(found.values(), key=lambda row: _SEVERITIES.index(row.finding.severity))


def counted(checks: Iterable[Checked]) -> dict[str, int]:
    """The number of findings by severity."""
    found = dict.fromkeys(_SEVERITIES, 0)
    for check in checks:
        for one in check.findings:
            found[one.severity] += 1
    return found


def summary(checks: Sequence[Checked], package: str) -> str:
    """One line that says it all."""
    numbers = counted(checks)
    resources = "1 resource" if len(checks) == 1 else f"{len(checks)} resources"
    return f"{resources} checked under R4 and {package}: {numbers['error']} errors, {numbers['warning']} warnings, {numbers['information']} notes."


def page(checks: Sequence[Checked], package: str) -> str:
    """The report as one HTML page without scripts; all text is escaped."""
    from jinja2 import Environment

    template = files("conformance.profiles").joinpath("report.html").read_text(encoding="utf-8")
    page = Environment(autoescape=True).from_string(template)
    return page.render(title=summary(checks, package), rows=rows(checks), many=len(checks) > 1, checks=checks)
