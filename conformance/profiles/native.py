from __future__ import annotations

from collections.abc import Callable
from typing import Any

from conformance.profiles.run import Run

NATIVE: dict[str, Callable[[Any, Run], bool | None]] = {}
