"""What goes out in a form comes in again, field by field: what the form carries as it was, and nothing it does not."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from hypothesis import given, settings

from ace.core.carrying import between, document, markdown, paper, skill
from ace.core.carrying.carried import MAX_PLACES, Carried
from ace.core.carrying.forms import recognised, recognised_text
from ace.models.foreign import Foreign
from ace.models.form import Read
from ace.models.playbook import Bullet, Origin, PlaybookStage, SourceClass
from tests.unit.core.carrying.texts import playbooks

QUARANTINED = PlaybookStage.QUARANTINED


def by_json(given: Sequence[Bullet]) -> list[Carried]:
    return document.from_document(json.loads(json.dumps(document.to_document("d", 7, given, []))))


def by_skill(given: Sequence[Bullet]) -> list[Carried]:
    return skill.from_skill(skill.to_skill("d-playbook", "d", 7, given))


def by_section(given: Sequence[Bullet]) -> list[Carried]:
    return between.from_sections(between.put(b"# Theirs\n\n- theirs\n", "d", between.to_section("d", given)))


WAYS: dict[str, Callable[[Sequence[Bullet]], list[Carried]]] = {
    "json": by_json,
    "paper": lambda given: paper.from_paper(paper.to_paper(given)),
    "markdown": lambda given: markdown.from_markdown(markdown.to_markdown("d", 7, given)),
    "skill": by_skill,
    "agents-md": by_section,
}
CARRIES = {
    "json": {"id", "votes", "stage", "domain", "origin", "places"},
    "paper": {"id", "votes"},
    "markdown": {"id", "votes", "stage"},
    "skill": {"id"},
    "agents-md": {"id", "domain"},
}
"""Besides text and section, which each form carries."""


def what_is_known(one: Carried) -> dict[str, Any]:
    """The fields by the names of `CARRIES`; None where nothing is told."""
    place, told = one.place, dict(one.place.details)
    origin = replace(one.origin, foreign=(), source=SourceClass(told.get("source", "import")))
    return {
        "text": one.content, "section": one.section, "id": place.id,
        "votes": None if place.helpful is None else (place.helpful, place.harmful),
        "stage": told.get("stage"), "domain": told.get("domain"),
        "origin": None if origin == Origin(source=SourceClass.IMPORT) else origin,
        "places": one.origin.foreign[:-1] or None,
    }  # fmt: skip


def what_was(bullet: Bullet, carries: set[str]) -> dict[str, Any]:
    origin = replace(bullet.origin, foreign=())
    every = {
        "id": bullet.id, "votes": (bullet.helpful_count, bullet.harmful_count), "stage": bullet.stage.value,
        "domain": bullet.domain_id, "origin": None if origin == Origin(source=SourceClass.IMPORT) else origin,
        "places": bullet.origin.foreign or None,
    }  # fmt: skip
    kept = {name: value if name in carries else None for name, value in every.items()}
    return {"text": bullet.content, "section": bullet.section, **kept}


@settings(max_examples=40)
@given(given=playbooks)
def test_every_field_a_form_carries_comes_back_as_it_was_and_nothing_else_does(given: list[Bullet]) -> None:
    for form, way in WAYS.items():
        came = way(given)
        sent = [one for one in given if form != "json" or one.stage is not QUARANTINED]
        assert len(came) == len(sent), form
        assert {one.place.id: what_is_known(one) for one in came} == {
            one.id: what_was(one, CARRIES[form]) for one in sent
        }, form
        assert {(one.place.format, one.origin.source) for one in came} <= {(form, SourceClass.IMPORT)}


@settings(max_examples=15)
@given(given=playbooks.filter(bool))
def test_a_form_is_known_by_looking(given: list[Bullet]) -> None:
    assert recognised(document.to_document("d", 7, given, [])) is Read.JSON
    written = {
        Read.PAPER: paper.to_paper(given),
        Read.MARKDOWN: markdown.to_markdown("d", 7, given),
        Read.AGENTS_MD: between.put(b"", "d", between.to_section("d", given)).decode(),
        Read.SKILL: skill.to_skill("d", "d", 7, given)["SKILL.md"],
    }
    assert {form: recognised_text(text) for form, text in written.items()} == {form: form for form in written}


def test_of_a_long_way_the_first_place_and_the_latest_are_kept() -> None:
    way = tuple(Foreign(format="paper", id=f"str-{number:05}") for number in range(MAX_PLACES + 3))
    bullet = Bullet(id="strategy-a", domain_id="d", content="Read on.", origin=Origin(foreign=way))
    (came,) = by_json([bullet])
    assert [place.id for place in came.origin.foreign] == [
        way[0].id, *(place.id for place in way[-MAX_PLACES + 2 :]), "strategy-a",
    ]  # fmt: skip
