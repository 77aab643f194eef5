"""Alembic's entry: runs the scripts on the connection that `gateway.store.migrate` hands over, inside its transaction."""

from alembic import context

from gateway.store.schema import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata, transactional_ddl=True)
context.run_migrations()
