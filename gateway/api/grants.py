"""What a caller's scopes open, asked before anything is done; and, for scopes with a constraint, of each record."""

from __future__ import annotations

from typing import Any, NamedTuple

from gateway.api.access import View
from gateway.errors import Forbidden
from gateway.fhir import compartment, search
from gateway.smart.access import Caller, require
from gateway.smart.scopes import COMPARTMENT, Constraint, Interaction
from gateway.store.interface import ALL

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
        patients = {value for constraint in self.constraints for name, value in constraint if name == COMPARTMENT}
        confined = len(patients) == 1 and all(any(name == COMPARTMENT for name, _ in constraint) for constraint in self.constraints)
        if not confined:
            return ()
        (patient,) = patients
        if self.type == "Patient":
            return (("_id", (patient.removeprefix("Patient/"),)),)
        known = search.parameters(self.type).get("patient")
        if known is None or not known.indexed or self.type in ("Device", "Provenance"):  # the one may be nobody's, the other names its record
            return ()
        return ((known.indexed, (patient,)),)

    def opens(self, resource: Json, look: View | None = None) -> bool:
        """Whether this record is within the grant; `look`: where a Provenance's targets are, which say whose it is. A constraint that cannot be
        understood opens nothing."""
        return not self.constraints or any(self._meets(resource, each, look) for each in self.constraints)

    def _meets(self, resource: Json, constraint: Constraint, look: View | None) -> bool:
        return all(self._holds(resource, name, value, look) for name, value in constraint)

    def _holds(self, resource: Json, name: str, value: str, look: View | None) -> bool:
        if name == COMPARTMENT:
            return compartment.holds(value, resource) or (look is not None and _tells_of(look, resource, value))
        asked = search.criterion(self.type, name, value)
        return asked is not None and search.matches(resource, asked)


def _tells_of(look: View, resource: Json, patient: str) -> bool:
    """Whether it is the Provenance of a record of this patient ("Patient/…") that can be seen."""
    targets = (look.find(*literal.split("/", 1)) for literal in compartment.targets(resource))
    return any(compartment.holds(patient, target.resource) for target in targets if target is not None)


def grant(caller: Caller, type: str, interaction: Interaction) -> Grant:
    """Leave for the interaction. Raises Forbidden where no scope opens it."""
    return Grant(type, require(caller, type, interaction))


def to_read(caller: Caller, type: str, id: str) -> tuple[str, Grant]:
    """Whose view a resource is read in, and leave. A user's own resource is read by every app that was let know who the user is: no record refers to
    everybody who logs in, so that it is in no agency's view. Raises Forbidden."""
    if caller.is_own(type, id):
        return ALL, Grant(type, ())
    return caller.recipient, grant(caller, type, "r")


def patient_of(caller: Caller, type: str, interaction: Interaction) -> str:
    """Leave for what is no FHIR resource, but tells of resources of this type: the one Patient ("Patient/…") that it is for, "" for everything.
    Raises Forbidden, also where the scope has a constraint: nobody could hold what is asked for against it."""
    leave = grant(caller, type, interaction)
    if leave.whole:
        return ""
    if leave.constraints == (((COMPARTMENT, caller.patient),),):
        return caller.patient
    raise Forbidden("the access token's scope has a constraint that cannot be kept here", advice="Ask for it without one.")
