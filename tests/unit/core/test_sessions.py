"""A session's cookie: known again as it was made, and in no other form."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ace.core.sessions import Session, form_token, seal, unseal

SECRET, OTHER = b"s" * 32, b"o" * 32
SESSION = Session(key_id="a2" * 8, issued_at=1_772_357_400, nonce="0f" * 16)
COOKIE = seal(SESSION, SECRET)


def test_a_sealed_session_is_known_again() -> None:
    assert unseal(COOKIE, SECRET) == SESSION


def test_another_secret_knows_nothing_of_it() -> None:
    assert unseal(COOKIE, OTHER) is None


@given(place=st.integers(0, len(COOKIE) - 1), char=st.characters())
def test_a_changed_letter_makes_it_nobodys(place: int, char: str) -> None:
    changed = COOKIE[:place] + char + COOKIE[place + 1 :]
    assert unseal(changed, SECRET) == (SESSION if changed == COOKIE else None)


@pytest.mark.parametrize("text", ["", "....", COOKIE + "\n", COOKIE[:-1], COOKIE + ".x"])
def test_what_has_another_shape_is_nobodys(text: str) -> None:
    assert unseal(text, SECRET) is None


def test_each_session_has_forms_of_its_own_and_they_are_no_session() -> None:
    tokens = {form_token(COOKIE, SECRET), form_token("", SECRET), form_token(COOKIE, OTHER)}
    assert len(tokens) == 3
    assert not any(token in COOKIE for token in tokens)
