"""A feed profile's own codes ([feed.codes.NAME]): which tables they may stand for, and which standard codes they may mean. Pure."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any, NamedTuple

from gateway.mappings import tables
from gateway.mappings.feeds.problem import Problem, nearest

_LISTED = 40
"""So many codes of a table are told, and no more."""


class CodeTable(NamedTuple):
    """One table whose codes a profile may map: the name by which the maps ask for it, and code in capitals -> the code to write for it."""

    name: str
    number: str
    file: str
    codes: Mapping[str, str]


def standard(codes: Mapping[str, Any]) -> tuple[dict[str, dict[str, str]], list[Problem]]:
    """(table's name -> local code -> code of the table, what cannot be taken). Paths begin with "codes".

    A table is named by its number ("0112", "HL70112") or name ("disposition", "marital_status"); a code is HL7's, or the code of the FHIR value set
    that it becomes, unless several HL7 codes become the same and differ in what follows from them (0112: NUBC FL17 codes only).
    """
    found: dict[str, dict[str, str]] = {}
    problems = []
    for name, local in codes.items():
        table = _by_name().get(_plain(name))
        if table is None:
            words = "is no table whose codes can be mapped"
            problems.append(Problem(("codes", name), words, nearest(name, names()) or f"The tables are {', '.join(names())}."))
        elif table.name in found:
            problems.append(Problem(("codes", name), f"is table {table.number}, which this profile has mapped already", "Keep one of the two."))
        elif not isinstance(local, Mapping):
            problems.append(
                Problem(("codes", name), "must be a table of local codes", f'Write [feed.codes.{table.name}] and below it LOCAL = "CODE".')
            )
        else:
            found[table.name] = {}
            for code, meaning in local.items():
                known = table.codes.get(meaning.upper()) if isinstance(meaning, str) else None
                if known is None:
                    problems.append(_unknown(table, name, code, meaning))
                else:
                    found[table.name][code] = known
    return found, problems


def names() -> list[str]:
    """The names of all tables that can be mapped."""
    return [table.name for table in _tables()]


def is_known(name: str, code: str) -> bool:
    """Whether the table of that name knows a sender's code as it stands."""
    return code.upper() in _by_name()[name].codes


def _unknown(table: CodeTable, name: str, code: str, meaning: Any) -> Problem:
    if not isinstance(meaning, str):
        return Problem(("codes", name, code), "must be a text", 'Write the standard code in quotes: "01".')
    return Problem(
        ("codes", name, code),
        f"names {meaning!r}, which is no code of table {table.number} ({table.name})",
        nearest(meaning, list(table.codes)) or _listed(table),
    )


def _listed(table: CodeTable) -> str:
    several = list(table.codes)
    return f"Its codes are {', '.join(several[:_LISTED])}{', …' if len(several) > _LISTED else ''}."


@cache
def _tables() -> tuple[CodeTable, ...]:
    text = files(__package__).joinpath("code_tables.csv").read_text(encoding="utf-8")
    rows = csv.DictReader(line for line in text.splitlines() if not line.startswith("#"))
    return tuple(CodeTable(row["name"], row["number"], row["tables"].split()[0], _codes(row)) for row in rows)


def _codes(row: Mapping[str, str]) -> dict[str, str]:
    every = [one for name in row["tables"].split() for one in tables.rows(name)]
    codes = {one["code"].upper(): one["code"] for one in every}
    if row["fhir"]:
        for one in every:
            if one["target"]:
                codes.setdefault(one["target"].upper(), one["code"])
    return codes


@cache
def _by_name() -> dict[str, CodeTable]:
    """By every name that people may write: the maps' own, the number, and the file's."""
    found: dict[str, CodeTable] = {}
    for table in _tables():
        found |= dict.fromkeys((_plain(table.name), table.number, table.file.removeprefix(f"{table.number}-")), table)
    return found


def _plain(name: str) -> str:
    return name.casefold().removeprefix("hl7").replace("_", "-").replace(" ", "-")
