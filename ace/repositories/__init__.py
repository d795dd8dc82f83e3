"""The only SQLAlchemy and the only commit."""
