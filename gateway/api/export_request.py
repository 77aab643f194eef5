"""What a kick-off asks for. Bulk Data Access 2.0.0, "Bulk Data Kick-off Request": https://hl7.org/fhir/uv/bulkdata/STU2/export.html

A parameter that is not supported is refused. With `Prefer: handling=lenient` it is left out, and the export's errors say so.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import orjson

from gateway.api.access import View
from gateway.api.grants import Grant, grant
from gateway.api.requests import Call, check_content_type
from gateway.errors import Forbidden, GatewayError, Malformed
from gateway.fhir import compartment, elements, search, times
from gateway.fhir.outcome import Issue, outcome
from gateway.fhir.parsing import parse
from gateway.smart import scopes
from gateway.smart.access import Caller

FORMATS = ("application/fhir+ndjson", "application/ndjson", "ndjson")
_LISTS = ("_type", "_elements", "_typeFilter", "includeAssociatedData")
"""Parameters whose values may be repeated, or listed with commas."""
_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)", re.ASCII)
_EVERYTHING = -1


class Asked(NamedTuple):
    """What is exported, and by which leave; kept with the job as JSON."""

    types: tuple[str, ...]
    since: int  # only what changed after this position; -1 for everything
    patients: tuple[str, ...] | None  # "Patient/…": only what is theirs; None for everybody's
    group: str  # the agency whose clients are exported to somebody who sees more than they; "" where it is the whole view
    scopes: str
    user: str
    patient: str  # in the context of the app that asks
    notes: tuple[str, ...]  # OperationOutcomes, as JSON, of what was left out

    def dumped(self) -> str:
        """As JSON."""
        return orjson.dumps(self._asdict()).decode()


def loaded(text: str) -> Asked:
    """What `dumped` gave."""
    told = orjson.loads(text)
    patients = None if told["patients"] is None else tuple(told["patients"])
    return Asked(**{**told, "types": tuple(told["types"]), "patients": patients, "notes": tuple(told["notes"])})


class _Reading:
    """Parameters as they are read, and what was left out of them."""

    def __init__(self, lenient: bool) -> None:
        self.lenient = lenient
        self.left_out: list[Issue] = []

    def refuse(self, error: GatewayError) -> None:
        """Raise it; or note it, where the caller asked to be lenient."""
        if not self.lenient:
            raise error
        self.left_out.append(Issue(error.issue, f"{error.message}. It was left out.", error.location, severity="warning"))


def read(caller: Caller, call: Call, look: View, group: str = "") -> Asked:
    """What the kick-off asks for; `group` as `Asked.group` has it. Raises Malformed, and Forbidden where no scope opens what is asked."""
    reading = _Reading(call.prefers("handling=lenient"))
    given: dict[str, list[str]] = {}
    for name, value in _parameters(call):
        given.setdefault(name, []).extend(value.split(",") if name in _LISTS else [value])
    for name in given:
        if name not in ("_outputFormat", "_since", "_type", "patient", "_format"):
            reading.refuse(Malformed("An export takes no such parameter", location=_place(name), advice="Leave it out."))
    if any(each.replace(" ", "+") not in FORMATS for each in given.get("_outputFormat", ())):
        advice = "Ask for application/fhir+ndjson."
        reading.refuse(Malformed("Exports are to be had in NDJSON alone", location=_place("_outputFormat"), advice=advice))
    of_patients = call.path[:1] in (("Patient",), ("Group",))
    types = _types(caller, reading, given.get("_type"), of_patients)
    patients = _patients(reading, call, look, group, given["patient"], of_patients) if "patient" in given else None
    notes = tuple(orjson.dumps(outcome([issue])).decode() for issue in reading.left_out)
    return Asked(types, _since(given.get("_since", [])), patients, group, scopes.text(caller.scopes), caller.user, caller.patient, notes)


def _place(name: str) -> str:
    """A parameter's place; names are of the sender's making."""
    return f"$export?{name if re.fullmatch(r'[A-Za-z_]{1,40}', name) else '…'}"


def _parameters(call: Call) -> Iterator[tuple[str, str]]:
    """The parameters, of the query and of a Parameters resource."""
    for name, value in call.parameters:
        if name == "patient":
            raise Malformed("Patients are named in a Parameters resource", location=_place(name), advice="Send it by POST.")
        yield name, value
    if call.method != "POST" or not call.body:
        return
    check_content_type(call)
    resource = parse(call.body)
    if resource["resourceType"] != "Parameters" or not isinstance(resource.get("parameter", []), list):
        raise Malformed("The kick-off's body is no Parameters resource", location="Parameters")
    for number, one in enumerate(resource.get("parameter", [])):
        yield _parameter(one, number)


def _parameter(one: Any, number: int) -> tuple[str, str]:
    values = [value for name, value in one.items() if name.startswith("value")] if isinstance(one, dict) else []
    reference = values[0].get("reference") if len(values) == 1 and isinstance(values[0], dict) else None
    text = reference if reference is not None else values[0] if len(values) == 1 else None
    if not isinstance(text, str) or not isinstance(one.get("name"), str):
        raise Malformed("A parameter has a name and one value", location=f"Parameters.parameter[{number}]")
    return one["name"], text


def _since(values: Sequence[str]) -> int:
    """The position of an instant; of several, the latest is not guessed at."""
    if not values:
        return _EVERYTHING
    text = values[0].replace(" ", "+")  # an unescaped + of a query arrives as a blank
    span = times.stretch(text) if _INSTANT.fullmatch(text) else None
    if span is None or len(values) > 1:
        raise Malformed("_since is no instant", location=_place("_since"), advice="Write one, as 2026-11-22T02:00:00Z: an export's transactionTime.")
    return max(span[0], _EVERYTHING)


def _types(caller: Caller, reading: _Reading, named: Sequence[str] | None, of_patients: bool) -> tuple[str, ...]:
    """The types to export. One that is named must be held and granted; where none is, all that are."""
    held = search.searchable()
    if named is None:
        granted = tuple(type for type in held if _granted(caller, type))
        if not granted:
            grant(caller, "*", "s")  # which says what is missing
        return granted
    for type in named:
        if type not in held:
            reading.refuse(Malformed("This resource type is not held here", location=_place("_type"), advice="Ask for types that /metadata lists."))
    known = [type for type in dict.fromkeys(named) if type in held]
    if of_patients and known and not any(compartment.has(type) for type in known):
        reading.refuse(Malformed("No record of these types is a patient's", location=_place("_type"), advice="Export them at system level."))
    found = []
    for type in known:
        try:
            leave(caller, type)
            found.append(type)
        except Forbidden as refusal:
            reading.refuse(refusal)
    return tuple(sorted(found))


def leave(caller: Caller, type: str) -> tuple[Grant, Grant]:
    """The grants that every exported record of a type must meet: an export finds records, and reads them. Raises Forbidden."""
    return (grant(caller, type, "s"), grant(caller, type, "r"))


def _granted(caller: Caller, type: str) -> bool:
    try:
        leave(caller, type)
    except Forbidden:
        return False
    return True


def _patients(reading: _Reading, call: Call, look: View, group: str, named: Sequence[str], of_patients: bool) -> tuple[str, ...] | None:
    """Those named patients that this caller sees, and that are of the group. One that does not exist and one of somebody else's are alike."""
    if not of_patients:
        reading.refuse(Malformed("An export of the whole system is of all patients", location=_place("patient")))
        return None
    sees = look.beside(group) if group else look
    ids = [_patient_id(text) for text in dict.fromkeys(named)]
    found = [f"Patient/{id}" for id in ids if sees.find("Patient", id) is not None]
    if len(found) < len(ids):
        reading.refuse(Malformed("There is no such patient here", location=_place("patient")))
    return tuple(found)


def _patient_id(reference: str) -> str:
    type, _, id = elements.relative(reference).partition("/")
    return id if type == "Patient" else ""
