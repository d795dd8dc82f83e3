"""The methods of a bench, one row each. A method of your own is one more row: `METHODS["mine"] = Method(…)`.

Rows with the same `memory` are the same learner, differently trained or asked; where they agree on the training, it is
done once. `base` is what the others are compared with.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ace.core.bench_table import BASE
from ace.models.bench import Setting
from ace.reflector.raw_reflector import RawReflector
from ace.services.bench_learners import Copying, Everything, Kit, Nearest, Nothing, Recalling
from ace.services.learning import Learner

ALL = tuple(Setting)
LABELLED = tuple(one for one in Setting if one.labels)
OFFLINE = tuple(one for one in Setting if not one.online)
ONLINE = tuple(one for one in Setting if one.online)


@dataclass(frozen=True, kw_only=True, slots=True)
class Method:
    """`make` builds the learner, again for every phase. `epochs`: over the train part; None as many as are asked for,
    the best on the validation part kept where labels may be seen. `warm`: online, begin where offline training ended.
    `learns` is False for what no setting can change."""

    about: str
    memory: str
    make: Callable[[Kit], Learner]
    settings: tuple[Setting, ...] = ALL
    epochs: int | None = None
    warm: bool = False
    learns: bool = True


def _playbook(kit: Kit) -> Learner:
    return kit.playbook(kit.reflector)


def _unreflected(kit: Kit) -> Learner:
    return kit.playbook(RawReflector())


METHODS: dict[str, Method] = {
    BASE: Method(
        about="the task alone", memory="nothing", make=lambda kit: Recalling(kit, Nothing()), learns=False, epochs=1
    ),
    "copy-nearest": Method(
        about="the right answer of the nearest task seen, copied without a model",
        memory="copying", make=Copying, settings=LABELLED, epochs=1,
    ),
    "few-shot": Method(
        about="the nearest labelled examples in the prompt, as many as a playbook would show bullets",
        memory="nearest", make=lambda kit: Recalling(kit, Nearest(kit.embedder, kit.k)), settings=LABELLED, epochs=1,
    ),
    "full-history": Method(
        about="every earlier task with its answer in the prompt, as far as --window goes; unlabelled: its own answer",
        memory="everything", make=lambda kit: Recalling(kit, Everything(kit.window)), epochs=1,
    ),
    "ace": Method(about="the playbook: generate, reflect, curate", memory="ace", make=_playbook),
    "ace-warm": Method(
        about="online from the playbook that offline training left; `ace` online begins with none",
        memory="ace", make=_playbook, settings=ONLINE, warm=True,
    ),
    "ace-one-epoch": Method(
        about="a single epoch, nothing chosen by validation", memory="ace", make=_playbook, settings=OFFLINE, epochs=1
    ),
    "ace-no-reflector": Method(
        about="what happened goes to the Curator as it was, unreflected", memory="raw", make=_unreflected
    ),
}  # fmt: skip
