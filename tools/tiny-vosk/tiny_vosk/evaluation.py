"""How well models understand: callers never heard in training, the real engines, words wrong."""

import json
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from . import Say, sherpa_model, telephone, voices
from .espeak import Espeak, Speaker
from .features import BANDS, FULL_SCALE
from .vocabulary import Vocabulary

# Turns samples at 8 kHz into words.
Recognise = Callable[[np.ndarray], str]

_SILENCE_SECONDS = 20
_AROUND_SECONDS = (0.75, 1.1)
_BLOCK = telephone.RATE // 50


@dataclass(frozen=True)
class Call:
    """What was said, and what came over the line."""

    text: str
    samples: np.ndarray


@dataclass(frozen=True)
class Score:
    """How many words and sentences there were and how many went wrong."""

    words: int
    wrong_words: int
    sentences: int
    wrong_sentences: int
    mistakes: list[tuple[str, str]]

    def __str__(self) -> str:
        words = 100 * self.wrong_words / self.words
        sentences = 100 * self.wrong_sentences / self.sentences
        return f"{words:.1f} % of {self.words} words, {sentences:.1f} % of {self.sentences} sentences wrong"


def _edits(said: list[str], heard: list[str]) -> int:
    row = list(range(len(heard) + 1))
    for count, word in enumerate(said, 1):
        before, row[0] = row[0], count
        for place, other in enumerate(heard, 1):
            before, row[place] = row[place], min(row[place] + 1, row[place - 1] + 1, before + (word != other))
    return row[-1]


def score(recognise: Recognise, calls: list[Call]) -> Score:
    """Has every call recognised and counts what is wrong."""
    results = [(call.text, recognise(call.samples).strip()) for call in calls]
    wrong = [_edits(text.split(), heard.split()) for text, heard in results]
    mistakes = [pair for pair, edits in zip(results, wrong) if edits]
    return Score(sum(len(text.split()) for text, _ in results), sum(wrong), len(calls), len(mistakes), mistakes)


def plain_calls(vocabulary: Vocabulary, espeak: Espeak, count: int = 200, seed: int = 2024) -> list[Call]:
    """Calls in the plain first voice, through A-law, with digital silence around: those of tests."""
    chance = random.Random(seed)
    calls = []
    for _ in range(count):
        text = vocabulary.sentence(chance)
        speech = espeak.speak(text, Speaker(vocabulary.voices[0]))
        before, after = (np.zeros(int(seconds * speech.rate)) for seconds in _AROUND_SECONDS)
        calls.append(Call(text, telephone.clean(np.concatenate([before, speech.samples, after]), speech.rate)))
    return calls


def line_calls(
    vocabulary: Vocabulary,
    espeak: Espeak,
    variants: list[str],
    line: telephone.Line,
    count: int = 150,
    seed: int = 77,
) -> list[Call]:
    """Calls in variants of the voices, over a line with its levels and noise."""
    chance = random.Random(seed)
    calls = []
    for _ in range(count):
        text = vocabulary.sentence(chance)
        speech = espeak.speak(text, voices.draw(vocabulary.voices, chance, variants))
        around = [np.zeros(int(seconds * speech.rate), np.int16) for seconds in _AROUND_SECONDS]
        samples = np.concatenate([around[0], speech.samples, around[1]])
        calls.append(
            Call(text, telephone.through(samples, speech.rate, line, np.random.default_rng(chance.getrandbits(32))))
        )
    return calls


def sets(vocabulary: Vocabulary, espeak: Espeak) -> dict[str, list[Call]]:
    """Returns the calls all models are measured with."""
    return {
        "plain voice, A-law, digital silence around": plain_calls(vocabulary, espeak),
        "voices of training, quiet line": line_calls(vocabulary, espeak, voices.LEARNT, telephone.QUIET),
        "voices never heard, quiet line": line_calls(vocabulary, espeak, voices.UNSEEN, telephone.QUIET),
        "voices never heard, noisy line": line_calls(vocabulary, espeak, voices.UNSEEN, telephone.NOISY),
    }


