"""A DeBERTa-v3 encoder as an ONNX graph, drawn from the weights inside another, slower one.

    ids int64[b, s] ──> word ──> LayerNorm ──> 12 × layer ──> first token's hidden state float32[b, 384]

    layer(x):  q, k, v = x·Wq, x·Wk, x·Wv
               score[i, j] = (q[i]·k[j]  +  q[i]·K[i-j]  +  k[j]·Q[i-j]) / √(3·64)          [arXiv 2006.03654, eq. 4]
               a = LayerNorm(x + out(softmax(score)·v));  LayerNorm(a + down(gelu(up(a))))

K and Q are the projections of the relative positions: the same for every text, so they are constants here. A table
P[i, r] over relative positions r becomes a table over j by a shift of row i by i, which is a reshape: the source
gathers element by element, in a graph fixed to 160 tokens. The source's matrices are 8-bit integers with one scale;
they are taken over as they are (MatMulNBits), while activations are rounded in blocks. Texts of a batch have the same
number of tokens; there is no mask, no padding, and company changes no bit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

LAYERS, HEADS, DIMENSIONS, MAX_TOKENS = 12, 6, 384, 160
BUCKETS = 256  # relative positions each way; exact up to half of them apart, logarithmic beyond
EPSILON = 1e-7
BLOCK = 128  # inputs that share a scale when activations are rounded
REVISION = 1  # raise it when the graph changes: files of another revision are made anew
_MICROSOFT = "com.microsoft"
_HEAD = DIMENSIONS // HEADS


class Weights:
    """The tensors of a dynamically quantized graph, by the names its exporter gave its nodes."""

    def __init__(self, file: Path) -> None:
        import onnx
        from onnx import numpy_helper

        graph = onnx.load(str(file)).graph
        self._tensors: Mapping[str, Array] = {one.name: numpy_helper.to_array(one) for one in graph.initializer}
        products = (node for node in graph.node if node.op_type == "MatMulInteger")
        self._matrices = {node.name.removesuffix("_quant"): node.input[1] for node in products}

    def levels(self, product: str) -> tuple[Array, float]:
        """The int8[inputs, outputs] matrix of a product, and its scale."""
        name = self._matrices[product]
        if np.any(self._tensors[name.replace("_quantized", "_zero_point")]):
            raise ValueError(f"{product}: only symmetric quantization is understood")
        return self._tensors[name], float(self._tensors[name.replace("_quantized", "_scale")])

    def matrix(self, product: str) -> npt.NDArray[np.float32]:
        levels, scale = self.levels(product)
        return levels.astype(np.float32) * np.float32(scale)

    def __getitem__(self, name: str) -> Array:
        return self._tensors[f"m.deberta.{name}"]


def draw(weights: Weights) -> bytes:
    """The serialized graph, about 90 MB."""
    graph = _Graph(weights)
    x = _embedding(graph)
    for number in range(LAYERS):
        x = _layer(graph, x, number)
    return graph.serialized(x)


def relative_buckets(tokens: int) -> npt.NDArray[np.int64]:
    """Row of the table of relative positions for each distance -(tokens-1) .. tokens-1."""
    distance = np.arange(-(tokens - 1), tokens)
    middle = BUCKETS // 2
    far = np.abs(distance) > middle
    reach = np.where(far, np.abs(distance), 1)
    logarithmic = np.ceil(np.log(reach / middle) / np.log((2 * BUCKETS - 1) / middle) * (middle - 1)) + middle
    return np.where(far, np.sign(distance) * logarithmic, distance).astype(np.int64) + BUCKETS


class _Graph:
    """Nodes and constants as they are added; each method returns the name of what it added."""

    def __init__(self, weights: Weights) -> None:
        self.weights = weights
        self.nodes: list[Any] = []
        self.constants: dict[str, Any] = {}

    def constant(self, name: str, value: Array) -> str:
        from onnx import numpy_helper

        if name not in self.constants:
            self.constants[name] = numpy_helper.from_array(np.ascontiguousarray(value), name)
        return name

    def numbers(self, *values: int) -> str:
        return self.constant("int." + "_".join(map(str, values)), np.array(values, np.int64))

    def node(self, operator: str, inputs: Sequence[str], name: str, *, domain: str = "", **attributes: Any) -> str:
        from onnx import helper

        self.nodes.append(helper.make_node(operator, inputs, [name], domain=domain, **attributes))
        return name

    def product(self, x: str, of: str, name: str) -> str:
        """`x @ matrix` for the source's product `of`."""
        matrix, scale = self.weights.levels(of)
        inputs, outputs = matrix.shape
        blocks = (matrix.T.astype(np.int16) + 128).astype(np.uint8).reshape(outputs, -1, BLOCK)
        levels = self.constant(f"{name}.levels", blocks)
        scales = self.constant(f"{name}.scales", np.full(blocks.shape[:2], scale, np.float32))
        return self.node("MatMulNBits", [x, levels, scales], name, domain=_MICROSOFT,
                         N=outputs, K=inputs, bits=8, block_size=BLOCK, accuracy_level=4)  # fmt: skip

    def projected(self, x: str, of: str, bias: str, name: str) -> str:
        moved = self.product(x, of, f"{name}.moved")
        return self.node("Add", [moved, self.constant(bias, self.weights[bias])], name)

    def normed(self, x: str, prefix: str, name: str) -> str:
        scale, bias = (self.constant(f"{prefix}.{one}", self.weights[f"{prefix}.{one}"]) for one in ("weight", "bias"))
        return self.node("LayerNormalization", [x, scale, bias], name, axis=-1, epsilon=EPSILON)

    def in_heads(self, x: str, name: str) -> str:
        """float32[b, s, 384] -> float32[b, 6, s, 64]."""
        split = self.node("Reshape", [x, self.numbers(0, 0, HEADS, _HEAD)], f"{name}.split")
        return self.node("Transpose", [split], f"{name}.heads", perm=[0, 2, 1, 3])

    def serialized(self, output: str) -> bytes:
        from onnx import TensorProto, helper

        inputs = [helper.make_tensor_value_info("ids", TensorProto.INT64, ["batch", "tokens"])]
        outputs = [helper.make_tensor_value_info("first", TensorProto.FLOAT, ["batch", DIMENSIONS])]
        self.node("Squeeze", [output, self.numbers(1)], "first")
        graph = helper.make_graph(self.nodes, "DeBERTa", inputs, outputs, list(self.constants.values()))
        operators = [helper.make_opsetid("", 18), helper.make_opsetid(_MICROSOFT, 1)]
        serialized: bytes = helper.make_model(graph, opset_imports=operators, ir_version=9).SerializeToString()
        return serialized


