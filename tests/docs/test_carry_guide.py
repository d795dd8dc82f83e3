"""What the guide to carrying tells a reader to type works, in the order shown; its tables say what the code does."""

from __future__ import annotations

import json
import re
import shlex
import shutil
from pathlib import Path

import pytest
import skills_ref

from ace.core.carrying.skill import BODY_TOKENS
from ace.models.form import Read
from tests.docs.walk import bash_blocks
from tests.e2e.conftest import Ace, ace, llm  # noqa: F401  fixtures
from tests.unit.core.carrying.test_carrying_round_trips import CARRIES

PAGE = Path(__file__).parents[2] / "docs/guides/carry.md"
GUIDE = PAGE.read_text()
FOREIGN = Path(__file__).parents[1] / "unit/core/carrying/foreign"
NOTES = "# Rules\n\n## Mistakes\n\n- Closing a ticket before the refund has arrived.\n"


def run(ace: Ace, block: str) -> str:  # noqa: F811
    return "".join(ace(*shlex.split(line)[1:]).stdout for line in block.replace("\\\n", "").splitlines())


def test_the_guide_does_what_it_says(ace: Ace) -> None:  # noqa: F811
    shutil.copy(FOREIGN / "ace-framework-0.9.0.json", ace.home / "skillbook.json")
    (ace.home / "notes.md").write_text(NOTES)
    (ace.home / "AGENTS.md").write_text("# House rules\n")
    into, purged, out, *_ = (run(ace, block) for block in bash_blocks(PAGE))
    assert "3 bullets in skillbook.json: 3 added, 0 known, 0 contradicting, 0 held, 0 rejected (dry run)" in into
    assert "1 bullets in notes.md: 1 added" in into
    assert "4" in purged
    assert "playbook.json: 0 bullets of support" in out
    assert "playbook.md: 4 bullets of support" in out
    assert skills_ref.validate(ace.home / ".claude/skills/support-playbook") == []
    (section,) = re.findall(r"^```text\n(.*?)^…\n(.*?)^```", GUIDE, re.M | re.S)
    for name, before in (("AGENTS.md", "# House rules\n\n"), ("CLAUDE.md", "")):
        text = (ace.home / name).read_text()
        assert text.startswith(before + section[0])
        assert text.endswith(section[1])
    told = {one["content"]: one["origin"]["foreign"][0] for one in ace.json("playbook", "show", "--domain", "support")}
    assert told["Page through the list with `cursor`."]["id"] == "tool_use-00003"


def test_the_table_of_fields_is_what_the_round_trips_show() -> None:
    head, _, *rows = re.findall(r"^\|(.*)\|$", GUIDE.split("What stays for its stage")[1], re.M)
    forms = re.findall(r"`([\w-]+)`", head)
    said: dict[str, set[str]] = {form: set() for form in forms}
    for row in rows:
        name, *cells = (cell.strip() for cell in row.split("|"))
        for form, cell in zip(forms, cells, strict=True):
            said[form] |= {name} if cell == "yes" else set()
    assert said == {form: carried | {"text, section"} for form, carried in CARRIES.items()}


def test_every_form_an_import_reads_is_in_the_table() -> None:
    assert re.findall(r"^\| `(\w[\w-]*)` \|", GUIDE, re.M) == [form.value for form in Read if form is not Read.AUTO]


def test_the_number_is_the_codes() -> None:
    assert f"up to {BODY_TOKENS:,} tokens" in GUIDE


@pytest.mark.parametrize("link", re.findall(r"\]\((?!http)([^)#]+)\)", GUIDE))
def test_every_link_leads_somewhere(link: str) -> None:
    assert (PAGE.parent / link).exists()


def test_what_the_import_tells_names_the_import(ace: Ace) -> None:  # noqa: F811
    (ace.home / "notes.md").write_text(NOTES)
    told = ace.json("playbook", "import", "notes.md", "--domain", "d")
    taken = ace("purge", "--domain", "d", "--episode", told["import_id"], "--reason", "r", "--yes", "--json").stdout
    assert [one["id"] for one in json.loads(taken)["quarantined"]] == [told["outcomes"][0]["bullet"]]
