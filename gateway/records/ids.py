"""Resource ids: 128 bits of an HMAC of the subject's key, so that they are stable and cannot be guessed."""

from __future__ import annotations

import hashlib

from gateway.records.statements import Identify

_BLOCK = 64
"""Bytes of a SHA-256 block, to which HMAC (RFC 2104) fills its key."""


def identifier(key: bytes) -> Identify:
    """Ids under an installation's key: HMAC-SHA-256 of type and subject's key, the first 128 bits as 32 hex digits.

    The key is hashed once, here, and not again for every id.
    """
    if len(key) > _BLOCK:
        key = hashlib.sha256(key).digest()
    key = key.ljust(_BLOCK, b"\0")
    inner = hashlib.sha256(bytes(byte ^ 0x36 for byte in key)).copy
    outer = hashlib.sha256(bytes(byte ^ 0x5C for byte in key)).copy

    def identify(resource_type: str, subject: str) -> str:
        within, around = inner(), outer()
        within.update(f"{resource_type}|{subject}".encode())
        around.update(within.digest())
        return around.hexdigest()[:32]

    return identify
