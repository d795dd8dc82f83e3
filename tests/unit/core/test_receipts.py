"""A receipt comes back as it was given, or not at all."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ace.core.receipts import MAX_CHARS, seal, unseal
from ace.errors import InvalidInput
from ace.models.observation import Lot
from ace.models.receipt import Receipt

SECRET = b"s" * 32
NAMES = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
RECEIPTS = st.builds(
    Receipt,
    id=NAMES,
    domain_id=NAMES,
    position=st.integers(0, 2**40),
    lots=st.lists(st.builds(Lot, bullet_id=NAMES, chance=st.floats(0, 1), shown=st.booleans()), max_size=5).map(tuple),
    holdout=st.floats(0, 1),
    held_out=st.booleans(),
    principal=st.none() | NAMES,
    issued_at=st.integers(0, 2**33),
)


@given(RECEIPTS)
def test_what_was_sealed_is_what_is_unsealed(receipt: Receipt) -> None:
    assert unseal(seal(receipt, SECRET), SECRET) == receipt


@given(RECEIPTS, st.integers(0, 10_000), st.sampled_from("Aa0_-.\n"))
def test_no_letter_can_be_changed(receipt: Receipt, at: int, letter: str) -> None:
    text = seal(receipt, SECRET)
    changed = text[: at % len(text)] + letter + text[at % len(text) + 1 :]
    if changed == text:
        return
    with suppress(InvalidInput):
        assert unseal(changed, SECRET) == receipt  # the spare bits of the last letter of a part may differ


@pytest.mark.parametrize("text", ["", ".", "a", "a.b", "a.b.c", "é.é", "=.=", "A" * (MAX_CHARS + 1)])
def test_nonsense_is_refused_with_what_to_do(text: str) -> None:
    with pytest.raises(InvalidInput, match=r"receipt: .*Send it as it was given"):
        unseal(text, SECRET)


def test_another_servers_receipt_is_refused() -> None:
    with pytest.raises(InvalidInput, match="not given out by this server"):
        unseal(seal(Receipt(id="r", domain_id="d", position=1), b"other" * 8), SECRET)
