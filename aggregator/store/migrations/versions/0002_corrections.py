"""EDGE: what people put right about stories. Written out, not taken from tables.py."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

_STRING = sa.String().with_variant(sa.String(collation="C"), "postgresql")


def _number() -> Any:
    return sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    op.create_table(
        "corrections",
        sa.Column("id", _number(), primary_key=True),
        sa.Column("verb", _STRING, nullable=False),
        sa.Column("made_at", sa.BigInteger, nullable=False),
        sa.Column("story_ids", sa.Text),
        sa.Column("memberships", sa.Text),
        sa.Column("stories", sa.Text),
        sa.Column("redirects", sa.Text),
    )
    op.create_table(
        "correction_items",
        sa.Column("correction_id", _number(), sa.ForeignKey("corrections.id", ondelete="CASCADE"), nullable=False),
        sa.Column("item_id", _number(), sa.ForeignKey("items.id", ondelete="CASCADE"), nullable=False),
        sa.Column("role", _STRING, nullable=False),
        sa.PrimaryKeyConstraint("correction_id", "item_id"),
    )
    op.create_index("ix_correction_items_item_id", "correction_items", ["item_id"])
