"""One attempt at one task: ask for bullets on the way in, report on the way out, whatever happened in between.

    with playbook.task("What is 12 lb in kg?") as episode:
        episode.answer(agent(episode.question, episode.context.text))
        episode.outcome(correct=True, verifier="test")

An exception is an outcome too: verifier "error"; it goes on to the caller. When ACE is away the agent works without
bullets: `context` is empty, `outage` says why, and the report is logged as lost.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Self

from ace.errors import AceError, Outage
from ace.models.task import Step
from ace.sdk.values import Context, Reported

if TYPE_CHECKING:
    from types import TracebackType

    from ace.sdk.async_playbook import AsyncPlaybook
    from ace.sdk.playbook import Playbook

log = logging.getLogger("ace.sdk")
ASKED = ("k", "token_budget", "traffic", "session")


class Notes:
    """What is known of an attempt so far."""

    def __init__(self, domain: str, question: str, options: Mapping[str, Any]) -> None:
        self.question, self.domain = question, domain
        self.context = Context(domain=domain)
        self.outage: AceError | None = None
        self.reported: Reported | None = None
        self.asked = {name: value for name, value in options.items() if name in ASKED}
        self._said: dict[str, Any] = {name: value for name, value in options.items() if name not in ASKED}
        self.steps: list[Step] = []
        self._started = time.monotonic()

    def answer(self, text: str, *, cited: Sequence[str] = (), reasoning: str = "") -> str:
        """Note the answer, and the ids of the bullets it says it used; the answer itself."""
        self._said |= {"answer": text, "cited": list(cited), "reasoning": reasoning}
        self._said.setdefault("latency_s", self._seconds())
        return text

    def step(self, *, thought: str = "", tool: str = "", arguments: str = "", observation: str = "") -> None:
        """Note one turn of a tool-using agent."""
        self.steps.append(Step(thought=thought, tool=tool, arguments=arguments, observation=observation))

    def outcome(
        self, *, correct: bool | None, verifier: str | None = None, expected: str | None = None, detail: str = ""
    ) -> None:
        """Note what came of the answer, and who says so."""
        self._said |= {"correct": correct, "verifier": verifier, "expected": expected, "detail": detail}

    @property
    def cited(self) -> tuple[str, ...]:
        """The ids of the bullets the answer says it used."""
        return tuple(self._said.get("cited", ()))

    @property
    def answered(self) -> bool:
        return "answer" in self._said

    def failed(self, error: BaseException) -> None:
        """Note that the attempt ended in an exception."""
        words = f"{type(error).__name__}: {error}"
        self._said["error"] = words
        self.outcome(correct=False, verifier="error", detail=words)

    def away(self, error: AceError) -> None:
        """ACE cannot be asked, or not be told: the agent goes on."""
        self.outage = error
        log.warning("playbook_away", extra={"domain": self.domain, "error": str(error)})

    def report(self) -> dict[str, Any]:
        """All that is to be reported. The time it took ends with the answer."""
        return {"task": self.question, "trace": self.steps, "latency_s": self._seconds(), **self._said}

    def _seconds(self) -> float:
        return round(time.monotonic() - self._started, 6)


class Episode(Notes):
    """The attempt of a program that waits."""

    def __init__(self, playbook: Playbook, question: str, options: Mapping[str, Any]) -> None:
        super().__init__(playbook.domain, question, options)
        self._playbook = playbook

    def __enter__(self) -> Self:
        try:
            self.begin()
        except Outage as error:
            self.away(error)
        return self

    def begin(self) -> Self:
        """Ask for bullets, for whoever cannot write a `with`. Raises what the call raises."""
        self.context = self._playbook.context(self.question, **self.asked)
        return self

    def end(self) -> Reported:
        """Report what was noted. Raises what the call raises; the same again is the same report."""
        self.reported = self._playbook.report(self.context.receipt, **self.report())
        return self.reported

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            self.failed(error)
        try:
            self.end()
        except AceError as problem:
            if error is None and not isinstance(problem, Outage):
                raise
            self.away(problem)


class AsyncEpisode(Notes):
    """The attempt of a coroutine."""

    def __init__(self, playbook: AsyncPlaybook, question: str, options: Mapping[str, Any]) -> None:
        super().__init__(playbook.domain, question, options)
        self._playbook = playbook

    async def __aenter__(self) -> Self:
        try:
            self.context = await self._playbook.context(self.question, **self.asked)
        except Outage as error:
            self.away(error)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            self.failed(error)
        try:
            self.reported = await self._playbook.report(self.context.receipt, **self.report())
        except AceError as problem:
            if error is None and not isinstance(problem, Outage):
                raise
            self.away(problem)
