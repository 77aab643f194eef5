"""Options that many commands share, and opening what they name."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from gateway.settings import Settings
    from gateway.store.interface import Store

DEFAULT_DATA = Path("gateway-data")
Data = Annotated[Path, typer.Option("--data", help="The data directory (made if there is none).", envvar="GATEWAY_DATA")]
Config = Annotated[Path | None, typer.Option("--config", help="The configuration (DATA/gateway.toml if not said).", exists=True, dir_okay=False)]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def settings_of(data: Path, config: Path | None) -> Settings:
    """The settings that a command works with."""
    from gateway.settings import load

    return load(config if config is not None else data / "gateway.toml")


@contextmanager
def opened(data: Path, config: Path | None) -> Iterator[tuple[Store, Settings]]:
    """The store, made and migrated if need be, and the settings."""
    from gateway.app import open_store

    settings = settings_of(data, config)
    store = open_store(settings, data)
    try:
        yield store, settings
    finally:
        store.close()
