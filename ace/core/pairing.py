"""Pairs of one bullet: which tasks may make one, what to show, and when it is time to stop.

The bullet is shown alone, against nothing. A task makes one pair per bullet and model, ever: with the same model and
seed a repeat is no new evidence. The task a bullet was learned from makes none, since the bullet may hold its answer.

    the e-value for harm reaches its bar                                     -> HARMS
    the e-value for good reaches the stage's bar, and, towards PROD,         -> HELPS
        false discovery control passes it
    the e-value for good is below `hopeless`, the one for harm below 1       -> HOPELESS
    anything else                                                            -> go on

Stopping after any pair is free (`ace.core.evalues`). A bullet in PROD has nowhere to rise: there HELPS means that it
shows again what PROD asks for.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from ace.core.checking import read_number
from ace.core.evidence import family, harmful_e_value, helpful_e_value
from ace.core.rendering import estimate_tokens, render_context
from ace.models.evidence import Bar, Bars, Evidence
from ace.models.playbook import Bullet, Context, Origin, PlaybookStage, ScoredBullet
from ace.models.replay import Ended, Score
from ace.models.task import AnswerKind, Task

HOPELESS = 0.05  # as in the simulation
MOST_WINS = 200  # no bar is further away than so many wins in a row


@dataclass(frozen=True, kw_only=True, slots=True)
class Aim:
    """What a bullet is measured against; `others` are the e-values for good of the other bullets of its family."""

    bars: Bars = field(default_factory=Bars)
    others: tuple[float, ...] = ()
    hopeless: float = HOPELESS

    def bar(self, stage: PlaybookStage) -> Bar:
        """The bar of a stage; PROD is held against what it took to get there."""
        return self.bars.of(stage) or self.bars.prod


def ended(seen: Evidence, aim: Aim) -> Ended | None:
    """Why no more pairs are needed, or None."""
    good, harm = helpful_e_value(seen), harmful_e_value(seen)
    if harm >= aim.bars.harm:
        return Ended.HARMS
    if good >= aim.bar(seen.stage).e_value and _passes(seen, good, aim):
        return Ended.HELPS
    return Ended.HOPELESS if good < aim.hopeless and harm < 1.0 else None


def _passes(seen: Evidence, good: float, aim: Aim) -> bool:
    if seen.stage != PlaybookStage.STAGING:
        return True
    least = family([*aim.others, good], aim.bars).bar
    return least is not None and good >= least


def wins_left(seen: Evidence, aim: Aim) -> int:
    """How many wins in a row would reach the bar."""
    after = (plus(seen, Score(wins=wins)) for wins in range(MOST_WINS))
    return next((wins for wins, one in enumerate(after) if ended(one, aim) == Ended.HELPS), MOST_WINS)


def plus(seen: Evidence, score: Score) -> Evidence:
    """The evidence with these pairs added."""
    return replace(seen, wins=seen.wins + score.wins, losses=seen.losses + score.losses)


def alone(bullet: Bullet) -> Context:
    """A context that holds exactly this bullet."""
    return shown(bullet.domain_id, [bullet])


def shown(domain_id: str, bullets: Iterable[Bullet]) -> Context:
    """A context that holds exactly these bullets, in this order."""
    kept = tuple(ScoredBullet(bullet=bullet, similarity=1.0, score=1.0) for bullet in bullets)
    text = render_context(scored.bullet for scored in kept)
    return Context(domain_id=domain_id, bullets=kept, text=text, tokens=estimate_tokens(text))


def task_key(task: Task) -> str:
    """The same for the same task, whatever its id: SHA-256 over what is asked and what is right."""
    whole = [task.question, task.context, list(task.options), task.ground_truth, task.kind.value, task.decimals]
    return _digest(whole)


def pair_key(bullet_id: str, model: str, key: str) -> str:
    """The idempotency key of one pair: this bullet, this model, the task of this key."""
    return f"pair/{bullet_id}/{_digest([model, key])}"


def judgeable(task: Task) -> bool:
    """Can an answer to this task be checked?"""
    if task.ground_truth is None:
        return False
    return task.kind != AnswerKind.NUMBER or read_number(task.ground_truth) is not None


def learned_from(origin: Origin, task: Task, episode_id: str = "") -> bool:
    """Is this the task that a bullet of this origin was learned from?"""
    return origin.task_id == task.id or (bool(episode_id) and origin.episode_id == episode_id)


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()
