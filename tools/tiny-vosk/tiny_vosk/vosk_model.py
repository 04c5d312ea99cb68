"""Writes the trunk as a Vosk model with a graph that takes grammars at run time."""

import shutil
from pathlib import Path

import numpy as np

from . import features, graph, kaldi, network
from .corpus import Corpus
from .telephone import RATE
from .vocabulary import Vocabulary, VocabularyError

_FEATURES = {
    "sample-frequency": RATE,
    "use-energy": "false",
    "num-mel-bins": features.BANDS,
    "num-ceps": features.BANDS,
    "cepstral-lifter": 0,
    "low-freq": features.LOW_HZ,
    "high-freq": features.HIGH_HZ,
    "dither": 0,
}
_DECODER = {
    "min-active": 200,
    "max-active": 3000,
    "beam": 13.0,
    # Wider, the loop of the unknown word makes lattices that take seconds.
    "lattice-beam": 2.0,
    "acoustic-scale": 1.0,
    "frame-subsampling-factor": network.PHONE_STRIDE,
    "endpoint.silence-phones": 1,
    "endpoint.rule2.min-trailing-silence": 0.5,
    "endpoint.rule3.min-trailing-silence": 0.75,
    "endpoint.rule4.min-trailing-silence": 1.0,
}


def lexicon(vocabulary: Vocabulary, corpus: Corpus) -> dict[str, list[tuple[str, ...]]]:
    """Returns the pronunciations of every word."""
    known = set(corpus.phones)
    found = {word: corpus.lexicon.pronunciations(word, known) for word in vocabulary.words}
    missing = [word for word, pronunciations in found.items() if not pronunciations]
    if missing:
        raise VocabularyError(f"too rarely spoken to be learnt: {', '.join(missing)}; speak more utterances")
    return found


def write(
    trunk: network.Trunk, share: np.ndarray, corpus: Corpus, vocabulary: Vocabulary, folder: Path
) -> None:
    """Writes the model's folder, in place of any that is there."""
    words = lexicon(vocabulary, corpus)
    shutil.rmtree(folder, ignore_errors=True)
    for part in ("am", "conf"):
        (folder / part).mkdir(parents=True)
    table = graph.PhoneTable(corpus.phones)
    (folder / "am" / "final.mdl").write_bytes(kaldi.acoustic_model(trunk, share, table.outputs))
    for name, settings in (("mfcc", _FEATURES), ("model", _DECODER)):
        lines = "".join(f"--{key}={value}\n" for key, value in settings.items())
        (folder / "conf" / f"{name}.conf").write_text(lines)
    graph.write(folder / "graph", table, words, vocabulary)
