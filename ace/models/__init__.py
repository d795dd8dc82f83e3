"""Nouns: frozen values that know how to become and how to leave plain JSON, and decide nothing."""
