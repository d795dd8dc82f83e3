"""A skill is one by the specification's own validator and by plain YAML, whatever is in it; the best comes first."""

from __future__ import annotations

from pathlib import Path

import pytest
import skills_ref
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from ace.core.carrying.skill import (
    BODY_TOKENS,
    MAX_DESCRIPTION,
    check_name,
    from_skill,
    front,
    is_ours,
    name_for,
    to_skill,
)
from ace.core.rendering import estimate_tokens, one_line
from ace.core.validation import DOMAIN_PATTERN
from ace.errors import InvalidInput
from ace.models.playbook import Bullet, PlaybookStage, Section, bullet_id
from tests.unit.core.carrying.texts import playbooks, texts


def bullet(text: str, section: Section = Section.STRATEGY, helpful: int = 0) -> Bullet:
    return Bullet(id=bullet_id("d", section, text), domain_id="d", content=text, section=section,
                  stage=PlaybookStage.PROD, helpful_count=helpful)  # fmt: skip


def put(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


@settings(max_examples=25)
@given(domain=st.from_regex(DOMAIN_PATTERN, fullmatch=True), given=playbooks, description=st.none() | texts)
def test_any_playbook_of_any_domain_is_a_valid_skill(
    tmp_path_factory: pytest.TempPathFactory, domain: str, given: list[Bullet], description: str | None
) -> None:
    name = check_name(name_for(domain))
    folder = tmp_path_factory.mktemp("skills") / name
    text = to_skill(name, domain, 7, given, description)["SKILL.md"]
    put(folder, {"SKILL.md": text})
    assert skills_ref.validate(folder) == []
    told = yaml.safe_load(front(text) or "")
    assert (told["name"], told["metadata"]["domain"]) == (name, domain)
    assert told["description"] == skills_ref.read_properties(folder).description
    assert description is None or told["description"] == one_line(description).strip()
    assert is_ours(text)


def test_the_best_are_in_the_body_and_the_rest_by_section_beside_it() -> None:
    many = [bullet(f"{'Look twice. ' * 20}{n}", section, helpful=n) for n in range(60)
            for section in (Section.STRATEGY, Section.MISTAKE)]  # fmt: skip
    files = to_skill("d-playbook", "d", 7, many)
    assert set(files) == {"SKILL.md", "references/strategy.md", "references/mistake.md"}
    body = files["SKILL.md"]
    assert BODY_TOKENS * 0.9 < estimate_tokens(body) < 5_000
    assert len(body.splitlines()) < 500
    assert many[-1].id in body
    assert many[0].id in files["references/strategy.md"]
    assert "[Mistakes to avoid](references/mistake.md) (" in body
    assert {one.place.id for one in from_skill(files)} == {one.id for one in many}


def test_the_most_trusted_stage_comes_before_votes() -> None:
    shadow = bullet("Popular.", helpful=9).evolve(stage=PlaybookStage.SHADOW)
    proven = bullet("Proven.")
    body = to_skill("d", "d", 1, [shadow, proven])["SKILL.md"]
    assert body.index("Proven.") < body.index("Popular.")


def test_lists_of_a_skill_that_somebody_else_wrote_are_read() -> None:
    text = "---\nname: theirs\ndescription: x\n---\n# Do\n\n## Common mistakes\n\n- Forgetting the \\*tax\\*\n"
    (carried,) = from_skill({"SKILL.md": text})
    assert (carried.content, carried.section, carried.place.id) == ("Forgetting the *tax*", Section.MISTAKE, None)
    assert carried.place.details == (("part", "SKILL.md"),)


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("", id="empty"),
        pytest.param("Big", id="capital"),
        pytest.param("-a", id="hyphen-first"),
        pytest.param("a--b", id="two-hyphens"),
        pytest.param("a_b", id="underscore"),
        pytest.param("a\n", id="line-break"),
        pytest.param("a" * 65, id="too-long"),
    ],
)
def test_a_name_that_no_skill_may_have_is_refused(name: str) -> None:
    with pytest.raises(InvalidInput, match="is no name for a skill"):
        to_skill(name, "d", 1, [])


@pytest.mark.parametrize("description", ["", " \u200b", "x" * (MAX_DESCRIPTION + 1)])
def test_a_description_that_no_skill_may_have_is_refused(description: str) -> None:
    with pytest.raises(InvalidInput, match="--description"):
        to_skill("d", "d", 1, [], description)
