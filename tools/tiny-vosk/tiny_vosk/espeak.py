"""espeak-ng, through its library: text in, samples and the phonemes with their places out."""

import ctypes
from dataclasses import dataclass
from typing import Any

import numpy as np

LIBRARY = "libespeak-ng.so.1"

# From speak_lib.h.
_RETRIEVAL, _INITIALIZE_PHONEME_EVENTS = 1, 1
_EVENT_END, _EVENT_PHONEME = 0, 7
_UTF8, _CHARACTER_POSITION = 1, 1
_PARAMETERS = {"rate": 1, "pitch": 3, "pitch_range": 4}

# Marks of stress and length of pauses around a phoneme's name.
_MARKS = str.maketrans("", "", "',%|=;~\"")


class _EventId(ctypes.Union):
    _fields_ = [("number", ctypes.c_int), ("name", ctypes.c_char_p), ("string", ctypes.c_char * 8)]


class _Event(ctypes.Structure):
    _fields_ = [
        ("type", ctypes.c_int),
        ("unique_identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("audio_position", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("id", _EventId),
    ]


_Callback = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_Event)
)


@dataclass(frozen=True)
class Speaker:
    """A voice and how it speaks: words a minute, pitch and its range from 0 to 100."""

    voice: str
    rate: int = 175
    pitch: int = 50
    pitch_range: int = 50


@dataclass(frozen=True)
class Phone:
    """A phoneme and where it begins, in seconds; `None` as name is silence."""

    name: str | None
    start: float


@dataclass(frozen=True)
class Speech:
    """What was spoken: samples, the phonemes in order, and the rate in Hz."""

    samples: np.ndarray
    phones: list[Phone]
    rate: int


class Espeak:
    """The synthesiser. One in a process, as the library keeps one state for all."""

    def __init__(self) -> None:
        try:
            self._library = ctypes.CDLL(LIBRARY)
        except OSError as error:
            raise SystemExit(f"tiny-vosk: {error}; apt-get install libespeak-ng1 espeak-ng-data") from error
        self._blocks: list[np.ndarray] = []
        self._events: list[tuple[str, int]] = []
        self.rate = self._library.espeak_Initialize(_RETRIEVAL, 0, None, _INITIALIZE_PHONEME_EVENTS)
        if self.rate <= 0:
            raise SystemExit("tiny-vosk: espeak-ng found no data; apt-get install espeak-ng-data")
        self._callback = _Callback(self._collect)  # kept: the library holds only its address
        self._library.espeak_SetSynthCallback(self._callback)
        self._library.espeak_Info.restype = ctypes.c_char_p
        self.version = self._library.espeak_Info(None).decode()
        self._voice = ""

    def speak(self, text: str, speaker: Speaker) -> Speech:
        """Speaks a text."""
        self._blocks.clear()
        self._events.clear()
        if speaker.voice != self._voice:
            if self._library.espeak_SetVoiceByName(speaker.voice.encode()) != 0:
                raise SystemExit(f"tiny-vosk: espeak-ng has no voice «{speaker.voice}»; see espeak-ng --voices")
            self._voice = speaker.voice
        for name, number in _PARAMETERS.items():
            self._library.espeak_SetParameter(number, getattr(speaker, name), 0)
        raw = text.encode() + b"\0"
        self._library.espeak_Synth(
            raw, ctypes.c_size_t(len(raw)), 0, _CHARACTER_POSITION, 0, _UTF8, None, None
        )
        self._library.espeak_Synchronize()
        samples = np.concatenate(self._blocks) if self._blocks else np.zeros(0, np.int16)
        return Speech(samples, self._phones(), self.rate)

    def _collect(self, samples: Any, count: int, events: Any) -> int:
        if samples and count > 0:
            self._blocks.append(np.ctypeslib.as_array(samples, (count,)).copy())
        index = 0
        while events[index].type != _EVENT_END:
            event = events[index]
            if event.type == _EVENT_PHONEME:
                name = bytes(event.id.string).decode("utf-8", "replace")
                self._events.append((name, event.sample))
            index += 1
        return 0

    def _phones(self) -> list[Phone]:
        """Turns the events into phones: a closure belongs to the phone it opens into."""
        phones: list[Phone] = []
        closure: int | None = None
        for name, sample in self._events:
            if name == "_!":
                closure = sample if closure is None else closure
                continue
            plain = None if name.startswith("_") else name.translate(_MARKS)
            if plain == "":
                continue
            begin = closure if closure is not None and plain else sample
            phones.append(Phone(plain, begin / self.rate))
            closure = None
        return phones
