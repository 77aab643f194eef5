"""42 CFR Part 2 programs that a message names, by the feed's profile (`part2_units`): what it says then is theirs, whichever field names them.

A unit is looked for in every field that can name the one where the client is, was or goes: too much protected is put right by a consent, too little
by nothing.
"""

from __future__ import annotations

from dataclasses import replace

from gateway.er7.reader import Segment
from gateway.mappings.feeds.zsegments import placed
from gateway.mappings.hl7v2.context import Context
from gateway.records.statements import Fragment, Json, Statement

_PLACES = {
    "PV1": (3, 6, 11, 37, 42, 43),  # assigned, prior, temporary, discharged to, pending, prior temporary
    "PV2": (1,),  # prior pending
    "ROL": (13,),  # where those work who care for the client
    "PRT": (9,),
}
_ABOUT_THE_CLIENT = frozenset(("stay", "appointment", "document", "referral", "care"))
_LABEL: Json = {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "42CFRPart2", "display": "42 CFR Part2"}


def marked(context: Context, statements: list[Statement]) -> list[Statement]:
    """The statements, with `facts["part2"]` on those that tell of a program: all where the visit's segments name it, else what is held there."""
    if names_one(context):
        theirs = _ABOUT_THE_CLIENT
    elif any(_is_one(context, ail, 3) for ail in context.message.all("AIL")):
        theirs = frozenset(("appointment",))
    else:
        return statements
    return [replace(one, facts={**one.facts, "part2": True}) if one.kind in theirs else one for one in statements]


def names_one(context: Context) -> bool:
    """Whether the visit's segments, or the Z-segment that stands for them, name a program's unit; always where the whole facility is one."""
    units = context.profile.part2_units
    if not units or "*" in units:
        return bool(units)
    if any(_is_one(context, segment, field) for name, fields in _PLACES.items() for segment in context.message.all(name) for field in fields):
        return True
    for name, targets in placed(tuple(context.profile.segments.items())).items():
        where = targets.get("stay.unit")
        if where and any(_is_one(context, segment, where.field, where.component or 1) for segment in context.message.all(name)):
            return True
    return False


def is_unit(context: Context, unit: str) -> bool:
    """Whether a unit is a program's by the profile's list: exact, any case."""
    folded = unit.casefold()
    return any(folded == one.casefold() for one in context.profile.part2_units)


def labelled(fragments: list[Fragment]) -> list[Fragment]:
    """What a program says of a person outside of any stay that is known: its own label keeps it together with what is withheld."""
    return [one._replace(resource={**one.resource, "meta": _with_label(one.resource.get("meta", {}))}) for one in fragments]


def _with_label(meta: Json) -> Json:
    return {**meta, "security": [*meta.get("security", ()), _LABEL]}


def _is_one(context: Context, segment: Segment, field: int, component: int = 1) -> bool:
    return any(len(said) >= component and is_unit(context, said[component - 1]) for said in context.every(segment, field))
