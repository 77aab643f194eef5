"""Checking what the gateway makes against R4 and US Core 6.1.0, invariants and all: resources/s on one core, and the time to start.

    python -m benchmarks.validate

Bars (issue 4): 3,000 resources/s on one core, start-up under 0.2 s. The resources are those of translated discharges, each about somebody else, and
each is held to the profiles that it is meant for. No verdict is remembered when the measure begins. Processor time is measured, because others use
the machine too.
"""

from __future__ import annotations

import subprocess
import sys
import time
from typing import Any

import orjson

from benchmarks.translate import PROFILE, RECEIVED, identify, messages
from conformance.profiles import load
from gateway.er7 import reader
from gateway.mappings.hl7v2.bundle import serialized
from gateway.mappings.hl7v2.translate import translate

START = "import time; start = time.process_time(); from conformance.profiles import load; load(); print(time.process_time() - start)"


def resources(number: int) -> list[dict[str, Any]]:
    """The resources of so many translated discharges."""
    bundles = [orjson.loads(serialized(translate(reader.read(one), PROFILE, RECEIVED, identify), identify)) for one in messages(number)]
    return [entry["resource"] for bundle in bundles for entry in bundle["entry"]]


def resources_a_second(number: int = 400) -> float:
    """Resources checked a second of processor time."""
    profiles = load()
    made = resources(number)
    held = [(one, profiles.meant_for(one)) for one in made]
    start = time.process_time()
    for resource, urls in held:
        profiles.check(resource, urls)
    return len(made) / (time.process_time() - start)


def start_up() -> float:
    """Seconds of processor time until a fresh interpreter has the validator, the best of three."""
    runs = [subprocess.run([sys.executable, "-c", START], capture_output=True, check=True).stdout for _ in range(3)]
    return min(map(float, runs))


def main() -> None:
    """Print both figures."""
    print(f"check against R4 and US Core, with invariants        {resources_a_second():8.0f} resources/s")
    print(f"start-up of the validator                            {start_up():8.3f} s")


if __name__ == "__main__":
    main()
