"""A principal has one voice, an episode one vote, and a verifier its weight."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ace.core.voices import Ballot, Chorus, Voices
from ace.models.insight import Tag
from ace.models.task import FeedbackSource


def heard(*votes: tuple[str, str, Tag, FeedbackSource]) -> Chorus:
    voices = Voices()
    for i, (principal, cluster, tag, source) in enumerate(votes):
        voices.hear(Ballot(episode_id=f"e{i}", principal=principal, cluster=cluster, tag=tag, source=source))
    return voices.chorus()


@pytest.mark.parametrize(
    ("source", "votes", "supporters"),
    [
        pytest.param(FeedbackSource.TESTS, 1, 1, id="one-test"),
        pytest.param(FeedbackSource.GROUND_TRUTH, 1, 1, id="one-exact-match"),
        pytest.param(FeedbackSource.HUMAN, 1, 0, id="one-person-is-too-few"),
        pytest.param(FeedbackSource.HUMAN, 2, 1, id="two-people"),
        pytest.param(FeedbackSource.JUDGE, 3, 0, id="three-judges-are-too-few"),
        pytest.param(FeedbackSource.JUDGE, 4, 1, id="four-judges"),
        pytest.param(FeedbackSource.NONE, 50, 0, id="nobody-verified"),
    ],
)
def test_what_makes_a_voice(source: FeedbackSource, votes: int, supporters: int) -> None:
    assert heard(*[("p", "c", Tag.HELPFUL, source)] * votes).supporters == supporters


@given(st.integers(1, 200))
def test_a_principal_that_votes_a_thousand_times_is_still_one(votes: int) -> None:
    chorus = heard(*[("liar", f"c{i}", Tag.HELPFUL, FeedbackSource.TESTS) for i in range(votes)])
    assert chorus.supporters == 1


def test_an_episode_votes_once() -> None:
    voices, ballot = Voices(), Ballot(episode_id="e", principal="p", cluster="c", tag=Tag.HARMFUL,
                                      source=FeedbackSource.TESTS)  # fmt: skip
    assert (voices.hear(ballot), voices.hear(ballot)) == (True, False)
    assert voices.chorus() == Chorus(objectors=1, objecting_clusters=1)


def test_a_principal_of_two_minds_says_nothing() -> None:
    for_it = ("p", "c", Tag.HELPFUL, FeedbackSource.TESTS)
    against = ("p", "c", Tag.HARMFUL, FeedbackSource.TESTS)
    assert heard(for_it, against, ("p", "c", Tag.NEUTRAL, FeedbackSource.TESTS)) == Chorus()


def test_clusters_are_those_where_supporters_voted_for_it() -> None:
    tests = FeedbackSource.TESTS
    chorus = heard(("a", "x", Tag.HELPFUL, tests), ("b", "x", Tag.HELPFUL, tests), ("b", "y", Tag.HELPFUL, tests),
                   ("c", "z", Tag.HARMFUL, tests))  # fmt: skip
    assert chorus == Chorus(supporters=2, supporting_clusters=2, objectors=1, objecting_clusters=1)
