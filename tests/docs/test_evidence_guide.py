"""The commands of the evidence guide work, and its defaults are those of the code."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from ace.core.evalues import pairs_e_value
from ace.core.exposure import Shares
from ace.core.verdicts import HARMFUL_PAIRS, STRONG_PAIRS
from ace.models.evidence import Bar, Bars
from tests.e2e.conftest import Ace, ace, llm  # noqa: F401  fixtures

GUIDE = (Path(__file__).parents[2] / "docs" / "guides" / "evidence.md").read_text()
COMMANDS = re.findall(
    r"ace (simulate [^;\n]+)", "\n".join(re.findall(r"^```bash\n(.*?)^```", GUIDE, flags=re.M | re.S))
)


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_works(command: str, ace: Ace) -> None:  # noqa: F811
    words = shlex.split(re.sub(r" --tasks \d+", "", command.replace("$seed", "2")))
    ace(*words, "--tasks", "100")


def test_the_defaults_in_the_table_are_the_codes() -> None:
    bars, shares = Bars(), Shares()
    assert bars.staging == Bar(e_value=5.0, principals=2, clusters=2)
    assert bars.prod == Bar(e_value=20.0, principals=3, clusters=3)
    assert (bars.harm, bars.objectors, bars.false_discoveries) == (3.0, 3, 0.1)
    assert (shares.dropout, shares.canary, shares.trial, shares.holdout) == (0.05, 0.10, 0.50, 0.02)
    assert (STRONG_PAIRS, HARMFUL_PAIRS) == (120, 240)
    for told in (
        "e-value 5, 2 principals",
        "e-value 20, 3 principals",
        "for harm 3,",
        "5 %, 10 %, 50 % in learning, 2 %",
    ):
        assert told in GUIDE


def test_seven_wins_without_a_loss_are_one_in_twenty() -> None:
    assert pairs_e_value(6, 0) < 20 <= pairs_e_value(7, 0)
