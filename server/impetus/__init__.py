"""Impetus: a local-first AI backend for editors."""

__version__ = "0.1.0"
