"""EDGE: the outbox of digests, and digests that end at an item instead of a moment. Written out, not taken from tables.py."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

_STRING = sa.String().with_variant(sa.String(collation="C"), "postgresql")
_TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def _number() -> Any:
    return sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    op.execute("ALTER TABLE digests RENAME COLUMN delivered_at TO made_at")
    op.add_column("digests", sa.Column("after_item", sa.BigInteger))
    op.add_column("digests", sa.Column("up_to_item", sa.BigInteger, nullable=False, server_default="0"))
    op.add_column("digests", sa.Column("story_ids", sa.Text))
    op.execute("UPDATE digests SET up_to_item = COALESCE((SELECT MAX(id) FROM items WHERE arrived_at <= digests.to_at), 0)")
    op.create_table(
        "deliveries",
        sa.Column("id", _number(), primary_key=True),
        sa.Column("digest_id", _number(), sa.ForeignKey("digests.id", ondelete="CASCADE"), nullable=False),
        sa.Column("key", _STRING, nullable=False, unique=True),
        sa.Column("target", _STRING, nullable=False),
        sa.Column("zone", _STRING, nullable=False),
        sa.Column("parts", sa.Text),
        sa.Column("place", _TEXT, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("next_try_at", sa.BigInteger),
        sa.Column("delivered_at", sa.BigInteger),
        sa.Column("error", _TEXT),
    )
    op.create_index("ix_deliveries_digest_id", "deliveries", ["digest_id"])
    op.create_index("ix_deliveries_delivered_at", "deliveries", ["delivered_at"])
