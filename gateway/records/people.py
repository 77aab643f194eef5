"""A person while the statements about people are folded."""

from __future__ import annotations

from dataclasses import dataclass, field

from gateway.records.course import Stay
from gateway.records.order import Said
from gateway.records.record import Source


@dataclass(slots=True)
class Person:
    """A connected set of identifiers with its statements, in recorded order."""

    primary: str  # the key whose Patient id stands
    keys: dict[str, None] = field(default_factory=dict)  # ordered set
    retired: dict[str, None] = field(default_factory=dict)  # keys whose Patient gave way to the primary's
    said: list[Said] = field(default_factory=list)
    merged: bool = False
    uncertain: str = ""
    uncertain_since: int | None = None
    uncertain_sources: list[Source] = field(default_factory=list)
    left: dict[str, Stay] = field(default_factory=dict)  # by key: stays that were moved to somebody else: entered in error here
    emptied: bool = False  # an identifier was moved off this person
    demographics: dict[str, tuple[str, str]] = field(default_factory=dict)  # key -> (birth date, family name) as last said under it

    def doubt(self, why: str, said: Said) -> None:
        """Note the first reason to doubt that this is one person."""
        if not self.uncertain:
            self.uncertain, self.uncertain_since = why, said.recorded
        self.uncertain_sources.append(said.source)
