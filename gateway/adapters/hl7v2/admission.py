"""Who may connect to a listener, how many, and what one connection may ask for."""

from __future__ import annotations

from dataclasses import dataclass

import structlog

from gateway.networks import allowed

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Limits:
    """What one connection may ask for."""

    frame_bytes: int = 16 * 1024 * 1024
    frame_seconds: float = 60.0  # from a frame's first byte to its last
    idle_seconds: float = 3600.0  # with nothing sent, nothing being handled, nothing to be fetched
    in_flight: int = 16  # messages handled at once
    between_bytes: int = 65_536  # text outside any frame, before it is taken that the client does not speak MLLP
    connections: int = 1000
    address_connections: int = 1000  # from one address
    allow: tuple[str, ...] = ()  # networks from which connections are taken; none: from everywhere
    held_bytes: int = 256 * 1024 * 1024  # of unfinished frames, of all connections; beyond it, whoever holds much is dropped
    close_seconds: float = 10.0  # for what is under way when the listener closes, and for a refused client to fetch its answer


@dataclass(slots=True)
class Counters:
    """What the listener has seen since it began; `open` alone goes down again."""

    connections: int = 0
    open: int = 0
    frames: int = 0
    bytes: int = 0
    refused: int = 0  # frames too large or too slow, clients that do not speak MLLP, connections too many
    hung_up: int = 0  # connections that ended within a frame, or before their answer was sent
    failed: int = 0  # messages left unanswered because they could not be handled


class Admission:
    """Counts a listener's connections by address. Of those that are not taken the log tells once a second, however many they are."""

    def __init__(self, limits: Limits, counters: Counters) -> None:
        self._limits, self._counters = limits, counters
        self._open: dict[str, int] = {}
        self._untold, self._told = 0, float("-inf")

    def takes(self, host: str, open: int, now: float, *, stopping: bool) -> bool:
        """Count a connection from an address, the `open`th of those that stand at `now` (seconds, monotonic), and say whether it is taken."""
        self._open[host] = self._open.get(host, 0) + 1
        if stopping:
            reason = "the gateway is stopping"
        elif not allowed(self._limits.allow, host):
            reason = "its address is not among those that are allowed"
        elif open > self._limits.connections:
            reason = "too many connections"
        elif self._open[host] > self._limits.address_connections:
            reason = "too many connections from one address"
        else:
            return True
        self._counters.refused += 1
        self._untold += 1
        if now - self._told >= 1:
            log.warning("mllp connection refused", reason=reason, peer=host, connections=self._untold)
            self._untold, self._told = 0, now
        return False

    def left(self, host: str) -> None:
        """One connection from there less."""
        self._open[host] -= 1
        if not self._open[host]:
            del self._open[host]
