"""EDGE: what each feed showed last. Written out, not taken from tables.py."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    feed = sa.BigInteger().with_variant(sa.Integer, "sqlite")
    op.create_table(
        "shown",
        sa.Column("feed_id", feed, sa.ForeignKey("feeds.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("entries", sa.LargeBinary, nullable=False),
    )
