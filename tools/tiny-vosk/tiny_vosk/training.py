"""Training: Adam on crops of the stream, first the trunk on phones, then the head on words."""

from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from . import Say, network
from .corpus import Corpus

# Outputs in a crop, and crops in a batch.
_PHONE_CROP, _WORD_CROP, _BATCH = 20, 75, 64
_TRUNK_RATE, _HEAD_RATE, _WARM_UP = 2e-3, 2e-3, 200
# How much of each label is spread over all others.
_PHONE_SMOOTHING, _WORD_SMOOTHING = 0.05, 0.01
# Frames the trunk is applied to at once when the head's input is made.
_BLOCK = 4096


def _cross_entropy(scores: jax.Array, labels: jax.Array, smoothing: float) -> jax.Array:
    """Returns the smoothed cross-entropy over the labels that are known (not negative)."""
    logs = jax.nn.log_softmax(scores)
    right = jnp.take_along_axis(logs, jnp.maximum(labels, 0)[..., None], -1)[..., 0]
    known = labels >= 0
    return -(((1 - smoothing) * right + smoothing * logs.mean(-1)) * known).sum() / known.sum()


# A tuple of layers, as JAX takes apart and puts together.
Parameters = Any


def _fit(
    parameters: Parameters,
    loss: Callable[..., jax.Array],
    batches: Iterator,
    steps: int,
    rate: float,
    say: Say,
    what: str,
) -> Parameters:
    """Minimises `loss(parameters, key, *batch)` by Adam with a rate that falls to a fiftieth."""

    @jax.jit
    def step(parameters, first, second, count, key, batch):
        value, slope = jax.value_and_grad(loss)(parameters, key, *batch)
        first = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, first, slope)
        second = jax.tree.map(lambda v, g: 0.999 * v + 0.001 * g * g, second, slope)
        now = rate * jnp.minimum(1, count / _WARM_UP) * 0.02 ** (count / steps)
        parameters = jax.tree.map(
            lambda p, m, v: p - now * (m / (1 - 0.9**count)) / (jnp.sqrt(v / (1 - 0.999**count)) + 1e-8),
            parameters,
            first,
            second,
        )
        return parameters, first, second, value

    first = jax.tree.map(jnp.zeros_like, parameters)
    second = jax.tree.map(jnp.zeros_like, parameters)
    keys = jax.random.split(jax.random.PRNGKey(1), steps)
    report = max(1, steps // 10)
    values: list[jax.Array] = []
    for count, batch in zip(range(1, steps + 1), batches):
        parameters, first, second, value = step(parameters, first, second, count, keys[count - 1], batch)
        values.append(value)
        if count % report == 0:
            say(f"{what}: {100 * count // steps:3d} %, loss {float(np.mean(values)):.3f}")
            values = []
    return parameters


def train_trunk(corpus: Corpus, passes: int, say: Say) -> tuple[network.Trunk, np.ndarray]:
    """Teaches a trunk the phones; returns it and how often each phone is there."""
    reach, stride = network.TRUNK_REACH, network.PHONE_STRIDE
    length = _PHONE_CROP * stride
    frames = np.pad(corpus.frames, ((reach, reach + length), (0, 0)))
    labels = np.pad(corpus.phone_labels, (0, length), constant_values=-1).astype(np.int32)
    total = len(corpus.frames)
    trunk = network.new_trunk(jax.random.PRNGKey(0), corpus.frames, len(corpus.phones))
    fixed = (jnp.asarray(trunk.mean), jnp.asarray(trunk.deviation))
    chance = np.random.default_rng(0)

    def batches() -> Iterator:
        window = np.arange(length + 2 * reach - stride + 1)
        outputs = np.arange(0, length, stride)
        while True:
            # Each pass cuts the stream elsewhere.
            starts = np.arange(chance.integers(length), total, length)
            chance.shuffle(starts)
            for begin in range(0, len(starts) - _BATCH + 1, _BATCH):
                chosen = starts[begin : begin + _BATCH, None]
                yield frames[chosen + window], labels[chosen + outputs]

    def loss(learnt, key, crop, wanted):
        level, blur = jax.random.split(key)
        crop = crop.astype(jnp.float32)
        # Another level or colour of each crop, and a little blur, so that levels are not learnt.
        shift = 0.25 * jax.random.normal(level, (crop.shape[0], 1, crop.shape[2]))
        grain = 0.1 * jax.random.normal(blur, crop.shape)
        crop = jnp.where(crop > 0, jnp.maximum(crop + (shift + grain) * fixed[1], 0), 0)
        return _cross_entropy(network.phone_scores(network.Trunk(*fixed, *learnt), crop), wanted, _PHONE_SMOOTHING)

    steps = passes * (total // length // _BATCH)
    learnt = _fit((trunk.layers, trunk.phones), loss, batches(), steps, _TRUNK_RATE, say, "phones")
    known = corpus.phone_labels[corpus.phone_labels >= 0]
    share = (np.bincount(known, minlength=len(corpus.phones)) + 1) / (len(known) + 1)
    return network.Trunk(*fixed, *learnt), share


def _hidden_stream(trunk: network.Trunk, corpus: Corpus) -> np.ndarray:
    """Returns what the trunk's last layer sees of the whole stream, every 10 ms, in half precision."""
    reach = network.TRUNK_REACH
    see = jax.jit(lambda block: network.hidden(trunk, block.astype(jnp.float32), 1)[0].astype(jnp.float16))
    total = len(corpus.frames)
    frames = np.pad(corpus.frames, ((reach, reach + _BLOCK), (0, 0)))
    blocks = [see(frames[None, begin : begin + _BLOCK + 2 * reach]) for begin in range(0, total, _BLOCK)]
    return np.concatenate([np.asarray(block) for block in blocks])[:total]


def train_head(trunk: network.Trunk, corpus: Corpus, passes: int, say: Say) -> network.Head:
    """Teaches a head the words, on a trunk that no longer changes."""
    stride, behind = network.WORD_STRIDE, network.HEAD_BEHIND
    values = _hidden_stream(trunk, corpus)
    total = len(values)
    span = (_WORD_CROP + network.HEAD_REACH) * stride
    head = network.new_head(jax.random.PRNGKey(2), len(corpus.words) + 1)
    chance = np.random.default_rng(2)

    def batches() -> Iterator:
        window = np.arange(_WORD_CROP + network.HEAD_REACH) * stride
        outputs = (np.arange(_WORD_CROP) + behind) * stride
        while True:
            starts = np.arange(chance.integers(span), total - span, _WORD_CROP * stride)
            chance.shuffle(starts)
            for begin in range(0, len(starts) - _BATCH + 1, _BATCH):
                chosen = starts[begin : begin + _BATCH, None]
                yield values[chosen + window], corpus.word_labels[chosen + outputs].astype(np.int32)

    def loss(learnt, key, crop, wanted):
        kept = jax.random.bernoulli(key, 0.9, (crop.shape[0], 1, crop.shape[2])) / 0.9
        return _cross_entropy(network.word_scores(learnt, crop.astype(jnp.float32) * kept), wanted, _WORD_SMOOTHING)

    steps = passes * (total // (_WORD_CROP * stride) // _BATCH)
    return _fit(head, loss, batches(), steps, _HEAD_RATE, say, "words")
