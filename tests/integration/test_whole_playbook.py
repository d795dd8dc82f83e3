"""The whole playbook as a task is given it, from a real store: oldest first, and only growing at its end."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given

from ace.core.exposure import Draws, Shares
from ace.core.ports import PlaybookStore
from ace.core.rendering import render_context
from ace.models.plan import Operation, Quarantine, Restore, Rollback
from ace.models.playbook import IN_USE, Context, Selection, Traffic
from ace.services.retrieval import Retrieval
from ace.services.whole import Whole
from ace.testing.index import ExactIndex
from ace.testing.playbook import InMemoryPlaybook
from tests.playbooks import DIMENSIONS, DOMAIN, add, helpful, histories_of, vector, write

ALL = {"stages": IN_USE, "token_budget": 10_000}


class Embedder:
    """The vectors of these tests' bullets."""

    name, dimensions = "tests", DIMENSIONS

    def embed(self, texts: Any) -> Any:
        return [vector(text) for text in texts]


def retrieval(store: PlaybookStore) -> Retrieval:
    return Retrieval(index=ExactIndex(store), embedder=Embedder(), stages=IN_USE, floor=-1.0, trust_weight=0.0,
                     whole=Whole(store))  # fmt: skip


def whole(service: Retrieval, **options: Any) -> Context:
    return service.context(DOMAIN, "a task", k=1, selection=Selection.WHOLE, **options)


def test_every_bullet_is_shown_oldest_first_and_a_new_one_comes_last(store: PlaybookStore) -> None:
    service = retrieval(store)
    assert whole(service).bullets == ()
    add(store, "one", "two")
    before = whole(service)
    assert before.text == render_context(store.get_all(DOMAIN))
    (third,) = add(store, "three")
    write(store, helpful(third, "e1"))
    after = whole(service)
    assert after.text.startswith(before.text + "\n")
    assert (after.ids[-1], after.position) == (third, store.head(DOMAIN).seq)
    assert after.bullets[-1].bullet.helpful_count == 1
    assert [lot.bullet_id for lot in after.lots] == list(after.ids)


def test_what_is_out_of_use_is_left_out_and_comes_back_to_its_place(store: PlaybookStore) -> None:
    service, names = retrieval(store), add(store, "one", "two", "three")
    position = store.head(DOMAIN).seq
    write(store, Quarantine(bullet_id=names[1], reason="r"))
    assert list(whole(service).ids) == [names[0], names[2]]
    write(store, Restore(bullet_id=names[1], reason="r"))
    assert list(whole(service).ids) == names
    add(store, "four")
    assert len(whole(service).ids) == 4
    write(store, Rollback(to=position, reason="r"))
    assert list(whole(service).ids) == names


def test_what_does_not_fit_is_the_nearest_oldest_first(store: PlaybookStore) -> None:
    service, names = retrieval(store), add(store, *(f"advice number {number}" for number in range(12)))
    found = whole(service, token_budget=50)
    nearest = service.context(DOMAIN, "a task", k=len(found.ids))
    assert 0 < len(found.ids) < len(names)
    assert set(found.ids) == set(nearest.ids)
    assert list(found.ids) == [own for own in names if own in found.ids]
    assert found.text == render_context(one.bullet for one in found.bullets)
    assert found.tokens <= 50


def test_lots_are_drawn_by_session_and_some_are_held_out(store: PlaybookStore) -> None:
    service = retrieval(store)
    add(store, *(f"advice {number}" for number in range(20)))
    shares = Shares(trial=0.5, salt="s")
    shown = [whole(service, draws=Draws(unit=unit, traffic=Traffic.SHADOW, shares=shares)) for unit in "aab"]
    assert shown[0] == shown[1]
    assert shown[0].text != shown[2].text
    assert (len(shown[0].lots), 0 < len(shown[0].ids) < 20) == (20, True)
    out = whole(service, draws=Draws(unit="a", traffic=Traffic.PRODUCTION, shares=Shares(holdout=1.0)))
    assert (out.held_out, out.text, out.holdout) == (True, "", 1.0)
    assert service.context(DOMAIN, "a task", k=0, selection=Selection.WHOLE).bullets == ()


@given(histories_of(DOMAIN))
def test_carried_on_is_made_anew_whatever_the_journal_says(history: list[Operation]) -> None:
    store = InMemoryPlaybook()
    service = Whole(store)
    for operation in history:
        write(store, operation)
        found, _ = service.context(DOMAIN, **ALL)  # type: ignore[arg-type]
        anew, _ = Whole(store).context(DOMAIN, **ALL)  # type: ignore[arg-type]
        assert found == anew
        assert [one.bullet for one in found.bullets] == [one for one in store.get_all(DOMAIN) if one.stage in IN_USE]


@pytest.mark.parametrize("selection", Selection)
def test_a_domain_nobody_taught_gives_nothing(store: PlaybookStore, selection: Selection) -> None:
    assert retrieval(store).context("nobody", "a task", k=3, selection=selection).bullets == ()
