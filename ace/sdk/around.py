"""A function that becomes an agent with a playbook: every call of it is an episode.

The function takes the task first, and `episode` as a keyword; what it returns is the answer. `check(task, answer)`,
where there is one, says whether that is right, in the name of `verifier`.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from functools import wraps
from typing import TYPE_CHECKING, Any

from ace.errors import InvalidInput
from ace.sdk.episode import Notes

if TYPE_CHECKING:
    from ace.sdk.async_playbook import AsyncPlaybook
    from ace.sdk.playbook import Playbook

Check = Callable[[str, Any], bool | None]


def around(
    playbook: Playbook, function: Callable[..., Any], check: Check | None, verifier: str, options: Mapping[str, Any]
) -> Callable[..., Any]:
    """The function, each call an episode."""
    _fits(function, coroutine=False)

    @wraps(function)
    def attempt(task: str, *arguments: Any, **named: Any) -> Any:
        with playbook.task(task, **options) as episode:
            answer = function(task, *arguments, episode=episode, **named)
            _note(episode, task, answer, check, verifier)
            return answer

    return attempt


def around_async(
    playbook: AsyncPlaybook,
    function: Callable[..., Any],
    check: Check | None,
    verifier: str,
    options: Mapping[str, Any],
) -> Callable[..., Any]:
    """The coroutine function, each call an episode."""
    _fits(function, coroutine=True)

    @wraps(function)
    async def attempt(task: str, *arguments: Any, **named: Any) -> Any:
        async with playbook.task(task, **options) as episode:
            answer = await function(task, *arguments, episode=episode, **named)
            _note(episode, task, answer, check, verifier)
            return answer

    return attempt


def _note(episode: Notes, task: str, answer: Any, check: Check | None, verifier: str) -> None:
    if not episode.answered:
        episode.answer(str(answer))
    if check is not None:
        episode.outcome(correct=check(task, answer), verifier=verifier)


def _fits(function: Callable[..., Any], *, coroutine: bool) -> None:
    """Raises InvalidInput for a function that cannot be called so."""
    name = getattr(function, "__name__", "function")
    parameters = inspect.signature(function).parameters.values()
    if not any(one.name == "episode" or one.kind == one.VAR_KEYWORD for one in parameters):
        raise InvalidInput(name, "takes no `episode`", f"Write it as def {name}(task, *, episode)")
    if inspect.iscoroutinefunction(function) != coroutine:
        needed = "AsyncPlaybook" if not coroutine else "Playbook"
        raise InvalidInput(name, "is of the other colour", f"Put it around with {needed}")
