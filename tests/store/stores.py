"""Stores for these tests: a migrated file is copied, because migrating takes longer than most tests."""

from __future__ import annotations

import functools
import hashlib
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gateway.store.interface import Input
from gateway.store.sqlite import SqliteStore, open_sqlite


@functools.cache
def _template() -> Path:
    path = Path(tempfile.mkdtemp()) / "template.db"
    open_sqlite(path).close()
    return path


@contextmanager
def fresh(*, busy: float = 5.0) -> Iterator[SqliteStore]:
    """An empty store in a directory of its own, which goes with it."""
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "gateway.db"
        shutil.copy(_template(), path)
        store = open_sqlite(path, busy=busy)
        try:
            yield store
        finally:
            store.close()


def an_input(raw: bytes = b"MSH|1", **fields: object) -> Input:
    """An input of feed `st-mary` with control ID `1`, unless said otherwise."""
    values: dict[str, object] = {"id": 0, "kind": "hl7v2", "feed": "st-mary", "control_id": "1", "received": 5, **fields}
    return Input(digest=hashlib.sha256(raw).digest(), raw=raw, **values)  # type: ignore[arg-type]
