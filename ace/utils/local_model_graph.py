"""The graph of a llama-shaped model as ONNX: weights in 8 bits, a key/value cache, logits of the last token only.

input_ids [1, S]  ->  rows of the embedding  ->  layers x (attention, gated feed-forward)  ->  logits [1, V]

weights      codes of 8 bits, one scale for each block of 64 (MatMulNBits); activations are rounded to 8 bits by
             row while multiplying, so that what a token yields does not depend on the tokens beside it
cache        past_k_N and past_v_N [1, heads, room, head size], written in place (GroupQueryAttention);
             `seqlens_k` [1] is the number of tokens the cache holds after this call, less one, `total` [1]
             that number itself, so shortening the cache is saying a smaller number
positions    rotary tables inside the graph, interleaved as GGUF stores queries and keys
last token   the output layer is the widest matrix of a small model, and only one row of it is read
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

Array = npt.NDArray[np.float32]
Weights = Callable[[str], Array]
"""A weight by its GGUF name, each matrix [out, in]; asked for once, so that only one is held in 32-bit floats."""

BLOCK = 64
"""Weights that share a scale. 32 is 12 % slower; with 128 the logits are twice as far from those of 32-bit floats, and
differ with the number of tokens read at once (measured, ADR 4)."""

_CONTRIB = "com.microsoft"
_INT8_ACTIVATIONS = 4  # MatMulNBits: accuracy_level 4 multiplies in 8-bit integers


@dataclass(frozen=True, kw_only=True, slots=True)
class Architecture:
    """The numbers that make one llama-shaped model differ from another; `room` is the cache's length in tokens."""

    layers: int
    width: int
    heads: int
    kv_heads: int
    head_size: int
    vocabulary: int
    rope_base: float
    epsilon: float
    room: int


def build(model: Architecture, weights: Weights) -> onnx.ModelProto:
    """The whole graph; the output layer multiplies with the embedding."""
    graph = _Graph()
    stream, branch = _embed(graph, model, weights("token_embd.weight")), ""
    for layer in range(model.layers):
        stream, branch = _attention(graph, model, weights, layer, stream, branch)
        stream, branch = _feed_forward(graph, model, weights, layer, stream, branch)
    _last_logits(graph, model, weights("output_norm.weight"), stream, branch)
    return graph.finish("language-model", *_signature(model))


