"""The commands of the list for production work, and what it names exists."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

from ace.config import Settings
from tests.docs.walk import bash_blocks
from tests.e2e.conftest import Ace, ace, llm  # noqa: F401  fixtures

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "docs/guides/in-production.md").read_text()


def test_every_command_works_in_the_order_shown(ace: Ace) -> None:  # noqa: F811
    ace("learn", ace.tasks("tasks.jsonl", ["amber", "birch"]), "--domain", "support")
    doctor, *rest = bash_blocks(ROOT / "docs/guides/in-production.md")
    looked = ace.start(*shlex.split(doctor)[1:])
    assert '"checks"' in looked.communicate(timeout=120)[0]
    assert looked.returncode in (0, 2, 4)
    lines = [line.split("  #")[0] for block in rest for line in block.splitlines()]
    for line in [*lines, *(f'{one} "none" --dry-run' for one in shown_inline())]:
        ace(*shlex.split(line)[1:])


def shown_inline() -> list[str]:
    """The commands that stand in a table, without their reason."""
    return [one.split(' "')[0] for one in re.findall(r"`(ace (?:rollback|purge) [^`]+)`", GUIDE)]


def test_every_setting_and_event_named_exists() -> None:
    settings = {f"ACE_{name.upper()}" for name in Settings.model_fields}
    assert set(re.findall(r"\bACE_[A-Z_]{3,}", GUIDE)) <= settings
    events = (ROOT / "docs/reference/events.md").read_text()
    assert all(f"`{name}`" in events for name in re.findall(r"the event `(\w+)`", GUIDE))
