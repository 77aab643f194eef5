"""One message about several people -> one message for each: swapped beds (A17), results of several people (ORU), an appointment of a group (SIU)."""

from __future__ import annotations

from gateway.er7.reader import Message, Segment

_RESOURCES = frozenset(("RGS", "AIS", "AIG", "AIL", "AIP"))


def of_people(message: Message) -> list[Message]:
    """What stands before the first PID is everybody's, and so are an appointment's resources; each PID starts one person's part."""
    first = next(position for position, segment in enumerate(message.segments) if segment.name == "PID")
    common, rest = message.segments[:first], message.segments[first:]
    shared = (
        next((position for position, segment in enumerate(rest) if segment.name in _RESOURCES), len(rest)) if message.type == "SIU" else len(rest)
    )
    groups: list[list[Segment]] = []
    for segment in rest[:shared]:
        if segment.name == "PID":
            groups.append([])
        groups[-1].append(segment)
    return [_part(message, [*common, *group, *rest[shared:]]) for group in groups]


def _part(message: Message, segments: list[Segment]) -> Message:
    by_name: dict[str, list[Segment]] = {}
    for segment in segments:
        by_name.setdefault(segment.name, []).append(segment)
    return Message(message.charset, message.delimiters, segments, by_name, message.problems)
