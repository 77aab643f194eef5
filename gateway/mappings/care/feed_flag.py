"""A question to a hospital's feed: an admission of which no discharge was ever told. About the hospital, not the client, and the operator's alone."""

from __future__ import annotations

from datetime import datetime

from gateway.mappings.care.flag import SYSTEM
from gateway.records.record import StayRecord
from gateway.records.statements import Identify, Json

FEED = "urn:care-transition-gateway:feed"
"""Identifier system: the value is the feed's name."""
CODE = "admission-without-discharge"
_CATEGORY = {"system": "http://terminology.hl7.org/CodeSystem/flag-category", "code": "admin", "display": "Administrative"}


def feed_flag(record: StayRecord, since: datetime, identify: Identify) -> Json:
    """The Flag: its subject is the hospital, its encounter the stay."""
    hospital = record.encounter.get("serviceProvider") or {"display": str(record.facts.get("hospital") or record.facts.get("facility") or "")}
    return {
        "resourceType": "Flag",
        "meta": {"security": (record.encounter.get("meta") or {}).get("security", [])},
        "id": identify("Flag", f"{record.key}|{CODE}"),
        "identifier": [{"system": FEED, "value": record.sources[-1].sender}],
        "status": "active",
        "category": [{"coding": [_CATEGORY]}],
        "code": {"coding": [{"system": SYSTEM, "code": CODE}], "text": "Admitted long ago, and no discharge was told: is the client still there?"},
        "subject": hospital,
        "period": {"start": since.isoformat()},
        "encounter": {"reference": f"Encounter/{record.id}"},
        "author": {"reference": "Device/gateway"},
    }
