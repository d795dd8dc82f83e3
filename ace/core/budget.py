"""A domain's budget: what it may spend on language models in a day of UTC, and when an episode may try again.

    spent today       of the episodes that would ask a model
    below each limit  the next is reflected on
    at a limit        none is, until the day ends or somebody raises the limit: looked at again every LOOK_AGAIN_S

What a call costs is known after it. So calls under way when a limit is reached are paid for, and none is begun after
it: with w workers a day's calls exceed the limit by those of w - 1 episodes at most.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Protocol

from ace.models.run import Limits

LOOK_AGAIN_S = 900.0


class Amount(Protocol):
    """What was used."""

    @property
    def calls(self) -> int: ...

    @property
    def tokens(self) -> int: ...

    @property
    def cost_usd(self) -> float: ...


def exceeded(limits: Limits, spent: Amount) -> str | None:
    """The first limit that leaves no room for another call, in words; None when there is room."""
    rows = ((limits.calls, spent.calls, "calls"), (limits.tokens, spent.tokens, "tokens"),
            (limits.cost_usd, spent.cost_usd, "US dollars"))  # fmt: skip
    return next((f"{limit:g} {unit} ({used:g} used)" for limit, used, unit in rows
                 if limit is not None and used >= limit), None)  # fmt: skip


def day_of(now: datetime) -> str:
    """The day of UTC, as in 2026-11-25."""
    return now.astimezone(UTC).date().isoformat()


def due_again(now: datetime) -> float:
    """When an episode is tried again that there was no budget for, in seconds since the epoch."""
    midnight = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
    return min(midnight.timestamp(), now.timestamp() + LOOK_AGAIN_S)
