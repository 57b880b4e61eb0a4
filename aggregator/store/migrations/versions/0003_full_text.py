"""EDGE: full texts of items, beside their summaries. The schema of that day, written out, not taken from tables.py."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

_TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    op.add_column("items", sa.Column("full_text", _TEXT))
