"""The telephone line: 8 kHz, band, level, noise and the A-law of G.711."""

from dataclasses import dataclass

import numpy as np
from scipy.signal import butter, resample_poly, sosfilt

RATE = 8000
_FULL_SCALE = 32768.0
_BAND = butter(4, [250, 3500], "bandpass", fs=RATE, output="sos")
# Of the lines that are not clean: how many cut the band, and how many have noise at all (the others
# keep true digital silence, as gateways that suppress silence do).
_BAND_SHARE, _NOISE_SHARE = 0.6, 0.75


@dataclass(frozen=True)
class Line:
    """What a line does to speech; ranges in dB below full scale, peak for speech, rms for noise."""

    level: tuple[float, float] = (-32.0, -8.0)
    noise: tuple[float, float] | None = (-75.0, -32.0)


TRAINING = Line()
QUIET = Line(level=(-20.0, -6.0), noise=(-75.0, -52.0))
NOISY = Line()


def to_alaw_and_back(samples: np.ndarray) -> np.ndarray:
    """Quantises samples (full scale 32768) as an A-law codec does, by its segments."""
    magnitude = np.minimum(np.abs(samples), _FULL_SCALE - 1)
    segment = np.maximum(np.floor(np.log2(np.maximum(magnitude, 256.0))) - 7, 1)
    step = 2.0 ** (segment + 3)
    return np.where(samples < 0, -1.0, 1.0) * (np.floor(magnitude / step) + 0.5) * step * (samples != 0)


def clean(samples: np.ndarray, rate: int) -> np.ndarray:
    """Brings speech to the telephone without any loss but rate and codec."""
    divisor = np.gcd(rate, RATE)
    narrow = resample_poly(samples.astype(np.float64), RATE // divisor, rate // divisor)
    return to_alaw_and_back(np.round(narrow))


def through(samples: np.ndarray, rate: int, line: Line, chance: np.random.Generator) -> np.ndarray:
    """Brings speech through a line with its band, tilt, level and noise."""
    divisor = np.gcd(rate, RATE)
    narrow = resample_poly(samples.astype(np.float64), RATE // divisor, rate // divisor)
    if chance.random() < _BAND_SHARE:
        narrow = sosfilt(_BAND, narrow)
    if chance.random() < 0.8:
        tilt = chance.uniform(-0.5, 0.5)
        narrow = np.append(narrow[0], narrow[1:] - tilt * narrow[:-1])
    level = 10 ** (chance.uniform(*line.level) / 20) * _FULL_SCALE
    narrow *= level / (np.abs(narrow).max() + 1)
    if line.noise and chance.random() < _NOISE_SHARE:
        noise = chance.standard_normal(len(narrow))
        if chance.random() < 0.5:
            noise = np.convolve(noise, np.ones(4) / 2, "same")
        narrow += noise * 10 ** (chance.uniform(*line.noise) / 20) * _FULL_SCALE
    return to_alaw_and_back(np.round(narrow))
