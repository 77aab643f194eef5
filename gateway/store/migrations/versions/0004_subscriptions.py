"""Tables for subscriptions: what clients subscribed to, the changes that are to be told, their events, and where clients may be notified."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

INTEGER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")  # in order of its bytes, as SQLite has it


def _text(name: str) -> sa.Column[str]:
    return sa.Column(name, TEXT, nullable=False)


def _number(name: str, *, null: bool = False) -> sa.Column[int]:
    return sa.Column(name, INTEGER, nullable=null, autoincrement=False)


def _bytes(name: str, *, null: bool = False) -> sa.Column[bytes]:
    return sa.Column(name, sa.LargeBinary(), nullable=null)


def upgrade() -> None:
    op.create_table(
        "subscription",
        *(_text(name) for name in ("id", "client", "recipient", "status")),
        _bytes("resource"),
        _text("headers"),
        *(_number(name) for name in ("created", "updated", "patience", "number")),
        _text("error"),
        *(_number(name) for name in ("events", "delivered")),
        _text("again"),
        _number("failures"),
        _number("failing_since", null=True),
        *(_number(name) for name in ("since", "sent")),
        _number("due", null=True),
        _number("lease"),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("subscription_client", "subscription", ["client"])
    watched, due = sa.text("status <> 'off'"), sa.text("due IS NOT NULL")
    op.create_index("subscription_watched", "subscription", ["recipient"], sqlite_where=watched, postgresql_where=watched)
    op.create_index("subscription_due", "subscription", ["due"], sqlite_where=due, postgresql_where=due)
    op.create_table(
        "outbox",
        _number("position"),
        _number("recipient"),
        _text("transition"),
        _bytes("was", null=True),
        _bytes("became", null=True),
        sa.PrimaryKeyConstraint("position"),
    )
    op.create_table(
        "subscription_event",
        _text("subscription"),
        _number("number"),
        _text("transition"),
        *(_number(name) for name in ("at", "recorded")),
        _text("detail"),
        sa.PrimaryKeyConstraint("subscription", "number"),
        sqlite_with_rowid=False,
    )
    op.create_index("subscription_event_recorded", "subscription_event", ["recorded"])
    op.create_table(
        "client_endpoint",
        *(_text(name) for name in ("client", "prefix")),
        sa.PrimaryKeyConstraint("client", "prefix"),
        sqlite_with_rowid=False,
    )
