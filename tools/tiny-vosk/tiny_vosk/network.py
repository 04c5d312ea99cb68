"""The networks, in JAX: time-delay layers that name the phone, and a head on them that names the word.

A time-delay layer looks at a few moments around each moment; the trunk's five see 110 ms to either
side. Trained at 30 ms a step for Vosk, the same weights are evaluated at 10 ms a step where the head
wants its moments 40 ms apart.
"""

from dataclasses import dataclass
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from .features import BANDS

WIDTH = 176
# Frames (10 ms) between the three moments each layer of the trunk sees.
TRUNK_SPACING = (1, 1, 3, 3, 3)
TRUNK_REACH = sum(TRUNK_SPACING)
PHONE_STRIDE = 3


class Affine(NamedTuple):
    """Weights (moment, input, output) and bias of a layer."""

    weights: jax.Array
    bias: jax.Array


@dataclass(frozen=True)
class HeadLayer:
    """A layer of the head: how many moments it sees, how far apart (in steps of 40 ms), its width."""

    moments: int
    spacing: int
    width: int


WORD_STRIDE = 4
HEAD = (HeadLayer(5, 1, 112), HeadLayer(5, 2, 112), HeadLayer(5, 3, 112))
# Steps the head sees ahead; the rest of its reach is behind.
HEAD_AHEAD = 4
HEAD_REACH = sum((layer.moments - 1) * layer.spacing for layer in HEAD)
HEAD_BEHIND = HEAD_REACH - HEAD_AHEAD


class Trunk(NamedTuple):
    """The layers up to the names of phones, with mean and deviation of the features."""

    mean: jax.Array
    deviation: jax.Array
    layers: tuple[Affine, ...]
    phones: Affine


class Head(NamedTuple):
    """The layers from the trunk's last to the names of words."""

    layers: tuple[Affine, ...]
    words: Affine


def _affine(key: jax.Array, moments: int, inputs: int, outputs: int) -> Affine:
    scale = np.sqrt(2 / (moments * inputs))
    return Affine(jax.random.normal(key, (moments, inputs, outputs)) * scale, jnp.zeros(outputs))


def new_trunk(key: jax.Array, frames: np.ndarray, phones: int) -> Trunk:
    """Returns a trunk that knows nothing but the mean and deviation of its input."""
    keys = jax.random.split(key, len(TRUNK_SPACING) + 1)
    inputs = [BANDS] + [WIDTH] * (len(TRUNK_SPACING) - 1)
    layers = tuple(_affine(k, 3, size, WIDTH) for k, size in zip(keys, inputs))
    wide = frames.astype(np.float32)
    return Trunk(wide.mean(0), wide.std(0) + 1e-3, layers, _affine(keys[-1], 1, WIDTH, phones))


def new_head(key: jax.Array, words: int) -> Head:
    """Returns a head that knows nothing; `words` counts the blank too."""
    keys = jax.random.split(key, len(HEAD) + 1)
    inputs = [WIDTH] + [layer.width for layer in HEAD]
    layers = tuple(_affine(k, layer.moments, size, layer.width) for k, layer, size in zip(keys, HEAD, inputs))
    return Head(layers, _affine(keys[-1], 1, inputs[-1], words))


def _see(inputs: jax.Array, layer: Affine, spacing: int, step: int = 1) -> jax.Array:
    """Applies a layer to (batch, time, width); the ends that see too little fall away."""
    moments = layer.weights.shape[0]
    count = (inputs.shape[1] - (moments - 1) * spacing - 1) // step + 1
    spliced = jnp.concatenate(
        [inputs[:, m * spacing : m * spacing + (count - 1) * step + 1 : step] for m in range(moments)], -1
    )
    return spliced @ layer.weights.reshape(-1, layer.weights.shape[2]) + layer.bias


def hidden(trunk: Trunk, frames: jax.Array, stride: int) -> jax.Array:
    """Returns what the trunk's last layer sees, every `stride` frames, from `TRUNK_REACH` on."""
    values = (frames - trunk.mean) / trunk.deviation
    if stride == PHONE_STRIDE:
        # Once steps are 30 ms, what is three frames apart is neighbours.
        steps = ((1, 1), (1, PHONE_STRIDE), (1, 1), (1, 1), (1, 1))
    else:
        steps = tuple((spacing, 1) for spacing in TRUNK_SPACING[:-1]) + ((TRUNK_SPACING[-1], stride),)
    for layer, (spacing, step) in zip(trunk.layers, steps):
        values = jax.nn.relu(_see(values, layer, spacing, step))
    return values


def phone_scores(trunk: Trunk, frames: jax.Array) -> jax.Array:
    """Returns the scores of the phones, every 30 ms."""
    return _see(hidden(trunk, frames, PHONE_STRIDE), trunk.phones, 1)


def word_scores(head: Head, values: jax.Array) -> jax.Array:
    """Returns the scores of nothing and of the words, every 40 ms, from the trunk's last layer."""
    for layer, shape in zip(head.layers, HEAD):
        values = jax.nn.relu(_see(values, layer, shape.spacing))
    return _see(values, head.words, 1)
