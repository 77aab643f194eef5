"""The invariants that typical records meet at every turn, in Python: by expression, so that each stands for just that rule.

They say what fhirpathpy says of the same expression (`tests/conformance/test_profiles_native.py` holds them to that), some hundred times
faster. Two take a list for a truth (`telecom or endpoint`) and one compares quantities, which the library refuses.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from conformance.profiles import references
from conformance.profiles.narrative import is_narrative
from conformance.profiles.run import Run

Native = Callable[[Any, Run], bool]
"""Whether an invariant holds for a value."""

CLINICAL = "http://terminology.hl7.org/CodeSystem/condition-clinical"
VERIFICATION = "http://terminology.hl7.org/CodeSystem/condition-ver-status"
ABSENT = "http://hl7.org/fhir/StructureDefinition/data-absent-reason"


def _has(value: Any, name: str) -> bool:
    """Whether an element, of whichever type, is there with a value or an extension."""
    if not isinstance(value, dict):
        return False
    plain = [each.removeprefix("_") for each in value]
    return any(each == name or (each.startswith(name) and each[len(name)].isupper()) for each in plain)


def _here(value: Any, *names: str) -> bool:
    """Whether one of the elements that are no choices is there."""
    return isinstance(value, dict) and any(name in value or f"_{name}" in value for name in names)


def _coded(value: Any, name: str, system: str, *codes: str) -> bool:
    """Whether a CodeableConcept has one of a system's codes."""
    concept = value.get(name) if isinstance(value, dict) else None
    found = concept.get("coding") if isinstance(concept, dict) else None
    return any(
        isinstance(one, dict) and one.get("system") == system and one.get("code") in codes for one in (found if isinstance(found, list) else ())
    )


def _needs(name: str, other: str) -> Native:
    return lambda value, run: not _here(value, name) or _here(value, other)


def _not_both(name: str, other: str) -> Native:
    return lambda value, run: not (_has(value, name) and _has(value, other))


def _any_of(*names: str) -> Native:
    return lambda value, run: _here(value, *names)


def _in_order(value: Any, run: Run) -> bool:
    """Start is not after end; where precision leaves it open, it is not known to be after."""
    start, end = (value.get("start"), value.get("end")) if isinstance(value, dict) else (None, None)
    if not isinstance(start, str) or not isinstance(end, str):
        return True
    if "T" in start and "T" in end:
        try:
            return datetime.fromisoformat(start) <= datetime.fromisoformat(end)
        except (ValueError, TypeError):
            return True
    length = min(len(start.partition("T")[0]), len(end.partition("T")[0]))
    return start[:length] <= end[:length]


def _ranged(value: Any, run: Run) -> bool:
    """Low is not above high, where both are of one unit."""
    low, high = (value.get("low"), value.get("high")) if isinstance(value, dict) else (None, None)
    if not isinstance(low, dict) or not isinstance(high, dict) or any(low.get(name) != high.get(name) for name in ("system", "code", "unit")):
        return True
    least, most = low.get("value"), high.get("value")
    return not isinstance(least, int | float) or not isinstance(most, int | float) or least <= most


def _stated(value: Any, run: Run) -> bool:
    """A categorised condition states its clinical status, unless it is an error (the published expression asks no more of the category)."""
    return _here(value, "clinicalStatus") or _coded(value, "verificationStatus", VERIFICATION, "entered-in-error") or not _here(value, "category")


def _abated(value: Any, run: Run) -> bool:
    return not _has(value, "abatement") or _coded(value, "clinicalStatus", CLINICAL, "resolved", "remission", "inactive")


def _erroneous(value: Any, run: Run) -> bool:
    return not (_coded(value, "verificationStatus", VERIFICATION, "entered-in-error") and _here(value, "clinicalStatus"))


def _timed(value: Any, run: Run) -> bool:
    both = _here(value, "start") and _here(value, "end")
    return both or (isinstance(value, dict) and value.get("status") in ("proposed", "cancelled", "waitlist"))


def _named(value: Any, run: Run) -> bool:
    """A name or the reason why there is none, and not both."""
    extensions = value.get("extension") if isinstance(value, dict) else None
    absent = any(isinstance(one, dict) and one.get("url") == ABSENT for one in (extensions if isinstance(extensions, list) else ()))
    return _here(value, "family", "given") != absent


def _to_the_day(value: Any, run: Run) -> bool:
    """A dateTime is told to the day; a Period is none (as published, vs-1 says nothing of a Period, which is not meant to break it)."""
    return not isinstance(value, str) or len(value) >= 10


def _agent_represents(value: Any, run: Run) -> bool:
    who = value.get("who") if isinstance(value, dict) else None
    points_at = references.target_type(run, who) if isinstance(who, dict) else ""
    return points_at not in ("Practitioner", "Device") or _here(value, "onBehalfOf")


def _member_represents(value: Any, run: Run) -> bool:
    member = value.get("member") if isinstance(value, dict) else None
    points_at = references.target_type(run, member) if isinstance(member, dict) else ""
    return not _here(value, "onBehalfOf") or points_at in ("Practitioner", "")


def _narrated(value: Any, run: Run) -> bool:
    text = value.get("text") if isinstance(value, dict) else None
    return isinstance(text, dict) and "div" in text


