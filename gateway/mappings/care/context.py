"""What derivation is given beside the records: names, policy, and who the gateway is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from gateway.mappings.care.policy import Policy, default
from gateway.privacy.consent import Verdict
from gateway.records.statements import Identify
from transitions.areas import Areas


@dataclass(frozen=True, slots=True)
class CareContext:
    """The configuration that derivation depends on.

    `recipient` is the agency whose view is derived: it gets its own Tasks alone. None is the coordinator's and operator's view: all of them.
    """

    identify: Identify
    agencies: Mapping[str, str] = field(default_factory=dict)  # Organization id -> name
    policy: Policy = field(default_factory=default)
    version: str = ""  # the gateway's
    organization: str = "gateway"  # Organization id of who runs the gateway
    device: str = "gateway"  # Device id of the gateway
    recipient: str | None = None
    areas: Areas = field(default_factory=lambda: Areas(()))  # which postal codes the agencies serve
    supports: Mapping[str, Verdict] = field(default_factory=dict)  # RelatedPerson id -> what the client's consents say of that person


def task_id(identify: Identify, transition: str, number: int) -> str:
    """The id of the Task of a transition's assignment `number` (1, 2, …)."""
    return identify("Task", f"{transition}|task|{number}")


def flag_id(identify: Identify, transition: str, code: str) -> str:
    """The id of the Flag that a transition's flag is told by."""
    return identify("Flag", f"{transition}|flag|{code}")
