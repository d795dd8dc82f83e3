"""Give a task the whole playbook, oldest bullet first: the beginning of the prompt then stays as it is while it grows.

Each domain's lines are kept in memory and carried on along the journal; a process that has them asks the database for
the head only.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection
from dataclasses import replace
from threading import Lock

from ace.core.exposure import Draws
from ace.core.ports import PlaybookStore
from ace.core.roll import Diverged, Roll
from ace.models.playbook import Context, PlaybookStage

ROLLS_KEPT = 64
WHOLE_TOKENS = 80_000  # a whole playbook may have as many tokens where no budget is given
LEAST_TOKENS = 8  # a bullet has at least so many


class Whole:
    """The rolls of one store. Safe to share between threads."""

    def __init__(self, store: PlaybookStore) -> None:
        self._store, self._lock = store, Lock()
        self._rolls: OrderedDict[str, Roll] = OrderedDict()

    def context(
        self, domain_id: str, *, stages: Collection[PlaybookStage], token_budget: int, draws: Draws | None = None
    ) -> tuple[Context, int]:
        """All that may be shown, and 0; where that is more than `token_budget`, nothing, and how many might fit."""
        with self._lock:
            roll = self._carried_on(domain_id)
            deck = roll.deck(draws, frozenset(stages))
            empty = Context(domain_id=domain_id, position=roll.position.seq, holdout=draws.holdout if draws else 0.0)
            if draws and draws.held_out:
                return replace(empty, held_out=True), 0
            if deck.tokens > token_budget:
                return empty, min(len(deck.lines), token_budget // LEAST_TOKENS)
            hand = deck.deal(draws.unit if draws else "", draws.shares.salt if draws else "")
            return replace(empty, bullets=hand.bullets, text=hand.text, tokens=hand.tokens, lots=hand.lots), 0

    def in_order(self, context: Context) -> Context:
        """The same bullets, the oldest first."""
        with self._lock:
            roll = self._carried_on(context.domain_id)
            bullets = roll.in_order(context.bullets)
        lines = dict(zip(context.ids, context.text.split("\n"), strict=True)) if context.bullets else {}
        return replace(context, bullets=tuple(bullets), text="\n".join(lines[one.bullet.id] for one in bullets))

    def _carried_on(self, domain_id: str) -> Roll:
        head, roll = self._store.head(domain_id), self._rolls.get(domain_id)
        if roll is None or (roll.position != head and not self._follow(domain_id, roll)):
            roll = self._made(domain_id)
        self._rolls[domain_id] = roll
        self._rolls.move_to_end(domain_id)
        while len(self._rolls) > ROLLS_KEPT:
            self._rolls.popitem(last=False)
        return roll

    def _follow(self, domain_id: str, roll: Roll) -> bool:
        """Carry it on; False when it cannot be."""
        try:
            entries = self._store.entries(domain_id, after=roll.position.seq)
            roll.read(entries)
        except Diverged:
            return False
        return bool(entries)

    def _made(self, domain_id: str) -> Roll:
        while True:
            head = self._store.head(domain_id)
            bullets = self._store.get_all(domain_id)
            if self._store.head(domain_id) == head:
                return Roll(bullets, head)
