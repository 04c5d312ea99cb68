"""Writes the trunk and head as CTC models for sherpa-onnx, one for whole utterances, one for streams.

Both have the same weights, a byte each. `offline.onnx` has the form of its TDNN models (one
input, one output, the number of tokens as metadata); `online.onnx` has the form of NeMo's streaming
CTC models, of which it uses one cache: the frames that came before. (sherpa-onnx's C library takes no
streaming models of Wenet's form.) Tokens are words, the first is CTC's blank.
"""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from . import features, librosa, network
from .telephone import RATE

BLANK = "<blk>"
# The mark of a word's beginning, which sherpa-onnx writes as a space.
_WORD_MARK = "\u2581"
# Steps of 40 ms a stream goes on by at once, as sherpa-onnx must be told: 160 ms.
CHUNK_STEPS = 4
CHUNK_SHIFT = CHUNK_STEPS * network.WORD_STRIDE
# Frames seen around a moment, by trunk and head together.
_BEFORE = network.TRUNK_REACH + network.HEAD_BEHIND * network.WORD_STRIDE
_AFTER = network.TRUNK_REACH + network.HEAD_AHEAD * network.WORD_STRIDE
# What a stream must be given at a step: what it goes on by (its last moment is at a stride's begin)
# and what is seen ahead.
CHUNK_LENGTH = CHUNK_SHIFT - network.WORD_STRIDE + 1 + _AFTER
# What sherpa-onnx must be told of the audio; it does not read it from here, others may.
_AUDIO = {"sample_rate": RATE, "feature_dim": features.BANDS}
AHEAD_SECONDS = _AFTER * features.FRAME_SECONDS


