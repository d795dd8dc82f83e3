"""Can the language model be reached? Answered by one request that no server charges for, or by what is set.

with a base URL        GET <base URL>/models, REQUEST_S at most
a provider's model     is its key in the environment?
"""

from __future__ import annotations

import os

import httpx

from ace.errors import InvalidInput, ModelUnreachable
from ace.models.checkup import Finding, State

REQUEST_S = 5.0


def reach(name: str, base_url: str | None) -> Finding:
    """How it stands with the model. Raises ModelUnreachable, InvalidInput."""
    if base_url:
        return _served(name, base_url)
    variable = key_variable(name)
    if not os.environ.get(variable):
        remedy = f"export {variable}=…, if {name} needs it"
        return Finding(name="model", state=State.WARNING, found=f"{name}: {variable} is not set", remedy=remedy)
    return Finding(name="model", state=State.OK, found=f"{name}: {variable} is set; no request was made")


def key_variable(model: str) -> str:
    """The environment variable in which the model's provider looks for its key: `openai/…` in OPENAI_API_KEY."""
    provider = model.partition("/")[0] if "/" in model else "openai"
    return f"{provider.upper().replace('-', '_')}_API_KEY"


def _served(name: str, url: str) -> Finding:
    status = _status(url)
    if status in (401, 403):
        found, remedy = f"{url} refuses the key ({status})", "Set OPENAI_API_KEY to one that it knows"
        return Finding(name="model", state=State.FAULT, found=found, remedy=remedy)
    if status >= 500:
        found = f"{url} answers {status}"
        return Finding(name="model", state=State.OUTAGE, found=found, remedy="Look at that server's log")
    return Finding(name="model", state=State.OK, found=f"{name}: {url} answers")


def _status(url: str) -> int:
    key = os.environ.get("OPENAI_API_KEY")
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    try:
        return httpx.get(f"{url.rstrip('/')}/models", headers=headers, timeout=REQUEST_S).status_code
    except (httpx.InvalidURL, httpx.UnsupportedProtocol) as error:
        raise InvalidInput("ACE_MODEL_BASE_URL", f"is no address: {error}", "Write http://host:port/v1") from error
    except httpx.HTTPError as error:
        why = f"{url} does not answer ({type(error).__name__})"
        raise ModelUnreachable(f"{why}. Start that server, or look at the way to it.") from error
