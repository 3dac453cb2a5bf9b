"""``opus`` and ``mp3``: audio codecs as people would try them, through libsndfile.

A sample of EEG, at 256 Hz or so at most, becomes a sample of sound: channels, each at unit level, follow one another in
one mono stream, as loud as fits. What is counted is the whole Ogg or MP3 file and a few bytes a channel: mean, level,
and the gain that fits best what comes back, which is shifted by the delay that the encoder found.
"""

from __future__ import annotations

import io
from functools import partial
from importlib.util import find_spec
from typing import Any

import numpy as np
from scipy.signal import fftconvolve, resample_poly

from rivals import Rival
from rivals.fields import Reader, Writer
from rivals.levels import read_levels, with_levels, write_levels

SOUND_RATE = 48000
"""What the codec is told. Of the rates that both know, the one at which least was lost at equal bits."""
_MAX_RATE = 300.0
_PEAK = 0.9
_GAIN_UNIT = 128.0
_LONGEST_DELAY = 4096

OPUS_LEVELS = (1.0, 0.995, 0.99, 0.985, 0.97, 0.95, 0.9, 0.8)
MP3_LEVELS = (0.99, 0.95, 0.9, 0.8, 0.5, 0.2)


def encode(x: np.ndarray, rate: float, level: float, *, kind: str, coding: str, mode: str | None) -> bytes:
    """Code a recording [channels, samples] at a compression level of libsndfile, from 0 (large) to 1 (small)."""
    fields = Writer()
    fields.unsigned(x.shape[0])
    fields.unsigned(x.shape[1])
    signals = write_levels(fields, x)
    thinning = max(int(np.ceil(rate / _MAX_RATE)), 1)
    fields.unsigned(thinning)
    sound = _thinned(signals, thinning)
    loudness = float(np.float32(np.abs(sound).max(initial=1e-9) / _PEAK))
    fields.real(loudness)
    data = _to_file(sound.reshape(-1) / loudness, level, kind, coding, mode)
    heard = _heard(data, sound.size)
    delay = _delay(sound.reshape(-1), heard)
    fields.signed(delay)
    back = _shifted(heard, delay, sound.size).reshape(sound.shape) * loudness
    for channel, copy in zip(sound, back, strict=True):
        energy = float(copy @ copy)
        fields.signed(round(_GAIN_UNIT * float(channel @ copy) / energy) if energy else 0)
    return fields.data() + data


def decode(data: bytes) -> np.ndarray:
    """Return the recording as integers [channels, samples]."""
    fields = Reader(data)
    channels, length = fields.unsigned(), fields.unsigned()
    levels = read_levels(fields, channels)
    thinning, loudness, delay = fields.unsigned(), fields.real(), fields.signed()
    gains = np.array([fields.signed() / _GAIN_UNIT for _ in range(channels)])
    size = channels * -(-length // thinning)
    sound = _shifted(_heard(fields.rest(), size), delay, size).reshape(channels, -1) * loudness * gains[:, None]
    signals = sound if thinning == 1 else resample_poly(sound, thinning, 1, axis=1, padtype="line")
    return with_levels(signals[:, :length], levels)


def _thinned(signals: np.ndarray, thinning: int) -> np.ndarray:
    return signals if thinning == 1 else np.asarray(resample_poly(signals, 1, thinning, axis=1, padtype="line"))


def _to_file(sound: np.ndarray, level: float, kind: str, coding: str, mode: str | None) -> bytes:
    import soundfile

    file = io.BytesIO()
    options: dict[str, Any] = {} if mode is None else {"bitrate_mode": mode}
    soundfile.write(file, sound, SOUND_RATE, format=kind, subtype=coding, compression_level=level, **options)
    return file.getvalue()


def _heard(data: bytes, size: int) -> np.ndarray:
    import soundfile

    sound, _ = soundfile.read(io.BytesIO(data))
    return np.asarray(sound if len(sound) else np.zeros(size))


def _delay(sound: np.ndarray, heard: np.ndarray) -> int:
    """By how many samples what is heard comes late."""
    size = min(len(sound), len(heard))
    alike = fftconvolve(heard[:size], sound[:size][::-1])
    middle = size - 1
    reach = min(_LONGEST_DELAY, middle)
    return int(np.argmax(alike[middle - reach : middle + reach + 1])) - reach


def _shifted(heard: np.ndarray, delay: int, size: int) -> np.ndarray:
    padded = np.concatenate([np.zeros(max(-delay, 0)), heard[max(delay, 0) :], np.zeros(size + abs(delay))])
    return padded[:size]


def _missing(kind: str, coding: str) -> str | None:
    if not find_spec("soundfile"):
        return "soundfile is not installed"
    import soundfile

    return None if coding in soundfile.available_subtypes(kind) else f"this libsndfile writes no {coding}"


def _rival(name: str, text: str, levels: tuple[float, ...], kind: str, coding: str, mode: str | None) -> Rival:
    coder = partial(encode, kind=kind, coding=coding, mode=mode)
    return Rival(name, text, levels, coder, decode, _missing(kind, coding))


OPUS = _rival("opus", "Opus, a sample of EEG for one of sound at 48 kHz", OPUS_LEVELS, "OGG", "OPUS", None)
MP3 = _rival("mp3", "MP3, likewise", MP3_LEVELS, "MP3", "MPEG_LAYER_III", "VARIABLE")
