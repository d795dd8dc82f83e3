"""Kill servers, reflectors and Postgres while agents report, then check everything. `python -m benchmarks.kills`

One line of JSON: how many reports and kills, what was lost, what was done twice, and every complaint of the checkers.
Exit code 1 when there is one. A few minutes for 2,000 reports; the same reports for the same seed, though not the same
moments of death.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.world import MODELS
from tests.e2e.kills import Figures, as_line, siege


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--episodes", type=int, default=2000)
    options.add_argument("--seed", type=int, default=1)
    given = options.parse_args()
    with TemporaryDirectory() as home:
        asked = Figures(seed=given.seed, reports=given.episodes)
        figures = siege(asked, Path(home), MODELS, lambda told: print(told, file=sys.stderr))
    print(as_line(figures))
    return 1 if figures.complaints else 0


if __name__ == "__main__":
    sys.exit(main())
