"""Extra copies of an utterance for training, changed as other rooms, voices and lines would change it."""

from __future__ import annotations

import hashlib
import math
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from asr_model.audio import resample
from asr_model.config import Settings
from asr_model.sounds import Sounds
from asr_model.telephone import HIGH_HZ, LOW_HZ, telephone

__all__ = ["Copy", "augment"]

VOCODER_SECONDS = 0.064
"""Window of the phase vocoder: some periods of a low voice."""
DIRECT_DB = 3.0
"""Energy of the direct sound over that of its reverberation, in the rooms that are made up."""

Shift = Annotated[float, Field(ge=-5, le=5)]
Speed = Annotated[float, Field(ge=0.5, le=2)]
Semitones = Annotated[float, Field(ge=-12, le=12)]
Gain = Annotated[float, Field(ge=-60, le=60)]
Snr = Annotated[float, Field(ge=-30, le=100)]
LowHz = Annotated[float, Field(ge=0, le=1000)]
HighHz = Annotated[float, Field(ge=2000, le=4000)]
RoomSeconds = Annotated[float, Field(ge=0.05, le=5)]


class Copy(Settings):
    """One extra copy of every training utterance; its name becomes part of the row's id.

    An amount is a number, or ``[low, high]``: then every utterance draws its own, evenly, from a seed that is its id
    and the copy's name, so that any runner makes the same copies. The effects come in the order below.
    """

    name: str = Field(pattern=r"^[a-z0-9.+-]+$")
    shift_seconds: Shift | tuple[Shift, Shift] = 0.0
    """-5 to 5: later, or earlier; the length stays, so what is moved beyond an end is lost, and silence follows it."""
    speed: Speed | tuple[Speed, Speed] = 1.0
    """0.5 to 2: playing speed, which moves tempo and pitch together (Ko et al., 2015, Audio augmentation)."""
    pitch_semitones: Semitones | tuple[Semitones, Semitones] = 0.0
    """-12 to 12: pitch alone, by a phase vocoder; twelve are an octave."""
    rooms: str | None = None
    """A folder, or URL of one, of rooms' impulse responses, one of which is drawn."""
    room_seconds: RoomSeconds | tuple[RoomSeconds, RoomSeconds] | None = None
    """0.05 to 5: instead, a room that is made up, in which sound falls by 60 dB in this time."""
    snr_db: Snr | tuple[Snr, Snr] | None = None
    """-30 to 100: noise is added that the whole utterance is this much above in power."""
    noises: str | None = None
    """A folder, or URL of one, of noises, a stretch of one of which is drawn; None: white noise."""
    gain_db: Gain | tuple[Gain, Gain] = 0.0
    """-60 to 60: louder or softer; nothing is clipped."""
    telephone: bool = False
    """8 kHz and G.711 mu-law, and the band of a line:"""
    low_hz: LowHz | tuple[LowHz, LowHz] = LOW_HZ
    """0 to 1000: where a telephone's band begins; there are lines that keep everything below 300 Hz."""
    high_hz: HighHz | tuple[HighHz, HighHz] = HIGH_HZ
    """2000 to 4000: where it ends; resampling to 8 kHz takes off what is above some 3700."""

    @model_validator(mode="after")
    def _check(self) -> Copy:
        for name, value in self:
            if isinstance(value, tuple) and value[0] > value[1]:
                raise ValueError(f"{name}: wanted [low, high], found {list(value)}")
        if self.rooms and self.room_seconds is not None:
            raise ValueError("rooms and room_seconds: wanted one of them")
        if self.noises and self.snr_db is None:
            raise ValueError("noises: wanted snr_db with it")
        return self

    @property
    def folders(self) -> list[str]:
        """The folders of sounds that it draws from."""
        return [folder for folder in (self.rooms, self.noises) if folder]


def augment(
    samples: NDArray[np.float32], sample_rate: int, copy: Copy, key: str = "", sounds: Sounds | None = None
) -> NDArray[np.float32]:
    """Return the copy of (N,) float32 samples; its length is N / speed.

    ``key`` is the utterance's id, and ``sounds`` gives noises and rooms where the copy has folders of them.

    Raises:
        ValueError: a folder holds no sounds.
    """
    seed = hashlib.blake2b(f"{key}/{copy.name}".encode(), digest_size=16).digest()
    draw = np.random.default_rng(int.from_bytes(seed, "little"))
    room_draw, noise_draw = draw.spawn(2)
    # All are drawn, used or not: what one effect does to an utterance must not hang on which others are on.
    amounts = (copy.shift_seconds, copy.speed, copy.pitch_semitones, copy.room_seconds, copy.snr_db, copy.gain_db)
    shift, speed, pitch, room, snr, gain = (_amount(value, draw) for value in amounts)
    low, high = (_amount(value, draw) for value in (copy.low_hz, copy.high_hz))
    if shift:
        samples = _shift(samples, round(shift * sample_rate))
    samples = resample(samples, sample_rate * speed, sample_rate)
    if pitch:
        samples = _change_pitch(samples, sample_rate, pitch)
    if copy.rooms and sounds:
        samples = _reverberate(samples, sounds.draw(copy.rooms, sample_rate, room_draw))
    elif room:
        samples = _reverberate(samples, _made_up_room(room, sample_rate, room_draw))
    if copy.snr_db is not None:
        sound = sounds.draw(copy.noises, sample_rate, noise_draw) if copy.noises and sounds else None
        samples = _add_noise(samples, sound, snr, noise_draw)
    if gain:
        samples = samples * np.float32(10 ** (gain / 20))
    return telephone(samples, sample_rate, low, high) if copy.telephone else samples


