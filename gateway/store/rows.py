"""Rows of the tables as the interface's values, and back."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import orjson

from gateway.store.interface import Input, TransitionRow

SHARED_PARTITION = 0
"""The partition of what belongs to nobody alone: Practitioner, Organization, Location."""

LONGEST_TERM = 200
"""Longer values are indexed, and searched, by their digest."""


def body_digest(body: bytes) -> str:
    """128 bits that tell two bodies apart, in hex."""
    return hashlib.blake2b(body, digest_size=16).hexdigest()


def key_hash(key: str) -> bytes:
    """128 bits that stand for an identifier: short, and no identifier is to be read from the index."""
    return hashlib.blake2b(key.encode("utf-8", "surrogatepass"), digest_size=16).digest()


def indexed(value: str) -> str:
    """A search term's value as it is kept in the index."""
    if len(value) <= LONGEST_TERM:
        return value
    return "#" + hashlib.blake2b(value.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def input_of(row: Sequence[Any]) -> Input:
    """A row of `sql.INPUT_COLUMNS`."""
    (id, kind, feed, control_id, digest, received, raw, about, event, state, answer, error, location, original, identifiers) = row
    return Input(
        id=id,
        kind=kind,
        feed=feed,
        control_id=control_id,
        digest=digest,
        received=received,
        raw=raw or b"",
        about=orjson.loads(about),
        event=event,
        state=state,
        answer=answer,
        error=error,
        location=location,
        original=original,
        identifiers=tuple(orjson.loads(identifiers)),
    )


def outcome_of(input: Input) -> tuple[object, ...]:
    """The columns that `sql.SETTLE_INPUT` sets."""
    return (
        orjson.dumps(dict(input.about)).decode(),
        input.event,
        input.state,
        input.answer,
        input.error,
        input.location,
        input.original,
        orjson.dumps(input.identifiers).decode(),
    )


def transition_of(recipient: str, row: Sequence[Any]) -> TransitionRow:
    """A row of `sql.TRANSITION_COLUMNS`, whose first column is the recipient's number."""
    _, name, body, status, flagged, tier, due, hospital, agency, position = row
    return TransitionRow(recipient, name, body, status, bool(flagged), tier, due, hospital, agency, position, position)
