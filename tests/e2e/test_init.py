"""`ace init`: what it writes is what the settings read."""

from __future__ import annotations

import json
import os
import tomllib
from pathlib import Path
from typing import Any

import pytest

from ace.config import settings_alone
from tests.e2e.conftest import Ace
from tests.e2e.terminal import typed

CASES: dict[str, dict[str, str]] = {
    "nothing": {},
    "a-hosted-model": {"model": "openai/gpt-5-mini", "env": "production"},
    "a-server-of-ones-own": {"model": "openai/qwen", "model_base_url": "http://127.0.0.1:11434/v1"},
    "postgres": {"database_url": "postgresql://ace:p%40ss@127.0.0.1/ace", "data_dir": "/srv/ace data"},
    "embeddings": {"embeddings_url": "http://127.0.0.1:8080/v1", "embeddings_model": "bge-small"},
    "strange-signs": {"data_dir": 'a "quoted" \\ path – ü\t\x7f'},
}
CLEAN = {key: value for key, value in os.environ.items() if not key.startswith("ACE_")}


@pytest.fixture
def plain(tmp_path: Path) -> Ace:
    """`ace` where nothing is set up."""
    return Ace(tmp_path, CLEAN)


def options(chosen: dict[str, str]) -> list[str]:
    return [word for name, value in chosen.items() for word in (f"--{name.replace('_', '-')}", value)]


@pytest.mark.parametrize("chosen", CASES.values(), ids=CASES)
def test_the_settings_read_back_what_was_chosen(plain: Ace, chosen: dict[str, str]) -> None:
    told = plain.json("init", *options(chosen))
    file = plain.home / "ace.toml"
    assert settings_alone(**tomllib.loads(file.read_text())) == settings_alone(**chosen)
    assert file.stat().st_mode & 0o777 == 0o600
    assert (told["file"], told["overruled"]) == ("ace.toml", [])
    assert "ace doctor" in told["next"]


def test_a_file_that_is_there_stays(plain: Ace) -> None:
    plain("init")
    first = (plain.home / "ace.toml").read_text()
    assert "--force" in plain("init", "--model", "openai/gpt-5-mini", code=2).stderr
    assert (plain.home / "ace.toml").read_text() == first
    plain("init", "--model", "openai/gpt-5-mini", "--force")
    assert (plain.home / "ace.toml").read_text() != first


def test_a_broken_file_can_be_replaced_and_is_named_until_then(plain: Ace) -> None:
    (plain.home / "ace.toml").write_text("model = local")
    assert "ace.toml: is not TOML" in plain("db", "current", code=2).stderr
    plain("init", "--force")
    plain("db", "current")


@pytest.mark.parametrize(
    ("chosen", "field"),
    [
        pytest.param({"database_url": "mysql://127.0.0.1/ace"}, "ACE_DATABASE_URL", id="unknown-database"),
        pytest.param({"env": "prod"}, "--env", id="unknown-environment"),
    ],
)
def test_what_the_settings_would_refuse_is_not_written(plain: Ace, chosen: dict[str, str], field: str) -> None:
    assert field in plain("init", *options(chosen), code=2).stderr
    assert not (plain.home / "ace.toml").exists()


def test_a_variable_that_goes_before_the_file_is_named(plain: Ace) -> None:
    done = plain("init", "--model", "openai/a", "--json", ACE_MODEL="openai/b")
    assert json.loads(done.stdout)["overruled"] == ["ACE_MODEL"]


def test_another_file_is_to_be_named_to_the_settings(plain: Ace) -> None:
    assert plain.json("init", "--file", "my ace.toml")["next"][0] == "export ACE_CONFIG='my ace.toml'"


@pytest.mark.parametrize(
    ("chosen", "step"),
    [
        pytest.param({}, "ace models pull", id="local"),
        pytest.param({"model": "anthropic/claude"}, "export ANTHROPIC_API_KEY=…", id="hosted"),
        pytest.param({"database_url": "postgresql://ace@127.0.0.1/ace"}, "ace db upgrade", id="postgres"),
    ],
)
def test_it_says_what_comes_next(plain: Ace, chosen: dict[str, Any], step: str) -> None:
    assert f"  {step}\n" in plain("init", *options(chosen)).stdout


def test_in_a_terminal_it_asks_for_what_was_not_given(tmp_path: Path) -> None:
    answers = [("Language model", "openai/qwen"), ("Its address", "http://127.0.0.1:1/v1"), ("Database", ""),
               ("Embeddings server", ""), ("Environment", "staging")]  # fmt: skip
    seen = typed(["init", "--data-dir", "here"], answers, env=CLEAN, cwd=tmp_path)
    assert "Data directory" not in seen
    found = tomllib.loads((tmp_path / "ace.toml").read_text())
    assert found == {"model": "openai/qwen", "model_base_url": "http://127.0.0.1:1/v1", "data_dir": "here",
                     "env": "staging"}  # fmt: skip
