"""What a write depends on: a version (If-Match, If-None-Match), or a search (If-None-Exist, PUT, PATCH and DELETE on a type with a query).

http://hl7.org/fhir/R4/http.html#concurrency and #ccreate, #cond-update, #3.1.0.7.1. A condition is answered from what the caller may see, under the
scope of a search: it tells nobody more than a search would.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from gateway.api.access import Seen, View
from gateway.api.requests import Call
from gateway.api.searching import read_query, run
from gateway.api.selections import Budget
from gateway.api.services import Services
from gateway.errors import Conflict, Malformed
from gateway.smart.access import Caller

ANY = "*"
"""If-Match: whatever version there is."""

_TAG = re.compile(r'(?:W/)?"([A-Za-z0-9\-.]{1,64})"')
_CRITERIA = ("_id", "_lastUpdated", "_tag", "_security", "_profile", "_has")
"""Parameters that begin like those that shape a result, and choose what is in it."""


def if_match(call: Call) -> frozenset[str]:
    """The versions that If-Match names, `ANY` for a star; none where nothing was stated. Raises Malformed for what is no version's tag."""
    stated = call.header("if-match")
    if stated in ("", ANY):
        return frozenset(stated)
    found = [_TAG.fullmatch(one.strip()) for one in stated.split(",")]
    if not all(found):
        raise Malformed("If-Match does not hold a version's tag", location="If-Match", advice='Write it as W/"3".')
    return frozenset(one[1] for one in found if one)


def names_a_version(call: Call) -> bool:
    """Whether the caller said which version it saw: then what changed meanwhile is for the caller to look at, not for us to try again."""
    return bool(if_match(call) - {ANY})


def check_version(call: Call, type: str, number: int) -> None:
    """Raise Conflict (412) where the newest version is none of those that If-Match names, or where If-None-Match wants there to be none."""
    stated = if_match(call)
    if stated and ANY not in stated and str(number) not in stated:
        raise Conflict("It has changed since it was read", location=type, advice="Read it again, decide again, and send its version in If-Match.")
    if call.header("if-none-match") == ANY:
        raise Conflict("It exists already", location="If-None-Match")


def only_match(
    services: Services, caller: Caller, look: View, type: str, criteria: Sequence[tuple[str, str]], where: str, budget: Budget | None = None
) -> Seen | None:
    """The one resource that the criteria find, None where they find none. Raises Conflict (412) where they find several.

    `where` names what held the criteria; `budget` is that of several conditions together. Criteria that would find everything are refused, and so is
    what only shapes a result.
    """
    asked = [(name, value) for name, value in criteria if name != "_format"]
    if not asked or any(name.startswith("_") and name.partition(":")[0] not in _CRITERIA for name, _ in asked):
        raise Malformed("A condition is made of search parameters alone, and of one at least", location=where)
    query = read_query(services, caller, type, asked)
    query.count = 2
    found = run(services, look, query, budget).found
    if len(found) > 1:
        raise Conflict("More than one resource answers the condition", location=where, advice="Ask for more, such as an identifier.")
    return found[0] if found else None
