"""Whether an agency takes new clients: its own word, until it says another."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Opening:
    """What an agency says of itself. `places` None: not counted. `until`: when a closing, or having no places, is over; None: until it says so."""

    open: bool
    places: int | None = None
    until: datetime | None = None
    reason: str = ""

    def takes_clients(self, at: datetime) -> bool:
        """Whether a new client's turn may begin there at a moment."""
        return (self.open and self.places != 0) or (self.until is not None and at >= self.until)
