"""A real server against clients that are slow on purpose: connections end, and the others are served."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import uvicorn
from fastapi import FastAPI, Request, Response
from prometheus_client import CollectorRegistry

from gateway.api.edge import guard
from gateway.api.requests import body
from gateway.api.traffic import Bounds, Traffic
from gateway.http_connections import ConnectionBounds, protocol

LARGE = 8_000_000
QUICK = ConnectionBounds(header_bytes=4096, header_seconds=0.15, body_seconds=0.6, stalled_seconds=0.15, connections=5)


def app() -> FastAPI:
    served = FastAPI(openapi_url=None)

    @served.post("/take")
    async def take(request: Request) -> Response:
        return Response(str(len(await body(request, 1000))).encode())

    @served.get("/large")
    async def large() -> Response:
        return Response(b"x" * LARGE)

    @served.post("/ignore")
    async def ignore() -> Response:
        return Response(b"ignored")

    guard(served, CollectorRegistry(), Traffic(Bounds(body_seconds=0.15)))
    return served


@asynccontextmanager
async def served(bounds: ConnectionBounds = QUICK) -> AsyncIterator[int]:
    """The port of a server that keeps to the bounds."""
    listening = socket.create_server(("127.0.0.1", 0))
    port: int = listening.getsockname()[1]
    server = uvicorn.Server(uvicorn.Config(app(), log_config=None, lifespan="off", ws="none", http=protocol(bounds), timeout_graceful_shutdown=1))
    server.capture_signals = contextlib.nullcontext  # type: ignore[method-assign, assignment]
    task = asyncio.create_task(server.serve(sockets=[listening]))
    try:
        assert await still_serves(port)  # what is loaded late is loaded
        yield port
    finally:
        server.should_exit = True
        await task


async def told(port: int, *pieces: bytes, pause: float = 0.05) -> bytes:
    """All that the server says until it ends the connection, whatever a client drips into it."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)

    async def drip() -> None:
        try:
            for piece in pieces:
                writer.write(piece)
                await writer.drain()
                await asyncio.sleep(pause)
        except ConnectionError:
            pass

    dripping = asyncio.create_task(drip())
    try:
        return await asyncio.wait_for(_all(reader), 10)
    finally:
        dripping.cancel()
        await ended(writer)


async def ended(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with contextlib.suppress(ConnectionError):
        await writer.wait_closed()


async def _all(reader: asyncio.StreamReader) -> bytes:
    try:
        return await reader.read()
    except ConnectionError:
        return b""


async def still_serves(port: int) -> bool:
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", verify=False) as http:
        return (await http.post("/take", content=b"12345")).text == "5"


def test_a_connection_that_says_nothing_ends() -> None:
    async def run() -> None:
        async with served() as port:
            assert await told(port) == b""
            assert await still_serves(port)

    asyncio.run(run())


def test_headers_that_never_end_end_the_connection() -> None:
    """One header every moment: each byte alone is quick enough for a time-out between bytes, which is therefore not what is watched."""

    async def run() -> None:
        async with served() as port:
            assert await told(port, b"GET /large HTTP/1.1\r\n", *[b"x-y: z\r\n"] * 100) == b""
            assert await still_serves(port)

    asyncio.run(run())


def test_headers_of_any_size_are_not_gathered() -> None:
    async def run() -> None:
        async with served() as port:
            answer = await told(port, b"GET /large HTTP/1.1\r\n", b"x-y: " + b"z" * 5000, pause=0)
            assert answer.startswith(b"HTTP/1.1 400 ")
            assert await still_serves(port)

    asyncio.run(run())


def test_a_body_that_drips_is_told_408_and_ends() -> None:
    async def run() -> None:
        async with served() as port:
            answer = await told(port, b"POST /take HTTP/1.1\r\nhost: x\r\ncontent-length: 500\r\n\r\n", *[b"x"] * 100)
            assert answer.startswith(b"HTTP/1.1 408 ")
            assert await still_serves(port)

    asyncio.run(run())


def test_a_body_that_goes_on_after_the_answer_ends() -> None:
    """The app has answered, and does not read: the connection still watches the body."""

    async def run() -> None:
        async with served() as port:
            answer = await told(port, b"POST /ignore HTTP/1.1\r\nhost: x\r\ncontent-length: 5000\r\n\r\n", *[b"x"] * 100)
            assert answer.startswith(b"HTTP/1.1 200 ")
            assert await still_serves(port)

    asyncio.run(run())


def test_a_reader_that_does_not_read_is_cut_off_and_a_slow_one_is_served() -> None:
    async def run() -> None:
        async with served() as port:
            asking = b"GET /large HTTP/1.1\r\nhost: x\r\n\r\n"
            with socket.socket() as stalled:
                stalled.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                stalled.connect(("127.0.0.1", port))
                stalled.sendall(asking)
                await asyncio.sleep(0.5)
                stalled.setblocking(False)
                got = b""
                try:
                    while piece := stalled.recv(1_000_000):
                        got += piece
                except ConnectionError:
                    pass
                assert len(got) < LARGE
            reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=65_536)
            writer.write(asking)
            read = 0
            while read < LARGE:
                piece = await reader.read(400_000)
                assert piece
                read += len(piece)
                await asyncio.sleep(0.02)  # longer in all than a reader may stall
            await ended(writer)

    asyncio.run(run())


def test_connections_beyond_the_most_are_ended_at_once() -> None:
    async def run() -> None:
        async with served(ConnectionBounds(connections=5)) as port:
            held = [await asyncio.open_connection("127.0.0.1", port) for _ in range(5)]
            await asyncio.sleep(0.05)
            assert await told(port) == b""
            for _, writer in held:
                await ended(writer)
            await asyncio.sleep(0.05)
            assert await still_serves(port)

    asyncio.run(run())


def test_a_connection_is_kept_for_one_request_after_the_other_and_for_several_at_once() -> None:
    async def run() -> None:
        async with served() as port:
            async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", verify=False) as http:
                for _ in range(20):
                    assert (await http.post("/take", content=b"12345")).text == "5"
                    await asyncio.sleep(0.02)  # in all longer than any one request may take
            request = b"POST /take HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\n\r\n12345"
            answers = await told(port, request * 3)
            assert answers.count(b"HTTP/1.1 200 ") == 3

    asyncio.run(run())


def test_a_socket_for_other_protocols_is_not_opened() -> None:
    async def run() -> None:
        async with served() as port:
            upgrade = b"GET /large HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n\r\n"
            assert b" 101 " not in (await told(port, upgrade))[:20]

    asyncio.run(run())
