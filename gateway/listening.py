"""What a listener needs before it listens: a bound socket, TLS, and how a sender wants to be answered."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from gateway.er7.reader import Message
from gateway.errors import Unavailable, Usage
from gateway.mappings.feeds.profile import FeedProfile, match
from gateway.sections import HttpSettings, MllpSettings
from gateway.settings import address

if TYPE_CHECKING:
    from gateway.pipeline import Journey


def acknowledgement_mode(feeds: Sequence[FeedProfile]) -> Callable[[Message], str]:
    """How the profile of a message's sender wants it answered, for what is refused before it goes through the journey."""
    return lambda message: match(feeds, message.application, message.facility).acknowledgement


def hl7v2_handler(journey: Journey) -> Callable[[bytes, object], Awaitable[bytes | None]]:
    """What the MLLP listener does with a message: through the journey, answered after the commit; unanswered when the store cannot commit."""
    from gateway.pipeline import Received

    async def handle(raw: bytes, peer: object) -> bytes | None:
        try:
            outcome = await asyncio.wrap_future(journey.submit(Received("hl7v2", raw)))
        except Unavailable:
            return None
        return outcome.answer

    return handle


def tls(settings: HttpSettings | MllpSettings) -> ssl.SSLContext | None:
    """The TLS context that a listener's settings name; with a client CA, mutual. Raises `Usage` for files that cannot be used."""
    if not settings.tls_certificate:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(settings.tls_certificate, settings.tls_key or None)
        if settings.tls_client_ca:
            context.load_verify_locations(settings.tls_client_ca)
            context.verify_mode = ssl.CERT_REQUIRED
    except (OSError, ssl.SSLError):
        raise Usage(
            "the TLS certificate, key or client CA cannot be read", location="tls_certificate", advice="Name PEM files that belong together."
        ) from None
    return context


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
