"""Tables for users and grants: who logs in, authorization codes, refresh tokens, launches; and what a client is beyond its keys."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

INTEGER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")  # in order of its bytes, as SQLite has it


def _text(name: str) -> sa.Column[str]:
    return sa.Column(name, TEXT, nullable=False)


def _bytes(name: str, *, null: bool = False) -> sa.Column[bytes]:
    return sa.Column(name, sa.LargeBinary(), nullable=null)


def _number(name: str, *, null: bool = False) -> sa.Column[int]:
    return sa.Column(name, INTEGER, nullable=null, autoincrement=False)


def upgrade() -> None:
    op.add_column("client", sa.Column("about", TEXT, nullable=False, server_default="{}"))
    op.create_index("token_detail", "token", ["detail"])
    op.create_table(
        "account",
        *(_text(name) for name in ("id", "name", "full_name", "role", "organization", "practitioner", "password")),
        _number("created"),
        _number("revoked", null=True),
        sa.PrimaryKeyConstraint("id"),
        sqlite_with_rowid=False,
    )
    op.create_index("account_name", "account", ["name"], unique=True)
    op.create_table(
        "login",
        _bytes("digest"),
        _text("account"),
        _number("at"),
        _number("expires"),
        sa.PrimaryKeyConstraint("digest"),
        sqlite_with_rowid=False,
    )
    op.create_index("login_account", "login", ["account"])
    op.create_index("login_expires", "login", ["expires"])
    op.create_table(
        "app_grant",
        *(_text(name) for name in ("id", "client", "account", "scopes", "patient", "encounter")),
        _bytes("login", null=True),
        *(_number(name) for name in ("authenticated", "created", "expires")),
        sa.PrimaryKeyConstraint("id"),
        sqlite_with_rowid=False,
    )
    op.create_index("app_grant_expires", "app_grant", ["expires"])
    op.create_table(
        "code",
        _bytes("digest"),
        *(_text(name) for name in ("granted", "redirect_uri", "challenge", "nonce")),
        _number("expires"),
        _number("used", null=True),
        sa.PrimaryKeyConstraint("digest"),
        sqlite_with_rowid=False,
    )
    op.create_index("code_granted", "code", ["granted"])
    op.create_table(
        "refresh",
        _bytes("digest"),
        _text("granted"),
        _number("expires"),
        _number("used", null=True),
        sa.PrimaryKeyConstraint("digest"),
        sqlite_with_rowid=False,
    )
    op.create_index("refresh_granted", "refresh", ["granted"])
    op.create_table(
        "launch",
        _bytes("digest"),
        *(_text(name) for name in ("client", "patient", "encounter")),
        _number("expires"),
        sa.PrimaryKeyConstraint("digest"),
        sqlite_with_rowid=False,
    )
