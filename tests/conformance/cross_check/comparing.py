"""Verdicts of ours and theirs side by side, and the table that explains where they differ."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from cross_check.definitions import Json
from cross_check.others import Verdict

from conformance.profiles import Finding

DIFFERENCES = Path(__file__).with_name("differences.csv")


class Case(NamedTuple):
    """A resource, the profile that it is held against (None: R4 alone), and the operator that broke it ("": as made)."""

    id: str
    profile: str | None
    resource: Json
    broken_by: str = ""


class Error(NamedTuple):
    """An error of one of the three: medplum, fhir or ours."""

    validator: str
    message: str
    location: str


class Difference(NamedTuple):
    """A row of the table: whose error, in resources broken how (`^$`: as made), what it says, where, and why the others do not say so."""

    validator: str
    broken_by: str
    message: str
    location: str
    why: str

    def explains(self, error: Error, broken_by: str) -> bool:
        """Whether this row is about that error."""
        asked = ((self.broken_by, broken_by), (self.message, error.message), (self.location, error.location))
        return error.validator == self.validator and all(re.search(pattern, text) for pattern, text in asked)


@dataclass
class Comparison:
    """What came of it: verdicts counted by who rejects, the rows that explained something, and the errors (by case) that none explains."""

    counts: Counter[str] = field(default_factory=Counter)
    used: Counter[Difference] = field(default_factory=Counter)
    unexplained: list[tuple[str, Error]] = field(default_factory=list)


def table() -> list[Difference]:
    """The differences that are explained."""
    with DIFFERENCES.open(newline="", encoding="utf-8") as file:
        return [Difference(**row) for row in csv.DictReader(file)]


def compare(
    cases: Iterable[Case], theirs: Mapping[str, Verdict], ours: Mapping[str, Sequence[Finding]], differences: Sequence[Difference]
) -> Comparison:
    """Every error by which the sides differ, looked up in the table.

    Of theirs: each error at a place where ours has nothing to say. Of ours, where both of them accept the resource: each error; in a broken one,
    where one fault shows in several errors, a reason for one of them is enough.
    """
    found = Comparison()
    for case in cases:
        errors = {Error(name, one.message, one.location) for name in ("medplum", "fhir") for one in getattr(theirs[case.id], name)}
        rejected = ours[case.id]
        found.counts["agree" if bool(errors) == bool(rejected) else "only theirs reject" if errors else "only ours rejects"] += 1
        kind = str(case.resource.get("resourceType"))
        _explain(found, case, [one for one in errors if not any(is_there(one.location, each.location, kind) for each in rejected)], differences)
        if not errors:
            _explain(
                found, case, [Error("ours", f"{one.rule}: {one.text}", one.location) for one in rejected], differences, all_of_them=not case.broken_by
            )
    return found


def _explain(found: Comparison, case: Case, errors: list[Error], differences: Sequence[Difference], *, all_of_them: bool = True) -> None:
    rows = [next((row for row in differences if row.explains(error, case.broken_by)), None) for error in errors]
    found.used.update(row for row in rows if row)
    if all_of_them or not any(rows):
        found.unexplained += [(case.id, error) for error, row in zip(errors, rows, strict=True) if row is None]


_ASIDE = re.compile(r"\[(\d+|x)\]|(?<=\.)_")


def is_there(theirs: str, ours: str, kind: str) -> bool:
    """Whether our error stands where theirs does, above or below it.

    Places in lists do not count, nor how a choice's or a companion's name is written. An error that says no place in the resource (a thrown
    exception, a path from within a contained resource) is anywhere.
    """
    if theirs.partition(".")[0] != kind or ours.partition(".")[0] != kind or ".contained[" in ours:
        return True
    steps = zip(_ASIDE.sub("", theirs).split("."), _ASIDE.sub("", ours).split("."), strict=False)
    return all(one == other or (one.startswith(other) and one[len(other)].isupper()) for one, other in steps)
