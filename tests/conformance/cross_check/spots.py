"""The places of a resource among which an operator chooses, and what it may do there."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random
from typing import Any

from cross_check.definitions import PRIMITIVES, Definition, Json, Spot

Operator = Callable[[Json, Sequence[Spot], Definition | None, Random], bool]
"""Spoils one thing in a resource, given its places and the profile that it is valid under; False if it finds nothing to spoil."""


def plain(spot: Spot) -> bool:
    """Whether it is a primitive's value."""
    return spot.type in PRIMITIVES and not isinstance(spot.value, list | dict)


def place(spot: Spot) -> str:
    """Its location without the numbers in lists."""
    return "".join(part for part in spot.location.replace("]", "[").split("[") if not part.isdigit())


def choose(spots: Sequence[Spot], random: Random, wanted: Callable[[Spot], bool]) -> Spot | None:
    """One of the places that are wanted, by lot."""
    fitting = [spot for spot in spots if wanted(spot)]
    return random.choice(fitting) if fitting else None


def put(spot: Spot | None, value: Callable[[Spot], Any]) -> bool:
    """Put another value there."""
    if spot is None:
        return False
    spot.holder[spot.key] = value(spot)
    return True


def drop(spot: Spot | None) -> bool:
    """Take it out, with its companion."""
    if spot is None:
        return False
    del spot.holder[spot.key]
    spot.holder.pop(f"_{spot.key}", None)
    return True