def _embedding(graph: _Graph) -> str:
    prefix = "embeddings.word_embeddings.weight"
    parts = [graph.constant(f"words.{one}", graph.weights[f"{prefix}_{one}"]) for one in ("scale", "zero_point")]
    table = graph.constant("words", graph.weights[f"{prefix}_quantized"])
    found = graph.node("DequantizeLinear", [graph.node("Gather", [table, "ids"], "word.stored"), *parts], "word")
    _sizes(graph)
    return graph.normed(found, "embeddings.LayerNorm", "x")


def _sizes(graph: _Graph) -> None:
    """What shifting needs to know of the number of tokens n: n, n-1, n(2n-1)-1 and shapes made of them."""
    one, two = graph.numbers(1), graph.numbers(2)
    n = graph.node("Shape", ["ids"], "n", start=1, end=2)
    less = graph.node("Sub", [n, one], "n-1")
    wide = graph.node("Mul", [two, less], "2n-2")
    graph.node("Add", [less, graph.node("Mul", [n, wide], "n(2n-2)")], "last")
    head = graph.numbers(0, HEADS)
    graph.node("Concat", [head, graph.numbers(-1)], "flat", axis=0)
    graph.node("Concat", [head, n, wide], "shifted", axis=0)
    span = graph.numbers(MAX_TOKENS)
    graph.node("Sub", [span, n], "from")
    graph.node("Add", [less, span], "to")


def _layer(graph: _Graph, x: str, number: int) -> str:
    """The last layer is worked out for the first token alone."""
    path, prefix = f"/m/deberta/encoder/layer.{number}", f"encoder.layer.{number}"
    attended = _attention(graph, x, path, prefix)
    if number == LAYERS - 1:
        x, attended = (graph.node("Slice", [one, graph.numbers(0), graph.numbers(1), graph.numbers(1)], f"{one}.first")
                       for one in (x, attended))  # fmt: skip
    x = _residual(graph, x, attended, f"{path}/attention/output", f"{prefix}.attention.output")
    up = graph.product(x, f"{path}/intermediate/dense/MatMul", f"{prefix}.up")
    bias = graph.constant(f"{prefix}.up.bias", graph.weights[f"{prefix}.intermediate.dense.bias"])
    grown = graph.node("BiasGelu", [up, bias], f"{prefix}.gelu", domain=_MICROSOFT)
    return _residual(graph, x, grown, f"{path}/output", f"{prefix}.output")


