"""TOML files that people write: every mistake in them at once, each with its line and key."""

from consentsvc.toml_reading._tables import File, Mistake, Table

__all__ = ["File", "Mistake", "Table"]
