"""Alembic's migrations; schema.py runs them. A new one is versions/NNNN_what.py, and tables.py changes with it."""
