"""Moments as exports write them: ISO 8601, UTC where nothing else is said; or a number, since the epoch."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

IN_MS, IN_US, IN_NS = 1e11, 1e14, 1e17  # from here on a number counts milliseconds, microseconds, nanoseconds


def seconds(value: Any) -> float:
    """Seconds since the epoch; 0 for what cannot be read."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return _since_epoch(float(value))
    if not isinstance(value, str):
        return 0.0
    if value.isdecimal() and len(value) < 20:
        return _since_epoch(float(value))
    try:
        found = datetime.fromisoformat(value.strip())
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return 0.0


def _since_epoch(number: float) -> float:
    scale = 1e9 if number >= IN_NS else 1e6 if number >= IN_US else 1e3 if number >= IN_MS else 1.0
    return number / scale
