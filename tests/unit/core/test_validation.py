"""What cannot be stored or shown is refused with the field and the remedy."""

from __future__ import annotations

import pytest

from ace.core.validation import check_delta, check_domain, check_text
from ace.errors import InvalidInput
from ace.models.insight import Delta, Insight


@pytest.mark.parametrize("domain", ["a", "customer-a", "eu.west_1", "0" * 64])
def test_good_domains(domain: str) -> None:
    assert check_domain(domain) == domain


@pytest.mark.parametrize("domain", ["", "A", "-a", "a/b", "../a", "a\n", "é", "a" * 65, "a b"])
def test_bad_domains_are_named(domain: str) -> None:
    with pytest.raises(InvalidInput, match="domain"):
        check_domain(domain)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="empty"),
        pytest.param(" \n\t", id="blank"),
        pytest.param("a\0b", id="nul"),
        pytest.param("a\ud800", id="lone-surrogate"),
        pytest.param("x" * 8001, id="too-long"),
    ],
)
def test_bad_text_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput, match="content"):
        check_text("content", text)


@pytest.mark.parametrize("confidence", [-0.1, 1.1, float("nan")])
def test_confidence_is_a_share(confidence: float) -> None:
    delta = Delta(episode_id="e", insights=(Insight(content="x"), Insight(content="y", confidence=confidence)))
    with pytest.raises(InvalidInput, match=r"insights\[1\].confidence"):
        check_delta(delta)
