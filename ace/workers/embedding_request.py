"""One request for embeddings, read strictly: what it asks for, or a refusal in OpenAI's form.

field              may be
input              a string, or 1 to 2,048 strings; none empty (token ids need another model's vocabulary: refused)
model              all-MiniLM-L6-v2, with or without `sentence-transformers/`
encoding_format    float (the default) or base64: little-endian float32
dimensions         384
user               anything; nobody looks at it
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ace.utils.embeddings import LocalEmbedder
from ace.utils.json_lines import STRICT, json_type

MAX_INPUTS = 2048
MODELS = (LocalEmbedder.name, f"sentence-transformers/{LocalEmbedder.name}")
FIELDS = ("input", "model", "encoding_format", "dimensions", "user")
FORMATS = ("float", "base64")


class Refused(Exception):
    """A request that cannot be answered: its HTTP status, and what OpenAI's error objects say."""

    def __init__(self, message: str, *, param: str | None = None, code: str | None = None, status: int = 400) -> None:
        super().__init__(message)
        self.message, self.param, self.code, self.status = message, param, code, status


@dataclass(frozen=True, kw_only=True, slots=True)
class EmbeddingRequest:
    """What is asked for."""

    texts: Sequence[str]
    model: str
    base64: bool = False


def read_request(body: bytes) -> EmbeddingRequest:
    """The request. Raises Refused."""
    fields = _object(body)
    for name in fields:
        if name not in FIELDS:
            raise Refused(f"Unknown field {name[:40]!r}. Known: {', '.join(FIELDS)}.", param=_shown(name))
    model = _model(fields.get("model"))
    _check_dimensions(fields.get("dimensions"))
    return EmbeddingRequest(
        texts=_texts(fields.get("input")), model=model, base64=_format(fields.get("encoding_format")) == "base64"
    )


def _object(body: bytes) -> dict[str, Any]:
    try:
        found = STRICT.decode(body.decode())
    except UnicodeDecodeError:
        raise Refused("The body is not UTF-8.") from None
    except json.JSONDecodeError as error:
        raise Refused(f"The body is not JSON: {error.msg} at character {error.pos}.") from None
    except ValueError as error:
        raise Refused(f"The body {_shown(str(error))}.") from None
    except RecursionError:
        raise Refused("The body is nested too deeply.") from None
    if not isinstance(found, dict):
        raise Refused(f"The body is {json_type(found)}, not an object.")
    return found


def _model(name: Any) -> str:
    if name is None:
        raise Refused(f"'model' is missing. This server has {MODELS[0]}.", param="model")
    if name not in MODELS:
        shown = _shown(name) if isinstance(name, str) else json_type(name)
        message = f"There is no model {shown!r} here. This server has {MODELS[0]}."
        raise Refused(message, param="model", code="model_not_found", status=404)
    return str(name)


def _texts(given: Any) -> Sequence[str]:
    texts = [given] if isinstance(given, str) else given
    if given is None:
        raise Refused("'input' is missing. Send a string or a list of strings.", param="input")
    if not isinstance(texts, list):
        raise Refused(f"'input' is {json_type(given)}. Send a string or a list of strings.", param="input")
    if not 0 < len(texts) <= MAX_INPUTS:
        raise Refused(f"'input' has {len(texts)} texts. Send 1 to {MAX_INPUTS}.", param="input")
    for number, text in enumerate(texts):
        _check_text(text, "input" if isinstance(given, str) else f"input[{number}]")
    return texts


def _check_text(text: Any, param: str) -> None:
    if isinstance(text, list) or (isinstance(text, int) and not isinstance(text, bool)):
        raise Refused(f"'{param}' holds token ids, which belong to another model's vocabulary. Send text.", param=param)
    if not isinstance(text, str):
        raise Refused(f"'{param}' is {json_type(text)}. Send a string.", param=param)
    if not text:
        raise Refused(f"'{param}' is an empty string. Send some text.", param=param)
    try:
        text.encode()
    except UnicodeEncodeError:
        raise Refused(
            f"'{param}' holds half a character (a lone surrogate). Send valid Unicode.", param=param
        ) from None


def _format(name: Any) -> str:
    if name is not None and name not in FORMATS:
        raise Refused("'encoding_format' is neither 'float' nor 'base64'.", param="encoding_format")
    return name or FORMATS[0]


def _check_dimensions(number: Any) -> None:
    if number is not None and (isinstance(number, bool) or number != LocalEmbedder.dimensions):
        raise Refused(f"'dimensions' can only be {LocalEmbedder.dimensions}.", param="dimensions")


def _shown(text: str) -> str:
    return text[:80].encode("utf-8", "replace").decode()
