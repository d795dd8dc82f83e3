"""An encoder whose graph this project draws from a parcel's weights: drawn once, kept checked, drawn anew when unsound.

<models_dir>/<parcel>-onnx/encoder.onnx     the graph
<models_dir>/<parcel>-onnx/encoder.words    the tokenizer, beside it
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ace.errors import InvalidInput
from ace.utils import model_files
from ace.utils.checked_files import Unsound, keep, vouched


@dataclass(frozen=True, slots=True)
class Encoder:
    """What is loaded: an onnxruntime session and a tokenizer."""

    session: Any
    tokenizer: Any

    def token_ids(self, *texts: str) -> list[int]:
        """The word pieces of one text, or of a pair, cut at `max_tokens`. Raises InvalidInput for a lone surrogate."""
        try:
            "".join(texts).encode()
        except UnicodeEncodeError:
            raise InvalidInput("text", "holds half a character (a lone surrogate)", "Send valid Unicode") from None
        ids: list[int] = self.tokenizer.encode(*texts).ids
        return ids


def load_encoder(
    parcel: str, models_dir: Path, *, revision: int, draw: Callable[[Path], bytes], max_tokens: int, threads: int
) -> Encoder:
    """The parcel's encoder; `draw(folder of the parcel)` makes its graph where there is no sound one of this revision.

    Raises MissingModelFiles, StoreUnavailable.
    """
    import onnxruntime
    from tokenizers import Tokenizer

    graph, words = _files(parcel, models_dir, revision, draw)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.enable_mem_pattern = False  # one plan kept for each shape seen would grow without bound
    options.log_severity_level = 3
    tokenizer = Tokenizer.from_file(str(words))
    tokenizer.no_padding()
    tokenizer.enable_truncation(max_tokens)
    session = onnxruntime.InferenceSession(str(graph), options, providers=["CPUExecutionProvider"])
    return Encoder(session, tokenizer)


def _files(parcel: str, models_dir: Path, revision: int, draw: Callable[[Path], bytes]) -> Sequence[Path]:
    folder = models_dir / f"{parcel}-onnx"
    sources = [member.sha256 for member in model_files.MODEL_FILES[parcel].members]
    facts = {"revision": revision, "sources": sources}
    if not _sound(folder, facts):
        raw = model_files.path(parcel, models_dir)
        graph, words = draw(raw), (raw / "tokenizer.json").read_bytes()
        drawn = {"onnx": lambda file: _write(file, graph), "words": lambda file: _write(file, words)}
        keep(folder, "encoder", drawn, facts, shared=True)
    return folder / "encoder.onnx", folder / "encoder.words"


def _sound(folder: Path, facts: dict[str, object]) -> bool:
    try:
        with vouched(folder, "encoder") as kept:
            return kept == facts
    except Unsound:
        return False


def _write(file: Path, content: bytes) -> None:
    file.write_bytes(content)
