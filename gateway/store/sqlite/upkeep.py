"""See `gateway.store.upkeep`: what SQLite is asked in its own words."""

from __future__ import annotations

import sqlite3

from gateway.store.migrate import stored_revision


class SqliteUpkeep:
    """See `upkeep.Database`."""

    size = "SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()"
    flags = (
        "SELECT json_extract(flag.value, '$.code'), count(*) FROM transition t INDEXED BY transition_flagged, "
        "json_each(CAST(t.body AS TEXT), '$.flags') flag WHERE t.recipient = ? AND t.flagged = 1 GROUP BY 1"
    )

    def revision(self, connection: sqlite3.Connection) -> str | None:
        """The revision of the schema."""
        return stored_revision(connection)

    def unsound(self, connection: sqlite3.Connection) -> str:
        """Every page and every index of the file, looked at (`PRAGMA quick_check`)."""
        rows = connection.execute("PRAGMA quick_check(1)").fetchall()
        return "" if rows == [("ok",)] else "the file is damaged"
