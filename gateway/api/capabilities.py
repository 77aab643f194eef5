"""The CapabilityStatement, made from what is registered. http://hl7.org/fhir/R4/capabilitystatement.html"""

from __future__ import annotations

from typing import Any

from gateway import __version__
from gateway.api.writing import WRITES
from gateway.fhir import search
from gateway.smart import discovery

Json = dict[str, Any]

_OAUTH_URIS = "http://fhir-registry.smarthealthit.org/StructureDefinition/oauth-uris"
_SECURITY_SERVICE = "http://terminology.hl7.org/CodeSystem/restful-security-service"
_RELEASED = "2026-11-22"
_BESIDE = (
    "Beside FHIR, as JSON: GET /api/transitions (the feed); POST /api/transitions/{id}/decisions (the coordinator's); "
    "GET and PUT /api/agency (whether an agency takes new clients), /api/agencies/{id} for the coordinator."
)
PROCESS_MESSAGE = "http://hl7.org/fhir/OperationDefinition/MessageHeader-process-message"


def statement(base_url: str) -> Json:
    """What this server does, for whoever asks."""
    return {
        "resourceType": "CapabilityStatement",
        "status": "active",
        "date": _RELEASED,
        "kind": "instance",
        "software": {"name": "care transition gateway", "version": __version__},
        "implementation": {"description": "Care transitions in mental health", "url": f"{base_url}/fhir"},
        "fhirVersion": "4.0.1",
        "format": ["application/fhir+json", "json"],
        "patchFormat": ["application/json-patch+json"],
        "rest": [
            {
                "mode": "server",
                "documentation": _BESIDE,
                "security": _security(base_url),
                "resource": [_resource(type) for type in search.searchable()],
                "interaction": [{"code": "transaction"}, {"code": "batch"}],
                "operation": [{"name": "process-message", "definition": PROCESS_MESSAGE}],
            }
        ],
    }


def _security(base_url: str) -> Json:
    """SMART's older clients find the token endpoint here alone."""
    uris = [
        {"url": "token", "valueUri": discovery.token_url(base_url)},
        {"url": "introspect", "valueUri": f"{base_url}{discovery.INTROSPECT}"},
        {"url": "revoke", "valueUri": f"{base_url}{discovery.REVOKE}"},
    ]
    return {
        "extension": [{"url": _OAUTH_URIS, "extension": uris}],
        "cors": True,
        "service": [{"coding": [{"system": _SECURITY_SERVICE, "code": "SMART-on-FHIR"}], "text": "OAuth2 by SMART App Launch"}],
    }


def _resource(type: str) -> Json:
    names = search.parameters(type).values()
    writes = WRITES.get(type, ())
    included = [f"{type}:{one.name}" for one in names if one.kind == "reference"]
    return {
        "type": type,
        "interaction": [{"code": code} for code in ("read", "vread", "history-instance", "search-type", *writes)],
        "versioning": "versioned",
        "readHistory": True,
        "updateCreate": False,
        "conditionalCreate": "create" in writes,
        **({"searchInclude": included} if included else {}),
        "searchParam": [
            {"name": "_id", "type": "token"},
            {"name": "_lastUpdated", "type": "date"},
            *({"name": one.name, "type": one.kind} for one in names),
        ],
    }
