"""What appointments, contacts and the like say beside their resource: the facts of their statements. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from gateway.fhir import elements
from gateway.mappings.feeds.profile import FeedProfile
from gateway.mappings.fhir import codes, tables
from gateway.mappings.fhir.bundle import Input, Told
from gateway.mappings.fhir.content import base_of
from gateway.records.statements import AppointmentFacts, Json

DEFAULT_MINUTES = 60
"""Length of an appointment that says neither its end nor its minutes: R4 wants both ends, or neither (app-2)."""

_WAYS = (("telehealth", ("telehealth", "telemedicine", "video", "virtual")), ("telephone", ("telephone", "phone")))


def appointment_facts(told: Told, given: Input, profile: FeedProfile, booked_by: str = "") -> AppointmentFacts:
    """What kind of appointment it is, where, with whom; `booked_by` an agency's id when its own system wrote it."""
    resource = told.resource
    service = [*resource.get("serviceType", []), *resource.get("serviceCategory", []), *resource.get("reasonCode", [])]
    named = codes.names([*service, resource.get("appointmentType", {})])
    facts = AppointmentFacts(
        service=codes.facts(service),
        specialty=codes.facts(resource.get("specialty", [])),
        practitioner=_people(told, given),
        mental_health=_mental_health(named, profile),
        zone=profile.timezone or "UTC",
        walk=_way(named),
    )
    places = _places(told, given)
    if places:
        facts["place"] = places[0]
        facts["place_kind"] = codes.kind_of(places, profile.psychiatric_units, profile.other_units) or ""
    if booked_by:
        facts["booked_by"] = booked_by
    return facts


def with_end(resource: Json) -> tuple[Json, bool]:
    """The Appointment with an end, and whether it was taken from `DEFAULT_MINUTES`."""
    if "end" in resource or "start" not in resource:
        return resource, False
    minutes = resource.get("minutesDuration")
    try:
        start = datetime.fromisoformat(str(resource["start"]).replace("Z", "+00:00"))
    except ValueError:
        return resource, False
    end = start + timedelta(minutes=minutes if isinstance(minutes, int) else DEFAULT_MINUTES)
    return {**resource, "end": end.isoformat()}, not isinstance(minutes, int)


def _mental_health(named: list[str], profile: FeedProfile) -> bool | None:
    kind = codes.kind_of(named, profile.mental_health_services, profile.other_appointment_services)
    return None if kind is None else kind == "psychiatric"


def _way(named: list[str]) -> str:
    said = " ".join(named).casefold()
    return next((way for way, signs in _WAYS if any(sign in said for sign in signs)), "")


def _actors(told: Told, given: Input, types: tuple[str, ...]) -> list[tuple[Json, Json]]:
    """(reference, resource or {}) of the participants of the types."""
    found = []
    for participant in told.resource.get("participant", []):
        reference = participant.get("actor", {})
        target = given.resolve(reference, told.resource, base_of(told))
        if target is not None and target.type in types:
            found.append((reference, target.told.resource if target.told else {}))
    return found


def _places(told: Told, given: Input) -> list[str]:
    return [name for reference, location in _actors(told, given, ("Location",)) for name in (location.get("name"), reference.get("display")) if name]


def _people(told: Told, given: Input) -> list[str]:
    found = []
    for reference, resource in _actors(told, given, ("Practitioner", "PractitionerRole")):
        name: Json = next(iter(resource.get("name", [])), {}) if resource.get("resourceType") == "Practitioner" else {}
        said = name.get("text") or " ".join([*name.get("prefix", []), *name.get("given", []), name.get("family", "")]).strip()
        roles = [codes.words(one) for one in (*resource.get("specialty", []), *resource.get("qualification", []))]
        found += [one for one in (said or reference.get("display", ""), *roles) if one]
    return found


def request_facts(told: Told, given: Input) -> dict[str, object]:
    """Whom a ServiceRequest asks (`performer`), by every name and number that it or the input has for them: {"receivers"}, as a referral's."""
    found: dict[str, None] = {}
    for reference in told.resource.get("performer", []):
        target = given.resolve(reference, told.resource, base_of(told))
        resource: Json = target.told.resource if target is not None and target.told is not None else {}
        identifiers = [reference.get("identifier"), *resource.get("identifier", [])]
        numbers = [one.get("value") for one in identifiers if isinstance(one, dict)]
        own = str(reference.get("reference", "")).partition("/_history/")[0].rpartition("/")[2]
        name = resource.get("name")
        found.update(dict.fromkeys(str(one) for one in (reference.get("display"), name if isinstance(name, str) else "", *numbers, own) if one))
    return {"receivers": list(found)} if found else {}


def contact_facts(communication: Json, by: str) -> Mapping[str, Any]:
    """A Communication as a try to reach the client: {"means", "reached", "agency"}; when, the resource itself says (`sent`).

    A Communication that is completed reached the client; one that was not done, or stopped, is a try.
    """
    media = [str(one["code"]) for one in elements.codings(communication.get("medium", [])) if one.get("code")]
    return {
        "means": next((tables.contact_means()[code] for code in media if code in tables.contact_means()), ""),
        "reached": communication.get("status") == "completed",
        "agency": by,
    }
