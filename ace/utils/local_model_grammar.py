"""What an answer may say next: anything, or what a JSON schema allows (llguidance's masks over tokens).

A grammar also knows what must come next. Forced tokens are handed out at once, so that the model reads them in one
step instead of picking them one by one. JSON is written without blanks, keys in the schema's order.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Protocol

import llguidance
import numpy as np
import numpy.typing as npt

from ace.errors import InvalidInput

Logits = npt.NDArray[np.float32]
Schema = dict[str, Any]


class Grammar(Protocol):
    """What may be written next, given all that was taken so far."""

    def forced(self) -> list[int]:
        """Take, and return, the tokens that must come next whatever is picked."""
        ...

    def allowed(self, logits: Logits) -> Logits:
        """The logits [V] with minus infinity for every token that may not come next."""
        ...

    def take(self, token: int) -> None:
        """Move past a token that was allowed."""
        ...

    def complete(self) -> bool:
        """Whether nothing more can be written."""
        ...


class Anything:
    """No schema: every token may come, none must."""

    def forced(self) -> list[int]:
        return []

    def allowed(self, logits: Logits) -> Logits:
        return logits

    def take(self, token: int) -> None:
        pass

    def complete(self) -> bool:
        return False


class Matching:
    """A JSON schema on its way to being fulfilled."""

    def __init__(self, matcher: Any) -> None:
        self._matcher = matcher

    def forced(self) -> list[int]:
        tokens: list[int] = self._matcher.compute_ff_tokens()
        self._matcher.consume_tokens(tokens)
        return tokens

    def allowed(self, logits: Logits) -> Logits:
        bits = np.frombuffer(self._matcher.compute_bitmask(), np.uint8)
        open_tokens = np.unpackbits(bits, count=len(logits), bitorder="little").astype(bool)
        return np.where(open_tokens, logits, np.float32(-np.inf))

    def take(self, token: int) -> None:
        self._matcher.consume_token(token)

    def complete(self) -> bool:
        return bool(self._matcher.is_stopped())


class Grammars:
    """Makes grammars over one vocabulary: the tokenizer.json at `file`, whose texts end with the token `end`."""

    def __init__(self, file: Path, *, size: int, end: int) -> None:
        self._tokens = llguidance.LLTokenizer(str(file), n_vocab=size, eos_token=end)

    def of(self, schema: Schema | None) -> Grammar:
        """Raises InvalidInput for a schema that no answer can be held to."""
        if schema is None:
            return Anything()
        maker = llguidance.LLMatcher
        try:
            grammar = maker.grammar_from_json_schema(json.dumps(schema), overrides={"whitespace_flexible": False})
            fault = maker.validate_grammar(grammar, self._tokens)
        except ValueError as error:
            fault = str(error)
        if fault:
            raise InvalidInput("response_format", f"this schema cannot be followed: {fault}")
        return Matching(maker(self._tokens, grammar))
