"""`gateway doctor`."""

from __future__ import annotations

import contextlib
import sys
import time
from pathlib import Path

import orjson

from gateway.cli.options import data_of, settings_of
from gateway.operations.checks import Check, Verdict, any_failed


def examine_all(data: Path | None, config: Path | None, *, as_json: bool) -> int:
    """Print every check; the exit code is 1 where one failed."""
    from gateway.certificates import expiry
    from gateway.logs import logs_as_json
    from gateway.operations.doctor import examine
    from gateway.stores import open_store

    logs_as_json()
    directory = data_of(data, config)
    settings = settings_of(directory, config)
    found = examine(settings, directory, lambda: contextlib.closing(open_store(settings, directory)), expiry, time.time_ns() // 1000)
    if as_json:
        rows = [{"check": each.name, "verdict": each.verdict.value, "words": each.words, "advice": each.advice or None} for each in found]
        sys.stdout.buffer.write(orjson.dumps(rows, option=orjson.OPT_INDENT_2) + b"\n")
    else:
        print(_aligned(found))
    return int(any_failed(found))


_WORDS = {Verdict.OK: "ok", Verdict.WARNING: "look", Verdict.FAILED: "FAILED"}


def _aligned(found: list[Check]) -> str:
    """A line a check, and below those that are not well what to do."""
    width = max(len(each.name) for each in found)
    lines = []
    for each in found:
        lines.append(f"{_WORDS[each.verdict]:6}  {each.name:{width}}  {each.words}")
        if each.advice:
            lines.append(f"{'':6}  {'':{width}}  -> {each.advice}")
    failures, looks = (sum(each.verdict is verdict for each in found) for verdict in (Verdict.FAILED, Verdict.WARNING))
    lines.append(f"{len(found)} checks: {failures} failed, {looks} to look at")
    return "\n".join(lines)
