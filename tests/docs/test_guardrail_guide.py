"""The commands of the guides about the guardrail and about budgets work, and the settings they name exist."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from ace.config import Settings
from tests.e2e.conftest import Ace, ace, llm  # noqa: F401  fixtures

GUIDES = Path(__file__).parents[2] / "docs" / "guides"


@pytest.mark.parametrize(("guide", "command"), [("guardrail.md", "guardrail"), ("reflector.md", "usage")])
def test_every_command_works(ace: Ace, guide: str, command: str) -> None:  # noqa: F811
    blocks = re.findall(r"^```bash\n(.*?)^```", (GUIDES / guide).read_text(), flags=re.M | re.S)
    lines = [line for body in blocks for line in body.splitlines() if line.startswith(f"ace {command}")]
    assert lines
    for line in lines:
        ace(*shlex.split(line, comments=True)[1:])


@pytest.mark.parametrize("guide", ["guardrail.md", "reflector.md"])
def test_every_setting_exists(guide: str) -> None:
    named = set(re.findall(r"ACE_([A-Z_]+[A-Z])", (GUIDES / guide).read_text()))
    assert {name.lower() for name in named} <= set(Settings.model_fields)
