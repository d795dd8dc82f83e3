"""A session of Claude Code, read as turns: what counts, what is passed over, what is cut out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ace.core.hiding import HIDDEN
from ace.integrations.claude_code import episode
from ace.integrations.claude_transcript import Turn, transcripts, turns

RECEIPT = "WyJhIl0.c2lnbmVk"


def line(kind: str, content: Any, **more: Any) -> dict[str, Any]:
    message = {"message": {"role": kind, "content": content}} if kind in ("user", "assistant") else {}
    return {"type": kind, "sessionId": "s1", "uuid": "u1", "timestamp": "2026-11-29T22:00:00.000Z", **message, **more}


def use(own: str, **arguments: str) -> dict[str, Any]:
    return line("assistant", [{"type": "tool_use", "id": own, "name": "Bash", "input": arguments}])


def result(own: str, said: Any, *, failed: bool = False) -> dict[str, Any]:
    return line("user", [{"type": "tool_result", "tool_use_id": own, "content": said, "is_error": failed}])


def said(text: str, **more: Any) -> dict[str, Any]:
    return line("assistant", [{"type": "text", "text": text}], **more)


def read(*lines: dict[str, Any]) -> list[Turn]:
    return turns(json.dumps(one) for one in lines)


def test_a_turn_is_a_prompt_and_what_came_of_it() -> None:
    hook = {"type": "hook_additional_context", "content": [f"advice\n<ace-receipt>{RECEIPT}</ace-receipt>"]}
    ended = "2026-11-29T22:00:05.500Z"
    (turn,) = read(
        line("user", "Fix it.", promptId="p1"),
        line("attachment", None, attachment=hook),
        said("Let me look."),
        use("t1", command="ls"),
        result("t1", "no such file", failed=True),
        use("t2", command="pwd"),
        result("t2", [{"type": "text", "text": "/home"}]),
        said("Done.", timestamp=ended),
    )
    assert (turn.id, turn.session, turn.prompt, turn.answer, turn.receipt) == ("p1", "s1", "Fix it.", "Done.", RECEIPT)
    told = episode(turn)
    assert told["latency_s"] == 5.5 and told["episode_id"] == "claude-p1"
    assert told["trace"] == [
        {"tool": "Bash", "thought": "Let me look.", "arguments": '{"command": "ls"}',
         "observation": "Error: no such file"},
        {"tool": "Bash", "thought": "", "arguments": '{"command": "pwd"}', "observation": "/home"},
    ]  # fmt: skip


def test_prompts_know_of_each_other() -> None:
    blocks = [{"type": "text", "text": "And now?"}]
    first, second = read(line("user", "Fix it.", promptId="p1"), said("Done."), line("user", blocks, promptId="p2"))
    assert (first.following, second.earlier, second.teaches) == ("And now?", ("Fix it.",), False)
    assert episode(first)["detail"] == "The user went on: And now?" and episode(second)["context"] == "Fix it."


def test_what_is_neither_prompt_nor_work_is_passed_over() -> None:
    (turn,) = read(
        line("user", "<command-name>/clear</command-name>", promptId="p0"),
        line("user", "Fix it.", promptId="p1"),
        line("user", "a reminder", isMeta=True),
        line("user", [{"type": "text", "text": "what was before"}], isCompactSummary=True),
        said("an aside", isSidechain=True),
        said("Done."),
        said("API Error: 529", isApiErrorMessage=True),
        line("user", [{"type": "text", "text": "[Request interrupted by user]"}]),
        line("system", None, subtype="turn_duration"),
    )
    assert (turn.answer, turn.used, turn.interrupted) == ("Done.", [], True)
    assert episode(turn)["detail"] == "The user interrupted it."


def test_a_torn_line_ends_the_reading() -> None:
    whole = [json.dumps(line("user", "Fix it.", promptId="p1")), json.dumps(said("Done."))]
    (turn,) = turns([*whole, json.dumps(said("Never written."))[:-9]])
    assert turn.answer == "Done."


def test_secrets_are_cut_out_of_all_that_is_reported() -> None:
    key = "sk-ant-" + "a1B2" * 8
    pem = "-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----"
    lines = (
        line("user", f"Use {key}", promptId="p1"),
        use("t1", command=f"curl -H 'Authorization: Bearer {key}'"),
        result("t1", f"password=hunter2\n{pem}\nok"),
        said(f"It was {key}."),
        line("user", f"No, {key}", promptId="p2"),
    )
    told = json.dumps([episode(turn) for turn in read(*lines)])
    assert key not in told and "hunter2" not in told and "MIIE" not in told and told.count(HIDDEN) >= 5


def test_files_and_folders_are_found_once(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    one, two = tmp_path / "a" / "one.jsonl", tmp_path / "two.jsonl"
    for file in (one, two, tmp_path / "notes.txt"):
        file.write_text("")
    assert transcripts([tmp_path, one]) == [one, two]
