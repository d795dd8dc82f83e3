"""all-MiniLM-L6-v2 as an ONNX graph, drawn from its weights with the `onnx` helper alone.

    ids int64[b, s] ──> word + position ──> LayerNorm ──> 6 × layer ──> hidden float32[b, s, 384]

    layer(x):  a = LayerNorm(x + out(attention(q(x), k(x), v(x))))
               LayerNorm(a + down(gelu(up(a))))                        [BERT: arXiv 1810.04805, MiniLM: 2002.10957]

Every text of a batch has the same number of tokens, so there is no mask and no padding, and a text's vectors do not
depend on its company. Matrices are stored as 8-bit integers in blocks of 16 along the input with one scale a block
(MatMulNBits), activations are rounded in the same blocks when they meet them: nothing is calibrated, no text is
worse off for being unusual. Word vectors are float16. With `exact=True` all of it is float32, for comparison.

Why these operators: docs/adr/0003-embeddings-and-index.md.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
Tensors = Mapping[str, npt.NDArray[np.float32]]

LAYERS, HEADS, DIMENSIONS, MAX_TOKENS = 6, 12, 384, 256
EPSILON = 1e-12
BLOCK = 16
REVISION = 1  # raise it when the graph changes: files of another revision are made anew
_MICROSOFT = "com.microsoft"


def read_safetensors(file: Path) -> Tensors:
    """The float32 tensors of a safetensors file, mapped and not copied.

    Format: 8 bytes little-endian length of the header, a JSON header, the bytes (github.com/huggingface/safetensors).
    """
    data = np.memmap(file, np.uint8, "r")
    start = 8 + int(data[:8].view("<u8")[0])
    header: dict[str, Any] = json.loads(bytes(data[8:start]))
    header.pop("__metadata__", None)
    found: dict[str, npt.NDArray[np.float32]] = {}
    for name, entry in header.items():
        if entry["dtype"] == "F32":
            first, last = entry["data_offsets"]
            found[name] = data[start + first : start + last].view(np.float32).reshape(entry["shape"])
    return found


def draw(weights: Tensors, *, exact: bool = False) -> bytes:
    """The serialized graph, 37 MB (90 MB when exact)."""
    graph = _Graph(weights, exact)
    x = _embedding(graph)
    for number in range(LAYERS):
        x = _layer(graph, x, f"encoder.layer.{number}")
    return graph.serialized(x)


class _Graph:
    """Nodes and constants as they are added; each method returns the name of what it added."""

    def __init__(self, weights: Tensors, exact: bool) -> None:
        self.weights, self.exact = weights, exact
        self.nodes: list[Any] = []
        self.constants: dict[str, Any] = {}

    def constant(self, name: str, value: Array) -> str:
        from onnx import numpy_helper

        self.constants.setdefault(name, numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def weight(self, name: str) -> str:
        return self.constant(name, self.weights[name])

    def node(self, operator: str, inputs: Sequence[str], name: str, *, domain: str = "", **attributes: Any) -> str:
        return self.nodes_of(operator, inputs, [name], domain=domain, **attributes)[0]

    def nodes_of(
        self, operator: str, inputs: Sequence[str], names: Sequence[str], *, domain: str = "", **attributes: Any
    ) -> Sequence[str]:
        from onnx import helper

        self.nodes.append(helper.make_node(operator, inputs, names, domain=domain, **attributes))
        return names

    def product(self, x: str, matrix: npt.NDArray[np.float32], name: str) -> str:
        """`x @ matrix.T` for a matrix[outputs, inputs]."""
        if self.exact:
            return self.node("MatMul", [x, self.constant(f"{name}.w", matrix.T)], name)
        levels, scales = _in_blocks(matrix)
        inputs = [x, self.constant(f"{name}.levels", levels), self.constant(f"{name}.scales", scales)]
        outputs, width = matrix.shape
        return self.node("MatMulNBits", inputs, name, domain=_MICROSOFT,
                         N=outputs, K=width, bits=8, block_size=BLOCK, accuracy_level=4)  # fmt: skip

    def normed(self, x: str, prefix: str, name: str) -> str:
        scale, bias = self.weight(f"{prefix}.weight"), self.weight(f"{prefix}.bias")
        return self.node("LayerNormalization", [x, scale, bias], name, axis=-1, epsilon=EPSILON)

    def serialized(self, output: str) -> bytes:
        from onnx import TensorProto, helper

        inputs = [helper.make_tensor_value_info("ids", TensorProto.INT64, ["batch", "tokens"])]
        outputs = [helper.make_tensor_value_info("hidden", TensorProto.FLOAT, ["batch", "tokens", DIMENSIONS])]
        self.node("Identity", [output], "hidden")
        graph = helper.make_graph(self.nodes, "all-MiniLM-L6-v2", inputs, outputs, list(self.constants.values()))
        operators = [helper.make_opsetid("", 18), helper.make_opsetid(_MICROSOFT, 1)]
        model = helper.make_model(graph, opset_imports=operators, ir_version=9)
        serialized: bytes = model.SerializeToString()
        return serialized


def _embedding(graph: _Graph) -> str:
    weights = graph.weights
    words = weights["embeddings.word_embeddings.weight"]
    table = graph.constant("words", words if graph.exact else words.astype(np.float16))
    found = graph.node("Cast", [graph.node("Gather", [table, "ids"], "word.stored")], "word", to=1)
    places = weights["embeddings.position_embeddings.weight"][:MAX_TOKENS]
    places = places + weights["embeddings.token_type_embeddings.weight"][0]
    zero = graph.constant("zero", np.zeros(1, np.int64))
    length = graph.node("Shape", ["ids"], "length", start=1, end=2)
    place = graph.node("Slice", [graph.constant("places", places), zero, length, zero], "place")
    return graph.normed(graph.node("Add", [found, place], "embedded"), "embeddings.LayerNorm", "x")


def _layer(graph: _Graph, x: str, layer: str) -> str:
    attended = _attention(graph, x, f"{layer}.attention.self")
    x = _residual(graph, x, attended, f"{layer}.attention.output")
    up = graph.product(x, graph.weights[f"{layer}.intermediate.dense.weight"], f"{layer}.up")
    bias = graph.weight(f"{layer}.intermediate.dense.bias")
    return _residual(
        graph, x, graph.node("BiasGelu", [up, bias], f"{layer}.gelu", domain=_MICROSOFT), f"{layer}.output"
    )


def _attention(graph: _Graph, x: str, prefix: str) -> str:
    three = ("query", "key", "value")
    matrix = np.concatenate([graph.weights[f"{prefix}.{one}.weight"] for one in three])
    bias = graph.constant(f"{prefix}.bias", np.concatenate([graph.weights[f"{prefix}.{one}.bias"] for one in three]))
    joined = graph.product(x, matrix, f"{prefix}.joined")
    sizes = graph.constant("sizes", np.full(3, DIMENSIONS, np.int64))
    parts = graph.nodes_of("Split", [joined, sizes], [f"{prefix}.{one}" for one in three], axis=-1)
    return graph.node("MultiHeadAttention", [*parts, bias], prefix, domain=_MICROSOFT, num_heads=HEADS)


def _residual(graph: _Graph, x: str, branch: str, prefix: str) -> str:
    """`LayerNorm(x + dense(branch))`."""
    moved = graph.product(branch, graph.weights[f"{prefix}.dense.weight"], f"{prefix}.moved")
    moved = graph.node("Add", [moved, graph.weight(f"{prefix}.dense.bias")], f"{prefix}.biased")
    return graph.normed(graph.node("Add", [x, moved], f"{prefix}.sum"), f"{prefix}.LayerNorm", f"{prefix}.normed")


def _in_blocks(matrix: npt.NDArray[np.float32]) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.float32]]:
    """uint8[outputs, blocks, BLOCK] around 128, and float32[outputs, blocks] scales: value = scale * (level - 128)."""
    blocks = matrix.reshape(len(matrix), -1, BLOCK)
    scales = np.abs(blocks).max(axis=2) / 127
    safe = np.where(scales == 0, 1, scales)
    levels = np.round(blocks / safe[:, :, None]) + 128
    return levels.astype(np.uint8), scales.astype(np.float32)
