"""A store to import into, and what stands in it afterwards."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson

from gateway.adapters.files.taking import Tally, take_files
from gateway.pipeline.configuration import Configuration
from gateway.settings import load
from gateway.store.interface import ALL, Filter, Store
from gateway.stores import configuration_of, ensure_own_resources, open_store

Json = dict[str, Any]
NOW = 1_795_312_800_000_000  # 2026-11-22T02:00:00Z
CONFIGURATION = """
[[feed]]
name = "ehr"
kind = "fhir"
hospital = "County Hospital"
timezone = "America/New_York"
[[feed]]
name = "st-mary"
sending_facility = "STMARY"
timezone = "America/Chicago"
psychiatric_units = ["BHU"]
"""


@contextmanager
def county(directory: Path) -> Iterator[tuple[Store, Configuration]]:
    """A new store, or the one that stands there."""
    directory.mkdir(exist_ok=True)
    (directory / "gateway.toml").write_text(CONFIGURATION, encoding="utf-8")
    settings = load(directory / "gateway.toml")
    store = open_store(settings, directory)
    try:
        ensure_own_resources(store, settings, 1)
        yield store, configuration_of(settings, store)
    finally:
        store.close()


def taken(store: Store, configuration: Configuration, *files: Path, feed: str = "ehr", now: int = NOW) -> Tally:
    """Import files at `now`."""
    return take_files(store, configuration, files, feed, lambda: now)


def records(store: Store) -> dict[str, Json]:
    """The operator's current records by "Type/id", without what changes with each input: Provenance, and `meta`."""
    with store.reading() as reader:
        found = {
            f"{each.type}/{each.id}": orjson.loads(each.body) for each in reader.export(ALL) if each.body is not None and each.type != "Provenance"
        }
    for each in found.values():
        each.pop("meta", None)
    return found


def types(store: Store) -> Counter[str]:
    """How many records of each type there are."""
    return Counter(name.partition("/")[0] for name in records(store))


def transitions(store: Store) -> list[Json]:
    """The transitions as the worklist has them."""
    with store.reading() as reader:
        return [orjson.loads(row.body) for row in reader.worklist(ALL) if row.body is not None]


def states(store: Store) -> Counter[str]:
    """The inbox's rows by their state."""
    with store.reading() as reader:
        return Counter(each.state for each in reader.messages(Filter()))


def last(store: Store) -> int:
    """The position of the newest version."""
    with store.reading() as reader:
        return reader.last()
