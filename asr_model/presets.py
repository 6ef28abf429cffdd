"""Front ends that other systems are known for, as feature settings: ``preset: whisper`` fills in what is not given."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["PRESETS", "expand"]

FLOAT32_EPSILON = 1.1920929e-07
"""Where Kaldi cuts energies off."""


def deepspeech(kind: str, sample_rate: int) -> dict[str, Any]:
    """Mozilla DeepSpeech: 26 MFCC of 32 ms every 20 ms, by the operations of TensorFlow."""
    return {
        "kind": kind,
        "sample_rate": sample_rate,
        **_lengths(sample_rate, window=0.032, hop=0.020),
        "f_min": 20.0,
        "f_max": None,
        "n_mels": 40,
        "power": 1.0,
        "mel_scale": "tensorflow",
        "snip_edges": True,
        "log": "ln",
        "amin": 1e-12,
        "top_db": None,
        "n_mfcc": 26,
        "norm": "htk",
        "normalization": "none",
    }


def whisper(kind: str, sample_rate: int) -> dict[str, Any]:
    """OpenAI Whisper: 80 bands of 25 ms every 10 ms (large-v3: give ``n_mels: 128``); pad recordings to 30 s for it."""
    return {
        "kind": kind,
        "sample_rate": sample_rate,
        "n_fft": 400,
        "win_length": 400,
        "hop_length": 160,
        "f_min": 0.0,
        "f_max": 8000.0,
        "n_mels": 80,
        "norm": "slaney",
        "mel_scale": "slaney",
        "drop_last": True,
        "log": "log10",
        "amin": 1e-10,
        "top_db": 80.0,
        "shift": 4.0,
        "scale": 0.25,
        "normalization": "none",
    }


def kaldi(kind: str, sample_rate: int) -> dict[str, Any]:
    """Kaldi's ``compute-fbank-feats`` (with the usual 80 bands) or ``compute-mfcc-feats``, without dither."""
    shared = {
        "kind": kind,
        "sample_rate": sample_rate,
        **_lengths(sample_rate, window=0.025, hop=0.010),
        "f_min": 20.0,
        "f_max": None,
        "window_fn": "povey_window",
        "mel_scale": "kaldi",
        "snip_edges": True,
        "sample_scale": 32768.0,
        "remove_dc_offset": True,
        "preemphasis": 0.97,
        "log": "ln",
        "amin": FLOAT32_EPSILON,
        "top_db": None,
        "normalization": "none",
    }
    if kind == "log_mel":
        return {**shared, "n_mels": 80}
    return {**shared, "n_mels": 23, "n_mfcc": 13, "cepstral_lifter": 22.0, "use_energy": True}


PRESETS = {
    "deepspeech": (deepspeech, ("mfcc",)),
    "whisper": (whisper, ("log_mel",)),
    "kaldi": (kaldi, ("log_mel", "mfcc")),
}
"""By name: the function of kind and sample rate, and the kinds it is for; the first is meant where none is given."""


def expand(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return feature settings with ``preset`` replaced by what it stands for; what is given beside it goes before.

    >>> expand({"preset": "whisper", "n_mels": 128})["n_mels"]
    128

    Raises:
        ValueError: there is no such preset, or not for this kind of features.
    """
    settings = {name: value for name, value in given.items() if name != "preset"}
    if "preset" not in given:
        return {"kind": "log_mel", **settings}
    name = given["preset"]
    if name not in PRESETS:
        raise ValueError(f"preset {name!r}, wanted one of {', '.join(PRESETS)}")
    fill, kinds = PRESETS[name]
    kind = settings.get("kind", kinds[0])
    if kind not in kinds:
        raise ValueError(f"preset {name!r} is for kind {' or '.join(kinds)}, not {kind!r}")
    sample_rate = settings.get("sample_rate", 16000)
    if not isinstance(sample_rate, int):
        raise ValueError(f"sample_rate {sample_rate!r}, wanted a whole number")
    return {**fill(kind, sample_rate), **settings}


def _lengths(sample_rate: int, window: float, hop: float) -> dict[str, int]:
    win_length = round(window * sample_rate)
    return {
        "n_fft": 1 << (win_length - 1).bit_length(),
        "win_length": win_length,
        "hop_length": round(hop * sample_rate),
    }
