"""Tables for bulk exports: what was asked for, and its files."""

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
    """To be filled by whoever adds these tables."""
