"""The store: SQLAlchemy Core on SQLite. `opening.open_store` gives a Store; the other modules each hold one noun."""
