"""A DSPy language model that keeps accounts: every call is looked up in the ledger, held against the limits, counted.

    in the ledger already?   answer from it, nothing is paid
    over a limit?            BudgetExhausted, before anything is sent
    sent                     counted; cancelled at the deadline of the work it belongs to, which closes the connection
    answered                 tokens, money and seconds counted, the answer kept in the ledger

DSPy's own cache, retries and history are off: a call is one request, and who calls decides about trying again.
Provider errors pass through as DSPy raises them; `ace.utils.llm_errors` says what they mean.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from contextvars import ContextVar
from typing import Any

import dspy
from dspy.utils.usage_tracker import track_usage

from ace.core.ports import Predict
from ace.core.rendering import estimate_tokens
from ace.models.task import Usage
from ace.utils.call_ledger import CallLedger, call_key
from ace.utils.llm_deadline import seconds_left
from ace.utils.llm_loop import run_coroutine
from ace.utils.llm_meter import ONE_CALL, Meter, scope_name

Watch = Callable[[str, dict[str, Any]], AbstractContextManager[list[Usage]]]
_FINISHED: ContextVar[list[dict[str, Any]] | None] = ContextVar("ace_llm_finished", default=None)


class MeteredLM(dspy.LM):  # type: ignore[misc]  # DSPy ships no types
    """A `dspy.LM`; `options` are its own (temperature, max_tokens, seed, api_base, api_key …).

    `watch(model, options)` is entered around each request; what it used is put into the list it gives.
    """

    def __init__(
        self,
        model: str,
        *,
        meter: Meter | None = None,
        ledger: CallLedger | None = None,
        watch: Watch | None = None,
        **options: Any,
    ) -> None:
        super().__init__(model, cache=False, num_retries=0, **options)
        self._meter, self._ledger = meter or Meter(), ledger
        self._watch: Watch = watch or (lambda *_: nullcontext([]))

    def __call__(self, prompt: Any = None, *, messages: Any = None, **kwargs: Any) -> Any:
        """The model's outputs. Raises BudgetExhausted, DeadlineExceeded, StoreUnavailable, and DSPy's LM errors."""
        key = call_key(scope_name(), self.model, messages or prompt, {**self.kwargs, **kwargs})
        known = self._ledger.get(key) if self._ledger else None
        if known is not None:
            self._meter.replayed(known[1])
            return known[0]
        self._meter.begin()
        outputs, usage = self._send(prompt, messages, kwargs)
        if self._ledger:
            self._ledger.put(key, outputs, usage + ONE_CALL, scope_name())
        return outputs

    def update_history(self, entry: dict[str, Any]) -> None:
        """DSPy hands over what a finished call cost: it goes to the caller that waits for it, and is not kept."""
        finished = _FINISHED.get()
        if finished is not None:
            finished.append(entry)

    def _send(self, prompt: Any, messages: Any, kwargs: dict[str, Any]) -> tuple[Any, Usage]:
        started = time.monotonic()
        finished: list[dict[str, Any]] = []
        token = _FINISHED.set(finished)
        try:
            with self._watch(self.model, self.kwargs) as used, dspy.context(disable_history=False):
                answer = run_coroutine(self.acall(prompt, messages=messages, **kwargs), seconds_left())
                usage = _usage(finished[-1] if finished else {}, messages or prompt, answer)
                used.append(usage)
        finally:
            _FINISHED.reset(token)
        self._meter.end(usage, time.monotonic() - started)
        return answer, usage


def counted(predict: Predict, meter: Meter) -> Predict:
    """The same, for a model that keeps no accounts: its tokens are counted when it has answered, as DSPy tells them."""

    def call(predictor: Any, **inputs: Any) -> Any:
        meter.begin()
        started = time.monotonic()
        with track_usage() as tracker:
            try:
                return predict(predictor, **inputs)
            finally:
                meter.end(_tracked(tracker), time.monotonic() - started)

    return call


def _tracked(tracker: Any) -> Usage:
    entries = [entry for of_model in tracker.usage_data.values() for entry in of_model]
    prompt, completion = (
        sum(int(entry.get(name) or 0) for entry in entries) for name in ("prompt_tokens", "completion_tokens")
    )
    return Usage(prompt_tokens=prompt, completion_tokens=completion)


def _usage(entry: dict[str, Any], asked: Any, answered: Any) -> Usage:
    """What the server counted; where it counts nothing, an estimate, so that a limit on tokens still holds."""
    counted = entry.get("usage") or {}
    details = counted.get("prompt_tokens_details") or {}
    prompt, completion = counted.get("prompt_tokens"), counted.get("completion_tokens")
    return Usage(
        prompt_tokens=estimate_tokens(str(asked)) if prompt is None else int(prompt),
        cached_tokens=int(details.get("cached_tokens") or 0),
        completion_tokens=estimate_tokens(str(answered)) if completion is None else int(completion),
        cost_usd=float(entry.get("cost") or 0.0),
    )
