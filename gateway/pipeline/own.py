"""The gateway's own resources: its Device, and an Organization for every configured agency, so that references to them resolve."""

from __future__ import annotations

from gateway import __version__
from gateway.pipeline.configuration import Configuration
from gateway.pipeline.partitions import put_shared
from gateway.records.statements import Json
from gateway.store.interface import Writer

DEVICE = GATEWAY = "gateway"


def own_resources(configuration: Configuration) -> list[Json]:
    """Device/gateway and Organization/<agency id> as today's configuration says them."""
    device: Json = {
        "resourceType": "Device",
        "id": DEVICE,
        "status": "active",
        "deviceName": [{"name": "Care-transition gateway", "type": "user-friendly-name"}],
        "version": [{"value": __version__}],
    }
    gateway: Json = {"resourceType": "Organization", "id": GATEWAY, "active": True, "name": "Care-transition gateway"}
    agencies = [{"resourceType": "Organization", "id": each.id, "active": True, "name": each.name} for each in configuration.policy.agencies]
    return [device, gateway, *agencies]


def put_own_resources(writer: Writer, configuration: Configuration) -> None:
    """Write them where they differ; configuration has no time of its own, so the version in force now always stands."""
    put_shared(writer, "~", own_resources(configuration), always=True)
