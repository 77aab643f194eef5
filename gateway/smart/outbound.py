"""Requests to addresses that somebody else chose (key sets today), without becoming a way into the operator's network.

A name is resolved once, every address it has is judged, and the connection goes to a judged address: a name server that answers
differently the second time gains nothing. Certificates are still checked against the name.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import cache
from urllib.parse import urlsplit

import httpx

from gateway.errors import Invalid

Resolve = Callable[[str, int], Awaitable[list[str]]]
"""Host and port to the addresses of the host, as text."""

_UNICAST = ipaddress.ip_network("2000::/3")
"""All of IPv6 that is given out to the public (RFC 4291 section 2.4). Beyond it lie forms that carry an IPv4 address inside: compatible, translated,
NAT64 (::/96, ::ffff:0:0:0/96, 64:ff9b::/96); they reach it whatever the outer address looks like."""
_SPECIAL = tuple(ipaddress.ip_network(text) for text in ("2001::/32", "2002::/16", "3fff::/20", "192.0.0.0/24", "192.88.99.0/24"))
"""Given out, and still not to be reached: Teredo and 6to4 carry IPv4 addresses, too; documentation; protocols' own (RFC 6890), 6to4's relays."""
_PRIVATE = tuple(ipaddress.ip_network(text) for text in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7"))
"""RFC 1918, RFC 6598, RFC 4193."""


@dataclass(frozen=True, slots=True)
class Reach:
    """How far outbound requests may go beyond public hosts over https."""

    loopback: bool = False  # this machine, also over plain http: demonstrations and tests
    private: bool = False  # private networks, over https


def check_url(url: str, reach: Reach) -> None:
    """Whether a URL may be registered at all. Raises Invalid."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        host = None
    if not host or parts.scheme not in ("https", "http") or parts.username or parts.password or parts.fragment or not url.isascii():
        raise Invalid("not an https URL", location="url")
    if parts.scheme == "http" and not (reach.loopback and _is_loopback_name(host)):
        raise Invalid("not an https URL", location="url", advice="Plain http is for this machine alone, where the configuration allows it.")
    if _as_address(host) is not None and not permitted(host, reach):
        raise Invalid("the URL leads into a private network", location="url")


def permitted(address: str, reach: Reach) -> bool:
    """Whether a connection to this address may be made."""
    found = _as_address(address)
    if found is None or found.is_multicast or found.is_unspecified or found.is_link_local:
        return False  # link-local: where clouds keep their machines' credentials
    if found.is_loopback:
        return reach.loopback
    if any(found in network for network in _PRIVATE):
        return reach.private
    return found.is_global and not any(found in network for network in _SPECIAL) and (found.version == 4 or found in _UNICAST)


async def resolve(host: str, port: int) -> list[str]:
    """Ask the system's resolver."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(address[0]) for *_, address in found]


class Guarded(httpx.AsyncBaseTransport):
    """A transport that connects only where `reach` allows. Raises httpx.ConnectError where it does not."""

    def __init__(self, reach: Reach, resolve: Resolve = resolve) -> None:
        self._reach = reach
        self._resolve = resolve
        self._inner = httpx.AsyncHTTPTransport(verify=_tls(), trust_env=False)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        host = request.url.host
        try:
            addresses = await self._resolve(host, request.url.port or (443 if request.url.scheme == "https" else 80))
        except OSError:
            raise httpx.ConnectError("the host has no address", request=request) from None
        if not addresses or not all(permitted(address, self._reach) for address in addresses):
            raise httpx.ConnectError("the host is not one that may be reached", request=request)
        request.extensions = {**request.extensions, "sni_hostname": host}
        request.url = request.url.copy_with(host=addresses[0])
        return await self._inner.handle_async_request(request)

    async def aclose(self) -> None:
        await self._inner.aclose()


@cache
def _tls() -> ssl.SSLContext:
    """Reading the certificate authorities takes tens of milliseconds: once."""
    return httpx.create_ssl_context()


def _as_address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        address = ipaddress.ip_address(text.split("%")[0])
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def _is_loopback_name(host: str) -> bool:
    address = _as_address(host)
    return host == "localhost" or (address is not None and address.is_loopback)
