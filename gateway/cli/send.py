"""`gateway send`: a hospital's side of MLLP."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from gateway.adapters.hl7v2.sender import send_file as send_all
from gateway.logs import logs_as_json

ACCEPTED = ("AA", "CA")


def send_file(path: Path, to: str) -> int:
    """Send every message of the file in order; print each answer as it comes, of one message both where it gets two. 1 if any was refused."""
    logs_as_json()
    return asyncio.run(_send(path, to))


async def _send(path: Path, to: str) -> int:
    refused = 0
    async for answer in send_all(path, to):
        print(f"{answer.control_id or '-'} {answer.code} {answer.text}".rstrip(), flush=True)
        refused += answer.code not in ACCEPTED
    if refused:
        print(f"{refused} refused", file=sys.stderr)
    return 1 if refused else 0
