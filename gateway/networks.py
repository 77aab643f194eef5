"""Who may connect, by address: allow-lists of networks. Pure."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from functools import lru_cache


def is_network(text: str) -> bool:
    """Whether it is a network ("10.1.0.0/16", "2001:db8::/32"), or one address."""
    try:
        ipaddress.ip_network(text)
    except ValueError:
        return False
    return True


@lru_cache(4096)
def allowed(networks: tuple[str, ...], host: str) -> bool:
    """Whether an address lies in one of the networks. No network: every address. An IPv4 address that is written as IPv6 is that IPv4 address."""
    if not networks:
        return True
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    return any(address in network for network in _networks(networks))


@lru_cache(256)
def _networks(texts: Sequence[str]) -> tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...]:
    return tuple(ipaddress.ip_network(text) for text in texts)
