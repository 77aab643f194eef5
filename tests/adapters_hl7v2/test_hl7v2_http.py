"""HL7 v2 over HTTP."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import httpx
import pytest
from fastapi import FastAPI, Request

from gateway.adapters.hl7v2.http import MEDIA_TYPE, router
from gateway.er7.acknowledgements import answers, parse_acknowledgement
from gateway.er7.batches import split
from gateway.er7.reader import read

AT = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)


def adt(control_id: str, accept: str = "", application: str = "") -> bytes:
    return f"MSH|^~\\&|ADT|STMARY|||20261122100000||ADT^A08|{control_id}|P|2.5.1|||{accept}|{application}\rPID|1||7\r".encode()


async def handle(body: bytes, request: Request) -> bytes | None:
    message = read(body)
    if message.control_id == "down":
        return None
    return answers(message, "AE" if message.control_id == "bad" else "AA", at=AT, control_id=lambda code: code)


@pytest.fixture
def post() -> Callable[..., httpx.Response]:
    app = FastAPI()
    app.include_router(router(handle, body_bytes=1000))

    def send(body: bytes, media_type: str | None = MEDIA_TYPE) -> httpx.Response:
        import asyncio

        async def ask() -> httpx.Response:
            async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://gateway") as client:
                return await client.post("/hl7/v2", content=body, headers={"content-type": media_type} if media_type else {})

        return asyncio.run(ask())

    return send


@pytest.mark.parametrize(
    ("body", "sent_as", "status", "answered_as", "told"),
    [
        (adt("1"), MEDIA_TYPE, 200, MEDIA_TYPE, [("1", "AA")]),
        (adt("1"), None, 200, MEDIA_TYPE, [("1", "AA")]),
        (adt("1"), "text/plain; charset=utf-8", 200, "text/plain", [("1", "AA")]),
        (b"\x0b" + adt("1") + b"\x1c\r", MEDIA_TYPE, 200, MEDIA_TYPE, [("1", "AA")]),
        (adt("bad"), MEDIA_TYPE, 200, MEDIA_TYPE, [("bad", "AE")]),  # an answer was given: the status is of the transport
        (adt("1") + adt("2"), MEDIA_TYPE, 200, MEDIA_TYPE, [("1", "AA"), ("2", "AA")]),
        (adt("1", "AL", "AL"), MEDIA_TYPE, 200, MEDIA_TYPE, [("1", "AA")]),  # one response: the application's
        (adt("bad", "AL", "AL"), MEDIA_TYPE, 200, MEDIA_TYPE, [("bad", "AE")]),
        (adt("1", "AL", "NE"), MEDIA_TYPE, 200, MEDIA_TYPE, [("1", "CA")]),
        (adt("1", "NE", "NE"), MEDIA_TYPE, 204, None, []),
        (adt("1", "NE", "NE") + adt("2", "NE", "NE"), MEDIA_TYPE, 204, None, []),
        (adt("1", "NE", "NE") + adt("2", "NE", "AL"), MEDIA_TYPE, 200, MEDIA_TYPE, [("2", "AA")]),
        (adt("down", "AL", "AL"), MEDIA_TYPE, 503, MEDIA_TYPE, [("down", "CE")]),
        (adt("down", "NE", "AL"), MEDIA_TYPE, 503, MEDIA_TYPE, [("down", "AR")]),
        (adt("down", "NE", "NE"), MEDIA_TYPE, 503, None, []),
        (adt("1") + adt("down"), MEDIA_TYPE, 503, MEDIA_TYPE, [("", "AR")]),
        (adt("down"), MEDIA_TYPE, 503, MEDIA_TYPE, [("down", "AR")]),
        (b" \r\n", MEDIA_TYPE, 400, MEDIA_TYPE, [("", "AR")]),
        (adt("1") * 20, MEDIA_TYPE, 413, MEDIA_TYPE, [("", "AR")]),
        (adt("1"), "application/json", 415, MEDIA_TYPE, [("", "AR")]),
        (adt("1"), "text/html", 415, MEDIA_TYPE, [("", "AR")]),
    ],
)
def test_what_is_posted_and_what_is_answered(
    post: Callable[..., httpx.Response], body: bytes, sent_as: str | None, status: int, answered_as: str | None, told: list[tuple[str, str]]
) -> None:
    response = post(body, sent_as)
    assert (response.status_code, response.headers.get("content-type")) == (status, answered_as)
    assert [parse_acknowledgement(piece)[:2] for piece in split(response.content)] == told


def test_a_batch_is_answered_by_a_batch(post: Callable[..., httpx.Response]) -> None:
    response = post(b"FHS|^~\\&|A|B\rBHS|^~\\&|ADT|STMARY|||||||B7\r" + adt("1") + b"BTS|1\rFTS|1\r")
    names = [line.split(b"|")[0] for line in response.content.split(b"\r")]
    assert names == [b"FHS", b"BHS", b"MSH", b"MSA", b"BTS", b"FTS", b""]


def test_a_batch_is_answered_by_a_batch_though_nobody_in_it_wants_an_answer(post: Callable[..., httpx.Response]) -> None:
    response = post(b"BHS|^~\\&|A\r" + adt("1", "NE", "NE") + b"BTS|2\r")
    assert response.status_code == 200
    assert [line[:3] for line in response.content.split(b"\r")] == [b"BHS", b"BTS", b""]
    assert response.content.split(b"\r")[1] == b"BTS|0|BTS-1 says 2; messages found: 1"


def test_an_empty_batch_is_a_batch(post: Callable[..., httpx.Response]) -> None:
    response = post(b"BHS|^~\\&|A||||||||B7\rBTS|0\r")
    assert response.status_code == 200
    assert [line.split(b"|")[0] for line in response.content.split(b"\r")] == [b"BHS", b"BTS", b""]
    assert response.content.endswith(b"|B7\rBTS|0\r")


def test_the_messages_of_one_body_are_handled_together_and_answered_in_their_order() -> None:
    import asyncio

    both = asyncio.Barrier(2)

    async def meet(body: bytes, request: Request) -> bytes | None:
        await asyncio.wait_for(both.wait(), 10)  # each waits for the other
        return await handle(body, request)

    app = FastAPI()
    app.include_router(router(meet))

    async def ask() -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://gateway") as client:
            return await client.post("/hl7/v2", content=adt("1") + adt("2"))

    assert [parse_acknowledgement(each)[0] for each in split(asyncio.run(ask()).content)] == ["1", "2"]
