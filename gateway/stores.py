"""The store that the settings name: opened, held for serving, or kept still; and what the settings and it give to the pure steps."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from gateway.errors import Usage
from gateway.pipeline import Configuration
from gateway.pipeline.own import put_own_resources
from gateway.records.ids import identifier
from gateway.settings import Settings
from gateway.store.sqlite import is_being_served, lock_for_serving, open_sqlite

if TYPE_CHECKING:
    from gateway.store.interface import Store
    from gateway.store.postgres import PostgresStore

DATABASE = "gateway.sqlite"


def open_store(settings: Settings, data: Path) -> Store:
    """The store that the settings name, made and migrated if there is none. Raises `Usage`, and `Unavailable` where it cannot be used."""
    if settings.store.url:
        return _open_postgres(settings)
    make_directory(data)
    return open_sqlite(data / DATABASE)


def _open_postgres(settings: Settings) -> PostgresStore:
    if not settings.store.url.startswith(("postgresql://", "postgres://")):
        raise Usage(
            "store.url names a store of an unknown kind", location="store.url", advice="Write postgresql://…, or leave it out: SQLite in --data."
        )
    from gateway.store.postgres import open_postgres  # with psycopg, for which whoever has a file should not wait

    return open_postgres(settings.store.url)


@contextmanager
def served_store(settings: Settings, data: Path) -> Iterator[Store]:
    """The store, held for serving. A file is served by one gateway, a database by any number. Raises `Usage` where another one serves the file."""
    if settings.store.url:
        with contextlib.closing(_open_postgres(settings)) as store, store.serving():
            yield store
    else:
        with contextlib.closing(open_store(settings, data)) as file, lock_for_serving(data):  # opened first: it may have to be migrated
            yield file


@contextmanager
def stopped(settings: Settings, data: Path) -> Iterator[None]:
    """Keeps every gateway from serving this store, for what can only be done while none does. Raises `Usage` where one serves."""
    if settings.store.url:
        with contextlib.closing(_open_postgres(settings)) as store, store.alone():
            yield
        return
    make_directory(data)
    if is_being_served(data):
        raise Usage("a gateway is serving this data", advice="Stop it, do this, and start it again.")
    with lock_for_serving(data):
        yield


@contextmanager
def opened_beside(settings: Settings, data: Path) -> Iterator[tuple[Store, Configuration]]:
    """The store that a gateway serves, for a process of its own that only looks; and what its pure steps are given."""
    with contextlib.closing(open_store(settings, data)) as store:
        yield store, configuration_of(settings, store)


def make_directory(data: Path) -> None:
    """The data directory, which its owner alone may look into."""
    try:
        data.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError:
        raise Usage("the data directory is none, and none can be made there", location=str(data), advice="Name another with --data.") from None


def configuration_of(settings: Settings, store: Store) -> Configuration:
    """What the pure steps are given."""
    return Configuration(identify=identifier(store.installation_key()), feeds=settings.feeds(), policy=settings.policy(), care=settings.care_policy())


def ensure_own_resources(store: Store, settings: Settings, now: int) -> None:
    """The gateway's Device, the agencies' Organizations as configured today, and users' Practitioners; `now` by the care clock, microseconds UTC."""
    configuration = configuration_of(settings, store)  # before the transaction: it may write the installation's key
    people = store.credentials.users.all()
    with store.write(now) as writer:
        put_own_resources(writer, configuration, people)
