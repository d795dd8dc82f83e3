"""The model with its memory: a few key/value caches, each knowing which tokens it holds.

A prompt goes to the cache that shares the longest beginning with it, and only the rest is computed: put the stable
part of a prompt first. A cache that shares less than a tenth of the prompt is left to those who can use it (the rule
of llama.cpp's server, `--slot-prompt-similarity 0.1`); the one unused for longest is taken instead.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime as ort

from ace.utils.local_model_files import ROOM

Logits = npt.NDArray[np.float32]

SLOTS = 4
WORTH_SHARING = 0.1
CHUNK = 128
"""Tokens computed at once: 2-8 % faster than a whole prompt of 300, and work can be given up in between."""


@dataclass(kw_only=True)
class Slot:
    """One cache: the tokens whose keys and values it holds, when it was last used, its bound memory."""

    tokens: list[int] = field(default_factory=list)
    used: int = 0
    binding: Any = None


def shared(held: Sequence[int], wanted: Sequence[int]) -> int:
    """How many tokens both begin with, the last wanted one excepted: its logits must be computed."""
    limit = min(len(held), len(wanted) - 1)
    return next((i for i in range(limit) if held[i] != wanted[i]), limit)


def choose(slots: Sequence[Slot], wanted: Sequence[int]) -> tuple[Slot, int]:
    """The slot to use for a prompt, and the number of its tokens that can stay."""
    best = max(slots, key=lambda slot: shared(slot.tokens, wanted))
    if (kept := shared(best.tokens, wanted)) >= WORTH_SHARING * len(wanted):
        return best, kept
    oldest = min(slots, key=lambda slot: slot.used)
    return oldest, shared(oldest.tokens, wanted)


class CachedModel:
    """A graph made by local_model_graph, loaded from `file`. Not for two threads at once.

    `vocabulary` is the width of the logits, `room` the longest sequence in tokens.
    """

    def __init__(self, file: Path, *, threads: int) -> None:
        options = ort.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # busy cores: 1.3 times faster
        self._session = ort.InferenceSession(file, options, providers=["CPUExecutionProvider"])
        self.vocabulary = int(self._session.get_outputs()[0].shape[1])
        self.room = ROOM
        self._slots = [Slot(binding=self._bind()) for _ in range(SLOTS)]
        self._clock = count(1)

    def open(self, prompt: Sequence[int]) -> tuple[Slot, int]:
        """A slot holding as much of the prompt's beginning as is known, and how many tokens that is."""
        slot, kept = choose(self._slots, prompt)
        del slot.tokens[kept:]
        slot.used = next(self._clock)
        return slot, kept

    def extend(self, slot: Slot, tokens: Sequence[int]) -> Logits:
        """Put tokens (at least one, at most CHUNK) behind those the slot holds: the logits after the last, [V].

        One token alone would be multiplied by another kernel, with logits up to 0.8 away from those of the same token
        in company (measured); read together with the one before it (6 % slower), every way to cut a text gives the
        same bits, so an answer does not depend on what happened to be cached.
        """
        if len(tokens) == 1 and slot.tokens:
            tokens = [slot.tokens.pop(), *tokens]
        holds = len(slot.tokens) + len(tokens)
        slot.binding.bind_cpu_input("input_ids", np.array([tokens], np.int64))
        slot.binding.bind_cpu_input("seqlens_k", np.array([holds - 1], np.int32))
        slot.binding.bind_cpu_input("total", np.array([holds], np.int32))
        self._session.run_with_iobinding(slot.binding)
        slot.tokens.extend(tokens)
        logits: Logits = slot.binding.get_outputs()[0].numpy()[0]
        return logits

    def _bind(self) -> Any:
        """Inputs and outputs of the cache are the same memory, which the graph writes in place."""
        binding = self._session.io_binding()
        binding.bind_output("logits")
        for past in self._session.get_inputs():
            if past.name.startswith("past_"):
                batch, heads, _, size = past.shape
                memory = ort.OrtValue.ortvalue_from_shape_and_type([batch, heads, self.room, size], np.float32)
                binding.bind_ortvalue_input(past.name, memory)
                binding.bind_ortvalue_output(past.name.replace("past", "present"), memory)
        return binding
