"""Provenance of a derived record: the messages it rests on, by identifier, and the rule that made it."""

from __future__ import annotations

from gateway.mappings.care.scene import Scene, latest
from gateway.records.statements import Json

MESSAGE = "urn:care-transition-gateway:message"
RULE = "urn:care-transition-gateway:rule"
AGENT = "http://terminology.hl7.org/CodeSystem/provenance-participant-type"


def provenance(scene: Scene, resource: Json, rule: str) -> Json:
    """One Provenance. `recorded` is the newest source's recorded time, so that the same messages always yield the same record."""
    kind, local = resource["resourceType"], resource["id"]
    sources = scene.stay.sources
    version = scene.context.policy.version
    newest = latest(sources) or scene.begun
    entities = [
        {"role": "source", "what": {"identifier": {"system": MESSAGE, "value": f"{source.sender}/{source.name}"}}}
        for source in sorted(sources, key=lambda source: (source.recorded, source.sender, source.name))
    ]
    return {
        "resourceType": "Provenance",
        "id": scene.identify("Provenance", f"provenance|{kind}|{local}"),
        "target": [{"reference": f"{kind}/{local}"}],
        "recorded": scene.local(newest).isoformat(timespec="milliseconds"),
        "policy": [f"{RULE}:{rule}:{version}"],
        "activity": {"text": f"Derived by rule {rule}, version {version}"},
        "agent": [
            {
                "type": {"coding": [{"system": AGENT, "code": "assembler", "display": "Assembler"}]},
                "who": scene.device,
                "onBehalfOf": scene.gateway,
            }
        ],
        **({"entity": entities} if entities else {}),
    }
