"""Write the table of docs/search.md: what can be searched, from gateway/fhir/search_parameters.csv. `python docs/search_table [--check]`."""

from __future__ import annotations

import sys
from collections import defaultdict
from pathlib import Path

from gateway.fhir import search

DOCUMENT = Path(__file__).resolve().parent.parent / "search.md"
BEGIN = "<!-- written by `python docs/search_table`; the rows are those of gateway/fhir/search_parameters.csv -->\n"
KINDS = ("token", "reference", "date", "string", "uri", "quantity")


def table() -> str:
    """A row for each type: its parameters by kind, those in bold that the index knows."""
    common = {name for name in search.parameters("Task") if name.startswith("_")}
    rows = ["| type | " + " | ".join(KINDS) + " |", "|---" * (len(KINDS) + 1) + "|"]
    for type in search.searchable():
        cells: dict[str, list[str]] = defaultdict(list)
        for one in sorted(search.parameters(type).values(), key=lambda each: each.name):
            if one.name not in common:
                cells[one.kind].append(f"**{one.name}**" if one.indexed else one.name)
        rows.append(f"| {type} | " + " | ".join(", ".join(cells[kind]) for kind in KINDS) + " |")
    return "\n".join(rows) + "\n"


def document() -> str:
    """The page as it should be."""
    head, mark, _ = DOCUMENT.read_text(encoding="utf-8").partition(BEGIN)
    if not mark:
        sys.exit(f"{DOCUMENT.name} does not say where the table goes")
    return head + BEGIN + "\n" + table()


def main() -> None:
    """Write it, or with --check say whether it is up to date."""
    if "--check" in sys.argv:
        sys.exit(0 if document() == DOCUMENT.read_text(encoding="utf-8") else "docs/search.md is out of date: run python docs/search_table")
    DOCUMENT.write_text(document(), encoding="utf-8")


if __name__ == "__main__":
    main()
