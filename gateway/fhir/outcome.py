"""OperationOutcome: how every failure is told over FHIR. http://hl7.org/fhir/R4/operationoutcome.html"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from gateway.errors import GatewayError, Invalid

Json = dict[str, Any]


class Issue(NamedTuple):
    """One thing that is wrong. `code` is of http://hl7.org/fhir/ValueSet/issue-type; `text` never holds a value that was sent."""

    code: str
    text: str
    location: str = ""  # as FHIRPath: "Patient.name[0].given[1]"
    severity: str = "error"  # fatal | error | warning | information


class Rejected(Invalid):
    """A resource that breaks several rules at once; `issues` names each."""

    def __init__(self, issues: Sequence[Issue]) -> None:
        first = issues[0]
        super().__init__(first.text, location=first.location)
        self.issues = tuple(issues)


def outcome(issues: Sequence[Issue]) -> Json:
    """The OperationOutcome that lists the issues."""
    return {"resourceType": "OperationOutcome", "issue": [_issue(each) for each in issues]}


def of_error(error: GatewayError) -> Json:
    """The OperationOutcome of a failure: what was wrong, where, and what to do."""
    if isinstance(error, Rejected):
        return outcome(error.issues)
    text = error.message if error.message.endswith(".") else f"{error.message}."
    return outcome([Issue(error.issue, f"{text} {error.advice}".strip(), error.location)])


def _issue(issue: Issue) -> Json:
    said: Json = {"severity": issue.severity, "code": issue.code, "diagnostics": issue.text}
    if issue.location:
        said["expression"] = [issue.location]
    return said
