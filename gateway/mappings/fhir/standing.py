"""Under which ids the resources of a FHIR input stand here, once it is taken. Pure.

Ids follow from keys (`records`), and which key of a subject names it follows from all that was ever said of it: somebody else may have spoken
first, or merged it since. So each resource is given every id that it may have, likeliest first; whoever asks looks which of them there is.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from gateway.fhir.elements import without_nulls
from gateway.mappings.feeds.profile import FeedProfile
from gateway.mappings.fhir.bundle import SHARED, Input, Told, collect
from gateway.mappings.fhir.content import OWN_SUBJECT
from gateway.mappings.fhir.subjects import encounter_keys, person_keys
from gateway.mappings.fhir.translate import PARTS
from gateway.records.statements import Identify, Json


class Standing(NamedTuple):
    """One resource of an input: its place ("Bundle.entry[2].resource"), and the ids that it may have here."""

    place: str
    type: str
    ids: tuple[str, ...]


def standing(value: Json, profile: FeedProfile, identify: Identify) -> list[Standing]:
    """The resources of a transaction, a batch or a lone resource that was taken (it is valid, and says whom it is about)."""
    given = collect(without_nulls(value), profile.name, profile.name, profile.authorities)
    return [
        Standing(told.place, told.type, tuple(dict.fromkeys(identify(told.type, key) for key in _keys(told, given))))
        for told in given.told
        if told.container is None
    ]


def _keys(told: Told, given: Input) -> Iterator[str]:
    own = given.keys(told)
    if told.type == "Patient" or told.type in (*OWN_SUBJECT, *SHARED):
        yield from own
    elif told.type == "Encounter":
        yield from _stays(own, person_keys(told, given))
    elif told.type in PARTS:
        person = person_keys(told, given)
        encounter = encounter_keys(told, given)
        for subject in _stays(encounter, person) if encounter else person:
            yield f"{subject}|{own[0]}"


def _stays(visits: tuple[str, ...], person: tuple[str, ...]) -> Iterator[str]:
    """The keys that a stay may have, as `records.stays` makes them: a visit number and an identifier of the person."""
    for visit in visits:
        for identifier in person:
            yield f"{visit}|{identifier}"
