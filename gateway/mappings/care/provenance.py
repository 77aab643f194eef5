"""Provenance of a derived record: the messages it rests on, by identifier, and the rule that made it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

from gateway.mappings.care.scene import Scene, latest
from gateway.privacy.scrub import references
from gateway.records.record import Source
from gateway.records.statements import Json

MESSAGE = "urn:care-transition-gateway:message"
RULE = "urn:care-transition-gateway:rule"
AGENT = {"system": "http://terminology.hl7.org/CodeSystem/provenance-participant-type", "code": "assembler", "display": "Assembler"}


class Basis(NamedTuple):
    """The messages that a record rests on, as Provenance says them: the newest one's recorded time, and each by identifier."""

    recorded: str
    entities: list[Json]


def basis(scene: Scene, others: Iterable[Source] = ()) -> Basis:
    """The stay's messages, and `others`. `recorded` is the newest one's time, so that the same messages always yield the same record."""
    sources = {(one.recorded, one.sender, one.name): one.taken for one in (*others, *scene.stay.sources)}
    entities = [{"role": "source", "what": _message(f"{key[1]}/{key[2]}", sources[key])} for key in sorted(sources)]
    newest: datetime = latest(recorded for recorded, _, _ in sources) or scene.begun
    return Basis(scene.local(newest).isoformat(timespec="milliseconds"), entities)


def _message(name: str, taken: str) -> Json:
    """A message by its identifier, and how it was taken for the stay where that was not by a number."""
    found: Json = {"identifier": {"system": MESSAGE, "value": name}}
    return {**found, "display": f"Taken for this stay {taken}, not by a visit number"} if taken else found


class Bases:
    """What each derived record rests on: the stay's messages, and those that told of the appointments, goals, requests … that it refers to."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._of_stay = basis(scene)
        person = scene.person
        groups = (person.appointments, person.care, person.documents, person.referrals, person.observations)
        # An agency is told the first message of each, which says that there is one: how often its sender spoke again may be about what is withheld.
        end = None if scene.context.recipient is None else 1
        self._told = {f"{one.resource['resourceType']}/{one.resource['id']}": one.sources[:end] for group in groups for one in group}

    def of(self, resource: Json) -> Basis:
        """The basis of one record."""
        if not self._told:
            return self._of_stay
        others = [source for name in references(resource) & self._told.keys() for source in self._told[name]]
        return basis(self._scene, others) if others else self._of_stay


def provenance(scene: Scene, resource: Json, rule: str, rests_on: Basis) -> Json:
    """One Provenance."""
    kind, local = resource["resourceType"], resource["id"]
    version = scene.context.policy.version
    return {
        "resourceType": "Provenance",
        "id": scene.identify("Provenance", f"provenance|{kind}|{local}"),
        "target": [{"reference": f"{kind}/{local}"}],
        "recorded": rests_on.recorded,
        "policy": [f"{RULE}:{rule}:{version}"],
        "activity": {"text": f"Derived by rule {rule}, version {version}"},
        "agent": [{"type": {"coding": [AGENT]}, "who": scene.device, "onBehalfOf": scene.gateway}],
        **({"entity": rests_on.entities} if rests_on.entities else {}),
    }
