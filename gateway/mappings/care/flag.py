"""A FHIR Flag for every flag that is raised: since when, on what evidence, and what would clear it."""

from __future__ import annotations

from gateway.mappings.care import narrative as words
from gateway.mappings.care.context import flag_id
from gateway.mappings.care.scene import Scene
from gateway.records.statements import Json
from transitions.describe import FLAGS
from transitions.model import Flag

SYSTEM = "urn:care-transition-gateway:flag"
CATEGORY = {"system": "http://terminology.hl7.org/CodeSystem/flag-category", "code": "clinical", "display": "Clinical"}
_WHOSE = {"agency": "the agency's", "hospital": "the hospital's", "coordinator": "the coordinator's"}


def flags(scene: Scene) -> tuple[tuple[Flag, Json], ...]:
    """The raised flags, each with its FHIR Flag."""
    return tuple((raised, flag(scene, raised)) for raised in scene.transition.flags)


def told(raised: Flag) -> list[str]:
    """The words of messages, and of the policy, in a Flag's narrative."""
    return [FLAGS[raised.code], *(evidence.text for evidence in raised.evidence), raised.clears, raised.next_step]


def flag(scene: Scene, raised: Flag) -> Json:
    """One Flag."""
    return {
        "resourceType": "Flag",
        "id": flag_id(scene.context.identify, scene.transition.id, raised.code),
        "text": words.narrative(
            words.paragraph(f"{FLAGS[raised.code]}, since {scene.time(raised.since)}."),
            words.items(evidence.text for evidence in raised.evidence),
            words.paragraph(f"What would clear it: {raised.clears}") if raised.clears else "",
            words.paragraph(f"Whose it is: {_WHOSE[raised.owner]}, until {scene.time(raised.due)}. {raised.next_step}") if raised.due else "",
        ),
        "status": "active",
        "category": [{"coding": [CATEGORY]}],
        "code": {"coding": [{"system": SYSTEM, "code": raised.code}], "text": FLAGS[raised.code]},
        "subject": scene.subject,
        "period": {"start": scene.time(raised.since)},
        "encounter": scene.encounter,
        "author": scene.device,
    }
