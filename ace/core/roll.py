"""The whole playbook as a prompt shows it: every bullet in order of birth, a line each, carried on along the journal.

    journal entry                          what the roll does
    add                                    a line at the end
    promote, quarantine, archive, restore  the line's bullet has another stage; its place stays
    increment                              the line's bullet counts one more
    rollback, or what does not follow      Diverged: to be made anew

A line is rendered once. A deck is what one kind of traffic may be shown of them, with the chance of each line; dealing
from it draws the lots of `ace.core.exposure`, the same ones, at less than a microsecond each. Who is dealt to twice is
dealt the same, so that the prompts of a session begin alike.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import compress
from math import ceil

from ace.core.exposure import Draws, chance
from ace.core.rendering import estimate_tokens, render_bullet
from ace.core.replay import counted, staged
from ace.models.journal import Entry, Position
from ace.models.observation import Lot
from ace.models.plan import Add, Archive, Increment, Promote, Quarantine, Restore, Rollback, operation_from_json
from ace.models.playbook import Bullet, PlaybookStage, ScoredBullet

DEALT_KEPT = 32  # by deck; each holds a prompt's text
DECKS_KEPT = 8

Shares = Mapping[PlaybookStage, float]


class Diverged(Exception):
    """The past is not the one that was read."""


class Line:
    """One bullet, as it is written. `scored` has no similarity: nothing was searched for."""

    __slots__ = ("cost", "key", "lots", "scored", "text")

    def __init__(self, bullet: Bullet) -> None:
        self.text = render_bullet(bullet)
        self.cost, self.key = estimate_tokens(self.text), bullet.id.encode()
        self.lots: dict[tuple[float, bool], Lot] = {}
        self.become(bullet)

    def become(self, bullet: Bullet) -> None:
        self.scored = ScoredBullet(bullet=bullet, similarity=0.0, score=0.0)

    def lot(self, share: float, shown: bool) -> Lot:
        kept = self.lots.get((share, shown))
        if kept is None:
            kept = self.lots[share, shown] = Lot(bullet_id=self.scored.bullet.id, chance=share, shown=shown)
        return kept


@dataclass(frozen=True, kw_only=True, slots=True)
class Hand:
    """What one task is dealt."""

    bullets: tuple[ScoredBullet, ...]
    text: str
    tokens: int
    lots: tuple[Lot, ...]


class Deck:
    """The lines that some traffic may be shown, oldest first."""

    def __init__(self, lines: Iterable[Line], shares: Shares) -> None:
        self.lines = [line for line in lines if shares.get(line.scored.bullet.stage, 0.0) > 0.0]
        self.tokens = sum(line.cost for line in self.lines)
        chances = [shares[line.scored.bullet.stage] for line in self.lines]
        self._certain = all(share >= 1.0 for share in chances)
        bars = {share: _bar(share) for share in set(chances)}
        self._bars = [bars[share] for share in chances]
        pairs = zip(self.lines, chances, strict=True)
        self._lots = [(line.lot(share, False), line.lot(share, True)) for line, share in pairs]
        self._dealt: OrderedDict[tuple[str, str], Hand] = OrderedDict()

    def deal(self, unit: str, salt: str) -> Hand:
        """What a task of this unit is shown; see `ace.core.exposure.draw`."""
        key = ("", "") if self._certain else (unit, salt)
        hand = self._dealt.get(key)
        if hand is None:
            hand = self._dealt[key] = self._hand(self._drawn(*key))
            while len(self._dealt) > DEALT_KEPT:
                self._dealt.popitem(last=False)
        return hand

    def forget(self) -> None:
        """The bullets' counters have changed: what was dealt is to be dealt again."""
        self._dealt.clear()

    def _drawn(self, unit: str, salt: str) -> list[bool]:
        """Which lines are shown."""
        if self._certain:
            return [True] * len(self.lines)
        start, drawn = hashlib.sha256(f"{salt}\0{unit}\0".encode()), []
        for line, bar in zip(self.lines, self._bars, strict=True):
            hashed = start.copy()
            hashed.update(line.key)
            drawn.append(hashed.digest() < bar)
        return drawn

    def _hand(self, drawn: Sequence[bool]) -> Hand:
        shown = list(compress(self.lines, drawn))
        return Hand(
            bullets=tuple([line.scored for line in shown]),
            text="\n".join([line.text for line in shown]),
            tokens=sum([line.cost for line in shown]),
            lots=tuple([lots[own] for lots, own in zip(self._lots, drawn, strict=True)]),
        )


def _bar(share: float) -> bytes:
    """What a hash is less than exactly when its draw, 53 bits of it as a number from 0 to 1, is less than the share."""
    if share >= 1.0:
        return b"\xff" * 33
    return (ceil(share * 2**53) << 11).to_bytes(8)


class Roll:
    """One domain's lines at `position`. Not safe for threads by itself."""

    def __init__(self, bullets: Sequence[Bullet], position: Position) -> None:
        self.position = position
        self._lines = {bullet.id: Line(bullet) for bullet in bullets}
        self._decks: dict[object, Deck] = {}

    def read(self, entries: Iterable[Entry]) -> None:
        """Carry on along the journal. Raises Diverged; the roll is then to be thrown away."""
        for entry in entries:
            if (entry.seq, entry.previous) != (self.position.seq + 1, self.position.hash):
                raise Diverged(f"entry {entry.seq} does not follow position {self.position.seq}")
            self._take(entry)
            self.position = Position(seq=entry.seq, hash=entry.hash)

    def deck(self, draws: Draws | None, stages: frozenset[PlaybookStage]) -> Deck:
        """What these draws choose from; without draws everything of these stages, for certain."""
        key = (draws.traffic, draws.shares) if draws else stages
        deck = self._decks.get(key)
        if deck is None:
            if len(self._decks) == DECKS_KEPT:
                self._decks.clear()
            deck = self._decks[key] = Deck(self._lines.values(), _shares(draws, stages))
        return deck

    def in_order(self, bullets: Iterable[ScoredBullet]) -> list[ScoredBullet]:
        """The oldest first."""
        place = {own: at for at, own in enumerate(self._lines)}
        return sorted(bullets, key=lambda scored: place.get(scored.bullet.id, len(place)))

    def _take(self, entry: Entry) -> None:
        match operation_from_json(entry.kind, entry.body):
            case Add(bullet=bullet):
                self._lines[bullet.id] = Line(bullet)
                self._decks.clear()
            case Increment(bullet_id=own) as vote:
                self._lines[own].become(counted(self._lines[own].scored.bullet, vote))
                for deck in self._decks.values():
                    deck.forget()
            case Promote() | Quarantine() | Archive() | Restore() as move:
                line = self._lines[move.bullet_id]
                line.become(staged(line.scored.bullet, move))
                self._decks.clear()
            case Rollback(to=to):
                raise Diverged(f"rolled back to {to}")
            case _:
                pass


def _shares(draws: Draws | None, stages: frozenset[PlaybookStage]) -> Shares:
    if draws is None:
        return dict.fromkeys(stages, 1.0)
    return {stage: chance(stage, draws.traffic, draws.shares) for stage in draws.stages}
