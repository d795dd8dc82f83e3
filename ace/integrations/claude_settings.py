"""Our hooks in a settings.json of Claude Code: put in once, found again, taken out; what else stands there stays.

event               waits for our answer
UserPromptSubmit    yes
Stop, SessionEnd    no: they run in the background
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from difflib import unified_diff
from pathlib import Path
from typing import Any

from ace.errors import InvalidInput
from ace.utils.files import write_atomic

Json = dict[str, Any]
EVENTS: Mapping[str, Json] = {
    "UserPromptSubmit": {"timeout": 30},
    "Stop": {"timeout": 60, "async": True},
    "SessionEnd": {"timeout": 60, "async": True},
}
_OURS = re.compile(r"\bace(?:\.exe)?[\"']? claude hook\b")


def with_hooks(settings: Mapping[str, Any], command: str) -> Json:
    """The settings with our hooks, each once."""
    hooks = dict(settings.get("hooks", {}))
    for event, more in EVENTS.items():
        ours = {"type": "command", "command": command, **more}
        groups = _mapped(hooks.get(event, []), ours)
        hooks[event] = groups if any(_is_ours(one) for group in groups for one in group["hooks"]) else [
            *groups, {"hooks": [ours]}]  # fmt: skip
    return {**settings, "hooks": hooks}


def without_hooks(settings: Mapping[str, Any]) -> Json:
    """The settings without our hooks, and without what was there for them alone."""
    left = {event: _mapped(groups, None) for event, groups in settings.get("hooks", {}).items()}
    left = {event: groups for event, groups in left.items() if groups}
    others = {name: value for name, value in settings.items() if name != "hooks"}
    return {**others, "hooks": left} if left else others


def read(file: Path) -> Json:
    """The settings of the file; none where it is absent. Raises InvalidInput when it cannot be understood."""
    if not file.exists():
        return {}
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
        for groups in found.get("hooks", {}).values():
            [group["hooks"] for group in groups]
    except (ValueError, AttributeError, TypeError, KeyError) as error:
        raise InvalidInput(str(file), f"is not a settings.json of Claude Code: {error}", "Mend it first") from error
    return dict(found)


def write(file: Path, settings: Mapping[str, Any]) -> None:
    """Put the settings there, whole. Raises StoreUnavailable."""
    file.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(file, _text(settings))


def difference(file: Path, before: Mapping[str, Any], after: Mapping[str, Any]) -> str:
    """What would change, line by line; empty when nothing would."""
    old, new = (_text(one).splitlines(keepends=True) for one in (before, after))
    return "".join(unified_diff(old, new, str(file), str(file)))


def _text(settings: Mapping[str, Any]) -> str:
    return json.dumps(settings, indent=2, ensure_ascii=False) + "\n"


def _mapped(groups: list[Json], instead: Json | None) -> list[Json]:
    """The groups with `instead` in the place of our first hook, and none of our others."""
    left = [] if instead is None else [instead]
    mapped = []
    for group in groups:
        hooks = [hook for one in group["hooks"] for hook in ([one] if not _is_ours(one) else _next(left))]
        if hooks or not group["hooks"]:
            mapped.append({**group, "hooks": hooks})
    return mapped


def _next(left: list[Json]) -> list[Json]:
    return [left.pop()] if left else []


def _is_ours(hook: Json) -> bool:
    return _OURS.search(str(hook.get("command", ""))) is not None
