"""Where an input's statements belong, and the refolding of what they change."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import timedelta
from functools import partial

import orjson

from gateway.fhir.search import terms
from gateway.mappings.care.context import task_id
from gateway.pipeline.configuration import Configuration
from gateway.pipeline.foreseen import Foreseen
from gateway.pipeline.openings import pass_over
from gateway.pipeline.placing import connected, partition_keys
from gateway.pipeline.results import Results, Turn, results
from gateway.records.codec import decode, encode
from gateway.records.identity import GATEWAY_PATIENT
from gateway.records.order import Entry
from gateway.records.statements import Json, Translation
from gateway.store.interface import ALL, Change, NewVersion, SharedRow, Writer

PatientIds = Callable[[str], int | None]
"""The partition of a key that names a Patient by its id here; None when the key is of another kind, or unknown."""


def commit_statements(
    writer: Writer, number: int, digest: str, translation: Translation, now: int, configuration: Configuration, foreseen: Foreseen | None = None
) -> list[int]:
    """Put an input's statements where they belong, refold each partition they touch, and write what changed. The partitions touched."""
    touched = place_statements(writer, number, digest, translation, stored_patients(writer))
    put_shared_words(writer, digest, translation)
    for partition in touched:
        refold(writer, partition, now, configuration, foreseen)
    return touched


def place_statements(writer: Writer, number: int, digest: str, translation: Translation, by_patient_id: PatientIds) -> list[int]:
    """Store the statements of an input in the partitions of the people they are about, joining partitions that prove connected."""
    bodies: dict[int, bytes] = {}
    for group in connected(translation.statements):
        keys = sorted({key for statement in group for key in partition_keys(statement)})
        known = {found for found in (by_patient_id(key) for key in keys) if found is not None}
        ordinary = [key for key in keys if not key.startswith(GATEWAY_PATIENT)]
        known.update(writer.partitions(ordinary))
        partition = writer.join(sorted(known)) if len(known) > 1 else next(iter(known), None)
        partition = writer.bind(ordinary, partition)
        bodies[partition] = encode(replace(translation, statements=group), digest)
    writer.put_statements(number, bodies)
    return sorted(bodies)


def stored_patients(writer: Writer) -> PatientIds:
    """Finds by what is stored."""

    def partition(key: str) -> int | None:
        return writer.partition_of("Patient", key.removeprefix(GATEWAY_PATIENT)) if key.startswith(GATEWAY_PATIENT) else None

    return partition


def refold(writer: Writer, partition: int, now: int, configuration: Configuration, foreseen: Foreseen | None = None) -> Results:
    """Derive a partition anew as of now and write what differs. An agency whose turn would begin while it takes nobody is passed over."""
    found, closed = _fold(writer, partition, now, configuration, foreseen), set[Turn]()
    while passed := pass_over(writer, partition, (turn for turn in found.asked if turn not in closed), now, configuration):
        closed.update(passed)
        found = _fold(writer, partition, now, configuration)
    return _write(writer, partition, found, now, configuration)


def refold_as_decided(writer: Writer, partition: int, now: int, configuration: Configuration) -> Results:
    """Likewise, and pass over nobody who was not passed over before: for a rebuild, which decides nothing."""
    return _write(writer, partition, _fold(writer, partition, now, configuration), now, configuration)


def _fold(writer: Writer, partition: int, now: int, configuration: Configuration, foreseen: Foreseen | None = None) -> Results:
    stored = writer.statements(partition)
    if foreseen is not None and foreseen.holds(stored, now):
        return foreseen.results
    return results([Entry(number, *decode(body)) for number, body in stored], now, configuration)


def _write(writer: Writer, partition: int, found: Results, now: int, configuration: Configuration) -> Results:
    for turn in found.unanswered:
        found.look(max(now, answer_until(writer, partition, turn, now, configuration)))
    versions, transitions = list(found.versions.values()), list(found.transitions.values())
    writer.apply(Change(partition=partition, versions=versions, transitions=transitions, next_look=found.next_look, whole=True))
    return found


def answer_until(writer: Writer, partition: int, turn: Turn, now: int, configuration: Configuration) -> int:
    """Until when an agency may take up its turn: the policy's time, from when it could last read something new of its Task.

    Not from the discharge: news of one may come days late, and the agency has its time all the same.
    """
    name = task_id(configuration.identify, turn.transition, turn.number)
    head = writer.heads(partition).get((turn.agency, "Task", name))
    return (head.updated if head is not None else now) + configuration.policy.pick_up // timedelta(microseconds=1)


def put_shared_words(writer: Writer, digest: str, translation: Translation) -> None:
    """The newest word on each Practitioner, Organization and Location stands.

    A Part 2 program's word stands only until somebody else speaks: agencies see the same resource, and must not learn by its change, or by what
    it then says, that the program knows this practitioner.
    """
    if not translation.shared:
        return
    heading = translation.heading
    program = any(statement.facts.get("part2") for statement in translation.statements)
    order = f"{0 if program else 1}{heading.recorded:020d}{heading.message_time:020d}{digest}"
    put_shared(writer, order, [each.resource for each in translation.shared])


def put_shared(writer: Writer, order: str, resources: Iterable[Json], *, always: bool = False) -> None:
    """Write shared resources said at `order` (sortable) wherever nothing newer was said, or always."""
    named = {f"{resource['resourceType']}/{resource['id']}": resource for resource in resources}
    standing = writer.shared(list(named))
    rows = []
    for name, resource in named.items():
        if always or name not in standing or standing[name].order < order:
            body = orjson.dumps(resource, option=orjson.OPT_SORT_KEYS)
            version = NewVersion(ALL, str(resource["resourceType"]), str(resource["id"]), body, partial(terms, resource, body))
            rows.append((SharedRow(name, order, hashlib.sha256(body).digest()), version))
    writer.put_shared(rows)
