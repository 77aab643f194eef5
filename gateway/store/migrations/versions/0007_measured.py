"""What the measure counts of each transition, apart from the transition itself; filled from the transitions that are stored."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

INTEGER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")  # in order of its bytes, as SQLite has it
_AT_ONCE = 1000
_STORED = (
    "SELECT id, body FROM transition WHERE recipient = (SELECT id FROM recipient WHERE name = '*') "
    "AND body IS NOT NULL AND id > :id ORDER BY id LIMIT :limit"
)


def upgrade() -> None:
    measured = op.create_table(
        "measured",
        sa.Column("transition", INTEGER, nullable=False, autoincrement=False),
        sa.Column("day", TEXT, nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("transition"),
    )
    op.create_index("measured_day", "measured", ["day"])
    after = 0
    while rows := op.get_bind().execute(sa.text(_STORED), {"id": after, "limit": _AT_ONCE}).fetchall():
        found = list(_measured(rows))
        if found:
            op.bulk_insert(measured, found)
        after = rows[-1][0]


def _measured(rows: Any) -> Iterator[dict[str, Any]]:
    """The case that stands in a transition's JSON, with what else the measure says of it."""
    for id, stored in rows:
        transition = json.loads(stored)
        case = transition.get("measure")
        if case is not None:
            about = {"hospital": transition.get("hospital") or "", "agency": transition.get("agency"), "patient": transition.get("patient") or ""}
            kept = {"transition": transition["id"], **about, **case}
            yield {"transition": id, "day": case["discharged"], "body": json.dumps(kept, ensure_ascii=False, separators=(",", ":")).encode()}
