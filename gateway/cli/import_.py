"""`gateway import`: files through the same journey as messages."""

from __future__ import annotations

import gc
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from gateway.cli.options import opened
from gateway.cli.progress import counting
from gateway.errors import Usage

if TYPE_CHECKING:
    from gateway.adapters.files.taking import Tally

TOLD = 20
"""How many refusals are told one by one; the rest is counted."""


def import_files(paths: Sequence[Path], feed: str, data: Path | None, config: Path | None, *, as_json: bool) -> int:
    """Take what the paths hold and say what came of it. 1 if any of it was refused."""
    from gateway.adapters.files.reading import files_in
    from gateway.adapters.files.taking import take_files
    from gateway.memory import give_back_large_blocks
    from gateway.stores import configuration_of, ensure_own_resources

    give_back_large_blocks()
    files, others = files_in(paths)
    if others:
        print(f"{others} files of the directories are of other kinds and were passed over", file=sys.stderr)
    with opened(data, config) as (store, settings), counting() as progress:
        configuration = configuration_of(settings, store)
        if feed and feed not in (known := [each.name for each in configuration.feeds]):
            raise Usage(f"there is no feed named {feed}", advice=f"Name one of: {', '.join(known)}." if known else "Configure it in gateway.toml.")
        ensure_own_resources(store, settings, time.time_ns() // 1000)
        gc.freeze()
        gc.set_threshold(50_000, 20, 50)
        tally = take_files(store, configuration, files, feed, lambda: time.time_ns() // 1000, progress)
    _print_json(tally) if as_json else _print(tally)
    return 1 if tally.refused else 0


def _print(tally: Tally) -> None:
    refused = sum((each.types for each in tally.refused), start=type(tally.read)())
    print(f"{'':<28}{'read':>10}{'taken':>10}{'known':>10}{'refused':>10}")
    for kind in [*sorted(tally.read), ""]:
        counts = [each[kind] if kind else each.total() for each in (tally.read, tally.taken, tally.known, refused)]
        print(f"{kind or 'all':<28}" + "".join(f"{number:>10,}" for number in counts) + ("  kept in the inbox alone" if kind in tally.kept else ""))
    for one in tally.refused[:TOLD]:
        where = f", {one.place}" if one.place else ""
        print(f"refused: {one.file}{where}: {one.why}" + (f" Message {one.input} of the inbox." if one.input else ""), file=sys.stderr)
    if len(tally.refused) > TOLD:
        print(f"and {len(tally.refused) - TOLD} more: gateway messages list --state quarantined", file=sys.stderr)


def _print_json(tally: Tally) -> None:
    import orjson

    refused = [
        {"file": str(one.file), "place": one.place, "why": one.why, "resources": one.types.total(), "message": one.input} for one in tally.refused
    ]
    told = {"read": tally.read, "taken": tally.taken, "known": tally.known, "kept": tally.kept, "refused": refused}
    sys.stdout.buffer.write(orjson.dumps(told, option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS) + b"\n")
