"""Writing an answer: read the prompt, pick a token, take what the grammar then forces, read both, and again.

    kept prompt │ new prompt + forced  →  pick  →  picked + forced  →  pick  →  …  →  the end
                └ one step ───────────┘          └ one step ──────┘

An answer from a list of names costs as many steps as it holds real choices, whatever its length in tokens.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ace.errors import InvalidInput
from ace.utils.local_model_cache import CHUNK, CachedModel, Slot
from ace.utils.local_model_grammar import Grammar, Grammars, Logits, Schema
from ace.utils.local_model_voice import Message, Voice

Weights = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, slots=True)
class Wish:
    """What to write: the conversation so far, and how the answer is picked, held and ended."""

    messages: tuple[Message, ...]
    schema: Schema | None = None
    max_tokens: int = 512
    temperature: float = 1.0
    top_p: float = 1.0
    seed: int | None = None
    stop: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Writing:
    """An answer and its cost in tokens. `finish` is 'stop' or 'length'; `steps` are passes through the model."""

    text: str
    finish: str
    prompt_tokens: int
    cached_tokens: int
    completion_tokens: int
    steps: int


class Writer:
    """A model and its voice, loaded from `folder` (see local_model_files.prepare). Not for two threads at once."""

    def __init__(self, folder: Path, *, threads: int) -> None:
        self._model = CachedModel(folder / "model.onnx", threads=threads)
        self._voice = Voice(folder / "tokenizer.json")
        self._grammars = Grammars(folder / "tokenizer.json", size=self._model.vocabulary, end=self._voice.end)

    def write(self, wish: Wish, wanted: Callable[[], bool] = lambda: True) -> Writing:
        """The answer; cut short, with finish 'length', once `wanted` says that nobody waits for it any more.

        Raises InvalidInput when the prompt leaves no room for an answer, or the schema cannot be followed.
        """
        prompt = self._voice.prompt(wish.messages)
        limit = min(wish.max_tokens, self._room_behind(prompt))
        draft = Draft(wish, voice=self._voice, grammar=self._grammars.of(wish.schema), limit=limit)
        slot, cached = self._model.open(prompt)
        steps = self._fill(draft, slot, prompt[cached:], wanted)
        return Writing(
            text=draft.text(),
            finish=draft.finish,
            prompt_tokens=len(prompt),
            cached_tokens=cached,
            completion_tokens=len(draft.tokens),
            steps=steps,
        )

    def _room_behind(self, prompt: list[int]) -> int:
        if (room := self._model.room - len(prompt)) > 0:
            return room
        problem = f"they are {len(prompt)} tokens long, and the model holds {self._model.room}"
        raise InvalidInput("messages", problem, "Show it fewer or shorter lessons")

    def _fill(self, draft: Draft, slot: Slot, prompt: list[int], wanted: Callable[[], bool]) -> int:
        """Feed the prompt, then the draft, to the model until the draft ends; the passes that took."""
        steps = 0
        pending = prompt + draft.force()
        while not draft.finish:
            chunk, pending = pending[:CHUNK], pending[CHUNK:]
            logits = self._model.extend(slot, chunk)
            steps += 1
            if not wanted():
                draft.finish = "length"
            elif not pending:
                pending = draft.grow(logits)
        return steps


class Draft:
    """An answer in the making. `finish` stays empty until it is done."""

    def __init__(self, wish: Wish, *, voice: Voice, grammar: Grammar, limit: int) -> None:
        self._wish, self._voice, self._grammar, self._limit = wish, voice, grammar, limit
        self._random = np.random.default_rng(None if wish.seed is None else abs(wish.seed))
        self.tokens: list[int] = []
        self.finish = ""

    def force(self) -> list[int]:
        """Write what must come next, and return it: what the model has yet to read."""
        tokens = self._grammar.forced()
        self._keep(tokens)
        return tokens

    def grow(self, logits: Logits) -> list[int]:
        """Write one token and what it forces, and return them: what the model has yet to read."""
        token = pick(self._grammar.allowed(logits), self._wish, self._random)
        if token != self._voice.end:
            self._grammar.take(token)
        self._keep([token])
        return [token] if self.finish else [token, *self.force()]

    def text(self) -> str:
        """What was written, up to the first stop string."""
        text = self._voice.decode(self.tokens)
        ends = [text.find(stop) for stop in self._wish.stop if stop in text]
        return text[: min(ends)] if ends else text

    def _keep(self, tokens: list[int]) -> None:
        spoken = [token for token in tokens if token != self._voice.end]
        room = self._limit - len(self.tokens)
        self.tokens += spoken[:room]
        if self._stopped() or (len(spoken) <= room and self._ended(tokens)):
            self.finish = "stop"
        elif len(self.tokens) >= self._limit:
            self.finish = "length"

    def _ended(self, tokens: list[int]) -> bool:
        return self._voice.end in tokens or self._grammar.complete()

    def _stopped(self) -> bool:
        return bool(self._wish.stop) and any(stop in self._voice.decode(self.tokens) for stop in self._wish.stop)


def pick(logits: Logits, wish: Wish, random: np.random.Generator) -> int:
    """The likeliest token at temperature 0, else one drawn by its weight."""
    if wish.temperature == 0:
        return int(logits.argmax())
    weights = np.exp((logits - logits.max()).astype(np.float64) / wish.temperature)
    mass = np.cumsum(weights if wish.top_p >= 1 else nucleus(weights, wish.top_p))
    drawn = min(random.random() * mass[-1], np.nextafter(mass[-1], 0.0))
    return int(np.searchsorted(mass, drawn, side="right"))


def nucleus(weights: Weights, top_p: float) -> Weights:
    """The weights of the fewest tokens that hold `top_p` of the mass, and zero for the rest."""
    order = np.argsort(-weights, kind="stable")
    mass = np.cumsum(weights[order])
    kept = order[: int(np.searchsorted(mass, top_p * mass[-1])) + 1]
    narrowed = np.zeros_like(weights)
    narrowed[kept] = weights[kept]
    return narrowed
