"""A model that weighs before it answers, and knows what a pound is only if its prompt says so."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ace import Playbook
from ace.models.episode import Episode
from ace.testing.dialects import Said, ToolCall
from ace.testing.providers import Seen

LESSON = "A pound is 0.4536 kilograms: multiply, then round to two places."
TASK = "How many kilograms are 12 lb?"
RIGHT, WRONG = "5.44 kg", "12 kg"
WEIGH = ToolCall(tool="weigh", arguments={"pounds": 12})


def asks_first(tool: ToolCall) -> Callable[[Seen], Said]:
    """A model that asks for the tool first, if it has any; then it says what the lesson comes to, and its id."""

    def script(seen: Seen) -> Said:
        body = seen.body.decode()
        if seen.json.get("tools") and not re.search(r'"(tool_result|function_call_output)"|"role": ?"tool"', body):
            return tool
        lesson = re.search(rf"\[(\w+-[a-z2-7]{{10}})\] {re.escape(LESSON)}", body)
        return f"{RIGHT} [{lesson[1]}]" if lesson else WRONG

    return script


clerk = asks_first(WEIGH)


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a playbook is: how it is opened, and how its stored episodes are read."""

    options: dict[str, Any]
    domain: str
    stored: Callable[[str, str], Episode | None]

    def playbook(self) -> Playbook:
        return Playbook(self.domain, **self.options)

    def taught(self) -> str:
        """The id of the lesson, which is in the playbook now."""
        with self.playbook() as playbook:
            return str(playbook.learn([LESSON]).outcomes[0].bullet_id)

    def episode(self, own: str) -> Episode:
        found = self.stored(self.domain, own)
        assert found is not None, f"no episode {own}"
        return found
