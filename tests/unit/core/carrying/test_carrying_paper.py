"""The paper's text format, as its code writes it, of FiNER and of AppWorld."""

from __future__ import annotations

import re

import pytest

from ace.core.carrying.paper import from_paper, to_paper
from ace.errors import InvalidInput
from ace.models.foreign import Foreign
from ace.models.playbook import Bullet, Origin, Section, SourceClass

THEIRS = re.compile(r"\[([^\]]+)\]\s*helpful=(\d+)\s*harmful=(\d+)\s*::\s*(.*)")  # as its code reads a line
EMPTY = ["STRATEGIES & INSIGHTS", "FORMULAS & CALCULATIONS", "CODE SNIPPETS & TEMPLATES", "COMMON MISTAKES TO AVOID",
         "PROBLEM-SOLVING HEURISTICS", "CONTEXT CLUES & INDICATORS", "OTHERS"]  # fmt: skip


@pytest.mark.parametrize(
    ("heading", "section"),
    [
        pytest.param("## STRATEGIES & INSIGHTS", Section.STRATEGY, id="strategies"),
        pytest.param("## FORMULAS & CALCULATIONS", Section.FORMULA, id="formulas"),
        pytest.param("## CODE SNIPPETS & TEMPLATES", Section.TOOL, id="code"),
        pytest.param("## COMMON MISTAKES TO AVOID", Section.MISTAKE, id="mistakes"),
        pytest.param("## PROBLEM-SOLVING HEURISTICS", Section.STRATEGY, id="heuristics"),
        pytest.param("## OTHERS", Section.OTHER, id="others"),
        pytest.param("## CAPITAL GAINS", Section.OTHER, id="api-within-a-word"),
        pytest.param("## STRATEGIES AND HARD RULES", Section.STRATEGY, id="appworld-strategies"),
        pytest.param("## APIs TO USE FOR SPECIFIC INFORMATION", Section.TOOL, id="appworld-apis"),
        pytest.param("## COMMON MISTAKES AND CORRECT STRATEGIES", Section.MISTAKE, id="appworld-mistakes"),
        pytest.param("## TROUBLESHOOTING AND PITFALLS:", Section.MISTAKE, id="appworld-pitfalls"),
        pytest.param("## MISTAKE", Section.MISTAKE, id="ours"),
    ],
)
def test_the_papers_headings_are_sections(heading: str, section: Section) -> None:
    (carried,) = from_paper(f"{heading}\n[calc-00001] helpful=5 harmful=0 :: Divide before rounding.\n\n## EMPTY\n")
    assert (carried.section, carried.content) == (section, "Divide before rounding.")
    place = Foreign(format="paper", id="calc-00001", section=heading[3:], helpful=5, harmful=0)
    assert carried.origin == Origin(source=SourceClass.IMPORT, foreign=(place,))


@pytest.mark.parametrize(
    ("text", "contents"),
    [
        pytest.param("[a&b-00001] helpful=1 harmful=0 :: x :: y", ["x :: y"], id="our-sign-in-the-text"),
        pytest.param("[a-1]helpful=1 harmful=0::x", ["x"], id="no-spaces"),
        pytest.param("[a-1] helpful=1 harmful=0 ::\nThe text below.", ["The text below."], id="the-text-below"),
        pytest.param("[a-1] helpful=1 harmful=0 :: Call:\n# first\nx()\n\ny()\n[b-2] z", ["Call: # first x() y()", "z"],
                     id="line-breaks-within"),
        pytest.param("[shr-00001] Look it up first.", ["Look it up first."], id="appworld"),
        pytest.param("# Mine\r\n\r\n[a-1] x\r\n", ["x"], id="windows"),
    ],
)  # fmt: skip
def test_what_its_code_writes_is_read(text: str, contents: list[str]) -> None:
    assert [one.content for one in from_paper(text)] == contents


@pytest.mark.parametrize(
    ("text", "line"),
    [
        pytest.param("## STRATEGY\nsomething else", "line 2", id="prose"),
        pytest.param("[a-1] x\n[b-2] helpful=x harmful=0 :: y", "line 2", id="a-broken-bullet"),
        pytest.param("[a-1] helpful=0 harmful=0 ::\n## B", "line 1", id="nothing-said"),
    ],
)
def test_the_line_that_cannot_be_used_is_named(text: str, line: str) -> None:
    with pytest.raises(InvalidInput) as raised:
        from_paper(text)
    assert raised.value.field == line


def test_its_code_reads_what_is_written() -> None:
    text = to_paper([Bullet(id="mistake-a", domain_id="d", content="Do not round.", section=Section.MISTAKE,
                            helpful_count=2)])  # fmt: skip
    assert [line[3:] for line in text.splitlines() if line.startswith("##")] == EMPTY
    (found,) = filter(None, map(THEIRS.match, text.splitlines()))
    assert found.groups() == ("mistake-a", "2", "0", "Do not round.")
    assert "## COMMON MISTAKES TO AVOID\n[mistake-a]" in text
