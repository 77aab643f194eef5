"""See `gateway.store.upkeep`: what PostgreSQL is asked in its own words."""

from __future__ import annotations

from gateway.store.migrate import stored_revision_of_postgres
from gateway.store.postgres.connection import Link

_DURABLE = "SELECT name FROM pg_settings WHERE name IN ('fsync', 'full_page_writes') AND setting = 'off' ORDER BY name"


class PostgresUpkeep:
    """See `upkeep.Database`."""

    size = (
        "SELECT coalesce(sum(pg_total_relation_size(c.oid)), 0)::int8 FROM pg_class c "
        "WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind = 'r'"
    )
    flags = (
        "SELECT flag ->> 'code', count(*) FROM transition t, jsonb_array_elements(convert_from(t.body, 'UTF8')::jsonb -> 'flags') flag "
        "WHERE t.recipient = ? AND t.flagged = 1 GROUP BY 1"
    )

    def revision(self, connection: Link) -> str | None:
        """The revision of the schema."""
        return stored_revision_of_postgres(connection.raw)

    def unsound(self, connection: Link) -> str:
        """Whether the server keeps what it says that it committed."""
        off = [row[0] for row in connection.execute(_DURABLE)]
        return f"PostgreSQL runs with {' and '.join(off)} off, and may lose what it committed" if off else ""