def _entries_say(name: str, *kinds: str) -> Native:
    """The entries of Bundles of these kinds have a request (a response), those of others have none."""

    def holds(value: Any, run: Run) -> bool:
        wanted = isinstance(value, dict) and value.get("type") in kinds
        return all(_here(entry, name) == wanted for entry in _entries(value))

    return holds


def _entries(value: Any) -> list[Any]:
    found = value.get("entry") if isinstance(value, dict) else None
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []


def _once_each(value: Any, run: Run) -> bool:
    """No two entries of a Bundle, unless it is a history, have one fullUrl and version."""
    if isinstance(value, dict) and value.get("type") == "history":
        return True
    found = [(entry["fullUrl"], _version(entry.get("resource"))) for entry in _entries(value) if isinstance(entry.get("fullUrl"), str)]
    return len(set(found)) == len(found)


def _version(resource: Any) -> str:
    meta = resource.get("meta") if isinstance(resource, dict) else None
    version = meta.get("versionId") if isinstance(meta, dict) else None
    return version if isinstance(version, str) else ""


def _no_version(value: Any, run: Run) -> bool:
    address = value.get("fullUrl") if isinstance(value, dict) else None
    return not isinstance(address, str) or "/_history/" not in address


def _when(name: str, *statuses: str) -> Native:
    """With one of these statuses, or none, an element is there."""

    def holds(value: Any, run: Run) -> bool:
        return _has(value, name) or (isinstance(value, dict) and value.get("status") not in (None, *statuses))

    return holds


_REPORTED = ("partial", "preliminary", "final", "amended", "corrected", "appended")
_IF_REPORTED = "(" + " or ".join(f"status='{one}'" for one in _REPORTED) + " ) implies"
_IS_DATETIME = "$this.toString().length() >= 10"
_ENDED = "(code='resolved' or code='remission' or code='inactive')"
_ERRONEOUS = f"verificationStatus.coding.where(system='{VERIFICATION}' and code"

NATIVE: dict[str, Native] = {
    "htmlChecks()": lambda value, run: not isinstance(value, str) or is_narrative(value),
    "text.`div`.exists()": _narrated,
    "start.hasValue().not() or end.hasValue().not() or (start <= end)": _in_order,
    "low.empty() or high.empty() or (low <= high)": _ranged,
    "value.empty() or system.exists()": _needs("value", "system"),
    "code.empty() or system.exists()": _needs("code", "system"),
    "data.empty() or contentType.exists()": _needs("data", "contentType"),
    "orderDetail.empty() or code.exists()": _needs("orderDetail", "code"),
    "detail.empty() or reference.empty()": _not_both("detail", "reference"),
    "dataAbsentReason.empty() or value.empty()": _not_both("dataAbsentReason", "value"),
    "type.exists() or actor.exists()": _any_of("type", "actor"),
    "name.exists() or relationship.exists()": _any_of("name", "relationship"),
    "name.exists() or telecom.exists() or address.exists() or organization.exists()": _any_of("name", "telecom", "address", "organization"),
    "practitioner or organization or healthcareService or location": _any_of("practitioner", "organization", "healthcareService", "location"),
    "telecom or endpoint": _any_of("telecom", "endpoint"),
    "(identifier.count() + name.count()) > 0": _any_of("identifier", "name"),
    "start.exists() = end.exists()": lambda value, run: _here(value, "start") == _here(value, "end"),
    "(start.exists() and end.exists()) or (status in ('proposed' | 'cancelled' | 'waitlist'))": _timed,
    f"clinicalStatus.exists() or {_ERRONEOUS} = 'entered-in-error').exists() or category.select($this='problem-list-item').empty()": _stated,
    f"abatement.empty() or clinicalStatus.coding.where(system='{CLINICAL}' and {_ENDED}).exists()": _abated,
    f"{_ERRONEOUS}='entered-in-error').empty() or clinicalStatus.empty()": _erroneous,
    f"(family.exists() or given.exists()) xor extension.where(url='{ABSENT}').exists()": _named,
    "entry.all(request.exists() = (%resource.type = 'batch' or %resource.type = 'transaction' or %resource.type = 'history'))": _entries_say(
        "request", "batch", "transaction", "history"
    ),
    "entry.all(response.exists() = (%resource.type = 'batch-response' or %resource.type = 'transaction-response' or %resource.type = 'history'))": (
        _entries_say("response", "batch-response", "transaction-response", "history")
    ),
    "(type = 'history') or entry.where(fullUrl.exists()).select(fullUrl&resource.meta.versionId).isDistinct()": _once_each,
    "resource.exists() or request.exists() or response.exists()": _any_of("resource", "request", "response"),
    "fullUrl.exists() implies fullUrl.contains('/_history/').not()": _no_version,
    f"{_IF_REPORTED} effective.exists()": _when("effective", *_REPORTED),
    f"{_IF_REPORTED} issued.exists()": _when("issued", *_REPORTED),
    "(status='completed' or status='in-progress') implies performed.exists()": _when("performed", "completed", "in-progress"),
    f"$this is DateTime implies {_IS_DATETIME}": _to_the_day,
    "($this as dateTime).toString().length() >= 8": _to_the_day,
    f"$this is dateTime implies {_IS_DATETIME}": _to_the_day,
    "who.exists((resolve() is Practitioner) or (resolve() is Device)) implies onBehalfOf.exists()": _agent_represents,
    "onBehalfOf.exists() implies (member.resolve().iif(empty(), true, ofType(Practitioner).exists()))": _member_represents,
}
