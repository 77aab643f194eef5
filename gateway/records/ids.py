"""Resource ids: 128 bits of an HMAC of the subject's key, so that they are stable and cannot be guessed."""

from __future__ import annotations

import hmac

from gateway.records.statements import Identify


def identifier(key: bytes) -> Identify:
    """Ids under an installation's key: HMAC-SHA-256 of type and subject's key, the first 128 bits as 32 hex digits."""

    def identify(resource_type: str, subject: str) -> str:
        return hmac.digest(key, f"{resource_type}|{subject}".encode(), "sha256")[:16].hex()

    return identify
