"""What one piece of advice is to another: the second look at two texts whose vectors are near.

A cosine says that two texts speak of the same things, not that they say the same: "always round up" and "never round
up" are nearer to each other than most rewordings are. So:

    the first that holds                                        verdict       asked
    the same words, labels and punctuation apart                SAME
    cosine below CANDIDATE                                      DIFFERENT
    many words in common, and many without kin                  DIFFERENT     advice.gist
    other numbers, units or names                               DIFFERENT *   advice.comparing
    turned round, exchanged or opposed, and otherwise alike     CONTRADICTS   advice.comparing
    every word has its kin in the same order, nothing turned    SAME          advice.comparing
    the evidence outweighs zero, by the table below             SAME          a language-inference model
    the model, or the rules, see an opposition                  CONTRADICTS   the same
    otherwise                                                   DIFFERENT

    * CONTRADICTS where nothing but that one number or name is different: the same rule with another value.

The evidence is summed up differently for an edit (most tokens in the same order) than for a rewording: an edit that
brings a new word means something new, a rewording brings many. Weights are log-odds, fitted on the development half
of `benchmarks/data/bullet_pairs.jsonl` by `python -m benchmarks.curator_fit`; what they achieve is printed by
`python -m benchmarks.curator_pairs`. Reasons: docs/adr/0005-second-look.md.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from ace.core.advice import comparing
from ace.core.advice.comparing import Difference, Findings
from ace.core.advice.gist import Glance, glance
from ace.core.advice.roles import TURNED
from ace.core.advice.wording import read

CANDIDATE = 0.55  # below this cosine nothing is the same advice: 2 in 100 rewordings are lost, most neighbours spared


class Relation(StrEnum):
    """The second look's verdict on two texts."""

    SAME = "same"
    CONTRADICTS = "contradicts"
    DIFFERENT = "different"


class Opinion(NamedTuple):
    """What a language-inference model makes of two texts, in log-odds."""

    same: float  # that they give the same advice
    opposed: float  # that they contradict each other, given that they are not the same


@dataclass(frozen=True, kw_only=True, slots=True)
class Weights:
    """Log-odds that each piece of evidence adds to "the same advice"."""

    intercept: float
    both_new: float = 0.0  # both texts have content words without kin
    one_new: float = 0.0  # only one has
    odd: float = 0.0  # the statement is turned round an odd number of times
    turned: float = 0.0  # some relation is turned round: before/after, from/to
    cosine: float = 0.0
    model: float = 0.0  # by the model's log-odds


EDITED = Weights(intercept=1.70, both_new=-1.03, one_new=-1.14, odd=-1.62, model=0.81)
REWORDED = Weights(intercept=-2.45, odd=-1.09, turned=-2.48, cosine=5.22, model=0.85)


@dataclass(frozen=True, kw_only=True, slots=True)
class GlanceWeights:
    """Log-odds that a pair deserves a closer look."""

    intercept: float
    cosine: float
    stranger: float  # by word without kin
    overlap: float


GLANCE = GlanceWeights(intercept=3.18, cosine=9.73, stranger=-0.67, overlap=-11.70)

_LABEL = re.compile(r"^(?:remember|reminder|note|tip|hint|important|lesson|rule)\b(?: that| to)?\s*[:,-]*\s*")
_FILLERS = frozenset(
    [
        "a",
        "an",
        "the",
        "please",
        "sure",
        "always",
        "carefully",
        "simply",
        "along",
        "together",
        "should",
        "must",
        "need",
        "it",
        "you",
        "your",
    ]
)


def judge(left: str, right: str, cosine: float, opinion: Opinion | None = None) -> Relation:
    """The verdict, by the table above. Without an opinion what is not certain counts as not the same."""
    verdict = certain(left, right, cosine)
    return verdict if verdict is not None else weigh(left, right, cosine, opinion)


def certain(left: str, right: str, cosine: float) -> Relation | None:
    """The verdict where no model is needed; None where one should be asked."""
    if _plain(left) == _plain(right):
        return Relation.SAME
    if cosine < CANDIDATE or not deserves_look(glance(left, right), cosine):
        return Relation.DIFFERENT
    ours, theirs = read(left), read(right)
    if stated := comparing.stated_difference(ours, theirs):
        return Relation.CONTRADICTS if comparing.is_rival(ours, theirs, stated) else Relation.DIFFERENT
    found = comparing.compare(ours, theirs)
    if comparing.certain_difference(found):
        return Relation.CONTRADICTS
    return Relation.SAME if comparing.says_the_same(ours, theirs, found) else None


def weigh(left: str, right: str, cosine: float, opinion: Opinion | None) -> Relation:
    """The verdict on a pair that `certain` leaves open."""
    found = comparing.compare(read(left), read(right))
    if opinion is not None and evidence(found, cosine, opinion) > 0:
        return Relation.SAME
    opposed = found.odd or found.orientation <= TURNED or (opinion is not None and opinion.opposed > 0)
    return Relation.CONTRADICTS if opposed else Relation.DIFFERENT


def difference(left: str, right: str) -> Difference | None:
    """What certainly sets two texts apart, in words: the rules' finding, without regard to vectors and models."""
    ours, theirs = read(left), read(right)
    stated = comparing.stated_difference(ours, theirs)
    return stated or comparing.certain_difference(comparing.compare(ours, theirs))


def deserves_look(seen: Glance, cosine: float) -> bool:
    """A pair the glance does not rule out."""
    weights = GLANCE
    return (
        weights.intercept + weights.cosine * cosine + weights.stranger * seen.strangers + weights.overlap * seen.overlap
        > 0
    )


def evidence(found: Findings, cosine: float, opinion: Opinion) -> float:
    """Log-odds that the two texts give the same advice."""
    weights = EDITED if found.edited else REWORDED
    new = [count > 0 for count in found.news]
    return (
        weights.intercept
        + weights.both_new * all(new)
        + weights.one_new * (any(new) and not all(new))
        + weights.odd * found.odd
        + weights.turned * (found.orientation <= TURNED)
        + weights.cosine * cosine
        + weights.model * opinion.same
    )


def _plain(text: str) -> tuple[str, ...]:
    """The words in lower case, without a label in front, fillers and punctuation."""
    words = re.findall(r"[^\s.,;:!?\"'`()\[\]]+", _LABEL.sub("", text.strip().lower()))
    return tuple(word for word in words if word not in _FILLERS)
