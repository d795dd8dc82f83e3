"""The Claude Agent SDK: hooks in this process, which give every prompt its bullets and make every turn an episode.

    ClaudeAgentOptions(hooks=ace_hooks(playbook, check=…))

    UserPromptSubmit       the bullets that fit the prompt become context of the turn
    PostToolUse(Failure)   the tool, and what it said, is noted; those of the agents it starts (sidechains) are not
    Stop                   the turn is reported, with what `check(prompt, answer)` says in the name of `verifier`

A session goes on whatever becomes of the playbook. For Claude Code itself there is `ace claude install`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ace.errors import AceError
from ace.integrations.needs import needs
from ace.integrations.noting import advice, answered, used
from ace.sdk.async_playbook import AsyncPlaybook
from ace.sdk.episode import AsyncEpisode

with needs("claude"):
    from claude_agent_sdk import HookInput, HookMatcher
    from claude_agent_sdk.types import HookEvent, HookJSONOutput

Check = Callable[[str, str], bool | None]


def ace_hooks(
    playbook: AsyncPlaybook, *, check: Check | None = None, verifier: str = "test", **options: Any
) -> dict[HookEvent, list[HookMatcher]]:
    """Hooks for `ClaudeAgentOptions`; `options` are those of `AsyncPlaybook.task`."""
    sessions = _Sessions(playbook, check, verifier, options)
    return {
        "UserPromptSubmit": [HookMatcher(hooks=[sessions.begin])],
        "PostToolUse": [HookMatcher(hooks=[sessions.note])],
        "PostToolUseFailure": [HookMatcher(hooks=[sessions.note])],
        "Stop": [HookMatcher(hooks=[sessions.end])],
    }


class _Sessions:
    """The turns that are going on, one a session."""

    def __init__(self, playbook: AsyncPlaybook, check: Check | None, verifier: str, options: Mapping[str, Any]) -> None:
        self._playbook, self._check, self._verifier, self._options = playbook, check, verifier, options
        self._going: dict[str, AsyncEpisode] = {}

    async def begin(self, told: HookInput, *_: Any) -> HookJSONOutput:
        """A prompt: ask for what fits it."""
        given: Mapping[str, Any] = {**told}
        options = {"session": given["session_id"], **self._options}
        episode = self._playbook.task(given["prompt"], **options)
        try:
            await episode.__aenter__()
        except AceError as error:
            episode.away(error)
            return {}
        if left := self._going.pop(given["session_id"], None):  # it was interrupted, and has no Stop
            await _report(left)
        self._going[given["session_id"]] = episode
        bullets = advice(episode)
        if not bullets:
            return {}
        return {"hookSpecificOutput": {"hookEventName": "UserPromptSubmit", "additionalContext": bullets}}

    async def note(self, told: HookInput, *_: Any) -> HookJSONOutput:
        """A tool has ended, well or not."""
        given: Mapping[str, Any] = {**told}
        episode = self._going.get(given["session_id"])
        if episode is not None and "agent_id" not in given:
            said = f"Error: {given['error']}" if "error" in given else given.get("tool_response")
            used(episode, given["tool_name"], given["tool_input"], said)
        return {}

    async def end(self, told: HookInput, *_: Any) -> HookJSONOutput:
        """The turn ends: report it."""
        given: Mapping[str, Any] = {**told}
        episode = self._going.pop(given["session_id"], None)
        if episode is None:
            return {}
        answer = str(given.get("last_assistant_message") or "")
        answered(episode, answer)
        if self._check is not None:
            episode.outcome(correct=self._check(episode.question, answer), verifier=self._verifier)
        await _report(episode)
        return {}


async def _report(episode: AsyncEpisode) -> None:
    try:
        await episode.__aexit__(None, None, None)
    except AceError as error:
        episode.away(error)
