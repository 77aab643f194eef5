"""`gateway transitions list`: the worklist, and whose part of it."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, get_args

import orjson

from gateway.cli.options import opened
from gateway.errors import Usage
from gateway.store.interface import ALL, TransitionRow
from transitions.model import FlagCode, Status
from transitions.policy import COORDINATOR


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is asked for; "" asks for nothing in particular. Of names, a part is enough, in any case."""

    flagged: bool = False
    status: str = ""
    agency: str = ""  # id, or "coordinator" for what is no agency's
    hospital: str = ""
    case_manager: str = ""
    flag: str = ""

    def check(self, agencies: frozenset[str]) -> None:
        """Raise `Usage` for a word that means nothing; `agencies`: the ids of those that are configured."""
        for option, value, known in (
            ("--status", self.status, get_args(Status)),
            ("--flag", self.flag, get_args(FlagCode)),
            ("--agency", self.agency, (*sorted(agencies), COORDINATOR)),
        ):
            if value and value not in known:
                raise Usage(f"there is no such {option.strip('-')}", location=option, advice=f"It is one of {', '.join(known)}.")

    @property
    def narrows(self) -> bool:
        """Whether more is asked for than the store's own order can tell."""
        return bool(self.agency or self.hospital or self.case_manager or self.flag)

    def may_be(self, row: TransitionRow) -> bool:
        """Whether the row is wanted, by what is known of it without reading its body."""
        if self.agency and (row.agency or COORDINATOR) != self.agency:
            return False
        return row.body is not None and _holds(self.hospital, row.hospital)

    def is_(self, transition: dict[str, Any]) -> bool:
        """Whether the transition is wanted, among those that may be."""
        if self.flag and all(flag["code"] != self.flag for flag in transition["flags"]):
            return False
        return not self.case_manager or any(_holds(self.case_manager, name) for name in transition.get("case_managers") or ())


def _holds(part: str, name: str) -> bool:
    return part.casefold() in name.casefold()


def list_wanted(wanted: Wanted, limit: int | None, data: Path | None, config: Path | None, *, as_json: bool) -> None:
    """Print those that are wanted, in the list's order. Raises `Usage`."""
    with opened(data, config) as (store, settings), store.reading() as reader:
        names = {each.id: each.name for each in settings.agency}
        wanted.check(frozenset(names))
        at_most = None if wanted.narrows else limit
        rows = reader.worklist(ALL, flagged=wanted.flagged or bool(wanted.flag), status=wanted.status, limit=at_most)
        found = list(islice(_found(rows, wanted), limit))
    if as_json:
        sys.stdout.buffer.write(orjson.dumps(found, option=orjson.OPT_INDENT_2) + b"\n")
        return
    from gateway.records.times import moment
    from gateway.web.text import print_worklist

    print_worklist(found, moment(time.time_ns() // 1000), names)


def _found(rows: list[TransitionRow], wanted: Wanted) -> Iterator[dict[str, Any]]:
    for row in rows:
        if row.body is not None and wanted.may_be(row):
            transition: dict[str, Any] = orjson.loads(row.body)
            if wanted.is_(transition):
                yield transition
