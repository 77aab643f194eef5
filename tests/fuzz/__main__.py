"""`make fuzz`: coverage-guided fuzzing (atheris) of the reader, the translator, explain, the acknowledgement and the starter profile.

    python -m tests.fuzz -max_total_time=120 CORPUS     libFuzzer's options and a directory of inputs (`tests.fuzz.seeds` makes one)
    python -m tests.fuzz FILE                           one input again

An input that fails is written to a file `crash-…` and ends the run. libFuzzer says at the end how many inputs were run.
"""

from __future__ import annotations

import sys
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["gateway.er7", "gateway.mappings"]):
    from tests.fuzz import checks


def one(data: bytes) -> None:
    """One input: its first byte says by which profile, and what is tried beside; `explain` costs hundreds of translations, and is tried with few."""
    kind = data[0] if data else 0
    checks.check(data[1:], checks.PROFILES[kind & 1], accounted=kind & 14 == 2)
    if kind & 14 == 4:
        checks.check_starter(data[1:])


atheris.Setup([sys.argv[0], f"-dict={Path(__file__).with_name('words.dict')}", *sys.argv[1:]], one)
atheris.Fuzz()
