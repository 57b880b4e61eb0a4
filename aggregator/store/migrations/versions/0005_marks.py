"""EDGE: what people follow, mute and star. Written out, not taken from tables.py."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

_STRING = sa.String().with_variant(sa.String(collation="C"), "postgresql")


def upgrade() -> None:
    op.create_table(
        "marks",
        sa.Column("kind", _STRING, nullable=False),
        sa.Column("target_id", sa.BigInteger, nullable=False),
        sa.Column("stance", _STRING, nullable=False),
        sa.Column("made_at", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("kind", "target_id"),
    )