class _Graph:
    """Nodes and constants in the making. Each method returns the name of what it made."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def constant(self, name: str, value: npt.NDArray[np.generic]) -> str:
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def op(self, kind: str, inputs: Sequence[str], outputs: str | Sequence[str], **attributes: object) -> str:
        names = [outputs] if isinstance(outputs, str) else list(outputs)
        self.nodes.append(helper.make_node(kind, list(inputs), names, **attributes))
        return names[0]

    def linear(self, name: str, source: str, matrix: Array) -> str:
        codes, scales = quantize(matrix)
        weights = (self.constant(f"{name}.codes", codes), self.constant(f"{name}.scales", scales.reshape(-1)))
        return self.multiply(name, source, weights, matrix.shape)

    def multiply(self, name: str, source: str, weights: tuple[str, str], shape: tuple[int, ...]) -> str:
        return self.op(
            "MatMulNBits",
            [source, *weights],
            f"{name}.out",
            domain=_CONTRIB,
            N=shape[0],
            K=shape[1],
            bits=8,
            block_size=BLOCK,
            accuracy_level=_INT8_ACTIVATIONS,
        )

    def finish(
        self, name: str, inputs: list[onnx.ValueInfoProto], outputs: list[onnx.ValueInfoProto]
    ) -> onnx.ModelProto:
        graph = helper.make_graph(self.nodes, name, inputs, outputs, self.constants)
        opsets = [helper.make_opsetid("", 20), helper.make_opsetid(_CONTRIB, 1)]
        return helper.make_model(graph, opset_imports=opsets, ir_version=10)


def quantize(matrix: Array) -> tuple[npt.NDArray[np.uint8], Array]:
    """Codes [out, blocks, BLOCK] around 128 and scales [out, blocks]: weight = (code - 128) * scale."""
    rows, width = matrix.shape
    blocks = -(-width // BLOCK)
    padded = np.zeros((rows, blocks * BLOCK), np.float32)
    padded[:, :width] = matrix
    cut = padded.reshape(rows, blocks, BLOCK)
    scales = np.maximum(np.abs(cut).max(-1) / 127.0, 1e-12)
    codes = np.rint(cut / scales[..., None]) + 128.0
    return codes.astype(np.uint8), scales.astype(np.float32)


def _embed(graph: _Graph, model: Architecture, table: Array) -> str:
    """The rows of the embedding, unpacked from the codes that the output layer multiplies with."""
    codes, scales = quantize(table)
    graph.constant("head.codes", codes)
    graph.constant("head.scales", scales.reshape(-1))
    graph.constant("embed.scales", scales[..., None])
    graph.constant("embed.zero", np.array(128, np.float32))
    graph.constant("embed.shape", np.array([1, -1, codes.shape[1] * BLOCK], np.int64))
    rows = graph.op("Gather", ["head.codes", "input_ids"], "embed.rows")
    numbers = graph.op("Cast", [rows], "embed.numbers", to=TensorProto.FLOAT)
    centred = graph.op("Sub", [numbers, "embed.zero"], "embed.centred")
    steps = graph.op("Gather", ["embed.scales", "input_ids"], "embed.steps")
    values = graph.op("Mul", [centred, steps], "embed.values")
    whole = graph.op("Reshape", [values, "embed.shape"], "embed.padded")
    for name, value in (("start", 0), ("end", model.width), ("axis", 2)):
        graph.constant(f"embed.{name}", np.array([value], np.int64))
    return graph.op("Slice", [whole, "embed.start", "embed.end", "embed.axis"], "embed.out")


def _norm(graph: _Graph, model: Architecture, name: str, gain: Array, stream: str, branch: str) -> tuple[str, str]:
    """RMS norm of stream + branch, and that sum: (normed, sum). Without a branch the stream is the sum."""
    gain_name = graph.constant(f"{name}.gain", gain)
    if not branch:
        op, inputs, outputs, domain = "SimplifiedLayerNormalization", [stream, gain_name], [f"{name}.out"], ""
    else:
        op, inputs, domain = "SkipSimplifiedLayerNormalization", [stream, branch, gain_name], _CONTRIB
        outputs = [f"{name}.out", "", "", f"{name}.sum"]
    normed = graph.op(op, inputs, outputs, domain=domain, epsilon=model.epsilon)
    return normed, outputs[-1] if branch else stream


def _attention(
    graph: _Graph, model: Architecture, weights: Weights, layer: int, stream: str, branch: str
) -> tuple[str, str]:
    block = f"blk.{layer}."
    normed, stream = _norm(graph, model, f"{block}attn_norm", weights(f"{block}attn_norm.weight"), stream, branch)
    projections = np.concatenate([weights(f"{block}attn_{part}.weight") for part in "qkv"])
    packed = graph.linear(f"{block}qkv", normed, projections)
    attended = graph.op(
        "GroupQueryAttention",
        [packed, "", "", f"past_k_{layer}", f"past_v_{layer}", "seqlens_k", "total", *_rotary(graph, model)],
        [f"{block}attended", f"present_k_{layer}", f"present_v_{layer}"],
        domain=_CONTRIB,
        num_heads=model.heads,
        kv_num_heads=model.kv_heads,
        do_rotary=1,
        rotary_interleaved=1,
    )
    return stream, graph.linear(f"{block}attn_output", attended, weights(f"{block}attn_output.weight"))


def _rotary(graph: _Graph, model: Architecture) -> tuple[str, str]:
    """Cosines and sines [room, head size / 2], made once: angle = position / base^(2i / head size)."""
    if not any(constant.name == "rotary.cos" for constant in graph.constants):
        halves = np.arange(0, model.head_size, 2) / model.head_size
        angles = np.arange(model.room)[:, None] * (model.rope_base**-halves)[None, :]
        graph.constant("rotary.cos", np.cos(angles).astype(np.float32))
        graph.constant("rotary.sin", np.sin(angles).astype(np.float32))
    return "rotary.cos", "rotary.sin"


def _feed_forward(
    graph: _Graph, model: Architecture, weights: Weights, layer: int, stream: str, branch: str
) -> tuple[str, str]:
    block = f"blk.{layer}."
    normed, stream = _norm(graph, model, f"{block}ffn_norm", weights(f"{block}ffn_norm.weight"), stream, branch)
    both = np.concatenate([weights(f"{block}ffn_gate.weight"), weights(f"{block}ffn_up.weight")])
    wide = graph.linear(f"{block}gate_up", normed, both)
    graph.op("Split", [wide], [f"{block}gate", f"{block}up"], axis=-1, num_outputs=2)
    opened = graph.op("QuickGelu", [f"{block}gate"], f"{block}opened", domain=_CONTRIB, alpha=1.0)  # x * sigmoid(x)
    product = graph.op("Mul", [opened, f"{block}up"], f"{block}product")
    return stream, graph.linear(f"{block}ffn_down", product, weights(f"{block}ffn_down.weight"))


def _last_logits(graph: _Graph, model: Architecture, gain: Array, stream: str, branch: str) -> None:
    graph.constant("last", np.array([-1], np.int64))
    stream = graph.op("Gather", [stream, "last"], "last.stream", axis=1)
    branch = graph.op("Gather", [branch, "last"], "last.branch", axis=1)
    normed, _ = _norm(graph, model, "output_norm", gain, stream, branch)
    shape = (model.vocabulary, model.width)
    logits = graph.multiply("head", normed, ("head.codes", "head.scales"), shape)
    graph.constant("logits.shape", np.array([1, model.vocabulary], np.int64))
    graph.op("Reshape", [logits, "logits.shape"], "logits")


def _signature(model: Architecture) -> tuple[list[onnx.ValueInfoProto], list[onnx.ValueInfoProto]]:
    def value(name: str, kind: int, shape: list[int | str]) -> onnx.ValueInfoProto:
        return helper.make_tensor_value_info(name, kind, shape)

    pairs = [(part, layer) for layer in range(model.layers) for part in "kv"]
    cache: list[int | str] = [1, model.kv_heads, "room", model.head_size]
    inputs = [
        value("input_ids", TensorProto.INT64, [1, "tokens"]),
        value("seqlens_k", TensorProto.INT32, [1]),
        value("total", TensorProto.INT32, [1]),
        *(value(f"past_{part}_{layer}", TensorProto.FLOAT, cache) for part, layer in pairs),
    ]
    outputs = [
        value("logits", TensorProto.FLOAT, [1, model.vocabulary]),
        *(value(f"present_{part}_{layer}", TensorProto.FLOAT, cache) for part, layer in pairs),
    ]
    return inputs, outputs
