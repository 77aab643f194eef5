"""How a store's tables come to be, and to change: Alembic's scripts, run by `gateway.store.migrate`."""
