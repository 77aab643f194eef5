"""`gateway rebuild` and `gateway export`."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import orjson

from gateway.cli.options import opened
from gateway.cli.progress import counting
from gateway.errors import Usage
from gateway.store.interface import ALL


def rebuild_all(data: Path, config: Path | None) -> None:
    """Derive everything anew. Raises `Usage` while a gateway serves the data."""
    from gateway.app import configuration_of, is_served
    from gateway.pipeline.rebuild import rebuild

    if is_served(data):
        raise Usage("a gateway is serving this data", advice="Stop it, rebuild, and start it again.")
    with opened(data, config) as (store, settings), counting() as progress:
        done = rebuild(store, configuration_of(settings, store), time.time_ns() // 1000, progress)
    print(
        f"rebuilt from {done.inputs} inputs: {done.partitions} clients' records derived, {done.removed} no longer told of by any input",
        file=sys.stderr,
    )
    if done.failed:
        print(f"{done.failed} inputs are refused by today's mappings: gateway messages replay", file=sys.stderr)


def export_all(data: Path, config: Path | None, types: list[str]) -> None:
    """Every current resource, one a line, without AuditEvent."""
    from gateway.app import ensure_own_resources
    from gateway.fhir.versions import with_meta

    with opened(data, config) as (store, settings):
        ensure_own_resources(store, settings)
        with store.reading() as reader:
            for kind in types or [None]:
                for version in reader.export(ALL, kind):
                    if version.body is not None:
                        sys.stdout.buffer.write(orjson.dumps(with_meta(version)) + b"\n")
