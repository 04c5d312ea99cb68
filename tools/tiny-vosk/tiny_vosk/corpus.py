"""What is learnt from: hours of spoken sentences as one stream of frames with their labels."""

import hashlib
import pickle
import random
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from . import Say, features, telephone, voices
from .espeak import Espeak, Phone
from .lexicon import Isolated, Lexicon, divide, pronounced
from .vocabulary import Vocabulary

# The share of utterances that are words in no order.
_NONSENSE_SHARE = 0.4
# Seconds of silence around an utterance, and of the dead line there is between some.
_BEFORE, _AFTER, _DEAD = (0.1, 0.6), (0.1, 0.5), (0.0, 1.5)
# A phone heard less often than this is not learnt.
_RARE = 30
# Where a word is recognised: in the last part of it, in seconds and as share of its length.
_WORD_END_SECONDS, _WORD_END_SHARE, _WORD_END_LEAST = 0.12, 0.5, 0.05

# Raised when anything changes in how a corpus is made, so that kept ones are not used.
_VERSION = 1

SILENCE, UNKNOWN = 0, -1


@dataclass
class Corpus:
    """One long stream of frames (10 ms) with two labels each, and what the labels mean.

    `phone_labels` count into `phones` (0 is silence, -1 unknown); `word_labels` are 0 for nothing
    and else one more than the word's place in `words`, at the end of the word only.
    """

    frames: np.ndarray
    phone_labels: np.ndarray
    word_labels: np.ndarray
    phones: list[str]
    words: list[str]
    lexicon: Lexicon

    @property
    def hours(self) -> float:
        """How long it is."""
        return len(self.frames) * features.FRAME_SECONDS / 3600


@dataclass
class _Utterance:
    frames: np.ndarray
    phones: list[Phone]
    words: list[tuple[str, float, float]]


class _Recorder:
    """Speaks sentences and keeps what was heard, with the times of phones and words."""

    def __init__(self, espeak: Espeak, vocabulary: Vocabulary, lexicon: Lexicon) -> None:
        self._espeak = espeak
        self._vocabulary = vocabulary
        self._isolated = Isolated(espeak)
        self._lexicon = lexicon

    def record(self, text: str, chance: random.Random) -> _Utterance | None:
        """Speaks a text in a random voice over a random line; `None` where its words are lost."""
        speaker = voices.draw(self._vocabulary.voices, chance)
        speech = self._espeak.speak(text, speaker)
        before = chance.uniform(*_BEFORE)
        quiet = [np.zeros(int(seconds * speech.rate), np.int16) for seconds in (before, chance.uniform(*_AFTER))]
        audio = telephone.through(
            np.concatenate([quiet[0], speech.samples, quiet[1]]),
            speech.rate,
            telephone.TRAINING,
            np.random.default_rng(chance.getrandbits(32)),
        )
        phones = [Phone(phone.name, phone.start + before) for phone in speech.phones]
        words = self._words(text.split(), phones, speaker.voice)
        return words and _Utterance(features.log_mel(audio).astype(np.float16), phones, words)

    def _words(
        self, words: list[str], phones: list[Phone], voice: str
    ) -> list[tuple[str, float, float]] | None:
        spoken = [index for index, phone in enumerate(phones) if phone.name is not None]
        parts = divide(pronounced(phones), [self._isolated.phones(word, voice) for word in words])
        if any(part.start == part.stop for part in parts):
            return None
        timed = []
        for word, part in zip(words, parts):
            own = spoken[part]
            self._lexicon.add(word, [str(phones[index].name) for index in own])
            ends = phones[own[-1] + 1].start if own[-1] + 1 < len(phones) else phones[own[-1]].start + 0.1
            timed.append((word, phones[own[0]].start, ends))
        return timed


def make(vocabulary: Vocabulary, utterances: int, seed: int, espeak: Espeak) -> Corpus:
    """Speaks that many utterances and labels them."""
    chance = random.Random(seed)
    lexicon = Lexicon()
    recorder = _Recorder(espeak, vocabulary, lexicon)
    recorded: list[_Utterance] = []
    while len(recorded) < utterances:
        nonsense = chance.random() < _NONSENSE_SHARE
        text = vocabulary.nonsense(chance) if nonsense else vocabulary.sentence(chance)
        utterance = recorder.record(text, chance)
        if utterance:
            recorded.append(utterance)
    counts: dict[str, int] = {}
    for utterance in recorded:
        for name in pronounced(utterance.phones):
            counts[name] = counts.get(name, 0) + 1
    phones = ["SIL", *sorted(name for name, count in counts.items() if count >= _RARE)]
    words = vocabulary.words
    labelled = [_label(utterance, phones, words, chance) for utterance in recorded]
    frames, phone_labels, word_labels = (np.concatenate(part) for part in zip(*labelled))
    return Corpus(frames, phone_labels, word_labels, phones, words, lexicon)


def _label(
    utterance: _Utterance, phones: list[str], words: list[str], chance: random.Random
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns an utterance's frames and both labels of each, with a dead line behind."""
    dead = int(chance.uniform(*_DEAD) / features.FRAME_SECONDS) if chance.random() < 0.5 else 0
    frames = np.pad(utterance.frames, ((0, dead), (0, 0)))
    times = features.centre(np.arange(len(frames)))
    number = {name: index for index, name in enumerate(phones)}
    starts = np.array([0.0] + [phone.start for phone in utterance.phones])
    names = [SILENCE] + [
        SILENCE if phone.name is None else number.get(phone.name, UNKNOWN) for phone in utterance.phones
    ]
    phone_labels = np.array(names, np.int16)[np.searchsorted(starts, times, side="right") - 1]
    word_labels = np.zeros(len(frames), np.int16)
    for word, start, end in utterance.words:
        length = max(min(_WORD_END_SHARE * (end - start), _WORD_END_SECONDS), _WORD_END_LEAST)
        word_labels[(times > end - length) & (times <= end)] = 1 + words.index(word)
    return frames, phone_labels, word_labels


def kept(vocabulary: Vocabulary, utterances: int, seed: int, cache: Path, say: Say) -> Corpus:
    """Returns the corpus from the cache folder, or makes it and keeps it there."""
    espeak = Espeak()
    recipe = repr((_VERSION, espeak.version, vocabulary, utterances, seed))
    path = cache / f"corpus-{hashlib.sha256(recipe.encode()).hexdigest()[:16]}.pickle"
    if path.exists():
        return pickle.loads(path.read_bytes())
    say(f"speaking {utterances} utterances with espeak-ng {espeak.version}")
    corpus = make(vocabulary, utterances, seed, espeak)
    cache.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    part.write_bytes(pickle.dumps(corpus))
    part.rename(path)
    return corpus
