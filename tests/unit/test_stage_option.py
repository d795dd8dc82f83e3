"""`pytest --stage=…` sets the stage that the settings, and so every retrieval, are of."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from ace.bootstrap import App
from ace.config import get_settings
from ace.models.plan import Add, Promote
from ace.models.playbook import PlaybookStage
from ace.testing.embedder import HashEmbedder
from tests.conftest import STAGES
from tests.playbooks import DOMAIN, NOW, bullet

SHOWN = {
    "shadow": {"new", "proving", "proven"},
    "staging": {"proving", "proven"},
    "production": {"proven"},
}
OTHERS = sorted(set(STAGES) - {"staging"})
STAGE_OF = {"new": None, "proving": PlaybookStage.STAGING, "proven": PlaybookStage.PROD}


class Wired(App):
    """The application as it is wired, with an embedder that needs no files."""

    embedder = HashEmbedder()


def test_what_a_task_is_shown_follows_the_stage(request: pytest.FixtureRequest) -> None:
    stage = request.config.getoption("--stage") or get_settings().env
    assert get_settings().env == stage
    app = Wired()
    with app.store.transaction(DOMAIN) as transaction:
        for word, rises_to in STAGE_OF.items():
            one = bullet(f"advice that is {word}")
            transaction.apply([Add(bullet=one)], vectors={one.id: app.embedder.embed([one.content])[0]}, now=NOW)
            for to in (PlaybookStage.STAGING, PlaybookStage.PROD):
                if rises_to in (to, PlaybookStage.PROD):
                    transaction.apply([Promote(bullet_id=one.id, to=to, reason="test")], vectors={}, now=NOW)
    found = app.retrieval.context(DOMAIN, "advice that is", k=10)
    assert {one.bullet.content.split()[-1] for one in found.bullets} == SHOWN[stage]


@pytest.mark.parametrize("stage", ["staging", *(pytest.param(stage, marks=pytest.mark.full) for stage in OTHERS)])
def test_the_option_sets_the_stage_for_the_whole_run(stage: str) -> None:
    only = f"{Path(__file__)}::test_what_a_task_is_shown_follows_the_stage"
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", f"--stage={stage}", only]
    done = subprocess.run(command, cwd=Path(__file__).parents[2], capture_output=True, text=True, timeout=120)
    assert (done.returncode, "1 passed" in done.stdout) == (0, True), done.stdout + done.stderr


def test_another_stage_is_refused() -> None:
    command = [sys.executable, "-m", "pytest", "--stage=moon", str(Path(__file__))]
    done = subprocess.run(command, cwd=Path(__file__).parents[2], capture_output=True, text=True, timeout=120)
    assert done.returncode == 4
    assert "invalid choice: 'moon'" in done.stderr
