"""Whatever the guide about replays tells an operator to type works, in the order shown; its figures are the code's."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

from ace.cli.replay import PAIRS
from ace.core.evalues import pairs_e_value, wins_needed
from ace.core.pairing import HOPELESS
from ace.models.evidence import Bars
from ace.models.replay import Ended, Guilt
from ace.services.blaming import MOST_SUSPECTS
from ace.services.replay_tasks import POOL
from tests.e2e.shop import SHOP, Shop, llm, shop  # noqa: F401  fixtures
from tests.replays import HARMFUL, HELPFUL, PLACEBO, reported, task

GUIDE = (Path(__file__).parents[2] / "docs" / "guides" / "replay.md").read_text()
LINES = [line for body in re.findall(r"^```bash\n(.*?)^```", GUIDE, flags=re.M | re.S) for line in body.splitlines()]


def test_every_command_of_the_guide_works(shop: Shop) -> None:  # noqa: F811
    helpful, _ = shop.add(HELPFUL, PLACEBO, voted=True)
    shop.ace("release", "create", "before-import", "--domain", SHOP)
    shop.add(HARMFUL)
    shop.report(16)
    shown = [one.id for one in shop.store.get_all(SHOP)]
    shop.episodes.report(reported(20, name="ticket-4711", shown=shown, domain=SHOP))
    asked = task(30)
    line = {"id": "t-101", "question": asked.question, "ground_truth": asked.ground_truth}
    (shop.ace.home / "heldout.jsonl").write_text(json.dumps(line) + "\n")
    for line_ in LINES:
        command = line_.replace("strategy-k3j5x7q2ab", helpful).replace("--domain support", f"--domain {SHOP}")
        _, *words = shlex.split(command)
        shop.ace(*words)


def test_its_words_and_figures_are_the_codes() -> None:
    bars = Bars()
    assert {f"`{one.value}`" for one in (*Ended, *Guilt)} <= set(re.findall(r"`\w+`", GUIDE))
    assert (PAIRS, POOL, MOST_SUSPECTS, HOPELESS, bars.harm) == (40, 2000, 40, 0.05, 3.0)
    assert (wins_needed(0, bars.staging.e_value), wins_needed(0, bars.prod.e_value)) == (4, 7)
    assert pairs_e_value(2, 0) < bars.harm <= pairs_e_value(3, 0)
