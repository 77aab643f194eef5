"""The encoding characters of a message."""

from __future__ import annotations

from typing import NamedTuple


class Delimiters(NamedTuple):
    """One character each: MSH-1, then MSH-2 in its order. A fifth character of MSH-2 (truncation, 2.7) is accepted and not needed."""

    field: str = "|"
    component: str = "^"
    repetition: str = "~"
    escape: str = "\\"
    subcomponent: str = "&"
