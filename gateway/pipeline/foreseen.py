"""What an input will come to, worked out before its turn at the writer: steps 2 to 5, which are pure, and nothing of which is written.

It is worked out from what was committed when it was asked for, so it may be overtaken. That is why it carries the very statements that it rests on:
the writer takes the result where it has come to hold the same statements of the same moment, and works out its own in every other case.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache, partial
from typing import NamedTuple

import orjson

from gateway.fhir.search import terms
from gateway.pipeline.configuration import Configuration
from gateway.pipeline.placing import connected, partition_keys
from gateway.pipeline.received import Received
from gateway.pipeline.results import Results, results
from gateway.pipeline.understanding import understand
from gateway.records.codec import decode, encode
from gateway.records.identity import GATEWAY_PATIENT
from gateway.records.order import Entry
from gateway.records.statements import Translation
from gateway.store.interface import Store

_BODIES = 8192
"""Bodies of which the search terms are remembered: most of what a message comes to was so before it, and has the same."""
_NEW = 0
"""The number of an input that has none yet: results tell inputs apart by it, and hold it nowhere."""


class Foreseen(NamedTuple):
    """The translation of an input as received at `as_of`, and what comes of the one partition that it is about."""

    as_of: int
    translation: Translation
    told: tuple[bytes, ...]  # every statement of the partition, this input's among them
    results: Results

    def holds(self, stored: Sequence[tuple[int, bytes]], now: int) -> bool:
        """Whether the results are those of these statements at this moment."""
        return now == self.as_of and self.told == tuple(body for _, body in stored)


def foresee(store: Store, received: Received, as_of: int, configuration: Configuration) -> Foreseen | None:
    """None where the writer has to look for itself: what is refused, is of several people, or names a Patient by our id."""
    understood = understand(received, as_of, configuration)
    if understood.error is not None:
        return None
    translation = understood.translate()
    groups = connected(translation.statements)
    if translation.heading.test or len(groups) != 1:
        return None
    keys = sorted({key for statement in groups[0] for key in partition_keys(statement)})
    if any(key.startswith(GATEWAY_PATIENT) for key in keys):
        return None
    with store.reading() as reader:
        known = reader.told(keys)
    if len(known) > 1:
        return None
    stored = next(iter(known.values()), [])
    digest = hashlib.sha256(received.raw).hexdigest()[:16]
    entries = [*stored, (_NEW, encode(replace(translation, statements=groups[0]), digest))]
    found = results([Entry(number, *decode(body)) for number, body in entries], as_of, configuration)
    return Foreseen(as_of, translation, tuple(body for _, body in entries), _portable(found))


def _portable(found: Results) -> Results:
    """The results as they are quickly sent to another process: a body that several recipients see once, and search terms as bytes."""
    bodies: dict[bytes, bytes] = {}
    for key, version in found.versions.items():
        if version.body is not None:
            body = bodies.setdefault(version.body, version.body)
            found.versions[key] = version._replace(body=body, terms=partial(orjson.loads, _terms(body)))
    return found


@lru_cache(_BODIES)
def _terms(body: bytes) -> bytes:
    return orjson.dumps(terms(orjson.loads(body), body))
