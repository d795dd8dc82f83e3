"""What went wrong in a model call, in this project's words: who must act, and is it worth trying again.

DSPy gives each of its errors a stable `code`; the table says what we make of it.

    code                                                    becomes            try again
    rate_limit timeout server transport provider …          ModelUnreachable   yes, after Retry-After if given
    auth not_configured billing                             InvalidInput       no: names the key's variable
    unsupported_model configuration unsupported_feature     InvalidInput       no: names ACE_MODEL
    invalid_request                                         InvalidInput       no (a content filter: UnusableAnswer)
    context_window_exceeded adapter_parse_error             UnusableAnswer     no
    unexpected (a fault of the library)                     ModelUnreachable   no
    ConnectionError, TimeoutError, gaierror (built in)      ModelUnreachable   yes

No message holds a key: what a provider says of a refused key is not repeated, other texts are shortened and redacted.
"""

from __future__ import annotations

import re
import socket
from dataclasses import dataclass

from ace.errors import AceError, DeadlineExceeded, InvalidInput, ModelUnreachable, UnusableAnswer

MAX_CHARS = 300
_TRANSIENT = frozenset({"rate_limit", "timeout", "server", "transport", "lock_timeout", "provider", "stream_assembly"})
_KEYS = frozenset({"auth", "not_configured", "billing"})
_MODEL = frozenset({"unsupported_model", "configuration", "unsupported_feature"})
KINDS = (
    _TRANSIENT | _KEYS | _MODEL | {"invalid_request", "context_window_exceeded", "adapter_parse_error", "unexpected"}
)
_OURS: tuple[tuple[type[AceError], str], ...] = (
    (DeadlineExceeded, "deadline"), (ModelUnreachable, "transport"), (UnusableAnswer, "unusable_answer"),
    (InvalidInput, "configuration"),
)  # fmt: skip
_SECRET = re.compile(r"(?i)bearer\s+\S+|\b(?:sk|pk|key|token)[-_][\w*.-]{4,}|\b(?=\w*\d)(?=\w*[a-z])[\w-]{28,}")


@dataclass(frozen=True, kw_only=True, slots=True)
class Fault:
    """An error of ours, whether the same call may work in a moment, and the seconds the server asked us to wait."""

    error: AceError
    transient: bool = False
    retry_after: float | None = None


def fault_of(error: BaseException) -> Fault | None:
    """What an exception out of a model call means; None for one that is no model call's (a bug, a signal)."""
    if isinstance(error, AceError):
        return Fault(error=error, transient=isinstance(error, ModelUnreachable))
    if isinstance(error.__cause__, AceError):
        return fault_of(error.__cause__)
    if isinstance(error, ConnectionError | TimeoutError | socket.gaierror):
        return Fault(error=ModelUnreachable(f"The model server cannot be reached: {shown(error)}."), transient=True)
    return _of_code(error, str(getattr(error, "code", "")))


def kind_of(error: BaseException) -> str | None:
    """One word for what failed in a try of a model call: DSPy's code, else ours; None when no model failed."""
    code = str(getattr(error, "code", ""))
    if code in KINDS:
        return code
    fault = fault_of(error)
    if fault is None:
        return "other"
    return next((kind for family, kind in _OURS if isinstance(fault.error, family)), None)


def shown(error: BaseException) -> str:
    """An exception's first line without secrets, of at most 300 characters."""
    text = str(getattr(error, "message", "") or error or type(error).__name__)
    return shorten(_SECRET.sub("***", text.strip().partition("\n")[0]))


def shorten(text: str, limit: int = MAX_CHARS) -> str:
    """The text, or its beginning and an ellipsis."""
    return text if len(text) <= limit else text[: limit - 1] + "…"


def _of_code(error: BaseException, code: str) -> Fault | None:
    if code in _TRANSIENT:
        return _outage(error)
    if code in _KEYS:
        return Fault(error=_key_error(error, code))
    if code in _MODEL:
        return Fault(error=InvalidInput("ACE_MODEL", shown(error), "Name a model your provider serves"))
    if code == "invalid_request":
        return Fault(error=_refusal(error))
    if code == "context_window_exceeded":
        problem = "The prompt is longer than the model's context window; show fewer bullets (ACE_K, ACE_TOKEN_BUDGET)."
        return Fault(error=UnusableAnswer(problem))
    if code == "unexpected":
        return Fault(error=ModelUnreachable(f"The library that speaks to the model failed: {shown(error)}."))
    if code == "adapter_parse_error":
        reply = shorten(str(getattr(error, "lm_response", "")))
        return Fault(error=UnusableAnswer(f"No field could be read from the model's answer: {reply!r}."))
    return None


def _outage(error: BaseException) -> Fault:
    status, wait = getattr(error, "status", None), _seconds(getattr(error, "retry_after", None))
    reply = f"answered {status}" if status else "cannot be reached"
    asks = "" if wait is None else f"; it asks to wait {wait:g} s"
    trouble = ModelUnreachable(f"The model server {reply}: {shown(error)}{asks}.")
    return Fault(error=trouble, transient=True, retry_after=wait)


def _key_error(error: BaseException, code: str) -> InvalidInput:
    names = list(getattr(error, "env_keys", ()) or ())
    provider = str(getattr(error, "provider", None) or "provider").removesuffix("-chat")
    name = names[0] if names else f"{provider.upper().replace('-', '_')}_API_KEY"
    problem, remedy = {
        "auth": ("the provider refused this key", "Set a valid key"),
        "not_configured": ("is not set", "Set it, or choose another model with ACE_MODEL"),
        "billing": ("the account behind this key has no credit left", "Top it up, or use another key"),
    }[code]
    return InvalidInput(name, problem, remedy)


def _refusal(error: BaseException) -> AceError:
    status = getattr(error, "status", None)
    if "content_filter" in f"{getattr(error, 'provider_code', '')} {error}":
        return UnusableAnswer("The provider's content filter refused this prompt.")
    if status == 404:
        return InvalidInput("ACE_MODEL_BASE_URL", f"the server answered 404: {shown(error)}",
                            "Check the address (it ends in /v1) and ACE_MODEL")  # fmt: skip
    return InvalidInput("ACE_MODEL", f"the server refused the request ({status}): {shown(error)}",
                        "Choose a model and settings it accepts")  # fmt: skip


def _seconds(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and value >= 0 else None
