"""Whatever the guide about going back tells an operator to type works, in the order shown."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

from ace.models.integrity import Tampering
from tests.e2e.conftest import Ace, ace, llm  # noqa: F401  fixtures

GUIDE = (Path(__file__).parents[2] / "docs" / "guides" / "rollback.md").read_text()
BLOCKS = re.findall(r"^```bash\n(.*?)^```", GUIDE, flags=re.M | re.S)


def test_every_command_of_the_guide_works(ace: Ace) -> None:  # noqa: F811
    ace("learn", ace.tasks("tasks.jsonl", ["amber", "birch"]), "--domain", "support")
    for line in (line for body in BLOCKS for line in body.splitlines()):
        _, *words = shlex.split(line)
        ace(*words)


def test_every_kind_of_tampering_is_in_the_guide() -> None:
    for kind in set(Tampering) - {Tampering.STATE, Tampering.ANCHORS}:
        assert f"`{kind.value}`" in GUIDE
