"""`ace.toml` as `ace init` writes it: what was chosen, what it means, and where keys belong."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ace.config import Settings
from ace.utils.llm_reach import key_variable

CHOICES = ("model", "model_base_url", "env", "data_dir", "database_url", "embeddings_url", "embeddings_model")
"""The settings such a file speaks of, in this order; all others keep their defaults until somebody adds them."""

EXAMPLES: Mapping[str, str] = {
    "model_base_url": "http://127.0.0.1:11434/v1",
    "database_url": "postgresql://ace:PASSWORD@127.0.0.1/ace",
    "embeddings_url": "http://127.0.0.1:11434/v1",
}
HEAD = """\
# Settings of ACE Playbook, written by `ace init`. The environment (ACE_MODEL=…) and .env go before this file.
# All settings: docs/reference/settings.md. Try them out: ace doctor
"""
KEYS = """
# Keys of model providers do not belong here: set {variable} in the environment, or in .env where only you can read it.
"""


def render(chosen: Mapping[str, Any]) -> str:
    """The text of the file. What is not in `chosen`, or None there, stands in it as a comment."""
    parts = [f"\n# {_meaning(name)}\n{_line(name, chosen.get(name))}\n" for name in CHOICES]
    return HEAD + "".join(parts) + KEYS.format(variable=key_variable(str(chosen.get("model", ""))))


def _meaning(name: str) -> str:
    return Settings.model_fields[name].description or name


def _line(name: str, value: Any) -> str:
    if value is None:
        return f"# {name} = {_quoted(EXAMPLES.get(name, Settings.model_fields[name].default))}"
    return f"{name} = {_quoted(value)}"


def _quoted(value: Any) -> str:
    """A TOML basic string; JSON's escapes are TOML's, but for DEL."""
    return json.dumps(str(value), ensure_ascii=False).replace("\x7f", "\\u007f")
