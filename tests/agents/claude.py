"""The real Claude Code, as the Agent SDK bundles it, at a scripted model: it reaches nothing beyond this machine."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import claude_agent_sdk

from ace.testing.dialects import ToolCall
from tests.agents.shop import asks_first

CLI = Path(claude_agent_sdk.__file__).parent / "_bundled" / "claude"
READ = ToolCall(tool="Bash", arguments={"command": "cat scale.txt", "description": "Read the scale"})
coder = asks_first(READ)
"""It reads a file that is not there, and answers all the same."""


def environment(home: Path, model: str) -> dict[str, str]:
    """What Claude Code is started with; `model` is the server's address without its /v1."""
    return {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "HOME": str(home),
        "CLAUDE_CONFIG_DIR": str(home / ".claude"),
        "ANTHROPIC_BASE_URL": model.removesuffix("/v1"),
        "ANTHROPIC_API_KEY": "sk-ant-local",
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
        "DISABLE_TELEMETRY": "1",
        "DISABLE_ERROR_REPORTING": "1",
        "DISABLE_AUTOUPDATER": "1",
        "HTTPS_PROXY": "http://127.0.0.1:9",  # whatever else it should look for is not there
        "NO_PROXY": "127.0.0.1",
    }


def claude(project: Path, prompt: str, env: dict[str, str], *options: str) -> str:
    """What `claude -p PROMPT` prints."""
    words = [str(CLI), "-p", prompt, "--allowedTools", "Bash", *options]
    done = subprocess.run(words, cwd=project, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          timeout=120)  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.strip()
