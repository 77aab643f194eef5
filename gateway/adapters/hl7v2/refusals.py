"""What a sender is told of what was not taken: refused before it was read whole, or not committed."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable
from datetime import UTC, datetime

from gateway.er7.acknowledgement_mode import enhanced
from gateway.er7.acknowledgements import answers
from gateway.er7.problems import Problem
from gateway.er7.reader import Message, read
from gateway.errors import GatewayError, Unavailable

Mode = Callable[[Message], str]
"""What the feed profile of a message's sender says of the mode in which it is answered; "" for nothing."""


def as_it_asks(message: Message) -> str:
    """The mode where no profile is known: the message alone decides."""
    return ""


def refusal(error: GatewayError, head: bytes = b"", mode: Mode = as_it_asks) -> bytes:
    """The answer to what is refused before it is read whole; `head` is its beginning, whose MSH names the message if it can be read.

    b"" where its sender wants no answer.
    """
    message = _head(head)
    outcome = "CE" if isinstance(error, Unavailable) else error.acknowledgement
    problem = Problem(error.location, error.condition, "E", str(error))
    said = mode(message) if message is not None else ""
    return answers(message, outcome, [problem], at=datetime.now(UTC), control_id=lambda code: own_control_id(), text=error.message, mode=said)


def not_taken(message: bytes, mode: Mode = as_it_asks) -> bytes | None:
    """What a sender is told of a message that could not be committed: CE in enhanced mode, if it wants to hear of it; None, nothing, to any other."""
    head = _head(message)
    if head is None or not enhanced(head, mode(head)):
        return None
    return refusal(Unavailable("The message could not be taken now", advice="Send it again later."), message, mode) or None


def _head(data: bytes) -> Message | None:
    """The MSH at the beginning of `data`; None if it cannot be read."""
    try:
        return read(re.split(rb"[\r\n]", data.lstrip(), maxsplit=1)[0]) if data else None
    except GatewayError:
        return None


def own_control_id() -> str:
    """An MSH-10, or a batch's control ID, of our own."""
    return secrets.token_hex(10)
