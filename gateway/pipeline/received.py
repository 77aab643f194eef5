"""What comes in at the door, and what goes out of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from gateway.errors import GatewayError
from gateway.store.interface import InputState


@dataclass(frozen=True, slots=True)
class Received:
    """Raw bytes with what they alone do not say.

    `kind` is "hl7v2", "fhir-message" (a message Bundle), "fhir-bundle" (transaction, batch or single resource), "fhir-write" (a REST write by an
    agency or the coordinator), "decision" (a person's, or the policy's, about a transition) or "opening" (an agency's, of itself). `feed`
    binds it to feeds, separated by commas; "" matches by content. `about` names method, path, client, role, organization and `if-match`.
    """

    kind: str
    raw: bytes
    feed: str = ""
    about: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of an input, after the commit that holds it.

    `answer` holds the acknowledgements (hl7v2 alone; `er7.acknowledgements.answers`), b"" where the sender wants none. `error` is why it was refused
    or quarantined.
    """

    input: int
    state: InputState
    answer: bytes = b""
    error: GatewayError | None = None
