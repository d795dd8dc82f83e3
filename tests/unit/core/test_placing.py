"""Where bullets go among messages, and what stays as it was."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ace.core.placing import before_task, behind_system

BULLETS = "<playbook>…</playbook>"
OURS = {"type": "text", "text": BULLETS}
MARK = {"type": "ephemeral"}
ASKED = {"role": "user", "content": "12 lb?"}


def system(content: Any, **more: Any) -> dict[str, Any]:
    return {"role": "system", "content": content, **more}


CASES: dict[str, tuple[list[Any], list[Any]]] = {
    "no system prompt": ([ASKED], [system(BULLETS), ASKED]),
    "a text": ([system("Be brief."), ASKED], [system(f"Be brief.\n\n{BULLETS}"), ASKED]),
    "blocks": (
        [system([{"type": "text", "text": "Long.", "cache_control": MARK}]), ASKED],
        [system([{"type": "text", "text": "Long.", "cache_control": MARK}, OURS]), ASKED],
    ),
    "a marker of the whole message": (
        [system("Long.", cache_control=MARK), ASKED],
        [system([{"type": "text", "text": "Long.", "cache_control": MARK}, OURS]), ASKED],
    ),
    "several": (
        [system("One."), {"role": "developer", "content": "Two."}, ASKED],
        [system("One."), {"role": "developer", "content": f"Two.\n\n{BULLETS}"}, ASKED],
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_behind_the_system_prompt(case: str) -> None:
    before, after = CASES[case]
    assert behind_system(before, BULLETS) == after


def test_before_the_task_everything_stays() -> None:
    history = [system("Be brief."), ASKED, {"role": "assistant", "content": "5.44 kg"}]
    placed = before_task([*history, {"role": "user", "content": [{"type": "text", "text": "And 3?"}]}], BULLETS)
    assert placed == [*history, {"role": "user", "content": [OURS, {"type": "text", "text": "And 3?"}]}]


messages = st.lists(
    st.fixed_dictionaries({"role": st.sampled_from(["system", "user", "assistant"]), "content": st.text()}), max_size=6
)


@given(messages)
def test_nothing_is_lost_and_nothing_given_is_changed(before: list[dict[str, Any]]) -> None:
    copy = [dict(one) for one in before]
    after = behind_system([*before, ASKED], BULLETS)
    assert before == copy and str(after).count(BULLETS) >= 1
    said = [str(one["content"]) for one in after]
    assert all(any(own["content"] in one for one in said) for own in before)
