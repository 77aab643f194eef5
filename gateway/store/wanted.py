"""What a search of the store may ask for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypedDict


class Wanted(TypedDict, total=False):
    """What a search asks for; nothing: every current version of the type."""

    terms: Sequence[tuple[str, Sequence[str]]]  # each (parameter, values) must hold by any of its values, exactly; "_id" is always a parameter
    beginnings: Sequence[tuple[str, Sequence[str]]]  # likewise, by a value that begins so
    updated_after: int | None  # exclusive
    updated_before: int | None  # exclusive
    partition: int | None
    after: int | None  # the position that a page ended with, in whichever order
    newest_first: bool
    limit: int | None