def _attention(graph: _Graph, x: str, path: str, prefix: str) -> str:
    self_, bias = f"{path}/attention/self", f"{prefix}.attention.self"
    q, k, v = (graph.in_heads(graph.projected(x, f"{self_}/{one}_proj/MatMul", f"{bias}.{one}_proj.bias", f"{prefix}.{one}"),
                              f"{prefix}.{one}") for one in ("query", "key", "value"))  # fmt: skip
    content = _dot(graph, q, k, f"{prefix}.content")
    by_place = _shifted(graph, _dot(graph, q, _places(graph, "key", path, prefix, backwards=True), f"{prefix}.c2p"))
    from_place = _shifted(
        graph, _dot(graph, k, _places(graph, "query", path, prefix, backwards=False), f"{prefix}.p2c")
    )
    turned = graph.node("Transpose", [from_place], f"{from_place}.turned", perm=[0, 1, 3, 2])
    score = graph.node("Sum", [content, by_place, turned], f"{prefix}.score")
    scale = graph.constant("scale", np.array(1 / np.sqrt(3 * _HEAD), np.float32))
    share = graph.node("Softmax", [graph.node("Mul", [score, scale], f"{prefix}.scaled")], f"{prefix}.share", axis=-1)
    joined = graph.node(
        "Transpose", [graph.node("MatMul", [share, v], f"{prefix}.mixed")], f"{prefix}.joined", perm=[0, 2, 1, 3]
    )
    return graph.node("Reshape", [joined, graph.numbers(0, 0, DIMENSIONS)], f"{prefix}.attended")


def _dot(graph: _Graph, rows: str, others: str, name: str) -> str:
    turned = graph.node("Transpose", [others], f"{name}.turned", perm=[0, 1, 3, 2])
    return graph.node("MatMul", [rows, turned], name)


def _places(graph: _Graph, kind: str, path: str, prefix: str, *, backwards: bool) -> str:
    """float32[1, 6, 2n-1, 64]: the projected distances -(n-1) .. n-1, or the other way round."""
    weights = graph.weights
    table = _normed(
        weights["encoder.rel_embeddings.weight"], weights["encoder.LayerNorm.weight"], weights["encoder.LayerNorm.bias"]
    )
    rows = table[relative_buckets(MAX_TOKENS)] @ weights.matrix(f"{path}/attention/self/{kind}_proj/MatMul")
    rows = (rows + weights[f"{prefix}.attention.self.{kind}_proj.bias"]).reshape(1, -1, HEADS, _HEAD)
    rows = rows[:, ::-1] if backwards else rows
    constant = graph.constant(f"{prefix}.{kind}.places", rows.transpose(0, 2, 1, 3).astype(np.float32))
    return graph.node("Slice", [constant, "from", "to", graph.numbers(2)], f"{constant}.near")


def _shifted(graph: _Graph, table: str) -> str:
    """out[i, j] = table[i, j + n-1-i], from [n, 2n-1] to [n, n]: row i begins n-1-i later, that is, rows of 2n-2."""
    flat = graph.node("Reshape", [table, "flat"], f"{table}.flat")
    cut = graph.node("Slice", [flat, "n-1", "last", graph.numbers(2)], f"{table}.cut")
    rows = graph.node("Reshape", [cut, "shifted"], f"{table}.rows")
    return graph.node("Slice", [rows, graph.numbers(0), "n", graph.numbers(3)], f"{table}.shifted")


def _residual(graph: _Graph, x: str, branch: str, path: str, prefix: str) -> str:
    """`LayerNorm(x + dense(branch))`."""
    moved = graph.projected(branch, f"{path}/dense/MatMul", f"{prefix}.dense.bias", f"{prefix}.dense")
    return graph.normed(graph.node("Add", [x, moved], f"{prefix}.sum"), f"{prefix}.LayerNorm", f"{prefix}.normed")


def _normed(rows: Array, scale: Array, bias: Array) -> Array:
    centred = rows - rows.mean(axis=1, keepdims=True)
    return centred / np.sqrt((centred**2).mean(axis=1, keepdims=True) + EPSILON) * scale + bias  # type: ignore[no-any-return]
