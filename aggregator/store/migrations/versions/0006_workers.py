"""EDGE: claims on feeds, leases and workers. Written out, not taken from tables.py."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"

_STRING = sa.String().with_variant(sa.String(collation="C"), "postgresql")


def upgrade() -> None:
    op.add_column("feeds", sa.Column("claimed_by", _STRING))
    op.add_column("feeds", sa.Column("claimed_until", sa.BigInteger))
    op.create_index("ix_feeds_claimed_by", "feeds", ["claimed_by"])
    op.create_table(
        "leases",
        sa.Column("name", _STRING, primary_key=True),
        sa.Column("holder", _STRING, nullable=False),
        sa.Column("token", sa.BigInteger, nullable=False),
        sa.Column("expires_at", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "workers",
        sa.Column("name", _STRING, primary_key=True),
        sa.Column("queues", sa.Text),
        sa.Column("started_at", sa.BigInteger, nullable=False),
        sa.Column("seen_at", sa.BigInteger, nullable=False),
        sa.Column("doing", _STRING, nullable=False),
        sa.Column("done", sa.Text),
    )
