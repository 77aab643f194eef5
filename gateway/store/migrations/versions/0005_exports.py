"""Tables for bulk exports: what was asked for, and what its files are."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

INTEGER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")  # in order of its bytes, as SQLite has it


def upgrade() -> None:
    texts = [sa.Column(name, TEXT, nullable=False) for name in ("id", "client", "recipient", "request", "asked")]
    times = [sa.Column(name, INTEGER, nullable=False, autoincrement=False) for name in ("created", "expires", "moment")]
    work = [sa.Column(name, TEXT, nullable=False) for name in ("progress", "state", "files", "worker")]
    leased = sa.Column("leased", INTEGER, nullable=False, autoincrement=False)
    op.create_table("bulk_export", *texts, *times, *work, leased, sa.PrimaryKeyConstraint("id"))
    op.create_index("bulk_export_open", "bulk_export", ["state", "created", "id"])
    op.create_index("bulk_export_expires", "bulk_export", ["expires"])
