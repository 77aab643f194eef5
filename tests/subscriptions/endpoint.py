"""A subscriber's endpoint: a real HTTP server that keeps what it is sent, and answers as it is told."""

from __future__ import annotations

import asyncio
from typing import Any, NamedTuple

import orjson

Json = dict[str, Any]


class Delivery(NamedTuple):
    """One request that the endpoint took or refused."""

    path: str
    headers: dict[str, str]
    body: Json

    def parameter(self, name: str) -> Any:
        """The value of a parameter of the status that comes first."""
        found = [one for one in self.body["entry"][0]["resource"]["parameter"] if one["name"] == name]
        return next((value for key, value in found[0].items() if key.startswith("value")), None) if found else None

    @property
    def type(self) -> str:
        return str(self.parameter("type"))

    @property
    def events(self) -> list[dict[str, list[Any]]]:
        """Each event's parts by name."""
        made = []
        for one in self.body["entry"][0]["resource"]["parameter"]:
            if one["name"] == "notification-event":
                parts: dict[str, list[Any]] = {}
                for part in one["part"]:
                    parts.setdefault(part["name"], []).append(next(value for key, value in part.items() if key.startswith("value")))
                made.append(parts)
        return made

    @property
    def numbers(self) -> list[int]:
        return [int(one["event-number"][0]) for one in self.events]


class Endpoint:
    """Listens on a port of its own. `answers` are the statuses of the next requests, 200 when there are none left."""

    def __init__(self) -> None:
        self.got: list[Delivery] = []
        self.answers: list[int] = []
        self.more: list[str] = []  # headers of every answer
        self.before: Any = None  # awaited before the next answer
        self.always: Any = None  # awaited before every answer
        self._server: asyncio.Server | None = None
        self._serving: set[asyncio.Task[None] | None] = set()

    @property
    def url(self) -> str:
        assert self._server is not None
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def open(self, port: int = 0) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", port)

    async def close(self) -> None:
        assert self._server is not None
        self._server.close()
        for task in self._serving - {None}:
            task.cancel()  # type: ignore[union-attr]
        await asyncio.sleep(0)
        await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._serving.add(asyncio.current_task())
        try:
            start, *lines = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
            headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines if line)}
            body = await reader.readexactly(int(headers["content-length"]))
            self.got.append(Delivery(start.split()[1], headers, orjson.loads(body)))
            if self.before is not None:
                step, self.before = self.before, None
                await step()
            if self.always is not None:
                await self.always()
            status = self.answers.pop(0) if self.answers else 200
            more = "".join(f"{line}\r\n" for line in self.more)
            writer.write(f"HTTP/1.1 {status} X\r\n{more}Content-Length: 0\r\nConnection: close\r\n\r\n".encode())
            await writer.drain()
        finally:
            self._serving.discard(asyncio.current_task())
            writer.close()

    def types(self) -> list[str]:
        return [one.type for one in self.got]

    def events(self) -> list[Delivery]:
        return [one for one in self.got if one.type == "event-notification"]
