"""`gateway rebuild` and `gateway export`."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from pathlib import Path

import orjson

from gateway.cli.options import data_of, opened
from gateway.cli.progress import counting
from gateway.errors import Usage
from gateway.store.interface import ALL, Reader, Version


def rebuild_all(data: Path | None, config: Path | None) -> None:
    """Derive everything anew. Raises `Usage` while a gateway serves the data."""
    from gateway.pipeline.rebuild import rebuild
    from gateway.stores import configuration_of, stopped

    directory = data_of(data, config)
    with opened(data, config) as (store, settings), stopped(settings, directory), counting() as progress:
        done = rebuild(store, configuration_of(settings, store), time.time_ns() // 1000, progress)
    told = f"rebuilt from {done.inputs} inputs: {done.partitions} clients' records derived, {done.removed} no longer told of by any input"
    print(told, file=sys.stderr)
    if done.failed:
        print(f"{done.failed} inputs are refused by today's mappings, and in quarantine: gateway messages list --state quarantined", file=sys.stderr)


def export_all(data: Path | None, config: Path | None, types: list[str]) -> None:
    """Every current resource, one a line, without AuditEvent."""
    from gateway.api.access import seen
    from gateway.fhir.validation import resource_types
    from gateway.stores import ensure_own_resources

    unknown = [each for each in types if each not in resource_types()]
    if unknown:
        raise Usage(f"FHIR R4 has no resource type {unknown[0]}", location="--type")
    with opened(data, config) as (store, settings):
        ensure_own_resources(store, settings, time.time_ns() // 1000)
        with store.reading() as reader:
            for version in _chosen(reader, types):
                if version.body is not None and version.type != "AuditEvent":
                    sys.stdout.buffer.write(orjson.dumps(seen(version).resource) + b"\n")


def _chosen(reader: Reader, types: list[str]) -> Iterator[Version]:
    """The current versions of the types, or of all."""
    if not types:
        yield from reader.export(ALL)
    for each in types:
        yield from reader.export(ALL, each)
