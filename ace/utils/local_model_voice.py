"""Tokens and text: conversations go in as ChatML, the way the model's own template writes it, answers come out.

    <|im_start|>system\\n…<|im_end|>\\n<|im_start|>user\\n…<|im_end|>\\n<|im_start|>assistant\\n

What a message says is never read as a control token, so no message can pretend to be another speaker.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tokenizers import Tokenizer

Message = tuple[str, str]
"""Role and content."""

DEFAULT_SYSTEM = "You are a helpful AI assistant named SmolLM, trained by Hugging Face"
"""What the model's template says when the conversation does not begin with a system message."""


class Voice:
    """The tokenizer at `file`, a tokenizer.json made by local_model_files. `end` is the token that ends a message."""

    def __init__(self, file: Path) -> None:
        self._tokenizer = Tokenizer.from_file(str(file))
        self._tokenizer.encode_special_tokens = True
        self._start = self._control("<|im_start|>")
        self.end = self._control("<|im_end|>")
        self._newline = self.encode("\n")

    def _control(self, token: str) -> int:
        number = self._tokenizer.token_to_id(token)
        if number is None:
            raise ValueError(f"this tokenizer has no {token}")
        return int(number)

    def encode(self, text: str) -> list[int]:
        return list(self._tokenizer.encode(text, add_special_tokens=False).ids)

    def decode(self, tokens: Sequence[int]) -> str:
        return str(self._tokenizer.decode(list(tokens), skip_special_tokens=True))

    def prompt(self, messages: Sequence[Message]) -> list[int]:
        """The conversation as tokens, ending where the assistant begins to speak."""
        spoken = list(messages)
        if not spoken or spoken[0][0] != "system":
            spoken.insert(0, ("system", DEFAULT_SYSTEM))
        tokens: list[int] = []
        for role, content in spoken:
            tokens += [self._start, *self.encode(f"{role}\n{content}"), self.end, *self._newline]
        return [*tokens, self._start, *self.encode("assistant\n")]
