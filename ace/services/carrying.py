"""Carry a playbook in: the Curator merges its bullets like any other advice, a chunk at a time.

a bullet that is there already, or says what one says    stays as it is; nothing is counted
one that looks like a secret or an instruction           waits for a person, as everywhere
any other                                                is added, in SHADOW, its source `import`

Each chunk is a transaction of its own. The same document again changes nothing, so an import that was stopped is
simply done again. A rehearsal does the same and takes each chunk back: what two chunks say in different words, it
counts as new twice.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from ace.core.carrying.carried import Carried
from ace.curator.semantic_curator import SemanticCurator
from ace.models.insight import Delta, Insight, Tag
from ace.models.plan import InsightOutcome, Outcome
from ace.models.playbook import SourceClass

CHUNK = 50


def carry_in(
    carried: Sequence[Carried], domain_id: str, *, curator: SemanticCurator, import_id: str, rehearse: bool = False
) -> Iterator[Sequence[InsightOutcome]]:
    """What became of each, chunk by chunk; to `rehearse` is to say what would.

    A bullet keeps the episode, task and model it was learned from; without an episode, `import_id` stands for it.
    Raises what the Curator raises; the chunks before stay.
    """
    deltas = [_delta(one, import_id) for one in carried]
    merge = curator.rehearse if rehearse else curator.batch_merge
    added: set[str] = set()
    for start in range(0, len(deltas), CHUNK):
        outcomes = merge(deltas[start : start + CHUNK], domain_id).outcomes
        yield [replace(one, outcome=Outcome.REPEATED) if one.bullet_id in added else one for one in outcomes]
        added |= {one.bullet_id for one in outcomes} if rehearse else set()


def _delta(one: Carried, import_id: str) -> Delta:
    origin = one.origin
    insight = Insight(content=one.content, section=one.section, tag=Tag.NEUTRAL, source=SourceClass.IMPORT,
                      confidence=origin.confidence, foreign=origin.foreign)  # fmt: skip
    return Delta(episode_id=origin.episode_id or import_id, insights=(insight,), task_id=origin.task_id,
                 model=origin.model, principal=origin.principal, shown=origin.shown,
                 prompt_hash=origin.prompt_hash)  # fmt: skip
