"""The guides about deploying and promoting name settings, files and links that exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ace.config import Settings

ROOT = Path(__file__).parents[2]
GUIDES = [ROOT / f"docs/guides/{name}.md" for name in ("deploy", "promotion", "review", "safety")]
OF_SCRIPTS = "".join(file.read_text() for folder in ("scripts", "deploy") for file in (ROOT / folder).rglob("*.sh"))
OF_COMPOSE = (ROOT / "docker-compose.yml").read_text()
guides = pytest.mark.parametrize("guide", GUIDES, ids=lambda guide: guide.stem)


@guides
def test_every_variable_is_read_by_somebody(guide: Path) -> None:
    for name in set(re.findall(r"\bACE_[A-Z_]+\b", guide.read_text())):
        setting = name.removeprefix("ACE_").lower() in Settings.model_fields
        assert setting or f"${{{name}" in OF_SCRIPTS + OF_COMPOSE, name


@guides
def test_every_file_and_module_named_exists(guide: Path) -> None:
    text = guide.read_text()
    for name in re.findall(r"\b(?:scripts|deploy|ace)/[\w/.-]+\.\w+", text):
        assert (ROOT / name).exists(), name
    for name in re.findall(r"python -m ([\w.]+)", text):
        assert (ROOT / f"{name.replace('.', '/')}.py").exists(), name
