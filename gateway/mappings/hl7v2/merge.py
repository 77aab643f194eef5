"""MRG, and the second PID of a link -> merge statements: which identifiers give way to which."""

from __future__ import annotations

from gateway.errors import Invalid
from gateway.mappings.hl7v2 import joins, keys, person
from gateway.mappings.hl7v2.context import Context
from gateway.records.statements import Statement

_CHANGES = ("A46", "A47", "A48")  # identifiers are exchanged: those that PID repeats stand


def statements(context: Context) -> list[Statement]:
    """One statement for each pair; `facts["effect"]` is "merge", "link" or "unlink" (which undoes a link).

    Merges: PID-3 survives, MRG-1, MRG-2 and MRG-4 give way; a message may hold several PID/MRG pairs. Links: two PIDs. Account numbers that are
    joined with the people (A36: MRG-3 into PID-18) are `facts["stays"]`, pairs (the number that stands, the one that gives way).
    Raises Invalid, with the place, when nobody gives way.
    """
    return _links(context) if context.event.person in ("link", "unlink") else _merges(context)


def _merges(context: Context) -> list[Statement]:
    found: list[Statement] = []
    pid = None
    for segment in context.message.segments:
        if segment.name == "PID":
            pid = segment
        elif segment.name == "MRG" and pid is not None:
            surviving = person.identity(context, pid)[1]
            standing = surviving if context.event.code in _CHANGES else surviving[:1]  # who merges may list all identifiers as the survivor's already
            retired = tuple(key for key in joins.former_identifiers(context, segment) if key not in standing)
            if not surviving:
                raise Invalid("Nobody is named to merge into", location="PID-3", condition="101")
            if not retired:
                raise Invalid("Nobody is named who gives way", location="MRG-1", condition="101")
            facts: dict[str, object] = {"effect": context.event.person, "event": context.event.code}
            before, now = context.one(segment, 3), context.one(pid, 18)
            if before is not None and now is not None and before[0] and now[0]:
                pair = tuple(keys.of_visit(cx, context.facility, account=True) for cx in (now, before))
                if all(pair):
                    facts["stays"] = [pair]
            found.append(Statement("merge", surviving, surviving, facts=facts, retires=retired))
    if not found:
        raise Invalid("A merge needs an MRG segment after its PID", location="MRG", condition="100")
    return found


def _links(context: Context) -> list[Statement]:
    people = [person.identity(context, pid)[1] for pid in context.message.all("PID")]
    if len(people) < 2 or not people[0] or not people[1]:
        raise Invalid("A link needs two people, each with an identifier", location="PID[2]-3", condition="101")
    facts = {"effect": context.event.person, "event": context.event.code}
    return [Statement("merge", people[0], people[0], facts=facts, retires=people[1])]
