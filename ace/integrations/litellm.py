"""LiteLLM: a callback that puts the bullets into requests, and the receipt beside the answers.

    litellm.callbacks = [PlaybookHandler(playbook)]               acompletion, aresponses, anthropic messages, Router
    callbacks: ace.integrations.litellm.handler                   the proxy's config.yaml; ACE_SERVER_URL, _DOMAIN, _KEY
    litellm.completion(…, messages=advised(messages, episode))    LiteLLM lets no callback change what it sends there

The bullets go to the end of the system prompt, behind its cache markers; where LiteLLM itself is to set those
(cache_control_injection_points, enable_prompt_caching), in front of the last user message, so that what is before stays
as it was. A request that has bullets already is left as it is, so that what is tried again has them once.

`given(response)` is what an answer was given, and `PlaybookHandler.report` its report; with `check` every answer is
reported by itself. A provider's failure says nothing about a bullet and is not reported. A request passes as it came
when the playbook fails, or is slower than `patience_s`.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from ace import quick_settings
from ace.core.placing import before_task, behind_system, block, blocks
from ace.core.prompting import BEGIN, LONGEST_TASK, framed, last_of_user, named
from ace.errors import AceError, InvalidInput
from ace.integrations.needs import needs
from ace.integrations.noting import LONGEST_ANSWER, short
from ace.sdk.episode import Notes
from ace.sdk.playbook import Playbook
from ace.sdk.values import Context, Reported

with needs("litellm"):
    from litellm.integrations.custom_logger import CustomLogger

PATIENCE_S = 0.25
OURS = "ace"
PLACED = {"acompletion": "messages", "aresponses": "instructions", "anthropic_messages": "system"}
"""Where bullets go, by the kind of call."""

Json = Mapping[str, Any]
Check = Callable[[str, str], bool | None]
log = logging.getLogger("ace.integrations")


@dataclass(frozen=True, kw_only=True, slots=True)
class Given:
    """What a request was given: its task, the receipt to report with, the ids of the bullets."""

    task: str
    receipt: str
    receipt_id: str
    bullets: tuple[str, ...]


class PlaybookHandler(CustomLogger):  # type: ignore[misc]
    """`options` are those of `Playbook.context`: k, token_budget, traffic."""

    def __init__(
        self,
        playbook: Playbook | None = None,
        *,
        check: Check | None = None,
        verifier: str = "test",
        patience_s: float = PATIENCE_S,
        **options: Any,
    ) -> None:
        super().__init__()
        self.domain = playbook.domain if playbook else ""  # LiteLLM takes handlers whose public words are alike for one
        self._own, self._check, self._verifier = playbook, check, verifier
        self._patience_s, self._options = patience_s, options

    @cached_property
    def playbook(self) -> Playbook:
        """The one that was given, or the one that the settings name."""
        if self._own is not None:
            return self._own
        url, domain = quick_settings.server_url(), quick_settings.server_domain()
        key = quick_settings.server_key() if url else None
        return Playbook(domain, url=url, key=key, timeout=2.0, attempts=2)  # nobody waits longer for an answer of ours

    async def async_pre_call_deployment_hook(self, kwargs: dict[str, Any], call_type: Any) -> dict[str, Any] | None:
        """Put the bullets into a request of a kind we know."""
        kind = getattr(call_type, "value", call_type)
        task = _task(kwargs) if kind in PLACED else ""
        if not task or BEGIN in str(kwargs.get(PLACED[kind])):
            return None
        context = await self._context(task, kwargs)
        if context is None:
            return None
        bullets = tuple(one.id for one in context.bullets)
        _details(kwargs)[OURS] = Given(
            task=task, receipt=context.receipt, receipt_id=context.receipt_id, bullets=bullets
        )
        return {**kwargs, **_placed(kind, kwargs, framed(context.bullets))} if bullets else None

    async def async_post_call_success_deployment_hook(
        self, request_data: dict[str, Any], response: Any, call_type: Any
    ) -> None:
        """Put the receipt into the answer's hidden metadata."""
        del call_type
        found = _details(request_data).get(OURS)
        if found is not None and hasattr(response, "_hidden_params"):
            response._hidden_params[OURS] = found

    async def async_post_call_response_headers_hook(
        self, data: dict[str, Any], user_api_key_dict: Any, response: Any, **more: Any
    ) -> dict[str, str] | None:
        """The proxy's answer has them as headers, as our own proxy's."""
        del user_api_key_dict, response, more
        found = _details(data).get(OURS)
        return {"ACE-Receipt": found.receipt, "ACE-Bullets": str(len(found.bullets))} if found else None

    async def async_log_success_event(self, kwargs: Json, response_obj: Any, start_time: Any, end_time: Any) -> None:
        """Report the answer with what `check` says of it, if there is a check."""
        del start_time, end_time
        found = kwargs.get(OURS)
        if self._check is None or found is None:
            return
        correct = self._check(found.task, answer(response_obj))
        try:
            await asyncio.to_thread(self._report, found, response_obj, correct=correct, verifier=self._verifier)
        except AceError as error:
            self._away(error)

    def report(self, response: Any, *, correct: bool | None, verifier: str | None = None, **more: Any) -> Reported:
        """Report what came of an answer; `more` as in `Playbook.report`. Raises InvalidInput, Outage, Conflict."""
        found = given(response)
        if found is None:
            raise InvalidInput("response", "was given no bullets and no receipt", "Report it with Playbook.report")
        return self._report(found, response, correct=correct, verifier=verifier, **more)

    def _report(self, found: Given, response: Any, **outcome: Any) -> Reported:
        text = answer(response)
        cited = [one for one in named(text) if one in found.bullets]
        return self.playbook.report(found.receipt, task=found.task, answer=short(text, LONGEST_ANSWER), cited=cited,
                                    **outcome)  # fmt: skip

    async def _context(self, task: str, kwargs: Json) -> Context | None:
        """What fits the task; nothing where that fails or takes too long. Calls of one session are drawn for alike."""
        session = kwargs.get("litellm_session_id") or (kwargs.get("metadata") or {}).get("session_id")
        asked = {"session": str(session)[:200] if session else None, **self._options}
        try:
            asking = asyncio.to_thread(lambda: self.playbook.context(short(task, LONGEST_TASK), **asked))
            return await asyncio.wait_for(asking, self._patience_s)
        except (AceError, TimeoutError) as error:
            self._away(error)
            return None

    def _away(self, error: Exception) -> None:
        domain = self.domain or quick_settings.server_domain()
        log.warning("playbook_away", extra={"domain": domain, "error": str(error) or "too slow"})


