"""The first tables: inbox, partitions and statements, resources and their versions, transitions, audit, credentials."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

INTEGER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")  # in order of its bytes, as SQLite has it


def _column(name: str, type: sa.types.TypeEngine[Any] = INTEGER, *, nullable: bool = False) -> sa.Column[Any]:
    return sa.Column(name, type, nullable=nullable, autoincrement=False)


def upgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":  # SQLite numbers rows itself
        op.execute("CREATE SEQUENCE input_number")
        op.execute("CREATE SEQUENCE id_block")
    op.create_table(
        "audit",
        _column("id"),
        _column("recorded"),
        _column("body", sa.LargeBinary()),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "body",
        _column("position"),
        _column("json", sa.LargeBinary()),
        sa.PrimaryKeyConstraint("position"),
    )
    op.create_table(
        "client",
        _column("id", TEXT),
        _column("role", TEXT),
        _column("organization", TEXT),
        _column("scopes", TEXT),
        _column("jwks", TEXT),
        _column("jwks_url", TEXT),
        _column("feeds", TEXT),
        _column("created"),
        _column("revoked", nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "clock",
        _column("id"),
        _column("position"),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "input",
        _column("id"),
        _column("kind", TEXT),
        _column("feed", TEXT),
        _column("control_id", TEXT),
        _column("digest", sa.LargeBinary()),
        _column("received"),
        _column("about", TEXT),
        _column("event", TEXT),
        _column("state", TEXT),
        _column("answer", sa.LargeBinary()),
        _column("error", TEXT),
        _column("location", TEXT),
        _column("original", nullable=True),
        _column("identifiers", TEXT),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(
        "input_accepted",
        "input",
        ["control_id", "feed", "digest", "state"],
        unique=True,
        sqlite_where=sa.text("state = 'processed'"),
        postgresql_where=sa.text("state = 'processed'"),
    )
    op.create_index(
        "input_duplicate",
        "input",
        ["original", "state"],
        sqlite_where=sa.text("state = 'duplicate'"),
        postgresql_where=sa.text("state = 'duplicate'"),
    )
    op.create_index(
        "input_refused",
        "input",
        ["control_id", "feed", "digest", "state"],
        sqlite_where=sa.text("state = 'quarantined'"),
        postgresql_where=sa.text("state = 'quarantined'"),
    )
    op.create_table("input_identifier", _column("value", TEXT), _column("input"), sa.PrimaryKeyConstraint("value", "input"), sqlite_with_rowid=False)
    op.create_table(
        "partition",
        _column("id"),
        _column("next_look", nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(
        "partition_due", "partition", ["next_look"], sqlite_where=sa.text("next_look IS NOT NULL"), postgresql_where=sa.text("next_look IS NOT NULL")
    )
    op.create_table(
        "partition_key", _column("hash", sa.LargeBinary()), _column("partition"), sa.PrimaryKeyConstraint("hash"), sqlite_with_rowid=False
    )
    op.create_index("partition_key_partition", "partition_key", ["partition"])
    op.create_table(
        "raw",
        _column("input"),
        _column("bytes", sa.LargeBinary()),
        sa.PrimaryKeyConstraint("input"),
    )
    op.create_table(
        "recipient",
        _column("id"),
        _column("name", TEXT),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("recipient_name", "recipient", ["name"], unique=True)
    op.create_table(
        "reference",
        _column("recipient"),
        _column("target", TEXT),
        _column("count"),
        sa.PrimaryKeyConstraint("recipient", "target"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "resource",
        _column("id"),
        _column("type"),
        _column("name", TEXT),
        _column("partition", nullable=True),
        _column("heads", sa.LargeBinary()),
        _column("terms", sa.LargeBinary()),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("resource_name", "resource", ["name", "type"], unique=True)
    op.create_index("resource_partition", "resource", ["partition"])
    op.create_table(
        "setting",
        _column("name", TEXT),
        _column("value", sa.LargeBinary()),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_table(
        "shared",
        _column("key", TEXT),
        _column("rank", TEXT),
        _column("digest", sa.LargeBinary()),
        sa.PrimaryKeyConstraint("key"),
        sqlite_with_rowid=False,
    )
    op.create_table("spent", _column("digest", sa.LargeBinary()), _column("keep_until"), sa.PrimaryKeyConstraint("digest"), sqlite_with_rowid=False)
    op.create_index("spent_keep_until", "spent", ["keep_until"])
    op.create_table(
        "statement",
        _column("id"),
        _column("partition"),
        _column("input"),
        _column("body", sa.LargeBinary()),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("statement_input", "statement", ["input"])
    op.create_index("statement_partition", "statement", ["partition"])
    op.create_table(
        "term",
        _column("parameter"),
        _column("value", TEXT),
        _column("resource"),
        sa.PrimaryKeyConstraint("parameter", "value", "resource"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "token",
        _column("digest", sa.LargeBinary()),
        _column("client", TEXT),
        _column("scopes", TEXT),
        _column("expires"),
        _column("issued"),
        _column("detail", TEXT),
        sa.PrimaryKeyConstraint("digest"),
        sqlite_with_rowid=False,
    )
    op.create_index("token_client", "token", ["client"])
    op.create_index("token_expires", "token", ["expires"])
    op.create_table(
        "transition",
        _column("id"),
        _column("name", TEXT),
        _column("recipient"),
        _column("partition", nullable=True),
        _column("position"),
        _column("status", TEXT),
        _column("flagged", sa.SmallInteger()),
        _column("tier", sa.SmallInteger()),
        _column("due"),
        _column("hospital", TEXT),
        _column("agency", TEXT),
        _column("shown", sa.SmallInteger()),
        _column("body", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("transition_feed", "transition", ["recipient", "position"])
    op.create_index(
        "transition_flagged",
        "transition",
        ["recipient", "flagged", "tier", "due", "name", "status"],
        sqlite_where=sa.text("flagged = 1"),
        postgresql_where=sa.text("flagged = 1"),
    )
    op.create_index("transition_list", "transition", ["recipient", "shown", "tier", "due", "name"])
    op.create_index("transition_name", "transition", ["name", "recipient"], unique=True)
    op.create_index("transition_partition", "transition", ["partition"])
    op.create_index("transition_status", "transition", ["recipient", "status", "shown", "tier", "due", "name"])
    op.create_table(
        "version",
        _column("resource"),
        _column("recipient"),
        _column("number"),
        _column("type"),
        _column("position"),
        _column("body", nullable=True),
        sa.PrimaryKeyConstraint("resource", "recipient", "number"),
        sqlite_with_rowid=False,
    )
    op.create_index("version_type", "version", ["recipient", "type", "position"])
    op.create_table(
        "word",
        _column("id"),
        _column("name", TEXT),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("word_name", "word", ["name"], unique=True)
