"""The order of the list: risk first, then time left; never the order of arrival."""

from __future__ import annotations

from collections.abc import Mapping

from transitions.model import Status, Tier, Transition
from transitions.windows import END_OF_TIME

TIERS: Mapping[Tier, int] = {"urgent": 0, "high": 1, "standard": 2}
_STATUSES: Mapping[Status, int] = {"open": 0, "anticipated": 0, "closed": 1, "void": 2}


def order(transition: Transition) -> tuple[int, int, float, str]:
    """The key to sort by: what still needs somebody, then by tier, then by the nearest deadline (the longest overdue first), then by id."""
    due = transition.due or END_OF_TIME
    return _STATUSES[transition.status], TIERS[transition.tier], due.timestamp(), transition.id
