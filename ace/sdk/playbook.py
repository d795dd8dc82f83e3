"""A domain's playbook for an agent: in this process, or at a server.

    Playbook("customer-a")                                          the database the settings name
    Playbook("customer-a", url="http://localhost:8000", key="ace_…")   a server

Safe to share between threads.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol, Self, TypeVar

from ace.core.validation import check_domain
from ace.errors import MissingExtra
from ace.models.evidence import Worth
from ace.models.insight import Insight
from ace.models.playbook import Bullet, PlaybookStage, Section, Traffic
from ace.models.task import Step
from ace.sdk import calls
from ace.sdk.around import Check, around
from ace.sdk.calls import Call
from ace.sdk.episode import Episode
from ace.sdk.values import Context, Found, Journal, Learned, Progress, Reported

if TYPE_CHECKING:
    from ace.bootstrap import App

T = TypeVar("T")
TIMEOUT_S, ATTEMPTS = 10.0, 4


class Door(Protocol):
    """Whoever carries calls out."""

    def send(self, call: Call[T]) -> T: ...

    def close(self) -> None: ...


class Playbook:
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
        self._place: dict[str, Any] = {"url": url, "timeout": timeout, "attempts": attempts}
        self._door = _door(url, key, timeout, attempts, app)

    @property
    def app(self) -> App | None:
        """What carries the calls out in this process; None for a playbook at a server."""
        return getattr(self._door, "app", None)

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self  # a copy of a program around it speaks to the same playbook

    def __reduce__(self) -> Any:
        """Pickled as its domain and address, never with its key."""
        return _reopened, (type(self), self.domain, self._place)

    def context(
        self,
        task: str,
        *,
        k: int | None = None,
        token_budget: int | None = None,
        traffic: Traffic | str | None = None,
        session: str | None = None,
    ) -> Context:
        """The bullets that fit a task, as text for the prompt, and the receipt to report with."""
        return self._door.send(calls.context(self.domain, task, k, token_budget, traffic, session))

    def report(
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
        return self._door.send(calls.report(self.domain, fields))

    def learn(
        self, insights: Iterable[Insight | str], *, episode_id: str | None = None, once: str | None = None
    ) -> Learned:
        """Merge lessons. The same `once` again changes nothing."""
        return self._door.send(calls.learn(self.domain, insights, episode_id, once))

    def bullets(
        self,
        *,
        stage: PlaybookStage | str | None = None,
        section: Section | str | None = None,
        contains: str | None = None,
        limit: int = 100,
    ) -> list[Bullet]:
        """Bullets, the newest first."""
        return self._door.send(calls.bullets(self.domain, stage, section, contains, limit))

    def search(self, words: str, *, stage: PlaybookStage | str | None = None, limit: int = 10) -> list[Found]:
        """The bullets nearest in meaning, of every stage."""
        return self._door.send(calls.search(self.domain, words, stage, limit))

    def worth(self) -> Worth:
        """Success of the tasks that saw the playbook and of those held out by lot. Raises NotFound before any."""
        return self._door.send(calls.worth(self.domain))

    def episode(self, episode_id: str) -> Progress:
        """How far a report has come. Raises NotFound."""
        return self._door.send(calls.episode(self.domain, episode_id))

    def journal(self, *, after: int = 0, limit: int = 100) -> Journal:
        """What has changed since position `after`, in order, and where the journal is now."""
        return self._door.send(calls.journal(self.domain, after, limit))

    def roll_back(self, to: int | str, reason: str = "", *, once: str | None = None) -> int:
        """Make the playbook what it was at a position, a time or a release; the position of this entry."""
        return self._door.send(calls.roll_back(self.domain, str(to), reason, once))

    def task(self, question: str, **options: Any) -> Episode:
        """One attempt at a task, for a `with`; options are those of `context` and fields of the report."""
        return Episode(self, question, options)

    def around(
        self, function: Callable[..., Any] | None = None, *, check: Check | None = None, verifier: str = "test",
        **options: Any,
    ) -> Callable[..., Any]:  # fmt: skip
        """Make every call of a function an episode: `@playbook.around`, or with options in brackets."""
        if function is None:
            return lambda given: around(self, given, check, verifier, options)
        return around(self, function, check, verifier, options)

    def close(self) -> None:
        """Close the connections."""
        self._door.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _reopened(kind: type[Playbook], domain: str, place: Mapping[str, Any]) -> Playbook:
    return kind(domain, **place)


def _door(url: str | None, key: str | None, timeout: float, attempts: int, app: App | None) -> Door:
    if url is None:
        return _embedded(app)
    from ace.sdk.remote import Address, Remote

    return Remote(Address(url, key, timeout, attempts))


def _embedded(app: App | None) -> Door:
    try:
        from ace.sdk.embedded import Embedded
    except ModuleNotFoundError as missing:
        raise MissingExtra(
            f"A playbook in this process needs the server's libraries; {missing.name}", "server"
        ) from missing
    return Embedded(app)
