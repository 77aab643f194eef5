"""Clients' key sets by URL: fetched when needed, kept no longer than the answer's Cache-Control says.

A key that is not in a kept set is looked for once more at its URL, but not more often than every REFETCH_AFTER seconds: an attacker's
invented key ids must not turn the gateway against a client's server.
"""

from __future__ import annotations

import asyncio
import json
import re
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field

import httpx

from gateway.errors import Invalid
from gateway.smart.keys import LARGEST_SET
from gateway.smart.outbound import Guarded, Reach, Resolve, check_url, resolve

TIMEOUT = 5.0  # seconds for the whole answer
KEPT_WITHOUT_WORD = 300  # seconds, when there is no Cache-Control
KEPT_AT_MOST = 3600  # seconds: a withdrawn key must stop working within the hour, whatever its server says
REFETCH_AFTER = 10  # seconds


@dataclass(slots=True)
class _Kept:
    text: str = ""
    fetched: float = float("-inf")
    until: float = float("-inf")
    fetches: int = 0
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


class KeySets:
    """The key sets of clients registered by URL. `clock` gives wall-clock seconds."""

    def __init__(self, clock: Callable[[], float], reach: Reach = Reach(), resolve: Resolve = resolve) -> None:
        self._clock = clock
        self._reach = reach
        self._resolve = resolve
        self._kept: dict[str, _Kept] = {}

    async def get(self, url: str, key_id: str) -> str:
        """The key set at a registered URL as JSON text; "" when it is not to be had."""
        kept = self._kept.setdefault(url, _Kept())
        fetches = kept.fetches
        if self._serves(kept, key_id):
            return kept.text
        async with kept.lock:
            if kept.fetches > fetches:
                return kept.text  # another request fetched it while this one waited
            answer = await self._fetch(url)
            kept.fetches += 1
            kept.fetched = self._clock()
            if answer is not None:
                kept.text, kept.until = answer[0], kept.fetched + answer[1]
            elif kept.until <= kept.fetched:
                kept.text = ""
        return kept.text

    def _serves(self, kept: _Kept, key_id: str) -> bool:
        now = self._clock()
        return kept.fetched <= now < kept.until and (_names(kept.text, key_id) or now < kept.fetched + REFETCH_AFTER)

    async def _fetch(self, url: str) -> tuple[str, float] | None:
        """The text and for how many seconds it may be kept; None for any failure."""
        try:
            check_url(url, self._reach)
            async with asyncio.timeout(TIMEOUT), httpx.AsyncClient(transport=Guarded(self._reach, self._resolve), follow_redirects=False) as client:
                return await self._read(client, url)
        except (Invalid, httpx.HTTPError, TimeoutError, ssl.SSLError, OSError, ValueError):
            return None

    async def _read(self, client: httpx.AsyncClient, url: str) -> tuple[str, float] | None:
        headers = {"Accept": "application/json", "Accept-Encoding": "identity"}  # unpacked, an answer could be of any size
        async with client.stream("GET", url, headers=headers) as answer:
            if answer.status_code != 200 or answer.headers.get("content-encoding", "identity") != "identity":
                return None
            body = b""
            async for piece in answer.aiter_raw():
                body += piece
                if len(body) > LARGEST_SET:
                    return None
            return body.decode("utf-8"), _life(answer.headers)


def _life(headers: httpx.Headers) -> float:
    """Seconds for which an answer may be kept (RFC 9111 sections 4.2 and 5.2.2)."""
    words = [word.strip().lower() for word in headers.get("cache-control", "").split(",") if word.strip()]
    if not words:
        return KEPT_WITHOUT_WORD
    if "no-store" in words or any(word.startswith("no-cache") for word in words):
        return 0
    ages = [re.fullmatch(r'max-age="?(\d{1,9})"?', word) for word in words if word.startswith("max-age")]
    if not ages:
        return KEPT_WITHOUT_WORD
    age = headers.get("age", "0")
    spent = int(age) if age.isdecimal() else 0
    return max(0, min(KEPT_AT_MOST, *(int(found[1]) if found else 0 for found in ages)) - spent)


def _names(text: str, key_id: str) -> bool:
    try:
        document = json.loads(text)
        return any(key.get("kid") == key_id for key in document["keys"])
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return False
