"""EDGE: Alembic's entry: runs the migrations on the connection that schema.py hands over, in its transaction."""

from __future__ import annotations

from alembic import context

context.configure(connection=context.config.attributes["connection"], transactional_ddl=False)
context.run_migrations()
