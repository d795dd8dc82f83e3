"""The same calls for coroutines. In this process they run in threads; at a server nothing waits."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar

from ace.core.validation import check_domain
from ace.models.evidence import Worth
from ace.models.insight import Insight
from ace.models.playbook import Bullet, PlaybookStage, Section, Traffic
from ace.models.task import Step
from ace.sdk import calls
from ace.sdk.around import Check, around_async
from ace.sdk.calls import Call
from ace.sdk.episode import AsyncEpisode
from ace.sdk.playbook import ATTEMPTS, TIMEOUT_S
from ace.sdk.values import Context, Found, Journal, Learned, Progress, Reported

if TYPE_CHECKING:
    from ace.bootstrap import App
    from ace.sdk.remote import AsyncRemote

T = TypeVar("T")


class AsyncPlaybook:
    """Every method is one call. `timeout` is for a call with all its attempts, in seconds."""

    def __init__(
        self,
        domain: str,
        *,
        url: str | None = None,
        key: str | None = None,
        timeout: float = TIMEOUT_S,
        attempts: int = ATTEMPTS,
        app: App | None = None,
    ) -> None:
        self.domain = check_domain(domain)
        self._door = open_door(url, key, timeout=timeout, attempts=attempts, app=app)

    async def context(
        self,
        task: str,
        *,
        k: int | None = None,
        token_budget: int | None = None,
        traffic: Traffic | str | None = None,
        session: str | None = None,
    ) -> Context:
        """The bullets that fit a task, as text for the prompt, and the receipt to report with."""
        return await self._door.send(calls.context(self.domain, task, k, token_budget, traffic, session))

    async def report(
        self,
        receipt: str | None = None,
        *,
        task: str,
        answer: str = "",
        correct: bool | None = None,
        verifier: str | None = None,
        cited: Sequence[str] = (),
        trace: Sequence[Step | Mapping[str, str]] = (),
        **more: Any,
    ) -> Reported:
        """Report what came of a task; `more` are other fields of a report: expected, detail, episode_id, reasoning …"""
        fields = calls.said(receipt, task=task, answer=answer, correct=correct, verifier=verifier, cited=cited,
                            trace=trace, **more)  # fmt: skip
        return await self._door.send(calls.report(self.domain, fields))

    async def learn(
        self, insights: Iterable[Insight | str], *, episode_id: str | None = None, once: str | None = None
    ) -> Learned:
        """Merge lessons. The same `once` again changes nothing."""
        return await self._door.send(calls.learn(self.domain, insights, episode_id, once))

    async def bullets(
        self,
        *,
        stage: PlaybookStage | str | None = None,
        section: Section | str | None = None,
        contains: str | None = None,
        limit: int = 100,
    ) -> list[Bullet]:
        """Bullets, the newest first."""
        return await self._door.send(calls.bullets(self.domain, stage, section, contains, limit))

    async def search(self, words: str, *, stage: PlaybookStage | str | None = None, limit: int = 10) -> list[Found]:
        """The bullets nearest in meaning, of every stage."""
        return await self._door.send(calls.search(self.domain, words, stage, limit))

    async def worth(self) -> Worth:
        """Success of the tasks that saw the playbook and of those held out by lot. Raises NotFound before any."""
        return await self._door.send(calls.worth(self.domain))

    async def episode(self, episode_id: str) -> Progress:
        """How far a report has come. Raises NotFound."""
        return await self._door.send(calls.episode(self.domain, episode_id))

    async def journal(self, *, after: int = 0, limit: int = 100) -> Journal:
        """What has changed since position `after`, in order, and where the journal is now."""
        return await self._door.send(calls.journal(self.domain, after, limit))

    async def roll_back(self, to: int | str, reason: str = "", *, once: str | None = None) -> int:
        """Make the playbook what it was at a position, a time or a release; the position of this entry."""
        return await self._door.send(calls.roll_back(self.domain, str(to), reason, once))

    def task(self, question: str, **options: Any) -> AsyncEpisode:
        """One attempt at a task, for an `async with`; options are those of `context` and fields of the report."""
        return AsyncEpisode(self, question, options)

    def around(
        self, function: Callable[..., Any] | None = None, *, check: Check | None = None, verifier: str = "test",
        **options: Any,
    ) -> Callable[..., Any]:  # fmt: skip
        """Make every call of a coroutine function an episode: `@playbook.around`, or with options in brackets."""
        if function is None:
            return lambda given: around_async(self, given, check, verifier, options)
        return around_async(self, function, check, verifier, options)

    async def close(self) -> None:
        """Close the connections."""
        await self._door.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()


class InThreads:
    """Carries calls out in this process, beside the event loop."""

    def __init__(self, app: App | None) -> None:
        from ace.sdk.embedded import Embedded

        self._embedded = Embedded(app)

    async def send(self, call: Call[T]) -> T:
        """The answer."""
        return await asyncio.to_thread(self._embedded.send, call)

    async def close(self) -> None:
        """Nothing is held that others do not share."""


def open_door(
    url: str | None = None,
    key: str | None = None,
    *,
    timeout: float = TIMEOUT_S,
    attempts: int = ATTEMPTS,
    app: App | None = None,
) -> InThreads | AsyncRemote:
    """What carries calls out: in this process, or at the server of that address."""
    if url is None:
        return InThreads(app)
    from ace.sdk.remote import Address, AsyncRemote

    return AsyncRemote(Address(url, key, timeout, attempts))
