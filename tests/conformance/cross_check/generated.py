"""Resources that the gateway itself makes: from the demo's county, the probes of the mapping's coverage, and third-party messages."""

from __future__ import annotations

import os
import re
import runpy
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import orjson

from gateway.er7 import reader
from gateway.errors import GatewayError
from gateway.mappings.feeds.profile import FeedProfile
from gateway.mappings.hl7v2.bundle import bundle
from gateway.mappings.hl7v2.translate import translate
from gateway.pipeline import Configuration
from gateway.records.ids import identifier
from gateway.store.interface import ALL, Store
from tests.pipeline.county import NOW, POLICY, STORY, feed, memory_folder, store_at, wake
from tests.third_party import DATA

Json = dict[str, Any]

ROOT = Path(__file__).resolve().parents[3]
IDENTIFY = identifier(b"cross-check")
DAY = 24 * 3600 * 1_000_000
LATE = NOW + 400 * DAY
"""After every message of every source, so that no time in them lies ahead."""
COUNTY = FeedProfile(
    name="st-mary", sending_facility="STMARY", timezone="America/Chicago", psychiatric_units=("BHU",), mental_health_services=("PSYFU",)
)
SIMULATOR = FeedProfile(
    name="sim", sending_application="SIMHOSP", timezone="Europe/London", processing_ids=("P", "T"), psychiatric_units=("PSYCHWARD",)
)
MARKED = re.compile(r"(code|system|status|intent|use|type|url|mode|kind|gender|priority)$", re.IGNORECASE)
"""Leaves whose values tell two resources of one form apart: codes and what they are of."""


def generated() -> Iterator[Json]:
    """Everything that the gateway makes of everything at hand, one of each shape."""
    seen = set()
    for resource in _all():
        if (form := shape(resource)) not in seen:
            seen.add(form)
            yield resource


def shape(resource: Json) -> frozenset[str]:
    """The paths that a resource fills, with the codes that stand there."""
    return frozenset(f"{path}={value}" if isinstance(value, str) and MARKED.search(path) else path for path, value in leaves(resource, ""))


def leaves(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    """Every leaf with its path; places in lists do not count."""
    if isinstance(value, dict):
        for name, each in value.items():
            yield from leaves(each, f"{path}.{name}")
    elif isinstance(value, list):
        for each in value:
            yield from leaves(each, path)
    else:
        yield path, value


def _all() -> Iterator[Json]:
    yield from _demo()
    messages = [*STORY, *_probes()]
    yield from _kept(messages, COUNTY)
    yield from _translated(messages, COUNTY)
    if DATA.is_dir():
        simulated = reader.split((DATA / "hl7v2" / "simhospital" / "feed.hl7").read_bytes())
        samples = [piece for file in sorted((DATA / "hl7v2" / "samples").rglob("*.hl7")) for piece in reader.split(file.read_bytes())]
        yield from _kept(simulated, SIMULATOR)
        yield from _translated([*simulated, *samples], SIMULATOR)


def _demo() -> Iterator[Json]:
    """What a user gets: the demo's fortnight with what its agencies wrote, exported."""
    gateway = Path(sys.executable).with_name("gateway")
    with tempfile.TemporaryDirectory() as folder:
        data = str(Path(folder) / "county")
        environment = {name: value for name, value in os.environ.items() if not name.startswith("GATEWAY_")}
        subprocess.run([gateway, "demo", "--once", "--data", data], check=True, capture_output=True, env=environment)
        lines = subprocess.run([gateway, "export", "--data", data], check=True, capture_output=True, env=environment).stdout.splitlines()
    yield from map(orjson.loads, lines)


def _probes() -> list[bytes]:
    """Messages that fill every field which the maps read."""
    found: list[bytes] = runpy.run_path(str(ROOT / "docs/mapping_coverage/__main__.py"))["probes"]()
    return found


def _kept(messages: Iterable[bytes], profile: FeedProfile) -> Iterator[Json]:
    """Every version of every record that the gateway comes to, for every recipient, while these messages arrive and a year goes by."""
    configuration = Configuration(identify=IDENTIFY, feeds=(profile,), policy=POLICY)
    with memory_folder() as folder, store_at(folder, configuration) as store:
        feed(store, messages, LATE, configuration)
        yield from _versions(store)
        wake(store, LATE + 400 * DAY, configuration)
        yield from _versions(store)


def _versions(store: Store) -> Iterator[Json]:
    with store.reading() as read:
        for recipient in (ALL, *(agency.id for agency in POLICY.agencies)):
            for head in list(read.export(recipient)):
                for version in read.history(recipient, head.type, head.id, 100):
                    if version.body is not None:
                        yield orjson.loads(version.body)


def _translated(messages: Iterable[bytes], profile: FeedProfile) -> Iterator[Json]:
    """Each message for itself, as `gateway convert` does; what is refused makes nothing."""
    for raw in messages:
        try:
            made = bundle(translate(reader.read(raw), profile, LATE, IDENTIFY), IDENTIFY)
        except GatewayError:
            continue
        for entry in made["entry"]:
            yield orjson.loads(orjson.dumps(entry["resource"]))
