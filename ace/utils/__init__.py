"""Adapters: one file per thing outside, named after it."""
