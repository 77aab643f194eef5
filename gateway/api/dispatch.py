"""The short way to what is asked most, reads, searches and polls: found by the steps of their path before an app's routes are tried one by one.

Trying them takes longer than a read. The same addresses stand among the routes, with every method that there is; what is not taken here goes there.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection

from fastapi import Request, Response
from starlette.routing import BaseRoute, Match
from starlette.types import Receive, Scope, Send

_FHIR = "/fhir/"
_HISTORY = "_history"
Answers = Callable[[Request, tuple[str, ...]], Awaitable[Response]]


class ShortWay(BaseRoute):
    """GET and HEAD of a resource, a type or their histories, by `interaction`; of a whole path, by one of `others`."""

    path_format = "/fhir/…"

    def __init__(self, types: Collection[str], interaction: Answers, others: dict[str, Callable[[Request], Awaitable[Response]]]) -> None:
        self._types, self._interaction, self._others = frozenset(types), interaction, others

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        if scope["type"] != "http" or scope["method"] not in ("GET", "HEAD"):
            return Match.NONE, {}
        path: str = scope["path"]
        if path in self._others or self._steps(path):
            return Match.FULL, {"endpoint": self._interaction}
        return Match.NONE, {}

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        request, path = Request(scope, receive, send), scope["path"]
        other = self._others.get(path)
        answer = await (other(request) if other is not None else self._interaction(request, self._steps(path)))
        await answer(scope, receive, send)

    def _steps(self, path: str) -> tuple[str, ...]:
        """The steps below the base of an interaction on a type or a resource; () for any other address."""
        if not path.startswith(_FHIR):
            return ()
        steps = tuple(path[len(_FHIR) :].split("/"))
        if steps[0] not in self._types or len(steps) > 4 or "$" in path or not all(steps):
            return ()
        return steps if len(steps) <= 2 or steps[2] == _HISTORY else ()
