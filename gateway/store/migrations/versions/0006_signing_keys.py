"""Tables for the issuer's signing keys, and for invitations to register a client."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

INTEGER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")  # in order of its bytes, as SQLite has it


def upgrade() -> None:
    op.create_table(
        "signing_key",
        sa.Column("kid", TEXT, nullable=False),
        sa.Column("created", INTEGER, nullable=False, autoincrement=False),
        sa.Column("public", TEXT, nullable=False),
        sa.Column("private", TEXT, nullable=False),
        sa.PrimaryKeyConstraint("kid"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "invitation",
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("role", TEXT, nullable=False),
        sa.Column("organization", TEXT, nullable=False),
        sa.Column("scopes", TEXT, nullable=False),
        sa.Column("feeds", TEXT, nullable=False),
        sa.Column("expires", INTEGER, nullable=False, autoincrement=False),
        sa.PrimaryKeyConstraint("digest"),
        sqlite_with_rowid=False,
    )
