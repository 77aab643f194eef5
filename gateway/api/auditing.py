"""Every disclosure leaves an AuditEvent: the one place that all answers to callers pass on their way out.

What is audited is what the answer itself shows, so that no interaction can forget to tell. An answer without records (304, nothing new, a failure)
leaves none.
"""

from __future__ import annotations

from gateway.api.answers import Answer, FhirResponse
from gateway.api.requests import Call, encoded
from gateway.api.services import Services
from gateway.errors import Unavailable
from gateway.fhir import outcome
from gateway.fhir.outcome import Issue
from gateway.privacy.audit import Act, Disclosure, Shown
from gateway.smart.access import Caller

FEED = ("transitions",)
"""The path of a call to the transitions feed, which is no resource type; a decision's goes on from there."""


def disclosed(services: Services, caller: Caller, call: Call, answer: Answer) -> Answer:
    """The answer, when an AuditEvent of what it shows is on its way into the store. Raises Unavailable where it cannot be; what was written by
    then is acknowledged all the same, but not shown: whoever sent it would send it again."""
    if not any(answer.shown):
        return answer
    act = _act(call)
    query = encoded(call.parameters) if act in ("search", "history") else ""
    try:
        services.audit(Disclosure(act, caller.client, caller.role, caller.organization, answer.shown, query, caller.user, caller.fhir_user))
    except Unavailable:
        if act in ("update", "patch") or (act == "create" and answer.status_code == 201):
            return _unshown(answer)
        raise
    return answer


def exported(services: Services, caller: Caller, shown: Shown, request: str) -> None:
    """See to the AuditEvent of a page of an export's file, before it is sent. `request` is the kick-off. Raises Unavailable."""
    services.audit(Disclosure("export", caller.client, caller.role, caller.organization, shown, request))


def _act(call: Call) -> Act:
    """What an interaction that showed something was."""
    if call.path[:1] == FEED:
        return "poll" if call.path == FEED else "update"
    if "_history" in call.path:
        return "history" if call.path[-1] == "_history" else "vread"
    match call.method, len(call.path):
        case "POST", _:
            return "create"
        case "PUT", _:
            return "update"
        case "PATCH", _:
            return "patch"
        case _, 2:
            return "read"
    return "search"


def _unshown(answer: Answer) -> Answer:
    """A write's answer without the record; its headers say no more than that it was taken."""
    kept = ("etag", "last-modified", "location", "content-location")
    headers = {name: answer.headers[name] for name in kept if name in answer.headers}
    taken = Issue("informational", "It was taken. It can be read in a moment.", severity="information")
    return FhirResponse(outcome.outcome([taken]), answer.status_code, headers)