def calibration(vocabulary: Vocabulary, espeak: Espeak) -> list[np.ndarray]:
    """Returns calls that are in no set, to find out about features with."""
    some = line_calls(vocabulary, espeak, voices.LEARNT, telephone.TRAINING, 80, seed=11)
    return [call.samples for call in some + plain_calls(vocabulary, espeak, 20, seed=12)]


def silences() -> dict[str, np.ndarray]:
    """Returns lines on which nobody speaks."""
    noise = np.random.default_rng(5).standard_normal(_SILENCE_SECONDS * telephone.RATE)
    return {f"noise of rms {rms}" if rms else "exact zeros": np.round(noise * rms) for rms in (0, 4, 40)}


def sherpa_offline(folder: Path) -> Recognise:
    """Returns sherpa-onnx with the model for whole utterances."""
    import sherpa_onnx

    recogniser = sherpa_onnx.OfflineRecognizer.from_tdnn_ctc(
        model=str(folder / "offline.onnx"),
        tokens=str(folder / "tokens.txt"),
        sample_rate=telephone.RATE,
        feature_dim=BANDS,
        num_threads=1,
    )

    def recognise(samples: np.ndarray) -> str:
        stream = recogniser.create_stream()
        stream.accept_waveform(telephone.RATE, (samples / FULL_SCALE).astype(np.float32))
        recogniser.decode_stream(stream)
        return stream.result.text

    return recognise


def sherpa_online(folder: Path) -> Recognise:
    """Returns sherpa-onnx with the model for streams, given 20 ms at a time."""
    import sherpa_onnx

    recogniser = sherpa_onnx.OnlineRecognizer.from_nemo_ctc(
        model=str(folder / "online.onnx"),
        tokens=str(folder / "tokens.txt"),
        sample_rate=telephone.RATE,
        feature_dim=BANDS,
        num_threads=1,
    )
    tail = np.zeros(int((sherpa_model.AHEAD_SECONDS + 0.3) * telephone.RATE), np.float32)

    def recognise(samples: np.ndarray) -> str:
        stream = recogniser.create_stream()
        audio = np.concatenate([(samples / FULL_SCALE).astype(np.float32), tail])
        for begin in range(0, len(audio), _BLOCK):
            stream.accept_waveform(telephone.RATE, audio[begin : begin + _BLOCK])
            while recogniser.is_ready(stream):
                recogniser.decode_stream(stream)
        return recogniser.get_result(stream)

    return recognise


def vosk(folder: Path, grammar: list[str] | None = None) -> Recognise:
    """Returns Vosk with a model, given 20 ms at a time; with a grammar where one is given."""
    import vosk as engine

    engine.SetLogLevel(-1)
    model = engine.Model(str(folder))

    def recognise(samples: np.ndarray) -> str:
        settings = (json.dumps(grammar, ensure_ascii=False),) if grammar else ()
        recogniser = engine.KaldiRecognizer(model, telephone.RATE, *settings)
        audio = samples.astype("<i2").tobytes()
        heard = []
        for begin in range(0, len(audio), 2 * _BLOCK):
            if recogniser.AcceptWaveform(audio[begin : begin + 2 * _BLOCK]):
                heard.append(json.loads(recogniser.Result())["text"])
        heard.append(json.loads(recogniser.FinalResult())["text"])
        return " ".join(part for part in heard if part)

    return recognise


def report(recognise: Recognise, calls: dict[str, list[Call]], say: Say) -> None:
    """Says how a recogniser does on all calls and in silence."""
    for name, some in calls.items():
        began = time.process_time()
        found = score(recognise, some)
        seconds = sum(len(call.samples) for call in some) / telephone.RATE
        say(f"  {name}: {found} ({(time.process_time() - began) / seconds:.3f} of a core)")
        for text, heard in found.mistakes[:5]:
            say(f"      «{text}» → «{heard}»")
    for name, samples in silences().items():
        say(f"  {_SILENCE_SECONDS} s of {name}: {recognise(samples).strip() or 'no words'}")
