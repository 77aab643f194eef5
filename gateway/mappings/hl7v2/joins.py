"""MRG where it moves or renumbers: A43 A44 A45 (moves), A35 A41 A42 A49 A50 A51 (accounts and visits joined or renumbered) -> merge statements.

effect   keys, person     retires                        beside it
move     the right one    the wrong one's identifiers    identifiers (A43), or stays (A44 accounts, A45 visits): what goes over
stays    the person       -                              stays: pairs (number that stands, number that gives way)
"""

from __future__ import annotations

from gateway.er7.reader import Segment
from gateway.errors import Invalid
from gateway.mappings.hl7v2 import datatypes, keys, person
from gateway.mappings.hl7v2.context import Context
from gateway.records.statements import Statement

Pair = tuple[str, str]
_NOBODY = "Nobody is named from whom it goes"


def statements(context: Context) -> list[Statement]:
    """One statement for each MRG with its PID. Raises Invalid, with the place, when what goes, or where, is not named."""
    found: list[Statement] = []
    pid = None
    for segment in context.message.segments:
        if segment.name == "PID":
            pid = segment
        elif segment.name == "MRG" and pid is not None:
            found += _statements(context, pid, segment)
    if not found:
        raise Invalid("This event needs an MRG segment after its PID", location="MRG", condition="100")
    return found


def _statements(context: Context, pid: Segment, mrg: Segment) -> list[Statement]:
    code = context.event.code
    if code == "A43":
        return [_of_identifiers(context, pid, mrg)]
    pairs = account_numbers(context, pid, mrg) if code in ("A35", "A41", "A44", "A49") else visit_numbers(context, mrg)
    who = person.identity(context, pid)[1]
    if not who:
        raise Invalid("Nobody is named to whom it belongs", location="PID-3", condition="101")
    if not pairs:
        field = "MRG-3" if code in ("A35", "A41", "A44", "A49") else "MRG-5"
        raise Invalid("The number that gives way, or the one that stands, is not named", location=field, condition="101")
    renumbered = [pair for pair in pairs if pair[0] != pair[1]]
    said = Statement("merge", who, who, facts={"effect": "stays", "event": code, "stays": renumbered})
    if code not in ("A44", "A45"):
        return [said]
    former = tuple(key for key in former_identifiers(context, mrg) if key not in who)
    if not former and code == "A44":
        raise Invalid(_NOBODY, location="MRG-1", condition="101")
    found = []
    if former:
        facts = {"effect": "move", "event": code, "stays": [old for _, old in pairs]}
        found.append(Statement("merge", who, who, facts=facts, retires=former))
    else:
        renumbered += account_numbers(context, pid, mrg)  # the same person's visit goes to another account of theirs
    return [*found, said] if renumbered else found


def _of_identifiers(context: Context, pid: Segment, mrg: Segment) -> Statement:
    """A43: what MRG-1 names goes from MRG-4 to PID-2; where those are not sent, from the other identifiers of MRG-1 to those of PID-3."""
    after, before = person.identity(context, pid)[1], former_identifiers(context, mrg)
    named = tuple(key for cx in context.every(mrg, 1) if (said := datatypes.identifier(context, cx)) and (key := said[1]))
    moved = tuple(key for key in named if key in after) or named
    right = tuple(key for key in after if key not in moved)
    if not moved:
        raise Invalid("No identifier is named that is moved", location="MRG-1", condition="101")
    if not right:
        raise Invalid("Nobody is named to whom it goes", location="PID-2", advice="Send the right person's identifier there.", condition="101")
    former = tuple(key for key in before if key not in moved)
    facts = {"effect": "move", "event": context.event.code, "identifiers": moved}
    return Statement("merge", right, right, facts=facts, retires=(*moved, *former))


def former_identifiers(context: Context, mrg: Segment) -> tuple[str, ...]:
    """The keys of the person that MRG names: MRG-1, MRG-2, MRG-4, of the systems that PID-3, PID-4 and PID-2 are read as."""
    found: dict[str, None] = {}
    for field in (1, 2, 4):
        for cx in context.every(mrg, field):
            bare = field != 1 and not cx[3] and not cx[4]
            repeated = bare and f"urn:gateway:facility:{context.facility}:MR|{cx[0]}" in found
            said = datatypes.identifier(context, cx, "PT" if bare and not repeated else "MR" if bare else "")
            if said and said[1]:
                found[said[1]] = None
    return tuple(found)


def account_numbers(context: Context, pid: Segment, mrg: Segment) -> list[Pair]:
    """PID-18 stands, MRG-3 gives way; an account number that PID does not repeat stands as it is."""
    before = context.one(mrg, 3)
    old = keys.of_visit(before, context.facility, account=True) if before is not None and before[0] else ""
    now = context.one(pid, 18)
    new = keys.of_visit(now, context.facility, account=True) if now is not None and now[0] else ""
    if not old or (not new and context.event.code != "A44"):
        return []
    return [(new or old, old)]


def visit_numbers(context: Context, mrg: Segment) -> list[Pair]:
    """PV1-19 stands and MRG-5 gives way, PV1-50 and MRG-6; a number that PV1 does not repeat stands as it is, where it is moved."""
    pv1 = context.message.first("PV1")
    found = []
    for standing, former in ((19, 5), (50, 6)):
        before = context.one(mrg, former)
        now = context.one(pv1, standing) if pv1 is not None else None
        old = keys.of_visit(before, context.facility) if before is not None and before[0] else ""
        new = keys.of_visit(now, context.facility) if now is not None and now[0] else ""
        if old and (new or context.event.code == "A45"):
            found.append((new or old, old))
    return found
