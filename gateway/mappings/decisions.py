"""A named person's decision about a transition, or the written policy's -> a statement. Pure.

    {"transition": "…", "patient": "Patient/…", "what": "route", "value": "river-cmhc", "about": "", "reason": "…"}

A decision is an input like any other: it stands in the inbox, is replayed with it, and is taken back by a later one. Who decided is what the gateway
knows of the caller, never what the body says.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import get_args

from gateway.errors import Invalid
from gateway.mappings.fhir.writes import person_key
from gateway.records.statements import Heading, Json, Statement, Translation
from transitions.dispositions import UNKNOWN, by_code
from transitions.model import ClosedAs

UNANSWERED = "unanswered"
"""What the policy alone decides: that an agency has had its time to answer, and the transition moves on. The value is the assignment's number."""

POLICY = "policy"
"""Who decides that, and that an agency is passed over (`transitions.routing.PASSED_OVER`)."""

KINDS: Mapping[str, str] = {
    "close": f"one of {', '.join(get_args(ClosedAs))}",
    "reopen": "nothing",
    "psychiatric": "yes or no",
    "route": "an agency's id, or coordinator",
    "confirm-kind": "mental-health or other, of the Appointment or Encounter that `about` names",
    "disposition": "a discharge disposition's code (NUBC FL17, two digits)",
}
"""What a person may decide, and what the value says."""

_REFERENCE = re.compile(r"(Appointment|Encounter)/[A-Za-z0-9\-.]{1,64}")
MEMBERS = ("what", "value", "about", "reason")
"""What a person says, each a text."""
LONGEST = 2000
"""Characters of a member."""


def check(said: Json, agencies: frozenset[str]) -> None:
    """Raise Invalid for what no person can decide. `agencies`: the ids of those that are configured."""
    unknown = sorted(set(said) - set(MEMBERS))
    if unknown:
        raise Invalid("A decision has no such member", location=unknown[0], advice="It has what, value, about and reason.")
    if not all(isinstance(said.get(name, ""), str) for name in MEMBERS):
        raise Invalid("Every member of a decision is text", location="decision")
    long = [name for name in MEMBERS if len(said.get(name, "")) > LONGEST]
    if long:
        raise Invalid("The text is too long", location=long[0], advice=f"At most {LONGEST} characters are taken.")
    what, value = said.get("what", ""), said.get("value", "")
    if what not in KINDS:
        raise Invalid("This cannot be decided", location="what", advice=f"It is one of {', '.join(KINDS)}.")
    sound = {
        "close": value in get_args(ClosedAs),
        "reopen": value == "",
        "psychiatric": value in ("yes", "no"),
        "route": value in agencies or value == "coordinator",
        "confirm-kind": value in ("mental-health", "other"),
        "disposition": by_code(value) is not UNKNOWN,
    }
    if not sound[what]:
        raise Invalid("The decision's value says nothing", location="value", advice=f"For {what} it is {KINDS[what]}.")
    if what == "confirm-kind" and not _REFERENCE.fullmatch(said.get("about", "")):
        raise Invalid("The decision is about no appointment or visit", location="about", advice="Name it: Appointment/<id> or Encounter/<id>.")
    if what in ("close", "reopen") and not said.get("reason", "").strip():
        raise Invalid("Who closes or reopens says why", location="reason")


def translate_decision(body: Json, about: Mapping[str, str], received: int) -> Translation:
    """What a decision says; `received`: the commit's time in microseconds, which is when it was taken. `about["by"]` is who took it."""
    by = about["by"]
    facts = {name: body.get(name, "") for name in ("transition", "what", "value", "about", "reason")} | {"by": by}
    key = f"urn:gateway:decision|{about.get('request', '')}"
    heading = Heading(f"user/{by}", "", f"decision {facts['what']}", about.get("request", ""), received, "commit")
    return Translation(heading, (Statement("decision", (key,), (person_key(body["patient"]),), facts=facts),))
