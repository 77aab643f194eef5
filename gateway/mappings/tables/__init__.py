"""Code tables, one CSV a table, read once when imported.

Each file starts with comment lines (#) that say what it maps and from which source, then a header: `code` (what a sender writes, any case) and
`target` (what we say); `system` and `display` where the target is a coding; and columns of its own, which `column` reads.
"""

from __future__ import annotations

import csv
from functools import cache
from importlib.resources import files
from typing import Any

Coding = dict[str, Any]
"""A FHIR Coding. Those that the tables hand out are shared: never change one."""


@cache
def rows(name: str) -> tuple[dict[str, str], ...]:
    """The rows of `<name>.csv`, as header -> cell."""
    text = files(__name__).joinpath(f"{name}.csv").read_text(encoding="utf-8")
    return tuple(csv.DictReader(line for line in text.splitlines() if line and not line.startswith("#")))


@cache
def names() -> tuple[str, ...]:
    """The names of all tables."""
    return tuple(sorted(file.name.removesuffix(".csv") for file in files(__name__).iterdir() if file.name.endswith(".csv")))


@cache
def targets(name: str) -> dict[str, str]:
    """Code in capitals -> target; rows with an empty target are left out."""
    return column(name, "target")


@cache
def column(name: str, header: str) -> dict[str, str]:
    """Code in capitals -> the cell under `header`; rows where it is empty are left out."""
    return {row["code"].upper(): row[header] for row in rows(name) if row[header]}


@cache
def codings(name: str) -> dict[str, Coding]:
    """Code in capitals -> FHIR Coding."""
    return {row["code"].upper(): {"system": row["system"], "code": row["target"], "display": row["display"]} for row in rows(name) if row["target"]}
