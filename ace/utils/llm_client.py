"""The language model the settings name, ready for DSPy.

    ACE_MODEL                     ACE_MODEL_BASE_URL      what is asked
    local                         (started by ace)        the model that the extra [local] carries
    openai/<name>                 http://…/v1             any OpenAI-compatible server: vLLM, Ollama, a gateway
    <provider>/<name>             –                       what DSPy reaches by that name, with the provider's key

DSPy is imported when a model is built, not before.
"""

from __future__ import annotations

import logging
import os
import re
from typing import TYPE_CHECKING, Any

from ace.config import Settings
from ace.errors import InvalidInput
from ace.utils.llm_errors import shown

if TYPE_CHECKING:
    from ace.utils.call_ledger import CallLedger
    from ace.utils.llm_meter import Meter
    from ace.utils.llm_metered import MeteredLM

# OpenAI's reasoning models take no temperature and spend output tokens on thinking
_REASONING = re.compile(r"openai/(o[1345]\b|gpt-5(?!.*-chat))")
REASONING_MIN_TOKENS = 16_000  # the least DSPy accepts for them


def language_model(
    settings: Settings,
    *,
    meter: Meter | None = None,
    ledger: CallLedger | None = None,
    model: str | None = None,
    base_url: str | None = None,
) -> MeteredLM:
    """The model of `settings`, or `model`; `base_url` is the local server's. Raises InvalidInput.

    `meter` counts what it uses and stops it at its limits; `ledger` answers what was answered before.
    """
    os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")  # prices from the package, not from the net
    logging.getLogger("dspy").setLevel(logging.ERROR)
    from dspy.utils.exceptions import LMError

    from ace.utils.llm_metered import MeteredLM
    from ace.utils.metered import llm_call

    name = model or settings.model
    address = base_url or settings.model_base_url
    if name == "local":
        if address is None:
            raise InvalidInput("ACE_MODEL_BASE_URL", "the local model's server is not running",
                               "Let ace start it, or name its address")  # fmt: skip
        name = "openai/local"
    try:
        options = _sampling(name, settings) | _connection(name, address)
        return MeteredLM(name, meter=meter, ledger=ledger, watch=llm_call, **options)
    except (ValueError, LMError) as error:
        raise InvalidInput(
            "ACE_MODEL", shown(error), "Write it as <provider>/<name>, e.g. openai/gpt-5-mini"
        ) from error


def _sampling(name: str, settings: Settings) -> dict[str, Any]:
    if _REASONING.match(name):
        return {"temperature": None, "max_tokens": max(settings.max_tokens, REASONING_MIN_TOKENS)}
    return {"temperature": settings.temperature, "max_tokens": settings.max_tokens, "seed": settings.seed}


def _connection(name: str, address: str | None) -> dict[str, Any]:
    """Where to ask. A server of one's own mostly wants no key; DSPy wants one all the same."""
    if address is None:
        return {}
    if name.startswith("openai/") and not os.environ.get("OPENAI_API_KEY"):
        return {"api_base": address, "api_key": "none"}
    return {"api_base": address}
