"""A playbook as a document: what goes out comes in again, and what cannot be used is named."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ace.core.carrying import from_document, from_text, to_document, to_markdown
from ace.core.rendering import one_line, render_playbook
from ace.errors import InvalidInput
from ace.models.playbook import Bullet, Link, Origin, PlaybookStage, Section, SourceClass, bullet_id, normalise

words = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=60).filter(
    lambda text: bool(one_line(normalise(text)).strip())
)
origins = st.builds(
    Origin,
    source=st.sampled_from(SourceClass),
    episode_id=st.none() | st.just("e1"),
    task_id=st.none() | st.just("t1"),
    model=st.none() | st.just("m"),
    confidence=st.floats(0, 1),
    shown=st.just(()) | st.just(("strategy-a",)),
)


@st.composite
def bullets(draw: Any) -> Bullet:
    text, section = normalise(draw(words)), draw(st.sampled_from(Section))
    return Bullet(id=bullet_id("d", section, text), domain_id="d", content=text, section=section, helpful_count=3,
                  stage=draw(st.sampled_from(PlaybookStage)), origin=draw(origins))  # fmt: skip


@given(st.lists(bullets(), max_size=8))
def test_json_keeps_text_section_and_origin_of_all_but_the_quarantined(made: list[Bullet]) -> None:
    carried = from_document(to_document("d", 7, made, []))
    kept = sorted((one for one in made if one.stage != PlaybookStage.QUARANTINED), key=lambda one: one.id)
    assert [(one.content, one.section, one.origin) for one in carried] == [
        (one.content, one.section, one.origin) for one in kept
    ]


@given(st.lists(bullets(), max_size=8))
def test_text_keeps_text_and_section(made: list[Bullet]) -> None:
    carried = from_text(render_playbook(made))
    told = sorted((one.section, one_line(one.content).strip()) for one in made)
    assert sorted((one.section, one.content) for one in carried) == told


def test_contradictions_of_what_is_carried_are_in_the_document() -> None:
    one, other = (Bullet(id=f"strategy-{name}", domain_id="d", content=name) for name in "ab")
    document = to_document("d", 1, [one, other], [Link.between(one.id, other.id), Link.between(one.id, "strategy-c")])
    assert document["contradictions"] == [["strategy-a", "strategy-b"]]


@pytest.mark.parametrize(
    ("heading", "section"),
    [
        pytest.param("## STRATEGIES & INSIGHTS", Section.STRATEGY, id="paper-strategies"),
        pytest.param("## FORMULAS & CALCULATIONS", Section.FORMULA, id="paper-formulas"),
        pytest.param("## CODE SNIPPETS & TEMPLATES", Section.TOOL, id="paper-code"),
        pytest.param("## COMMON MISTAKES TO AVOID", Section.MISTAKE, id="paper-mistakes"),
        pytest.param("## PROBLEM-SOLVING HEURISTICS", Section.STRATEGY, id="paper-heuristics"),
        pytest.param("## OTHERS", Section.OTHER, id="paper-others"),
        pytest.param("## MISTAKE", Section.MISTAKE, id="ours"),
    ],
)
def test_the_papers_headings_are_sections(heading: str, section: Section) -> None:
    (carried,) = from_text(f"{heading}\n[calc-00001] helpful=5 harmful=0 :: Divide before rounding.\n\n## EMPTY\n")
    assert (carried.section, carried.content) == (section, "Divide before rounding.")
    assert carried.origin == Origin(source=SourceClass.IMPORT)


@pytest.mark.parametrize(
    ("document", "field"),
    [
        pytest.param([], "bullets", id="an-array"),
        pytest.param({"bullets": {}}, "bullets", id="no-list"),
        pytest.param({"format": "other", "bullets": []}, "bullets", id="another-format"),
        pytest.param({"version": 9, "bullets": []}, "version", id="a-later-version"),
        pytest.param({"bullets": [3]}, "bullets[0]", id="no-object"),
        pytest.param({"bullets": [{"content": "a"}, {"content": " "}]}, "bullets[1].content", id="blank"),
        pytest.param({"bullets": [{"content": 3}]}, "bullets[0].content", id="no-text"),
        pytest.param({"bullets": [{"content": "a", "section": "x"}]}, "bullets[0]", id="unknown-section"),
        pytest.param({"bullets": [{"content": "a", "origin": {"source": "x"}}]}, "bullets[0]", id="unknown-source"),
        pytest.param({"bullets": [{"content": "a", "origin": [1]}]}, "bullets[0]", id="no-origin"),
    ],
)
def test_what_is_wrong_is_named(document: Any, field: str) -> None:
    with pytest.raises(InvalidInput) as raised:
        from_document(document)
    assert raised.value.field == field


def test_a_line_that_is_no_bullet_is_named() -> None:
    with pytest.raises(InvalidInput) as raised:
        from_text("## STRATEGY\n[a] helpful=0 harmful=0 :: x\nsomething else")
    assert raised.value.field == "line 3"


def test_markdown_is_for_people() -> None:
    page = to_markdown("d", 3, [Bullet(id="strategy-a", domain_id="d", content="Round\nhalf up.", helpful_count=2)])
    assert "# Playbook d, as of position 3" in page
    assert "## Strategy\n\n- Round half up. (`strategy-a`, shadow, +2 −0)" in page
