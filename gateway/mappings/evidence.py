"""What several records give assessment alike: diagnosis facts as codes, inbox messages as evidence, times that may be unknown. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from gateway.records.record import Source
from gateway.records.times import moment
from transitions import model


def codes(facts: Iterable[Any]) -> tuple[model.Code, ...]:
    """Diagnosis facts as codes."""
    return tuple(
        model.Code(str(each.get("text") or ""), str(each.get("code") or ""), str(each.get("system") or ""), bool(each.get("principal")))
        for each in facts
    )


def evidence(sources: Iterable[Source], why: str = "") -> tuple[model.Evidence, ...]:
    """Inbox messages as evidence; one that was sent again tells nothing new."""
    told = (
        model.Evidence(
            f"{why + ': ' if why else ''}{each.event or 'record'} from {each.sender}"
            + (f", control ID {each.control_id}" if each.control_id else "")
            + (f", taken for this stay {each.taken}, not by a visit number" if each.taken else ""),
            f"message {each.name}",
        )
        for each in sources
    )
    return tuple(dict.fromkeys(told))


def moment_or_none(at: int | None, zone: str) -> datetime | None:
    """A time in a zone, where there is one. `at` in microseconds UTC."""
    return None if at is None else moment(at, zone)
