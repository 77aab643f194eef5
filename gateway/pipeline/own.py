"""The gateway's own resources: its Device, an Organization for every configured agency, and a Practitioner for everybody who logs in here, so that
references to them resolve."""

from __future__ import annotations

from collections.abc import Iterable

from gateway import __version__
from gateway.pipeline.configuration import Configuration
from gateway.pipeline.partitions import put_shared
from gateway.records.statements import Json
from gateway.store.interface import Writer
from gateway.store.users import UserRow

DEVICE = GATEWAY = "gateway"
USER = "urn:care-transition-gateway:user"
"""Identifier system of the names that people log in by."""


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


def practitioner(user: UserRow) -> Json | None:
    """The Practitioner of a user; None where somebody else tells of it. A name's last word is taken for the family's."""
    if user.practitioner != user.id:
        return None
    *given, family = (user.full_name or user.name).split()
    name: Json = {"text": user.full_name or user.name, "family": family, **({"given": given} if given else {})}
    identifier = {"system": USER, "value": user.name}
    return {"resourceType": "Practitioner", "id": user.id, "identifier": [identifier], "active": user.revoked is None, "name": [name]}


def put_own_resources(writer: Writer, configuration: Configuration, users: Iterable[UserRow] = ()) -> None:
    """Write them where they differ; configuration has no time of its own, so the version in force now always stands."""
    people = (practitioner(user) for user in users)
    put_shared(writer, "~", [*own_resources(configuration), *(each for each in people if each is not None)], always=True)
