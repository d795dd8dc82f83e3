"""Have what was reported learned from, by whoever is to do it, and take it back where it did no good.

playbook           lessons are written by                          waits
in this process    `lm`, or else the model that the settings name  for that model
at a server        the ace-reflector there                         `patience_s` an episode at most
"""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from ace.core.journal import written_by
from ace.errors import Forbidden, InvalidInput, NotFound, Outage
from ace.sdk.calls import MAX_PAGE
from ace.sdk.playbook import Playbook
from ace.sdk.values import Progress

if TYPE_CHECKING:
    from ace.bootstrap import App

POLL_S = 0.5
log = logging.getLogger("ace.sdk")


class Learner:
    """A context manager, for as long as there is something to learn. Safe to share between threads.

    `lm` is a model of DSPy's. Raises InvalidInput where it would not be asked.
    """

    def __init__(self, playbook: Playbook, *, lm: Any = None, patience_s: float = 600.0) -> None:
        if lm is not None and playbook.app is None:
            raise InvalidInput("lm", "is not asked at a server", "Name the model to its ace-reflector")
        self._playbook, self._lm, self._patience_s = playbook, lm, patience_s
        self._stack = ExitStack()
        self._worker = f"learner-{uuid.uuid4().hex[:12]}"

    def __enter__(self) -> Self:
        if app := self._playbook.app:
            self._reflection = self._stack.enter_context(app.reflecting(lambda _: None, lm=self._lm))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def learn(self, episode_id: str) -> Progress:
        """Learn from a reported episode, and what came of it. Raises NotFound; Outage when nobody does it."""
        if app := self._playbook.app:
            self._reflect(app, episode_id)
            return self._playbook.episode(episode_id)
        return self._wait(episode_id)

    def known(self, episode_id: str) -> bool:
        """Whether it was reported."""
        try:
            return bool(self._playbook.episode(episode_id))
        except NotFound:
            return False

    def go_back(self, run: str, position: int, reason: str) -> bool:
        """Make the playbook what it was at a position, if all that was written since is of episodes `run:…`.

        False when it was left as it is: others wrote to it, nobody did, or the key may not roll back.
        """
        written = list(self._entries(position))
        if not written or not all(written_by(f"{run}:", entry["body"]) for entry in written):
            return False
        try:
            return bool(self._playbook.roll_back(position, reason, once=f"{run}:back"))
        except Forbidden as error:
            log.warning("playbook_not_rolled_back", extra={"domain": self._playbook.domain, "error": str(error)})
            return False

    def _reflect(self, app: App, episode_id: str) -> None:
        from ace.services.intake import reflect_on

        for _ in reflect_on([episode_id], self._playbook.domain, reflection=self._reflection, episodes=app.episodes,
                            worker=self._worker, sleep=time.sleep):  # fmt: skip
            pass

    def _wait(self, episode_id: str) -> Progress:
        end = time.monotonic() + self._patience_s
        while (found := self._playbook.episode(episode_id)).state not in ("done", "dead"):
            if time.monotonic() > end:
                raise Outage(f"Nobody reflects on {episode_id} at the server. Start it there: ace-reflector.")
            time.sleep(POLL_S)
        return found

    def _entries(self, after: int | None) -> Iterator[Mapping[str, Any]]:
        while after is not None:
            page = self._playbook.journal(after=after, limit=MAX_PAGE)
            yield from page.entries
            after = page.next
