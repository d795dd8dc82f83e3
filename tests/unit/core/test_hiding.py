"""What is cut out of texts that are kept or logged, and that no text holds anybody up."""

from __future__ import annotations

import time

import pytest

from ace.core.hiding import HIDDEN, hide

SECRETS = {
    "a provider's key": "sk-ant-" + "a1B2c3D4" * 4,
    "AWS": "AKIA" + "IOSFODNN7EXAMPLE",
    "GitHub": "ghp_" + "a1B2c3" * 6,
    "a signed token": "eyJhbGciOiJIUzI1NiJ9." + "eyJzdWIiOiIxMjM0In0." + "c2lnbmF0dXJl",
    "a private key": "-----BEGIN EC PRIVATE KEY-----\nMHcCAQEE\n-----END EC PRIVATE KEY-----",
    "the beginning of one": "-----BEGIN PRIVATE KEY-----\nMHcCAQEE",
}


@pytest.mark.parametrize("name", SECRETS)
def test_a_secret_is_cut_out_of_what_is_around_it(name: str) -> None:
    assert hide(f"before {SECRETS[name]}") == f"before {HIDDEN}"


def test_what_is_no_secret_stays() -> None:
    text = "Use the eyJ prefix, see https://host:8000/path and AKIA; the token is short-lived."
    assert hide(text) == text


@pytest.mark.parametrize(
    "piece", ["a-", "a_", "a.b+c", "eyJ-", "http://", "postgres://a:", 'token="', "-----BEGIN PRIVATE KEY-----"]
)
def test_no_text_takes_more_than_a_moment(piece: str) -> None:
    began = time.process_time()
    hide(piece * (20_000 // len(piece)))
    assert time.process_time() - began < 2
