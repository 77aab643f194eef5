"""Translations as bytes and back: how statements lie beside the inbox."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import orjson

from gateway.records.statements import Fragment, Heading, Report, Shared, Statement, Translation

_HEADING = [each.name for each in fields(Heading)]


def encode(translation: Translation, digest: str) -> bytes:
    """One translation with the digest of the input it came from (hex), as JSON. What it reported and kept stays with the inbox, not here."""
    heading = translation.heading
    return orjson.dumps(
        {
            "digest": digest,
            "heading": [getattr(heading, name) for name in _HEADING],
            "statements": [
                [each.kind, each.keys, each.person, each.own, each.deletes, each.whole, _parts(each), dict(each.facts), each.retires, each.recorded]
                for each in translation.statements
            ],
            "shared": [[each.key, each.resource] for each in translation.shared],
        }
    )


def _parts(statement: Statement) -> dict[str, list[list[Any]]]:
    return {
        segment: [[*each] if each.link else [each.resource, each.local, each.action] for each in group] for segment, group in statement.parts.items()
    }


def decode(body: bytes) -> tuple[str, Translation]:
    """The digest and the translation that `encode` wrote."""
    value = orjson.loads(body)
    statements = tuple(
        Statement(
            kind,
            tuple(keys),
            tuple(person),
            own,
            tuple(deletes),
            whole,
            {segment: [Fragment(*each) for each in group] for segment, group in parts.items()},
            facts,
            tuple(retires),
            recorded,
        )
        for kind, keys, person, own, deletes, whole, parts, facts, retires, recorded in value["statements"]
    )
    shared = tuple(Shared(key, resource) for key, resource in value["shared"])
    return value["digest"], Translation(Heading(*value["heading"]), statements, shared)


def report_json(reports: tuple[Report, ...]) -> list[dict[str, str]]:
    """Reports as JSON objects."""
    return [each._asdict() for each in reports]
