"""One event loop in a thread of its own, for libraries whose calls can only be cancelled when they are coroutines.

Cancelling closes the connection: the server sees that nobody waits any more. A process that was forked gets a loop
of its own.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Coroutine
from concurrent.futures import CancelledError
from typing import Any, TypeVar

from ace.errors import DeadlineExceeded

T = TypeVar("T")
_LOOPS: dict[int, asyncio.AbstractEventLoop] = {}
_LOCK = threading.Lock()


def run_coroutine(coroutine: Coroutine[Any, Any, T], seconds: float | None) -> T:
    """What the coroutine returns or raises; after `seconds` it is cancelled: raises DeadlineExceeded."""
    future = asyncio.run_coroutine_threadsafe(coroutine, _loop())
    try:
        return future.result(seconds)
    except (TimeoutError, CancelledError):
        if future.done() and not future.cancelled():  # the coroutine's own TimeoutError
            raise
        raise DeadlineExceeded(
            "The model server did not answer in time; the request was given up. Raise ACE_LLM_DEADLINE_S."
        ) from None
    finally:
        future.cancel()


def _loop() -> asyncio.AbstractEventLoop:
    with _LOCK:
        if os.getpid() not in _LOOPS:
            loop = asyncio.new_event_loop()
            threading.Thread(target=loop.run_forever, name="ace-llm-loop", daemon=True).start()
            _LOOPS[os.getpid()] = loop
        return _LOOPS[os.getpid()]