class _Graph:
    """Nodes and initialisers of a graph in the making."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.initialisers: list[onnx.TensorProto] = []

    def constant(self, name: str, value: np.ndarray) -> str:
        self.initialisers.append(numpy_helper.from_array(value, name))
        return name

    def weights(self, name: str, value: np.ndarray) -> str:
        """Adds weights (output, input, moment) as bytes, with a scale for each output."""
        scale = np.abs(value).max(axis=(1, 2), keepdims=True) / 127
        scale = np.maximum(scale, np.finfo(np.float32).tiny).astype(np.float32)
        small = self.constant(f"{name}.bytes", np.round(value / scale).astype(np.int8))
        wide = self.apply("Cast", f"{name}.wide", [small], to=TensorProto.FLOAT)
        return self.apply("Mul", name, [wide, self.constant(f"{name}.scale", scale)])

    def apply(self, operator: str, output: str, inputs: list[str], **attributes: Any) -> str:
        self.nodes.append(helper.make_node(operator, inputs, [output], name=output, **attributes))
        return output

    def see(self, name: str, inputs: str, layer: network.Affine, spacing: int, step: int = 1) -> str:
        """Adds a time-delay layer on (batch, width, time)."""
        kernel = np.transpose(np.asarray(layer.weights), (2, 1, 0))
        bias = self.constant(f"{name}.bias", np.asarray(layer.bias, np.float32))
        names = [inputs, self.weights(f"{name}.weights", kernel), bias]
        moments = kernel.shape[2]
        return self.apply(
            "Conv", name, names, kernel_shape=[moments], dilations=[spacing], strides=[step], pads=[0, 0]
        )

    def network(self, inputs: str, trunk: network.Trunk, head: network.Head) -> str:
        """Adds everything from frames above the floor (batch, width, time) to log-probabilities."""
        deviation = self.constant("deviation", np.asarray(trunk.deviation, np.float32)[None, :, None])
        mean = self.constant("mean", np.asarray(trunk.mean, np.float32)[None, :, None])
        values = self.apply("Div", "normalised", [self.apply("Sub", "centred", [inputs, mean]), deviation])
        last = len(trunk.layers) - 1
        for index, (layer, spacing) in enumerate(zip(trunk.layers, network.TRUNK_SPACING)):
            step = network.WORD_STRIDE if index == last else 1
            seen = self.see(f"trunk{index}", values, layer, spacing, step)
            values = self.apply("Relu", f"{seen}.relu", [seen])
        for index, (layer, shape) in enumerate(zip(head.layers, network.HEAD)):
            seen = self.see(f"head{index}", values, layer, shape.spacing)
            values = self.apply("Relu", f"{seen}.relu", [seen])
        scores = self.see("scores", values, head.words, 1)
        in_time = self.apply("Transpose", "scores.time", [scores], perm=[0, 2, 1])
        return self.apply("LogSoftmax", "log_probs", [in_time], axis=2)

    def model(self, inputs: list, outputs: list, metadata: dict[str, object]) -> onnx.ModelProto:
        graph = helper.make_graph(self.nodes, "tiny", inputs, outputs, self.initialisers)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], producer_name="tiny-vosk")
        model.ir_version = 8
        helper.set_model_props(model, {key: str(value) for key, value in metadata.items()})
        onnx.checker.check_model(model, full_check=True)
        return model


def _tensor(name: str, shape: list, kind: int = TensorProto.FLOAT) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, kind, shape)


def offline(trunk: network.Trunk, head: network.Head, tokens: int) -> onnx.ModelProto:
    """Returns the model for whole utterances: (batch, time, bands) to (batch, time / 4, tokens)."""
    graph = _Graph()
    floor = graph.constant("floor", np.array(features.FLOOR, np.float32))
    above = graph.apply("Sub", "above", ["x", floor])
    wide = graph.apply("Transpose", "wide", [above], perm=[0, 2, 1])
    around = graph.constant("around", np.array([0, 0, _BEFORE, 0, 0, _AFTER], np.int64))
    padded = graph.apply("Pad", "padded", [wide, around])
    graph.network(padded, trunk, head)
    inputs = [_tensor("x", ["N", "T", features.BANDS])]
    outputs = [_tensor("log_probs", ["N", "S", tokens])]
    return graph.model(inputs, outputs, {"model_type": "tdnn", "vocab_size": tokens, **_AUDIO})


def online(
    trunk: network.Trunk, head: network.Head, tokens: int, turn: tuple[np.ndarray, np.ndarray]
) -> onnx.ModelProto:
    """Returns the model for streams: a chunk and the frames before it in, a moment for each 40 ms out.

    NeMo's cache of channels holds the frames that came before, above the floor, so that its first
    content, zeros, is silence. Its cache of times is not used and passed on as it came. `turn` makes
    plain features of those that sherpa-onnx computes for this form (librosa.py).
    """
    graph = _Graph()
    floor = graph.constant("floor", np.array(features.FLOOR, np.float32))
    shifted = graph.apply("Sub", "shifted", ["audio_signal", floor])
    matrix = graph.constant("turn", turn[0].T[:, :, None].astype(np.float32))
    bias = graph.constant("turn.bias", turn[1].astype(np.float32))
    turned = graph.apply("Conv", "turned", [shifted, matrix, bias], kernel_shape=[1])
    wide = graph.apply("Relu", "wide", [turned])
    first = graph.constant("first", np.array([1], np.int64))
    before = graph.apply("Squeeze", "before", ["cache_last_channel", first])
    stream = graph.apply("Concat", "stream", [before, wide], axis=2)
    graph.network(stream, trunk, head)
    # The next chunk begins where this one's look ahead does.
    overlap = CHUNK_LENGTH - CHUNK_SHIFT
    begin = graph.constant("begin", np.array([-_BEFORE - overlap], np.int64))
    end = graph.constant("end", np.array([-overlap], np.int64))
    kept = graph.apply("Slice", "kept", [stream, begin, end, graph.constant("axis", np.array([2], np.int64))])
    graph.apply("Unsqueeze", "cache_last_channel_next", [kept, first])
    for name in ("cache_last_time", "cache_last_channel_len"):
        graph.apply("Identity", f"{name}_next", [name])
    graph.apply("Identity", "encoded_lengths", ["length"])
    channel, time = ["N", 1, features.BANDS, _BEFORE], ["N", 1, 1, 1]
    inputs = [
        _tensor("audio_signal", ["N", features.BANDS, "T"]),
        _tensor("length", ["N"], TensorProto.INT64),
        _tensor("cache_last_channel", channel),
        _tensor("cache_last_time", time),
        _tensor("cache_last_channel_len", ["N"], TensorProto.INT64),
    ]
    outputs = [
        _tensor("log_probs", ["N", "U", tokens]),
        _tensor("encoded_lengths", ["N"], TensorProto.INT64),
        _tensor("cache_last_channel_next", channel),
        _tensor("cache_last_time_next", time),
        _tensor("cache_last_channel_len_next", ["N"], TensorProto.INT64),
    ]
    metadata = {
        "model_type": "EncDecCTCModelBPE",
        "vocab_size": tokens - 1,  # NeMo does not count the blank
        "window_size": CHUNK_LENGTH,
        "chunk_shift": CHUNK_SHIFT,
        "subsampling_factor": network.WORD_STRIDE,
        "cache_last_channel_dim1": 1,
        "cache_last_channel_dim2": features.BANDS,
        "cache_last_channel_dim3": _BEFORE,
        "cache_last_time_dim1": 1,
        "cache_last_time_dim2": 1,
        "cache_last_time_dim3": 1,
        **_AUDIO,
    }
    return graph.model(inputs, outputs, metadata)


def write(
    trunk: network.Trunk, head: network.Head, words: list[str], calls: list[np.ndarray], folder: Path
) -> None:
    """Writes `offline.onnx`, `online.onnx` and `tokens.txt` into a folder; `calls` are any speech."""
    folder.mkdir(parents=True, exist_ok=True)
    tokens = [BLANK] + [_WORD_MARK + word for word in words]
    lines = "".join(f"{token} {number}\n" for number, token in enumerate(tokens))
    (folder / "tokens.txt").write_text(lines, encoding="utf-8")
    onnx.save(offline(trunk, head, len(tokens)), folder / "offline.onnx")
    onnx.save(online(trunk, head, len(tokens), librosa.turn(calls)), folder / "online.onnx")
