"""Cursors: opaque, and usable only by whom they were given to.

A cursor is a position, sealed with the installation's key together with its purpose ("transitions", or a search's own text) and its recipient. It
shows none of the three: how far positions lie apart would tell how much happens that the recipient may not see. The seal is AES-SIV (RFC 5297), which
needs no nonce: the same position is always the same cursor, and nothing is kept of those that were given.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from functools import lru_cache

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV

from gateway.errors import Malformed

_POSITION = 8  # bytes
_LENGTH = 32  # characters: 16 bytes of seal and the position, in base64


def make(key: bytes, purpose: str, recipient: str, position: int) -> str:
    """The cursor after `position`."""
    sealed = _seal(key).encrypt(position.to_bytes(_POSITION, "big", signed=True), [purpose.encode(), recipient.encode()])
    return base64.urlsafe_b64encode(sealed).decode()


def read(key: bytes, purpose: str, recipient: str, cursor: str) -> int:
    """The position in a cursor. Raises Malformed for one that was not given to this recipient for this."""
    try:
        sealed = base64.b64decode(cursor.encode("ascii") if len(cursor) == _LENGTH else b"", altchars=b"-_", validate=True)
        position = _seal(key).decrypt(sealed, [purpose.encode(), recipient.encode()])
    except (binascii.Error, ValueError, InvalidTag):
        raise Malformed(
            "This cursor was not given to this client", location="cursor", advice="Use the last one you were given, or start with none."
        ) from None
    return int.from_bytes(position, "big", signed=True)


@lru_cache(maxsize=4)
def _seal(key: bytes) -> AESSIV:
    """The cipher under a key that serves for cursors alone."""
    return AESSIV(hmac.digest(key, b"cursor", hashlib.sha512))
