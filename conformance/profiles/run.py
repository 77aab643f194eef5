"""What one check carries along: the tables, the resource at hand and what was found so far."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from conformance.profiles.findings import Finding, Severity
from conformance.profiles.model import Model
from conformance.profiles.terminology import Terminology

Json = dict[str, Any]


@dataclass(slots=True)
class Run:
    """One resource being checked.

    `resource` is what FHIRPath calls %resource, `container` %rootResource (the same, unless the resource is contained). `entries` are the
    resources of the Bundle around it by fullUrl, and by `Type/id`. `by` names the profile whose constraints are being checked.
    """

    model: Model
    terminology: Terminology
    resource: Json
    container: Json
    entries: Mapping[str, Json]
    found: list[Finding] = field(default_factory=list)
    by: str = ""

    def say(self, severity: Severity, location: str, rule: str, text: str) -> None:
        """Note a finding; one that a profile makes names the profile."""
        self.found.append(Finding(severity, location, rule, f"{text} ({self.by})" if self.by else text))

    def error(self, location: str, rule: str, text: str) -> None:
        """Note an error."""
        self.say("error", location, rule, text)

    def within(self, resource: Json, container: Json | None = None) -> Run:
        """The run for a resource inside this one; findings go to the same list."""
        return replace(self, resource=resource, container=container or resource)

    def under(self, profile: str) -> Run:
        """The run under a profile's constraints; findings go to the same list."""
        return replace(self, by=profile.rpartition("/")[2])

    def trial(self) -> Run:
        """A run whose findings are kept apart, to try what an item is."""
        return replace(self, found=[])
