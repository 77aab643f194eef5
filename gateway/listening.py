"""What a listener needs before it listens: a bound socket, and what is done with a message."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from gateway.er7.reader import Message
from gateway.errors import Usage
from gateway.mappings.feeds.profile import FeedProfile, match
from gateway.sections import MllpSettings
from gateway.settings import address

if TYPE_CHECKING:
    from gateway.adapters.hl7v2.admission import Limits
    from gateway.adapters.hl7v2.mllp import Peer
    from gateway.adapters.hl7v2.reception import Reception
    from gateway.pipeline import Journey


def acknowledgement_mode(feeds: Sequence[FeedProfile]) -> Callable[[Message], str]:
    """How the profile of a message's sender wants it answered, for what is refused before it goes through the journey."""
    return lambda message: match(feeds, message.application, message.facility).acknowledgement


def hl7v2_handler(journey: Journey, reception: Reception | None = None) -> Callable[[bytes, Peer], Awaitable[bytes | None]]:
    """What the MLLP listener does with a message: through the door and the journey, answered after the commit; unanswered when the store cannot
    commit."""
    from gateway.adapters.hl7v2.reception import Reception
    from gateway.pipeline import Received

    door = reception or Reception()

    async def handle(raw: bytes, peer: Peer) -> bytes | None:
        async def submit() -> bytes:
            return (await asyncio.wrap_future(journey.submit(Received("hl7v2", raw)))).answer

        return await door.take(raw, peer.host, submit)

    return handle


def mllp_limits(settings: MllpSettings) -> Limits:
    """What a connection may ask for, as configured."""
    from gateway.adapters.hl7v2.admission import Limits

    return Limits(
        frame_bytes=settings.max_frame,
        connections=settings.max_connections,
        address_connections=settings.max_address_connections,
        allow=tuple(settings.allow),
    )


@contextmanager
def bound(listen: str) -> Iterator[socket.socket]:
    host, port = address(listen)
    with plain_os_errors(listen):
        made = socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    # asyncio turns Nagle's delay off only on sockets that say they are TCP; create_server's do not say
    with socket.socket(made.family, made.type, socket.IPPROTO_TCP, fileno=made.detach()) as listening_socket:
        yield listening_socket


@contextmanager
def plain_os_errors(listen: str) -> Iterator[None]:
    try:
        yield
    except OSError:
        raise Usage(f"{listen} cannot be listened on: it is in use, or not this machine's", advice="Choose another with --http or --mllp.") from None
