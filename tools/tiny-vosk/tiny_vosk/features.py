"""What the network sees of audio: logarithms of mel energies above a floor, 100 frames a second.

They are those sherpa-onnx computes from audio in [-1, 1]: its settings cannot be changed from
outside but for rate and number of bands. Vosk's cepstra are the same numbers turned by a cosine
transform, so one network serves both. The floor is the logarithm of the smallest energy, which
makes digital silence the same as near silence.
"""

import kaldi_native_fbank as knf
import numpy as np

from .telephone import RATE

BANDS = 23
LOW_HZ, HIGH_HZ = 20, RATE // 2 - 400
FRAME_SECONDS = 0.01
FLOOR = float(np.log(np.finfo(np.float32).eps))
FULL_SCALE = 32768.0

_OPTIONS = knf.FbankOptions()
_OPTIONS.frame_opts.samp_freq = RATE
_OPTIONS.frame_opts.dither = 0
_OPTIONS.frame_opts.snip_edges = False
_OPTIONS.mel_opts.num_bins = BANDS
_OPTIONS.mel_opts.low_freq = LOW_HZ
_OPTIONS.mel_opts.high_freq = HIGH_HZ


def log_mel(samples: np.ndarray) -> np.ndarray:
    """Returns a row of `BANDS` numbers, none below 0, for each 10 ms of 16-bit samples."""
    extractor = knf.OnlineFbank(_OPTIONS)
    extractor.accept_waveform(RATE, (samples / FULL_SCALE).astype(np.float32).tolist())
    extractor.input_finished()
    frames = [extractor.get_frame(index) for index in range(extractor.num_frames_ready)]
    return np.maximum(np.array(frames, np.float32).reshape(-1, BANDS) - FLOOR, 0)


def centre(frame: np.ndarray) -> np.ndarray:
    """Returns the time in the middle of a frame, in seconds."""
    return (frame + 0.5) * FRAME_SECONDS


def cosine_transform() -> np.ndarray:
    """Returns the orthogonal matrix that makes cepstra of the logarithms (row: coefficient)."""
    row, column = np.mgrid[0:BANDS, 0:BANDS]
    matrix = np.sqrt(2 / BANDS) * np.cos(np.pi / BANDS * (column + 0.5) * row)
    matrix[0] = np.sqrt(1 / BANDS)
    return matrix
