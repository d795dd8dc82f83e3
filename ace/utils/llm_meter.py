"""What model calls cost, for the whole run and for each piece of it, and where the run has to stop.

    with meter.scope("run-7/1/task-12") as tally:      all calls made inside, in whatever thread, count here too
        ...
    tally.usage                                        calls, tokens, dollars

Scopes nest; their names, joined, tell the call ledger where a call was made. A call is counted when it is sent, its
tokens when they are known. Tokens and money are known only afterwards: calls under way when the limit is reached are
paid for, none is begun after it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from threading import Lock

from ace.core.budget import exceeded
from ace.errors import BudgetExhausted
from ace.models.run import Limits
from ace.models.task import Usage

ONE_CALL = Usage(calls=1)


@dataclass(slots=True)
class Tally:
    """What was used inside one scope, and the seconds its calls took together."""

    name: str = ""
    usage: Usage = field(default_factory=Usage)
    seconds: float = 0.0


_OPEN: ContextVar[tuple[Tally, ...]] = ContextVar("ace_llm_scopes", default=())


def scope_name() -> str:
    """The names of the open scopes, outermost first, joined by '/'."""
    return "/".join(tally.name for tally in _OPEN.get())


class Meter:
    """Counts for one run. `spent` is what earlier processes of the same run have used. Safe from several threads."""

    def __init__(self, limits: Limits | None = None, *, spent: Usage | None = None) -> None:
        self._limits, self._spent = limits or Limits(), spent or Usage()
        self._lock = Lock()

    @property
    def spent(self) -> Usage:
        return self._spent

    @contextmanager
    def scope(self, name: str) -> Iterator[Tally]:
        """Collect what is used inside."""
        tally = Tally(name)
        token = _OPEN.set((*_OPEN.get(), tally))
        try:
            yield tally
        finally:
            _OPEN.reset(token)

    def begin(self) -> None:
        """Count a call that is about to be sent. Raises BudgetExhausted when a limit leaves no room for it."""
        with self._lock:
            reached = exceeded(self._limits, self._spent)
            if reached is not None:
                raise BudgetExhausted(
                    f"The limit of {reached} is reached. What was paid for is kept: raise the limit and run again."
                )
            self._spent += ONE_CALL
            self._add(ONE_CALL, 0.0)

    def end(self, usage: Usage, seconds: float) -> None:
        """Count what a call that was begun has used: tokens and money, no further call."""
        with self._lock:
            self._spent += usage
            self._add(usage, seconds)

    def replayed(self, usage: Usage) -> None:
        """Count a call answered from the ledger: in the scopes it was made in, but it is not paid again."""
        with self._lock:
            self._add(usage, 0.0)

    def _add(self, usage: Usage, seconds: float) -> None:
        for tally in _OPEN.get():
            tally.usage += usage
            tally.seconds += seconds
