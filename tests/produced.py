"""Every resource that the gateway makes while tests run, held to US Core as it is made: no test has to ask for it.

What a hospital's own FHIR says is handed on as it was said, and is theirs; a test that sends FHIR which is not US Core is marked `theirs`.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from typing import Any

import orjson
import pytest

from conformance.profiles import Profiles, load
from tests.third_party import DATA

Json = dict[str, Any]

US_CORE_8 = DATA / "fhir" / "us-core" / "us_core_800.tgz"
MOST = 250
"""How many resources of one test are looked at, the first ones: those that make ten thousands tell the same of all but one value."""
_ANSWERS = frozenset({"Bundle", "CapabilityStatement", "MeasureReport", "OperationOutcome", "Parameters"})
"""What an answer makes itself; any other resource in it is a stored one, and was looked at when it was made."""
_STORED = re.compile(r"Bundle\.entry\[\d+\]\.resource")


@cache
def us_core(version: str) -> Profiles:
    """US Core 6.1.0, or 8.0.0 by its package."""
    return load() if version == "6.1.0" else load(US_CORE_8)


def versions() -> tuple[str, ...]:
    """Those that are at hand."""
    return ("6.1.0", "8.0.0") if US_CORE_8.is_file() else ("6.1.0",)


def errors(resource: Json, version: str) -> list[str]:
    """What that version of US Core has against a resource, or against one within it."""
    return [f"{one.location}: {one.rule}: {one.text}" for one in us_core(version).check(resource, meant=True) if one.severity == "error"]


class Produced:
    """What was made and not looked at yet, as JSON; each distinct one once in the whole run."""

    def __init__(self) -> None:
        self._known: set[int] = set()
        self._new: list[bytes] = []
        self.checked = 0
        self.seconds = 0.0

    def add(self, body: bytes) -> None:
        """Take note of a resource."""
        name = hash(body)
        if name not in self._known:
            self._known.add(name)
            self._new.append(body)

    def wrong(self) -> list[str]:
        """What is wrong with those that were made since the last look, each followed by the resource."""
        bodies, self._new = self._new[:MOST], []
        began = time.process_time()
        found = [f"US Core {version}: {each} in {body.decode()}" for body in bodies for version, each in _wrong(orjson.loads(body))]
        self.checked += len(bodies)
        self.seconds += time.process_time() - began
        return found


def _wrong(resource: Json) -> Iterator[tuple[str, str]]:
    for version in versions():
        for each in errors(resource, version):
            if not _STORED.match(each):
                yield version, each


def watch(patch: pytest.MonkeyPatch, produced: Produced) -> None:
    """Note what passes the places that every resource passes: Bundles of `convert`, views, shared resources, AuditEvents, answers."""
    from gateway.api import answers
    from gateway.mappings.hl7v2 import bundle
    from gateway.pipeline import audit_trail, own, partitions, results

    def after(place: Any, name: str, made: Callable[..., Iterable[Json | bytes]]) -> None:
        original = getattr(place, name)

        def noting(*given: Any, **named: Any) -> Any:
            result = original(*given, **named)
            for resource in made(result, *given):
                produced.add(resource if isinstance(resource, bytes) else orjson.dumps(resource, option=orjson.OPT_SORT_KEYS))
            return result

        patch.setattr(place, name, noting)

    after(bundle, "_bundle", lambda made, *_: [entry["resource"] for entry in made["entry"] if isinstance(entry, dict)])
    after(results, "_put", lambda _, found, recipient, resource: [found.versions[recipient, resource["resourceType"], resource["id"]].body])
    after(partitions, "put_shared", lambda _, writer, order, resources: resources)
    after(own, "put_shared", lambda _, writer, order, resources: resources)
    after(audit_trail, "event_of", lambda made, *_: [made])
    after(answers.FhirResponse, "__init__", lambda _, self, content, *__: [content] if content and content["resourceType"] in _ANSWERS else [])
