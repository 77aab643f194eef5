"""HL7 v2 over HTTP: POST /hl7/v2 takes messages as their bytes and answers with acknowledgements as theirs.

Media types: x-application/hl7-v2+er7 and what senders use in its stead (application/hl7-v2, text/plain, text/hl7v2); none counts as the first.
The answer has the media type of the request. The character set is MSH-18's, as over MLLP; a charset parameter does not overrule it.

Status: 200 whenever there is an acknowledgement of a message, AE and AR too. The answer is then the acknowledgement, and a sender that reads
the status alone must not send for ever what will be refused for ever, as many do on 5xx, nor throw away the ERR segment, as many do on 4xx.
Other statuses are for bodies that were not read as messages (400 empty, 413 too large, 415 another media type), with an AR that says so, and
503 where a message could not be committed, with AR (CE in enhanced mode): it is to be sent again.

One message is answered by one ACK; a batch, or several messages in one body, by a batch of ACKs in their order. HL7 over HTTP (HAPI's
specification) knows one response message to a request, so where a sender in enhanced mode wants both answers it gets the application's, which
tells that the message was accepted too; and 204 without a body where it wants none.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

import structlog
from fastapi import APIRouter, Request, Response

from gateway.adapters.hl7v2.refusals import Mode, as_it_asks, own_control_id, refusal
from gateway.er7.acknowledgements import acknowledge_batch, one_of
from gateway.er7.batches import envelope, split
from gateway.errors import Malformed, TooLarge, Unavailable

log = structlog.get_logger(__name__)

MEDIA_TYPE = "x-application/hl7-v2+er7"
_MEDIA_TYPES = (MEDIA_TYPE, "application/hl7-v2+er7", "application/hl7-v2", "x-application/hl7-v2", "text/hl7v2", "text/plain")

_AT_A_TIME = 32
"""How many messages of one body are handled together, so that a batch is committed in groups."""

Handle = Callable[[bytes, Request], Awaitable[bytes | None]]
"""One message -> its answers, one after the other as `acknowledgements.answers` makes them; b"" where the sender wants none, None where nothing was
committed."""


class _WrongMediaType(Malformed):
    status = 415


Admit = Callable[[Request], None]
"""Who may call: raises for a caller who may not, and may leave in `request.state` what `handle` should know of one who may."""


def router(handle: Handle, *, admit: Admit = lambda request: None, body_bytes: int = 16 * 1024 * 1024, mode: Mode = as_it_asks) -> APIRouter:
    """The route. `admit` is asked before anything of a body is read; `handle` is called for its messages in order, some at a time."""
    routes = APIRouter()

    @routes.post("/hl7/v2", response_class=Response)
    async def receive(request: Request) -> Response:
        admit(request)
        media_type = _media_type(request) if _media_type(request) in _MEDIA_TYPES else MEDIA_TYPE
        try:
            body = await _body(request, body_bytes)
            status, answer = await _answer(body, request, handle, mode)
        except (Malformed, TooLarge) as error:
            status, answer = error.status, refusal(error)
        return Response(answer, status_code=status, headers={"content-type": media_type} if answer else None)

    return routes


async def _answer(body: bytes, request: Request, handle: Handle, mode: Mode) -> tuple[int, bytes]:
    messages, around = split(body), envelope(body)
    if not messages and around is None:
        raise Malformed("The body is empty", advice="Send one message or more.")
    answers = []
    for begin in range(0, len(messages), _AT_A_TIME):
        for answer in await asyncio.gather(*(handle(message, request) for message in messages[begin : begin + _AT_A_TIME])):
            if answer is None:
                unavailable = Unavailable("The message could not be taken now", advice="Send it again later.")
                return unavailable.status, refusal(unavailable, messages[0] if len(messages) == 1 else b"", mode)
            answers.append(one_of(answer))
    for problem in around.problems if around else []:
        log.warning("batch does not agree with its trailer", problem=problem)
    if around is None and not any(answers):
        return 204, b""
    if around is None and len(answers) == 1:
        return 200, answers[0]
    return 200, acknowledge_batch(answers, around, at=datetime.now(UTC), control_id=own_control_id())


def _media_type(request: Request) -> str:
    """The media type of request and answer, without parameters."""
    return request.headers.get("content-type", "").split(";")[0].strip().lower() or MEDIA_TYPE


async def _body(request: Request, limit: int) -> bytes:
    """The body, read no further than the limit."""
    if _media_type(request) not in _MEDIA_TYPES:
        raise _WrongMediaType("The media type is not one of HL7 v2", advice=f"Send {MEDIA_TYPE}.")
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > limit:
            raise TooLarge(f"The body is larger than the {limit:,} bytes that are taken", advice="Send it in parts.")
        parts.append(part)
    return b"".join(parts)
