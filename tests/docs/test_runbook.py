"""The runbook works, line by line: each block is run on a machine of its own, and what comes of it is looked at.

The seed, the runbook this project began with, is run the same way where it lies beside the checkout. What of it stands
in ours line by line, in the same order, is run there and not again. A block without a row in the table of expectations
fails.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.docs.blocks import Block, blocks
from tests.docs.expectations import OURS, SEED, Memo, Row, promql, rules_of
from tests.docs.site import ROOT, Ran, Site

RUNBOOK = ROOT / "docs" / "RUNBOOK.md"
SEED_RUNBOOK = ROOT.parent / "shared" / "seed" / "RUNBOOK.md"
SEED_BLOCKS = blocks(SEED_RUNBOOK) if SEED_RUNBOOK.exists() else []
OWN_BLOCKS = blocks(RUNBOOK)
OWN_LINES = [line for block in OWN_BLOCKS for line in block.commands.splitlines()]
NEEDED = ("curl", "git", "gzip", "ps", "setsid")

pytestmark = [
    pytest.mark.skipif(not all(map(shutil.which, NEEDED)), reason=f"not on this machine: {', '.join(NEEDED)}"),
]


def stands_in_ours(block: Block) -> bool:
    """Do its lines stand in our runbook, in this order?"""
    rest = iter(OWN_LINES)
    return all(line in rest for line in block.commands.splitlines())


@pytest.fixture(scope="module")
def site(models_dir: Path) -> Iterator[Site]:
    made = Site(models_dir.resolve())
    try:
        made.start()
        yield made
    finally:
        made.stop()


def go(block: Block, row: Row, site: Site, tmp_path: Path) -> None:
    """Run one block as its row says, and look at what came of it."""
    memo: Memo = {"body": block.body}
    row.given(site, memo)
    ran = Ran(code=0, output="", failed=())
    try:
        if block.language == "promql":
            check_queries(promql(block.body), tmp_path)
        elif row.runs:
            ran = run(block, row, site, memo)
            judge(row, ran)
        row.holds(site, ran, memo)
    except AssertionError as error:
        raise AssertionError(f"{block.name}: {error}\n{ran.output}\nfailed: {ran.failed}") from error
    finally:
        row.after(site)


def run(block: Block, row: Row, site: Site, memo: Memo) -> Ran:
    body = block.body
    for name, fill in row.fill.items():
        body = body.replace(f"<{name}>", fill(site, memo))
    assert not re.search(r"<\w+>", body), "a placeholder without a value"
    if block.language == "python":
        return site.python(body)
    if block.language == "sql":
        body = f"docker exec -i ace-db psql -v ON_ERROR_STOP=1 -U ace <<'SQL'\n{body}\nSQL"
    return site.run(body)


def judge(row: Row, ran: Ran) -> None:
    unforeseen = [command for command in ran.failed if not any(re.search(one, command) for one in row.fails)]
    assert not unforeseen, f"failed: {unforeseen}"
    assert len(ran.failed) == len(row.fails), "should have failed"
    for pattern in row.says:
        assert re.search(pattern, ran.output), f"{pattern!r} is not said"


def check_queries(queries: list[str], folder: Path) -> None:
    """Every metric exists, and promtool, where there is one, can read the queries."""
    known = (ROOT / "docs/reference/metrics.md").read_text()
    for name in re.findall(r"\b([a-z]+_[a-z_]+?)(?:_bucket)?(?=[{\[])", " ".join(queries)):
        assert f"`{name}`" in known, name
    if promtool := shutil.which("promtool"):
        file = rules_of(queries, folder / "rules.yml")
        done = subprocess.run([promtool, "check", "rules", file], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("block", OWN_BLOCKS, ids=lambda block: block.name)
def test_every_block_does_what_it_says(block: Block, site: Site, tmp_path: Path) -> None:
    assert block.name in OURS, f"say in tests/docs/expectations.py what must come of\n{block.body}"
    go(block, OURS[block.name], site, tmp_path)


@pytest.mark.skipif(not SEED_BLOCKS, reason=f"{SEED_RUNBOOK} is not beside this checkout")
@pytest.mark.parametrize("block", SEED_BLOCKS, ids=lambda block: f"seed: {block.name}")
def test_every_block_of_the_seed_does_what_it_says(block: Block, site: Site, tmp_path: Path) -> None:
    if stands_in_ours(block):
        assert block.name not in SEED, "its row is never used"
        return
    assert block.name in SEED, f"say in tests/docs/expectations.py what must come of\n{block.body}"
    go(block, SEED[block.name], site, tmp_path)


def test_no_expectation_is_left_over() -> None:
    assert {block.name for block in OWN_BLOCKS} == OURS.keys()


@pytest.mark.skipif(not SEED_BLOCKS, reason=f"{SEED_RUNBOOK} is not beside this checkout")
def test_the_seed_has_all_its_blocks_and_no_expectation_is_left_over() -> None:
    assert len(SEED_BLOCKS) == 44
    assert {block.name for block in SEED_BLOCKS if not stands_in_ours(block)} == SEED.keys()


def anchor(heading: str) -> str:
    """As GitHub makes it of a heading."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


ANCHORS = {anchor(heading) for heading in re.findall(r"^#+ (.+)$", RUNBOOK.read_text(), re.M)}


@pytest.mark.parametrize("link", sorted(set(re.findall(r"\]\(([^)]+)\)", RUNBOOK.read_text()))))
def test_every_link_leads_somewhere(link: str) -> None:
    file, _, place = link.partition("#")
    assert not file or (RUNBOOK.parent / file).exists()
    assert file or place in ANCHORS


def test_every_alert_leads_to_a_heading() -> None:
    rules = yaml.safe_load((ROOT / "prometheus/alerts.yml").read_text())["groups"][0]["rules"]
    for rule in rules:
        page, _, place = rule["annotations"]["runbook_url"].partition("#")
        assert (ROOT / page).samefile(RUNBOOK)
        assert place in ANCHORS, rule["alert"]
        assert rule["alert"] in RUNBOOK.read_text()
