"""What cannot be stored or shown is refused with the field and the remedy."""

from __future__ import annotations

import pytest

from ace.core.validation import check_delta, check_domain, check_text, check_texts, first_repeated
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


@pytest.mark.parametrize(
    ("names", "repeated"),
    [
        pytest.param("", None, id="none"),
        pytest.param("abc", None, id="all-different"),
        pytest.param("aa", "a", id="at-once"),
        pytest.param("abcb", "b", id="later"),
        pytest.param("abba", "b", id="the-first-to-come-again"),
    ],
)
def test_a_repeated_name_is_found(names: str, repeated: str | None) -> None:
    assert first_repeated(names) == repeated


class Counted(str):
    """A name that counts how often names are looked at."""

    __slots__ = ()
    looks = 0

    def __hash__(self) -> int:
        Counted.looks += 1
        return super().__hash__()

    def __eq__(self, other: object) -> bool:
        Counted.looks += 1
        return super().__eq__(other)


@pytest.mark.parametrize("count", [100, 1_000, 10_000])
def test_however_many_names_there_are_each_is_looked_at_a_few_times(count: int) -> None:
    """The duplicate at the end is the dearest to find; comparing each name with each took count * count looks."""
    Counted.looks = 0
    assert first_repeated([*(Counted(f"{n:x}") for n in range(count)), Counted("x"), Counted("x")]) == "x"
    assert Counted.looks <= 4 * count


def test_a_long_name_is_not_repeated_whole_for_every_item_below_it() -> None:
    with pytest.raises(InvalidInput) as refused:
        check_texts({"n" * 500_000: ["", "\0"]}, "body")
    assert refused.value.field == "n" * 80 + "[1]"
