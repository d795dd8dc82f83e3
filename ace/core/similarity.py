"""What one piece of advice is to another."""

from __future__ import annotations

from enum import StrEnum


class Relation(StrEnum):
    """The second look's verdict on two texts."""

    SAME = "same"
    CONTRADICTS = "contradicts"
    DIFFERENT = "different"
