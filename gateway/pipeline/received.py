"""What comes in at the door, and what goes out of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from gateway.errors import GatewayError
from gateway.store.interface import InputState


@dataclass(frozen=True, slots=True)
class Received:
    """Raw bytes with what they alone do not say.

    `kind` is "hl7v2", "fhir-message" (a message Bundle), "fhir-bundle" (a sender's transaction, batch or single resource) or "fhir-write" (an agency's or
    coordinator's REST write). `feed` binds it to a feed; "" matches by content. `about` names method, path, client, role, organization and `if-match`.
    """

    kind: str
    raw: bytes
    feed: str = ""
    about: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of an input, after the commit that holds it.

    `answer` is the acknowledgement (hl7v2). `written` lists, for FHIR, the resources that the input states, as their sender may see them:
    {"type", "id", "number", "updated", "body"}. `error` is why it was refused or quarantined.
    """

    input: int
    state: InputState
    answer: bytes = b""
    written: tuple[dict[str, Any], ...] = ()
    error: GatewayError | None = None
