"""What came of a request through the proxy, heard beside it and kept as an episode: a base URL alone is enough.

    answered with words, asked with a key that may write    an episode, which a report by its receipt may replace
    answered with a call of a tool                          nothing yet: the next request holds it, and its result
    broken off, refused, longer than is heard               nothing

It is done when the answer has gone out, in a thread; what fails here is logged, and nobody waits for it.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from dataclasses import dataclass, field

from ace.bootstrap import App
from ace.core.prompting import Dialect
from ace.errors import AceError
from ace.utils.completions import answered, asked
from ace.web.proxy.upstream import Headers

MAX_HEARD = 4_000_000  # bytes of an answer
MOST_AT_ONCE = 64
log = logging.getLogger("ace.proxy")


@dataclass(kw_only=True, slots=True)
class Heard:
    """One request of a known dialect, and what has been answered so far. `principal`: the key it was asked with."""

    domain: str
    dialect: Dialect
    asked: str
    receipt: str
    principal: str | None
    started: float = field(default_factory=time.perf_counter)
    headers: Headers = ()
    answer: bytearray = field(default_factory=bytearray)
    listening: bool = False
    whole: bool = False
    seconds: float = 0.0

    def begin(self, status: int, headers: Headers) -> None:
        self.headers, self.listening = headers, 200 <= status < 300

    def take(self, chunk: bytes) -> None:
        self.listening = self.listening and len(self.answer) + len(chunk) <= MAX_HEARD
        if self.listening:
            self.answer += chunk

    def end(self) -> None:
        self.whole, self.seconds = self.listening, time.perf_counter() - self.started


class Hearing:
    """Keeps episodes behind the answers of one process."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._keeping: set[asyncio.Task[None]] = set()

    def of(self, heard: Heard | None) -> None:
        """Begin to keep it; when there is too much to keep already, it is let go."""
        if heard is None or not heard.whole or len(self._keeping) >= MOST_AT_ONCE:
            return
        task = asyncio.create_task(asyncio.to_thread(self._keep, heard))
        self._keeping.add(task)
        task.add_done_callback(self._keeping.discard)

    async def close(self) -> None:
        """Wait for what is being kept."""
        await asyncio.gather(*self._keeping)

    def _keep(self, heard: Heard) -> None:
        answer = answered(heard.dialect, heard.headers, bytes(heard.answer))
        if answer is None or answer.calls or not answer.text:
            return
        talk = asked(heard.dialect, json.loads(heard.asked))
        try:
            self._app.overhearing.keep(heard.domain, heard.receipt, talk, answer, seconds=heard.seconds,
                                       principal=heard.principal)  # fmt: skip
        except AceError as error:
            log.warning("proxy_not_heard", extra={"domain": heard.domain, "error": str(error)})
