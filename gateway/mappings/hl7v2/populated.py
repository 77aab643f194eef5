"""Every value that a message holds, one by one: what `explain` counts. And messages with another value, or without some."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import NamedTuple

from gateway.er7.reader import Message

ENVELOPE = frozenset(("FHS", "BHS", "BTS", "FTS"))
"""Segments of a batch: they stand around messages and are no part of one."""


class Place(NamedTuple):
    """Where one subcomponent stands: the segment by its position in the message (from 0), the rest by the standard's numbers (from 1)."""

    position: int
    field: int
    repetition: int
    component: int
    subcomponent: int


class Populated(NamedTuple):
    """One non-empty subcomponent as sent, `""` included."""

    place: Place
    path: str  # "PID-5[1].1", "DG1[2]-3[1].2", "PID-3[1].4.2"
    value: str


def populated(message: Message) -> Iterator[Populated]:
    """All populated values in order, but for the delimiters in MSH-1 and MSH-2 and the batch envelope."""
    delimiters = message.delimiters
    for position, segment in enumerate(message.segments):
        if segment.name in ENVELOPE:
            continue
        name = segment.name if segment.number == 1 else f"{segment.name}[{segment.number}]"
        # A second MSH, which only a torn frame has, is read like any segment: its MSH-2 stands where a first field would.
        ahead = 1 if segment.name == "MSH" and position else 0
        for number in range(3 - ahead if segment.name == "MSH" else 1, len(segment) + 1):
            raw = segment.field(number)
            if not raw:
                continue
            for repetition, one in enumerate(raw.split(delimiters.repetition), 1):
                for component, part in enumerate(one.split(delimiters.component), 1):
                    pieces = part.split(delimiters.subcomponent)
                    for subcomponent, value in enumerate(pieces, 1):
                        if value:
                            path = f"{name}-{number + ahead}[{repetition}].{component}"
                            if len(pieces) > 1:
                                path += f".{subcomponent}"
                            yield Populated(Place(position, number, repetition, component, subcomponent), path, value)


def exchanged(message: Message, place: Place, value: str) -> Message:
    """The message with another value in that place."""
    between = message.delimiters
    position, number, repetition, component, subcomponent = place
    repetitions = message.segments[position].field(number).split(between.repetition)
    components = repetitions[repetition - 1].split(between.component)
    pieces = components[component - 1].split(between.subcomponent)
    pieces[subcomponent - 1] = value
    components[component - 1] = between.subcomponent.join(pieces)
    repetitions[repetition - 1] = between.component.join(components)
    return message.replaced(position, number, between.repetition.join(repetitions))


def without(message: Message, paths: Collection[str]) -> Message:
    """The message without the fields at those paths ("PID-22"): what a feed's profile says to ignore."""
    for position, segment in enumerate(message.segments):
        for number in range(1, len(segment) + 1):
            if f"{segment.name}-{number}" in paths and segment.field(number):
                message = message.replaced(position, number, "")
    return message
