"""What a query may cost, told by its words alone, before anything is looked up."""

from __future__ import annotations

from collections.abc import Sequence

from gateway.errors import TooLarge

MOST_VALUES = 500  # in all parameters together: a=1,2,3 has three
MOST_INCLUSIONS = 16  # _include and _revinclude
MOST_CHAINS = 8  # parameters that look at other records, by a chain or by _has
DEEPEST_CHAIN = 2  # references followed one after the other

_INCLUSIONS = ("_include", "_revinclude")
_REVERSE = "_has:"


def check_cost(parameters: Sequence[tuple[str, str]]) -> None:
    """Raises TooLarge for a query that could cost more than is given to one request."""
    values = sum(value.count(",") + 1 for _, value in parameters)
    inclusions = sum(name.partition(":")[0] in _INCLUSIONS for name, _ in parameters)
    steps = [count for name, _ in parameters if (count := _steps(name))]
    for found, most, what in (
        (values, MOST_VALUES, "values"),
        (inclusions, MOST_INCLUSIONS, "inclusions"),
        (len(steps), MOST_CHAINS, "chains"),
        (max(steps, default=0), DEEPEST_CHAIN, "references in one chain"),
    ):
        if found > most:
            raise TooLarge("The query asks for too much at once", location="query", advice=f"At most {most} {what} are taken.")


def _steps(name: str) -> int:
    """How many references a parameter follows: subject:Patient.organization.name two, _has:Observation:patient:code one."""
    return name.count(".") + name.count(_REVERSE)
