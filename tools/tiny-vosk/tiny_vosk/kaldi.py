"""Kaldi's binary file of an acoustic model, written byte by byte: no Kaldi is needed for it."""

import struct

import numpy as np

from . import features, network

# Scores are of one network's own making: phones that are rare must not win in silence for being
# rare, so priors count less than they should, and only down to a floor; the scale weighs the network
# against the graph.
PRIOR_POWER, PRIOR_FLOOR, ACOUSTIC_SCALE = 0.7, 0.01, 0.5

# A phone's only state either stays or ends, at even odds.
STAY_PROBABILITY = 0.5


class _Writer:
    """Bytes in Kaldi's binary form: tokens end in a space, numbers begin with their size."""

    def __init__(self) -> None:
        self.bytes = bytearray(b"\0B")

    def token(self, *names: str) -> "_Writer":
        for name in names:
            self.bytes += name.encode() + b" "
        return self

    def raw(self, value: bytes) -> "_Writer":
        self.bytes += value
        return self

    def integer(self, *values: int) -> "_Writer":
        for value in values:
            self.bytes += struct.pack("<bi", 4, value)
        return self

    def single(self, value: float) -> "_Writer":
        self.bytes += struct.pack("<bf", 4, value)
        return self

    def double(self, value: float) -> "_Writer":
        self.bytes += struct.pack("<bd", 8, value)
        return self

    def integers(self, values: list[int]) -> "_Writer":
        self.bytes += struct.pack(f"<bi{len(values)}i", 4, len(values), *values)
        return self

    def vector(self, values: np.ndarray) -> "_Writer":
        self.token("FV").integer(len(values))
        return self.raw(np.asarray(values, "<f4").tobytes())

    def matrix(self, values: np.ndarray) -> "_Writer":
        self.token("FM").integer(*values.shape)
        return self.raw(np.ascontiguousarray(values, "<f4").tobytes())


def _transitions(out: _Writer, outputs: list[int]) -> None:
    """Writes the transition model: every phone has one state, which has one output."""
    phones = len(outputs)
    out.token("<TransitionModel>", "<Topology>")
    out.integers(list(range(1, phones + 1))).integers([-1] + [0] * phones)
    out.integer(1, 2)  # one topology of two states
    out.integer(0, 2, 0).single(STAY_PROBABILITY).integer(1).single(1 - STAY_PROBABILITY)
    out.integer(-1, 0)  # the second is final
    out.token("</Topology>", "<Triples>").integer(phones)
    for phone, output in enumerate(outputs, 1):
        out.integer(phone, 0, output)
    out.token("</Triples>", "<LogProbs>")
    logs = np.tile(np.log([STAY_PROBABILITY, 1 - STAY_PROBABILITY]), phones)
    out.vector(np.concatenate([[0], logs]))
    out.token("</LogProbs>", "</TransitionModel>")


def _affine(out: _Writer, name: str, weights: np.ndarray, bias: np.ndarray) -> None:
    out.token("<ComponentName>", name, "<FixedAffineComponent>", "<LinearParams>").matrix(weights)
    out.token("<BiasParams>").vector(bias).token("</FixedAffineComponent>")


def _rectifier(out: _Writer, name: str, width: int) -> None:
    out.token("<ComponentName>", name, "<RectifiedLinearComponent>", "<Dim>").integer(width)
    out.token("<ValueAvg>").vector(np.zeros(0)).token("<DerivAvg>").vector(np.zeros(0))
    out.token("<Count>").double(0).token("</RectifiedLinearComponent>")


def _wiring() -> str:
    """Returns the network's nodes, in the words of Kaldi's configuration files."""
    lines = [f"input-node name=input dim={features.BANDS}"]

    def rectified(name: str, descriptor: str) -> str:
        lines.append(f"component-node name={name} component={name} input={descriptor}")
        lines.append(f"component-node name={name}.relu component={name}.relu input={name}")
        return f"{name}.relu"

    node = rectified("bands", "input")
    for index, spacing in enumerate(network.TRUNK_SPACING):
        node = rectified(f"layer{index}", f"Append(Offset({node}, -{spacing}), {node}, Offset({node}, {spacing}))")
    lines.append(f"component-node name=scores component=scores input={node}")
    lines.append("output-node name=output input=scores objective=linear")
    return "\n".join(lines) + "\n\n"


def acoustic_model(trunk: network.Trunk, share: np.ndarray, outputs: list[int]) -> bytes:
    """Returns a `final.mdl`: phone `i + 1` of the graph has the trunk's output `outputs[i]`.

    The first layer turns cepstra back into bands and cuts them at the floor; Kaldi's samples are
    not in [-1, 1] but up to 32768. Mean and deviation are worked into the second, priors into the
    last.
    """
    out = _Writer()
    _transitions(out, outputs)
    out.token("<Nnet3>").raw(b"\n" + _wiring().encode())
    out.token("<NumComponents>").integer(2 + 2 * len(trunk.layers) + 1)
    below = 2 * np.log(features.FULL_SCALE) + features.FLOOR
    _affine(out, "bands", features.cosine_transform().T, np.full(features.BANDS, -below))
    _rectifier(out, "bands.relu", features.BANDS)
    for index, layer in enumerate(trunk.layers):
        moments, inputs, width = layer.weights.shape
        weights = np.asarray(layer.weights, np.float64).reshape(moments * inputs, width)
        bias = np.asarray(layer.bias, np.float64)
        if index == 0:
            bias = bias - np.tile(np.asarray(trunk.mean) / np.asarray(trunk.deviation), moments) @ weights
            weights = weights / np.tile(np.asarray(trunk.deviation), moments)[:, None]
        _affine(out, f"layer{index}", weights.T, bias)
        _rectifier(out, f"layer{index}.relu", width)
    priors = PRIOR_POWER * np.log(np.maximum(share, PRIOR_FLOOR))
    bias = np.asarray(trunk.phones.bias, np.float64) - priors
    _affine(out, "scores", np.asarray(trunk.phones.weights[0]).T * ACOUSTIC_SCALE, bias * ACOUSTIC_SCALE)
    out.token("</Nnet3>")
    out.token("<LeftContext>").integer(network.TRUNK_REACH)
    out.token("<RightContext>").integer(network.TRUNK_REACH)
    out.token("<Priors>").vector(np.zeros(0))
    return bytes(out.bytes)
