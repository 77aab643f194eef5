"""The hours in which each feed was heard, so that its silence can be told from its rhythm; filled from the inbox."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

INTEGER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")  # in order of its bytes, as SQLite has it
_HOUR = 3_600_000_000


def upgrade() -> None:
    op.create_table(
        "heard",
        sa.Column("feed", TEXT, nullable=False),
        sa.Column("hour", INTEGER, nullable=False, autoincrement=False),
        sa.Column("inputs", INTEGER, nullable=False, autoincrement=False),
        sa.Column("quarantined", INTEGER, nullable=False, autoincrement=False),
        sa.Column("last", INTEGER, nullable=False, autoincrement=False),
        sa.PrimaryKeyConstraint("feed", "hour"),
        sqlite_with_rowid=False,
    )
    hour = f"received / {_HOUR}"
    refused = "SUM(CASE WHEN state = 'quarantined' THEN 1 ELSE 0 END)"
    op.execute(f"INSERT INTO heard SELECT feed, {hour}, COUNT(*), {refused}, MAX(received) FROM input GROUP BY feed, {hour}")  # noqa: S608 - constants
