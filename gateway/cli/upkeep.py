"""`gateway rebuild`, `gateway export` and `gateway retention`."""

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


def retain(data: Path | None, config: Path | None, *, dry_run: bool, as_json: bool) -> None:
    """Remove what has outlived its use, or count it."""
    from gateway.operations.retention import remove, rules, would_remove

    with opened(data, config) as (store, settings):
        now = time.time_ns() // 1000
        do = would_remove if dry_run else remove
        done = [do(store, rule) for rule in rules(settings.retention, now // 1_000_000, now)]
    if as_json:
        sys.stdout.buffer.write(orjson.dumps({each.name: each.number for each in done}, option=orjson.OPT_INDENT_2) + b"\n")
        return
    for each in done:
        print(f"{each.number:12,}  {each.name}")
    print("would be removed" if dry_run else "removed", file=sys.stderr)
