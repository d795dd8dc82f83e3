"""A total deadline for one call, however many steps, retries and redirects it takes.

A socket's timeout is no deadline: a server that sends one byte each half second never trips it. So the call runs in
a thread of its own, and at the deadline the caller goes on without it. What runs inside can ask `seconds_left` and
end itself, as the language model does: it cancels its request, which closes the connection.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from contextvars import ContextVar, copy_context
from typing import Generic, TypeVar

from ace.errors import DeadlineExceeded

T = TypeVar("T")
GRACE_S = 0.1  # for the call to end itself before it is left behind
_END: ContextVar[float | None] = ContextVar("ace_llm_deadline", default=None)


def seconds_left() -> float | None:
    """Seconds until the deadline this code runs under, 0 when it has passed; None when there is none."""
    end = _END.get()
    return None if end is None else max(end - time.monotonic(), 0.0)


@contextmanager
def deadline(seconds: float) -> Iterator[None]:
    """Everything inside, in whatever thread `run_within` starts, shares these seconds (or an earlier deadline's)."""
    end, earlier = time.monotonic() + seconds, _END.get()
    token = _END.set(end if earlier is None else min(end, earlier))
    try:
        yield
    finally:
        _END.reset(token)


def run_within(seconds: float, call: Callable[[], T], *, name: str) -> T:
    """What `call` returns or raises, or DeadlineExceeded after `seconds`; its thread never outlives the process."""
    future: Future[T] = Future()
    context = copy_context()
    threading.Thread(target=context.run, args=(_settle, future, call), name=name, daemon=True).start()
    try:
        return future.result(seconds)
    except TimeoutError:
        if future.done():  # the call itself raised a TimeoutError
            raise
        raise DeadlineExceeded(
            f"{name} did not finish within {seconds:.3g} s. Raise ACE_LLM_DEADLINE_S, or look at the model server."
        ) from None


class Shared(Generic[T]):
    """One question that many may ask at once: it is put once at a time, and nobody waits longer than `seconds`."""

    def __init__(self, call: Callable[[], T], seconds: float, *, name: str) -> None:
        self._call, self._seconds, self._name = call, seconds, name
        self._lock = threading.Lock()
        self._asking: Future[T] | None = None

    def ask(self) -> T:
        """The answer. Raises DeadlineExceeded, or what the call raises."""
        with self._lock:
            if self._asking is None or self._asking.done():
                self._asking = Future()
                settle = (self._asking, self._call)
                threading.Thread(target=_settle, args=settle, name=self._name, daemon=True).start()
            asking = self._asking
        try:
            return asking.result(self._seconds)
        except TimeoutError:
            raise DeadlineExceeded(f"{self._name} did not answer within {self._seconds:g} s.") from None


def _settle(future: Future[T], call: Callable[[], T]) -> None:
    try:
        future.set_result(call())
    except BaseException as error:  # noqa: BLE001  carried to the thread that waits, nothing is swallowed
        future.set_exception(error)
