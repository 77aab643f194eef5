"""`gateway store migrate` and `gateway store copy`."""

from __future__ import annotations

import sys
from contextlib import closing
from pathlib import Path
from typing import Annotated

import typer

from gateway.cli.options import Config, Data, data_of, settings_of
from gateway.cli.progress import counting
from gateway.errors import Usage

app = typer.Typer(help="The store: migrate it, and copy it to another database.", no_args_is_help=True, rich_markup_mode=None)


@app.command()
def migrate(data: Data = None, config: Config = None) -> None:
    """Bring the store to this version's schema. Every gateway that serves it must be stopped."""
    from gateway.store.migrate import REVISION
    from gateway.stores import open_store, stopped

    directory = data_of(data, config)
    settings = settings_of(directory, config)
    with stopped(settings, directory):
        pass  # it was refused, were it served; opening it migrates it, and takes the same lock itself
    open_store(settings, directory).close()
    print(f"the store is at revision {REVISION}", file=sys.stderr)


@app.command()
def copy(
    source: Annotated[str, typer.Argument(metavar="FROM", help="sqlite:DIR/gateway.sqlite")],
    target: Annotated[
        str, typer.Argument(metavar="TO", help="postgresql://USER@HOST:PORT/DATABASE, empty; the password from PGPASSWORD or ~/.pgpass.")
    ],
) -> None:
    """Copy a store into an empty PostgreSQL database, and compare every table. Both must be stopped; the copied one is not changed."""
    from gateway.store.copy import copy_store
    from gateway.store.postgres import open_postgres
    from gateway.store.sqlite import lock_for_serving, open_sqlite

    path = Path(source.removeprefix("sqlite:"))
    if not source.startswith("sqlite:") or not path.is_file():
        raise Usage("FROM names no SQLite store", location="FROM", advice="Write sqlite:DIR/gateway.sqlite.")
    if not target.startswith(("postgresql://", "postgres://")):
        raise Usage("TO names no PostgreSQL database", location="TO", advice="Write postgresql://USER@HOST:PORT/DATABASE.")
    open_sqlite(path).close()  # as this version has it
    with lock_for_serving(path.parent), closing(open_postgres(target)) as store, store.alone(), counting() as progress:
        copied = copy_store(path, store, progress)
    for table, rows, digest in copied:
        print(f"{table:17} {rows:12} {digest}")
    print(f"{sum(rows for _, rows, _ in copied)} rows of {len(copied)} tables are the same in both; now name it in store.url", file=sys.stderr)
