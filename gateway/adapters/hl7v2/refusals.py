"""What a sender is told of what was not taken: refused before it was read whole, or not committed."""

from __future__ import annotations

import re
import secrets
from datetime import UTC, datetime

from gateway.er7.acknowledgement_mode import enhanced
from gateway.er7.acknowledgements import answers
from gateway.er7.problems import Problem
from gateway.er7.reader import Message, read
from gateway.errors import GatewayError, Unavailable


def refusal(error: GatewayError, head: bytes = b"") -> bytes:
    """The answer to what is refused before it is read whole; `head` is its beginning, whose MSH names the message if it can be read.

    The message alone decides in which mode it is answered (its sender's profile is not known here); b"" where its sender wants no answer.
    """
    outcome = "CE" if isinstance(error, Unavailable) else error.acknowledgement
    problem = Problem(error.location, error.condition, "E", str(error))
    return answers(_head(head), outcome, [problem], at=datetime.now(UTC), control_id=lambda code: own_control_id(), text=error.message)


def not_taken(message: bytes) -> bytes | None:
    """What a sender is told of a message that could not be committed: CE in enhanced mode, if it wants to hear of it; None, nothing, to any other."""
    head = _head(message)
    if head is None or not enhanced(head):
        return None
    return refusal(Unavailable("The message could not be taken now", advice="Send it again later."), message) or None


def _head(data: bytes) -> Message | None:
    """The MSH at the beginning of `data`; None if it cannot be read."""
    try:
        return read(re.split(rb"[\r\n]", data.lstrip(), maxsplit=1)[0]) if data else None
    except GatewayError:
        return None


def own_control_id() -> str:
    """An MSH-10, or a batch's control ID, of our own."""
    return secrets.token_hex(10)
