"""What a caller's scopes open, asked before anything is done; and, for scopes with a constraint, of each record."""

from __future__ import annotations

from typing import Any, NamedTuple

from gateway.fhir import search
from gateway.smart.access import Caller, require
from gateway.smart.scopes import Constraint, Interaction

Json = dict[str, Any]


class Grant(NamedTuple):
    """Leave for one interaction on one type. A record must meet one of the constraints, where there are any."""

    type: str
    constraints: tuple[Constraint, ...]

    @property
    def whole(self) -> bool:
        """Whether it opens every record of the type, so that no record has to be looked at for it."""
        return not self.constraints

    def narrowing(self) -> tuple[tuple[str, tuple[str, ...]], ...]:
        """(index name, values) of which a record within the grant has one each: what a search asks the index for beforehand. It only spares looking
        at records in vain; `opens` decides."""
        return ()

    def opens(self, resource: Json) -> bool:
        """Whether this record is within the grant. A constraint that cannot be understood opens nothing."""
        return not self.constraints or any(self._meets(resource, each) for each in self.constraints)

    def _meets(self, resource: Json, constraint: Constraint) -> bool:
        asked = [search.criterion(self.type, name, value) for name, value in constraint]
        return all(one is not None and search.matches(resource, one) for one in asked)


def grant(caller: Caller, type: str, interaction: Interaction) -> Grant:
    """Leave for the interaction. Raises Forbidden where no scope opens it."""
    return Grant(type, require(caller, type, interaction))