def given(response: Any) -> Given | None:
    """What the request of this answer, or of this stream, was given."""
    hidden = getattr(response, "_hidden_params", None)
    found = hidden.get(OURS) if isinstance(hidden, dict) else None
    return found or _details({"litellm_logging_obj": getattr(response, "logging_obj", None)}).get(OURS)


def answer(response: Any) -> str:
    """The text of an answer of LiteLLM."""
    if output := getattr(response, "output_text", None):
        return str(output)
    if choices := getattr(response, "choices", None):
        return str(choices[0].message.content or "")
    content = response.get("content", []) if isinstance(response, dict) else []
    return "\n".join(str(block["text"]) for block in content if block.get("type") == "text")


def advised(messages: Sequence[Json], episode: Notes) -> list[Json]:
    """The messages with the episode's bullets at the end of the system prompt."""
    if not episode.context.bullets:
        return list(messages)
    return behind_system(messages, framed(episode.context.bullets))


def _details(kwargs: Json) -> dict[str, Any]:
    """LiteLLM's own notes on a call, which go with it from hook to hook."""
    found = getattr(kwargs.get("litellm_logging_obj"), "model_call_details", None)
    return found if isinstance(found, dict) else {}


def _task(kwargs: Json) -> str:
    asked = kwargs.get("input")
    return asked if isinstance(asked, str) else last_of_user(kwargs.get("messages") or asked)


def _placed(kind: str, kwargs: Json, bullets: str) -> dict[str, Any]:
    """The arguments that change."""
    if kind == "aresponses":
        own = kwargs.get("instructions")
        return {"instructions": f"{own}\n\n{bullets}" if own else bullets}
    if kind == "anthropic_messages":
        return {"system": [*blocks(kwargs.get("system") or []), block(bullets)]}
    if kwargs.get("cache_control_injection_points") or kwargs.get("enable_prompt_caching"):
        return {"messages": before_task(kwargs["messages"], bullets)}
    return {"messages": behind_system(kwargs["messages"], bullets)}


handler = PlaybookHandler()
"""For LiteLLM's proxy: `callbacks: ace.integrations.litellm.handler`."""
