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
CONFIGURATION = "gateway.toml"
Data = Annotated[
    Path | None,
    typer.Option(
        "--data", metavar="DIR", help="The data directory, made if there is none: where --config lies, else ./gateway-data.", envvar="GATEWAY_DATA"
    ),
]
Config = Annotated[
    Path | None,
    typer.Option(
        "--config", metavar="FILE", help="The configuration, if not DATA/gateway.toml.", envvar="GATEWAY_CONFIG", exists=True, dir_okay=False
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def data_of(data: Path | None, config: Path | None) -> Path:
    """The data directory: as said, else where the configuration lies, so that either of the two says both."""
    return data or (config.parent if config is not None else DEFAULT_DATA)


def settings_of(data: Path, config: Path | None) -> Settings:
    """The settings that a command works with."""
    from gateway.settings import load

    return load(config if config is not None else data / CONFIGURATION)


@contextmanager
def opened(data: Path | None, config: Path | None) -> Iterator[tuple[Store, Settings]]:
    """The store, made and migrated if need be, and the settings."""
    from gateway.logs import logs_as_json
    from gateway.stores import open_store

    logs_as_json()
    directory = data_of(data, config)
    settings = settings_of(directory, config)
    store = open_store(settings, directory)
    try:
        yield store, settings
    finally:
        store.close()
