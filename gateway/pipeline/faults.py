"""Faults of ours: what may be said of an exception that nobody foresaw."""

from __future__ import annotations


def where(fault: BaseException) -> str:
    """The last place of ours in a traceback: module and line, without any value."""
    place, trace = "", fault.__traceback__
    while trace is not None:
        name = trace.tb_frame.f_globals.get("__name__", "")
        if name.split(".")[0] in ("gateway", "transitions"):
            place = f"{name}:{trace.tb_lineno}"
        trace = trace.tb_next
    return place
