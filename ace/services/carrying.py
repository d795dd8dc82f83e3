"""Carry a playbook in: the Curator merges its bullets like any other advice, a chunk at a time.

a bullet that is there already, or says what one says    stays as it is; nothing is counted
one that looks like a secret or an instruction           waits for a person, as everywhere
any other                                                is added, in SHADOW, its source `import`

Each chunk is a transaction of its own. The same document again changes nothing, so an import that was stopped is
simply done again.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ace.core.carrying import Carried
from ace.curator.semantic_curator import SemanticCurator
from ace.models.insight import Delta, Insight, Tag
from ace.models.plan import MergeResult
from ace.models.playbook import SourceClass

CHUNK = 50


def carry_in(
    carried: Sequence[Carried], domain_id: str, *, curator: SemanticCurator, import_id: str
) -> Iterator[MergeResult]:
    """The result of each chunk. A bullet keeps the episode, task and model it was learned from; without an episode,
    `import_id` stands for it. Raises what the Curator raises; the chunks before stay."""
    deltas = [_delta(one, import_id) for one in carried]
    for start in range(0, len(deltas), CHUNK):
        yield curator.batch_merge(deltas[start : start + CHUNK], domain_id)


def _delta(one: Carried, import_id: str) -> Delta:
    insight = Insight(content=one.content, section=one.section, tag=Tag.NEUTRAL, source=SourceClass.IMPORT,
                      confidence=one.origin.confidence)  # fmt: skip
    origin = one.origin
    return Delta(episode_id=origin.episode_id or import_id, insights=(insight,), task_id=origin.task_id,
                 model=origin.model, principal=origin.principal, shown=origin.shown,
                 prompt_hash=origin.prompt_hash)  # fmt: skip
