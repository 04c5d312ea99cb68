"""From the features sherpa-onnx computes for streams in NeMo's form to those of all other forms.

The former have the bands of librosa, other windows and no cut at the edges; how to come from one to
the other is found by least squares on some calls, in logarithms above the floor.
"""

import kaldi_native_fbank as knf
import numpy as np

from . import features, telephone

# Keeps bands that say the same from being weighed against each other.
_RIDGE = 0.1

_OPTIONS = knf.FbankOptions()
_OPTIONS.frame_opts.samp_freq = telephone.RATE
_OPTIONS.frame_opts.dither = 0
_OPTIONS.frame_opts.snip_edges = False
_OPTIONS.frame_opts.remove_dc_offset = False
_OPTIONS.frame_opts.window_type = "hann"
_OPTIONS.mel_opts.num_bins = features.BANDS
_OPTIONS.mel_opts.is_librosa = True
_OPTIONS.mel_opts.low_freq = 0
_OPTIONS.mel_opts.high_freq = 0


def _log_mel(samples: np.ndarray) -> np.ndarray:
    extractor = knf.OnlineFbank(_OPTIONS)
    extractor.accept_waveform(telephone.RATE, (samples / features.FULL_SCALE).astype(np.float32).tolist())
    extractor.input_finished()
    frames = [extractor.get_frame(index) for index in range(extractor.num_frames_ready)]
    return np.array(frames, np.float64).reshape(-1, features.BANDS) - features.FLOOR


def turn(calls: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Returns the matrix (from, to) and the bias that make plain features of librosa's."""
    given = np.concatenate([_log_mel(samples) for samples in calls])
    given = np.hstack([given, np.ones((len(given), 1))])
    wanted = np.concatenate([features.log_mel(samples) for samples in calls])
    found = np.linalg.solve(given.T @ given + _RIDGE * np.eye(features.BANDS + 1), given.T @ wanted)
    return found[:-1], found[-1]
