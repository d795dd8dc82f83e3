"""What a chat request may ask of the local model, checked field by field: OpenAI's names, types and limits.

What would change the answer and is not supported (several choices, streaming, tools, log-probabilities) is refused
by name; fields that do not concern a single local model (user, metadata, …) are ignored.
"""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ace.errors import InvalidInput
from ace.utils.local_model_grammar import Schema
from ace.utils.local_model_voice import Message
from ace.utils.local_model_writer import Wish

ANY_OBJECT: Schema = {"type": "object"}
MAX_TOKENS = 512
"""Of an answer, unless the request says; a small model that has not ended by then rambles."""


class _TextPart(BaseModel):
    type: Literal["text"]
    text: str


class _Message(BaseModel):
    role: Literal["system", "developer", "user", "assistant"]
    content: str | list[_TextPart]

    def told(self) -> Message:
        """Content may come in parts; they are one text. Raises InvalidInput for what is no text."""
        parts = [self.content] if isinstance(self.content, str) else [part.text for part in self.content]
        try:
            text = "".join(parts).encode().decode()
        except UnicodeEncodeError as error:
            raise InvalidInput("messages.content", "half of a surrogate pair is not a character") from error
        return {"developer": "system"}.get(self.role, self.role), text


class _JsonSchema(BaseModel):
    model_config = ConfigDict(populate_by_name=True)

    wanted: Schema = Field(default_factory=lambda: ANY_OBJECT, alias="schema")


class _Format(BaseModel):
    type: Literal["text", "json_object", "json_schema"]
    json_schema: _JsonSchema = Field(default_factory=_JsonSchema)

    def schema_wanted(self) -> Schema | None:
        return {"text": None, "json_object": ANY_OBJECT, "json_schema": self.json_schema.wanted}[self.type]


class _Request(BaseModel):
    model_config = ConfigDict(allow_inf_nan=False)

    messages: list[_Message] = Field(min_length=1)
    max_tokens: int | None = Field(None, ge=1)
    max_completion_tokens: int | None = Field(None, ge=1)
    temperature: float | None = Field(None, ge=0, le=2)
    top_p: float | None = Field(None, gt=0, le=1)
    seed: int | None = None
    stop: str | list[Annotated[str, Field(min_length=1)]] | None = Field(None, max_length=16)
    response_format: _Format | None = None
    n: Literal[1] | None = None
    stream: Literal[False] | None = None
    logprobs: Literal[False] | None = None
    tools: Annotated[list[Any], Field(max_length=0)] | None = None


def read_request(body: bytes) -> Wish:
    """The wish in a request's body. Raises InvalidInput, which names the field."""
    try:
        request = _Request.model_validate(json.loads(body, parse_constant=_no_constant))
    except ValidationError as error:
        first = error.errors()[0]
        raise InvalidInput(".".join(str(step) for step in first["loc"]) or "body", first["msg"]) from error
    except (ValueError, RecursionError) as error:
        raise InvalidInput("body", f"it is not JSON: {error}") from error
    return _wish(request)


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is not a JSON number")


def _wish(request: _Request) -> Wish:
    return Wish(
        messages=tuple(message.told() for message in request.messages),
        schema=request.response_format.schema_wanted() if request.response_format else None,
        max_tokens=request.max_completion_tokens or request.max_tokens or MAX_TOKENS,
        temperature=1.0 if request.temperature is None else request.temperature,
        top_p=request.top_p or 1.0,
        seed=request.seed,
        stop=(request.stop,) if isinstance(request.stop, str) else tuple(request.stop or ()),
    )
