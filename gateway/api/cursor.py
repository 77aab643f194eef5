"""Cursors: opaque, and usable only by whom they were given to.

A cursor is a position, or a place in a sorted result, sealed with the installation's key together with its purpose ("transitions", or a search's own
text) and its recipient. It shows none of the three: how far positions lie apart would tell how much happens that the recipient may not see. The seal
is AES-SIV (RFC 5297), which needs no nonce: the same place is always the same cursor, and nothing is kept of those that were given.
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
_SEAL = 16  # bytes
_LONGEST = 8_192  # characters


def make(key: bytes, purpose: str, recipient: str, position: int) -> str:
    """The cursor after `position`."""
    return make_place(key, purpose, recipient, position.to_bytes(_POSITION, "big", signed=True))


def make_place(key: bytes, purpose: str, recipient: str, place: bytes) -> str:
    """The cursor after a place in an order of its own."""
    return base64.urlsafe_b64encode(_seal(key).encrypt(place, [purpose.encode(), recipient.encode()])).decode()


def read(key: bytes, purpose: str, recipient: str, cursor: str) -> int:
    """The position in a cursor. Raises Malformed for one that was not given to this recipient for this."""
    place = read_place(key, purpose, recipient, cursor)
    if len(place) != _POSITION:
        raise _foreign()
    return int.from_bytes(place, "big", signed=True)


def read_place(key: bytes, purpose: str, recipient: str, cursor: str) -> bytes:
    """The place in a cursor. Raises Malformed likewise."""
    try:
        sealed = base64.b64decode(cursor.encode("ascii") if len(cursor) <= _LONGEST else b"", altchars=b"-_", validate=True)
        return _seal(key).decrypt(sealed if len(sealed) > _SEAL else bytes(_SEAL + 1), [purpose.encode(), recipient.encode()])
    except (binascii.Error, ValueError, InvalidTag):
        raise _foreign() from None


def _foreign() -> Malformed:
    return Malformed("This cursor was not given to this client", location="cursor", advice="Use the last one you were given, or start with none.")


@lru_cache(maxsize=4)
def _seal(key: bytes) -> AESSIV:
    """The cipher under a key that serves for cursors alone."""
    return AESSIV(hmac.digest(key, b"cursor", hashlib.sha512))