def _amount(value: Any, draw: np.random.Generator) -> float:
    part = draw.random()
    if isinstance(value, tuple):
        return float(value[0] + part * (value[1] - value[0]))
    return float(value or 0.0)


def _shift(samples: NDArray[np.float32], places: int) -> NDArray[np.float32]:
    places = max(-len(samples), min(len(samples), places))
    shifted = np.zeros_like(samples)
    if places >= 0:
        shifted[places:] = samples[: len(samples) - places]
    else:
        shifted[:places] = samples[-places:]
    return shifted


def _change_pitch(samples: NDArray[np.float32], sample_rate: int, semitones: float) -> NDArray[np.float32]:
    """Stretch time by a phase vocoder, then play it faster (Flanagan & Golden, 1966)."""
    import torch
    from torchaudio.functional import phase_vocoder

    factor = 2 ** (semitones / 12)
    n_fft = 2 ** round(math.log2(VOCODER_SECONDS * sample_rate))
    hop = n_fft // 8
    padded = torch.from_numpy(np.pad(samples, (0, max(0, n_fft - len(samples)))))
    window = torch.hann_window(n_fft)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # their number changes the last bits
    try:
        # Reflected edges would begin with phases of neighbouring bands that never come to agree again.
        spectrum = torch.stft(padded, n_fft, hop, window=window, pad_mode="constant", return_complex=True)
        advance = torch.linspace(0, math.pi * hop, n_fft // 2 + 1)[:, None]
        stretched = phase_vocoder(spectrum, 1 / factor, advance)
        longer = torch.istft(stretched, n_fft, hop, window=window, length=round(len(padded) * factor)).numpy()
    finally:
        torch.set_num_threads(threads)
    changed = resample(longer, sample_rate * factor, sample_rate)
    return np.pad(changed, (0, max(0, len(samples) - len(changed))))[: len(samples)]


def _made_up_room(seconds: float, sample_rate: int, draw: np.random.Generator) -> NDArray[np.float32]:
    """Return the direct sound and noise that falls by 60 dB in ``seconds`` (Polack, 1988)."""
    time = np.arange(1, round(seconds * sample_rate) + 1) / sample_rate
    tail = draw.standard_normal(len(time)) * 10 ** (-3 * time / seconds)
    tail *= 10 ** (-DIRECT_DB / 20) / np.sqrt(np.sum(tail**2))
    return np.concatenate([[1.0], tail]).astype(np.float32)


def _reverberate(samples: NDArray[np.float32], room: NDArray[np.float32]) -> NDArray[np.float32]:
    """Convolve with a room from its direct sound on, which is its loudest, so that nothing is moved; power stays."""
    room = room[int(np.argmax(np.abs(room))) :]
    size = 1 << (len(samples) + len(room) - 1).bit_length()
    heard = np.fft.irfft(np.fft.rfft(samples, size) * np.fft.rfft(room, size), size)[: len(samples)]
    power = float(np.mean(np.square(heard)))
    scale = math.sqrt(_power(samples) / power) if power else 1.0
    return (heard * scale).astype(np.float32)


def _add_noise(
    samples: NDArray[np.float32], sound: NDArray[np.float32] | None, snr_db: float, draw: np.random.Generator
) -> NDArray[np.float32]:
    if sound is None:
        noise = draw.standard_normal(len(samples), np.float32)
    elif len(sound) > len(samples):
        start = int(draw.integers(len(sound) - len(samples) + 1))
        noise = sound[start : start + len(samples)]
    else:  # it goes round, from anywhere in it
        noise = np.resize(np.roll(sound, -int(draw.integers(len(sound)))), len(samples))
    power = _power(noise)
    scale = math.sqrt(_power(samples) / power / 10 ** (snr_db / 10)) if power else 0.0
    return samples + noise * np.float32(scale)


def _power(samples: NDArray[np.float32]) -> float:
    return float(np.mean(np.square(samples, dtype=np.float64)))
