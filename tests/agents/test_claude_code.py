"""Claude Code with a playbook: the real program, our hooks as it runs them, and what its sessions teach afterwards."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ace import Playbook
from ace.integrations.claude_code import respond
from ace.integrations.claude_transcript import Turn, transcripts, turns
from ace.repositories.database import Database
from ace.repositories.episode_repository import EpisodeRepository
from ace.testing.llm import ScriptedLLM, hang
from ace.testing.providers import FakeProvider
from tests.agents.claude import claude, coder, environment
from tests.agents.shop import LESSON, RIGHT, TASK, WRONG, Place
from tests.e2e.nursery import nursery
from tests.e2e.servers import Server, wait_until


@dataclass(frozen=True, kw_only=True)
class Session:
    """A session that has been: two prompts, the second in the same conversation."""

    project: Path
    env: dict[str, str]
    place: Place
    lesson: str
    answers: list[str]
    requests: list[Any]

    def ace(self, *words: str, code: int = 0) -> str:
        done = nursery().run(*words, cwd=self.project, env=self.env)
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout

    def turns(self) -> list[Turn]:
        (file,) = transcripts([Path(self.env["CLAUDE_CONFIG_DIR"]) / "projects"])
        return turns(file.read_text().splitlines())


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory, server: Server, models_dir: Path) -> Iterator[Session]:
    home = tmp_path_factory.mktemp("claude")
    (project := home / "project").mkdir()
    opened = Database(f"sqlite:///{server.environment['ACE_DATA_DIR']}/ace.db")
    place = Place(options={"url": server.url}, domain="my-project", stored=EpisodeRepository(opened).get)
    ours = {"ACE_DATA_DIR": str(home / "data"), "ACE_MODELS_DIR": str(models_dir)}
    with FakeProvider(script=coder) as provider:
        env = {**environment(home, provider.url), **ours}
        made = Session(project=project, env=env, place=place, lesson=place.taught(), answers=[], requests=[])
        made.ace("claude", "install", "--domain", "my-project", "--url", server.url, "--patience", "29")
        made.answers.append(claude(project, TASK, env))
        made.answers.append(claude(project, f"Once more: {TASK}", env, "--continue"))
        made.requests.extend(seen.json for seen in provider.requests if seen.path.startswith("/v1/messages?"))
    yield made
    opened.close()


def test_a_bullet_changes_what_the_model_answers(session: Session) -> None:
    assert session.answers == [f"{RIGHT} [{session.lesson}]"] * 2
    last = json.dumps(session.requests[-1]["messages"], ensure_ascii=False)
    assert f"[{session.lesson}] {LESSON}" in last and "<playbook>" in last


def test_every_turn_is_an_episode_with_its_receipt(session: Session) -> None:
    first, second = session.turns()
    for turn in (first, second):
        own = f"claude-{turn.id}"
        wait_until(lambda own=own: session.place.stored("my-project", own), 60)
        stored = session.place.episode(own)
        assert (stored.task.question, stored.trajectory.answer) == (turn.prompt, session.answers[0])
        assert stored.receipt is not None and stored.receipt.shown == (session.lesson,)
        assert (stored.trajectory.cited, stored.feedback.correct) == ((session.lesson,), None)
    stored = session.place.episode(f"claude-{first.id}")
    assert [step.tool for step in stored.trajectory.steps] == ["Bash"]
    assert stored.trajectory.steps[0].observation.startswith("Error: Exit code 1\ncat: scale.txt: No such file")
    assert session.place.episode(f"claude-{second.id}").task.context == TASK


def test_sessions_are_learned_from_afterwards_once(session: Session) -> None:
    words = ("claude", "learn", f"{session.env['CLAUDE_CONFIG_DIR']}/projects", "--domain", "mine", "--json")
    first, again = (json.loads(session.ace(*words)) for _ in range(2))
    assert first == {"domain": "mine", "sessions": 1, "episodes": 2, "new": 2, "repeated": 0}
    assert (again["new"], again["repeated"]) == (0, 2)


def test_what_the_hooks_reported_is_known(session: Session, server: Server) -> None:
    for turn in session.turns():
        wait_until(lambda own=turn.id: session.place.stored("my-project", f"claude-{own}"), 60)
    words = ("claude", "learn", f"{session.env['CLAUDE_CONFIG_DIR']}/projects", "--domain", "my-project", "--json")
    told = json.loads(session.ace(*words, "--url", server.url))
    assert (told["new"], told["repeated"]) == (0, 2)


def test_sessions_become_a_file_that_can_be_read_first(session: Session) -> None:
    words = ("claude", "learn", f"{session.env['CLAUDE_CONFIG_DIR']}/projects", "--as-episodes", "sessions.jsonl")
    assert session.ace(*words).startswith("1 sessions, 2 episodes")
    lines = [json.loads(line) for line in (session.project / "sessions.jsonl").read_text().splitlines()]
    assert [line["task"] for line in lines] == [TASK, f"Once more: {TASK}"]
    assert lines[0]["outcome"]["detail"] == f"The user went on: Once more: {TASK}"
    told = session.ace("learn", "sessions.jsonl", "--domain", "from-file", "--json")
    assert json.loads(told)["new"] == 2


def test_the_hooks_are_taken_out_again(session: Session) -> None:
    file = session.project / ".claude/settings.json"
    before = file.read_text()
    assert session.ace("claude", "install", "--uninstall", "--dry-run").count("-") > 20
    assert file.read_text() == before
    session.ace("claude", "install", "--uninstall")
    assert json.loads(file.read_text()) == {}
    file.write_text(before)


def test_a_playbook_that_is_away_costs_a_session_nothing(session: Session, tmp_path: Path) -> None:
    (project := tmp_path / "project").mkdir()
    with FakeProvider(script=coder) as provider:
        env = {**session.env, **environment(tmp_path, provider.url)}
        nursery().run("claude", "install", "--url", "http://127.0.0.1:9", cwd=project, env=env)
        assert claude(project, TASK, env) == WRONG


def hook(event: Any, *options: str) -> tuple[subprocess.CompletedProcess[str], float]:
    """`ace claude hook` with this on stdin, and how long it took."""
    began = time.monotonic()
    text = event if isinstance(event, str) else json.dumps(event)
    done = subprocess.run([sys.executable, "-m", "ace", "claude", "hook", *options], input=text, capture_output=True,
                          text=True)  # fmt: skip
    return done, time.monotonic() - began


PROMPT = {"hook_event_name": "UserPromptSubmit", "session_id": "s", "prompt": TASK}


def test_a_prompt_does_not_wait_for_a_playbook_that_is_silent() -> None:
    with ScriptedLLM([hang()]) as silent:
        done, seconds = hook(PROMPT, "--url", silent.url.removesuffix("/v1"))
    assert (done.returncode, json.loads(done.stdout)) == (0, {})
    assert "the session goes on without" in done.stderr and seconds < 5  # the client alone would wait for ten


BROKEN: dict[str, tuple[Any, tuple[str, ...], str]] = {
    "no JSON": ("nonsense", (), ""),
    "no transcript": ({"hook_event_name": "Stop", "transcript_path": "/nowhere.jsonl"}, (), "cannot be read"),
    "an option nobody knows": (PROMPT, ("--domian", "a", "--patience", "30"), "--domian"),
    "a server that is away": (PROMPT, ("--url", "http://127.0.0.1:9", "--patience", "30"), "cannot be reached"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_whatever_happens_the_hook_answers_and_exits_well(case: str) -> None:
    event, options, said = BROKEN[case]
    done, _ = hook(event, *options)
    assert (done.returncode, json.loads(done.stdout)) == (0, {})
    assert said in done.stderr and "Traceback" not in done.stderr


@pytest.mark.parametrize("event", [{}, {"hook_event_name": "Dream"}, {**PROMPT, "prompt": "/clear"}])
def test_what_is_no_task_is_not_asked_about(event: dict[str, str]) -> None:
    with Playbook("a", url="http://127.0.0.1:9") as nobody:
        assert respond(event, nobody) == {}
