"""Makes tiny speech recognition models for tests: any language espeak-ng speaks, a list of words in, models out.

espeak-ng speaks sentences and tells which phoneme begins at which sample, so every frame of audio
has its true label; a small network learns to name them; the network is written out as a model for
Vosk and as models for sherpa-onnx. Nothing here knows a language: words, sentences and the voices
to speak them come from a file. The models know synthetic voices only and are not for people.
"""

from collections.abc import Callable

# Tells whoever waits how far things are.
Say = Callable[[str], None]
