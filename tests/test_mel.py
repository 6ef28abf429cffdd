from __future__ import annotations

import warnings

import numpy as np
import pytest
import torch
from torchaudio.functional import melscale_fbanks
from torchaudio.transforms import MelSpectrogram

from asr_model.mel import _frames, mel_energies, mel_filters
from asr_model.spectrum import Spectrum, WindowArguments

DRAW = np.random.default_rng(0)
SAMPLES = (0.1 * DRAW.normal(size=16000)).astype(np.float32)
WINDOWS = {
    "hann_window": torch.hann_window,
    "hamming_window": torch.hamming_window,
    "blackman_window": torch.blackman_window,
    "bartlett_window": torch.bartlett_window,
    "kaiser_window": torch.kaiser_window,
    "ones": torch.ones,
}


def torchaudio_energies(samples, settings, norm=None):
    """Return what torchaudio's MelSpectrogram makes of samples with arguments of the same names."""
    arguments = settings.wkwargs.model_dump(exclude_none=True)
    transform = MelSpectrogram(
        settings.sample_rate,
        settings.n_fft,
        settings.win_length,
        settings.hop_length,
        settings.f_min,
        settings.f_max,
        settings.pad,
        settings.n_mels,
        WINDOWS[settings.window_fn],
        settings.power,
        settings.normalized,
        None if settings.window_fn == "ones" else arguments,
        settings.center,
        settings.pad_mode,
        norm=norm,
        mel_scale=settings.mel_scale,
    )
    return transform(torch.from_numpy(samples)).T.numpy()


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"n_fft": 400},
        {"n_fft": 401},
        {"n_fft": 401, "power": 1.0},
        {"n_fft": 1024, "win_length": 800, "hop_length": 200, "n_mels": 64},
        {"f_min": 0.0, "f_max": None},
        {"f_min": 300.0, "f_max": 3400.0, "n_mels": 30},
        {"pad": 333},
        {"power": 1.0},
        {"power": 1.5},
        {"normalized": True},
        {"normalized": "window"},
        {"normalized": "frame_length"},
        {"center": False},
        {"center": False, "win_length": 512},
        {"pad_mode": "constant"},
        {"pad_mode": "replicate"},
        {"pad_mode": "circular"},
        {"mel_scale": "slaney"},
        {"sample_rate": 8000, "n_fft": 256, "win_length": 200, "hop_length": 80, "f_max": 4000.0, "n_mels": 40},
        {"window_fn": "hamming_window"},
        {"window_fn": "hamming_window", "wkwargs": WindowArguments(alpha=0.5, beta=0.4, periodic=False)},
        {"window_fn": "blackman_window"},
        {"window_fn": "bartlett_window"},
        {"window_fn": "kaiser_window"},
        {"window_fn": "kaiser_window", "wkwargs": WindowArguments(beta=8.0)},
        {"window_fn": "ones"},
        {"wkwargs": WindowArguments(periodic=False)},
    ],
    ids=str,
)
@pytest.mark.parametrize("norm", [None, "slaney"])
def test_every_argument_of_torchaudio_means_the_same(changes, norm):
    settings = Spectrum(**changes)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="At least one mel filterbank has all zero values")
        expected = torchaudio_energies(SAMPLES, settings, norm)
    found = mel_energies(SAMPLES, settings, norm)
    assert found.shape == expected.shape
    floor = 1e-6 * expected.max()
    assert np.abs(np.log(found + floor) - np.log(expected + floor)).max() < 1e-4


@pytest.mark.parametrize("mel_scale", ["htk", "slaney"])
def test_filters_are_those_of_torchaudio(mel_scale):
    expected = melscale_fbanks(257, 20.0, 8000.0, 80, 16000, "slaney", mel_scale).numpy()
    found = mel_filters(Spectrum(mel_scale=mel_scale), "slaney")
    assert np.abs(found - expected).max() < 1e-6 * expected.max() * 10


@pytest.mark.parametrize("snip_edges", [True, False])
@pytest.mark.parametrize("length", [1, 79, 80, 200, 399, 400, 401, 559, 560, 4321])
def test_frames_are_counted_as_kaldi_counts_them(snip_edges, length):
    expected = 1 + (length - 400) // 160 if snip_edges else (length + 80) // 160
    found = mel_energies(SAMPLES[:length], Spectrum(snip_edges=snip_edges), None)
    assert len(found) == max(1, expected)
    assert np.isfinite(found).all()


def test_the_last_frame_may_be_dropped():
    whole = mel_energies(SAMPLES, Spectrum(), None)
    assert np.array_equal(mel_energies(SAMPLES, Spectrum(drop_last=True), None), whole[:-1])


@pytest.mark.parametrize(
    "changes",
    [
        *({"pad_mode": mode} for mode in ("reflect", "constant", "replicate", "circular")),
        {"center": False},
        {"snip_edges": True},
        {"snip_edges": False},
    ],
    ids=str,
)
@pytest.mark.parametrize("length", [100, 300, 1800, 9000, 16000])
def test_frames_do_not_depend_on_the_blocks_they_are_computed_in(changes, length, monkeypatch):
    samples, settings = SAMPLES[:length], Spectrum(**changes)
    whole = np.concatenate([frames for _, frames in _frames(samples, settings)[1]])
    monkeypatch.setattr("asr_model.mel.BLOCK_FRAMES", 7)
    number, blocks = _frames(samples, settings)
    assert np.array_equal(np.concatenate([frames for _, frames in blocks]), whole)
    assert number == len(whole)


def test_calls_of_other_lengths_between_leave_nothing_behind():
    first = mel_energies(SAMPLES, Spectrum(), None)
    mel_energies(SAMPLES, Spectrum(win_length=512), None)
    assert np.array_equal(mel_energies(SAMPLES, Spectrum(), None), first)


def test_the_buffer_of_numpy_is_left_as_it_was():
    size = np.getbufsize()
    mel_energies(SAMPLES, Spectrum(), None)
    assert np.getbufsize() == size
