"""Cursors: opaque, and usable only by whom they were given to.

A cursor is a purpose ("transitions", or a search's own text), a recipient and a position, signed with the installation's key. The position alone
is written in it; purpose and recipient are only signed, so that a cursor says nothing about either.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac

from gateway.errors import Malformed

_SIGNATURE = 16


def make(key: bytes, purpose: str, recipient: str, position: int) -> str:
    """The cursor after `position`."""
    packed = position.to_bytes(8, "big", signed=True)
    return base64.urlsafe_b64encode(packed + _sign(key, purpose, recipient, packed)).decode().rstrip("=")


def read(key: bytes, purpose: str, recipient: str, cursor: str) -> int:
    """The position in a cursor. Raises Malformed for one that was not given to this recipient for this."""
    try:
        raw = base64.urlsafe_b64decode(cursor.encode("ascii") + b"=" * (-len(cursor) % 4)) if len(cursor) < 64 else b""
    except (binascii.Error, ValueError):
        raw = b""
    packed, signature = raw[:8], raw[8:]
    if len(raw) != 8 + _SIGNATURE or not hmac.compare_digest(signature, _sign(key, purpose, recipient, packed)):
        raise Malformed("This cursor was not given to this client", location="cursor", advice="Use the last one you were given, or start with none.")
    return int.from_bytes(packed, "big", signed=True)


def _sign(key: bytes, purpose: str, recipient: str, packed: bytes) -> bytes:
    return hmac.new(key, b"cursor\0" + purpose.encode() + b"\0" + recipient.encode() + b"\0" + packed, hashlib.sha256).digest()[:_SIGNATURE]
