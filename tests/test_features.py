from __future__ import annotations

import numpy as np
import pytest
import torch
from torchaudio.transforms import MelSpectrogram

from asr_model.features import LogMel, from_bytes, log_mel, normalize, to_bytes

PLAIN = LogMel(normalization="none", top_db=200.0)
DRAW = np.random.default_rng(0)


def noise(num_samples, level=0.1):
    return (level * DRAW.normal(size=num_samples)).astype(np.float32)


def direct_log_mel(samples, settings):
    """Return log-mel energies by a matrix DFT and triangles on the HTK scale, all in float64."""
    pad = settings.n_fft // 2
    padded = np.pad(samples.astype(np.float64), pad, mode="reflect")
    left = (settings.n_fft - settings.win_length) // 2
    window = np.zeros(settings.n_fft)
    window[left : left + settings.win_length] = np.hanning(settings.win_length + 1)[:-1]
    bins = np.arange(pad + 1)
    matrix = np.exp(-2j * np.pi * np.outer(np.arange(settings.n_fft), bins) / settings.n_fft)
    starts = range(0, len(samples) + 1, settings.hop_length)
    power = np.abs(np.stack([padded[s : s + settings.n_fft] * window for s in starts]) @ matrix) ** 2
    to_mel = lambda hz: 2595 * np.log10(1 + hz / 700)  # noqa: E731
    mels = np.linspace(to_mel(settings.f_min), to_mel(settings.f_max), settings.n_mels + 2)
    edges = 700 * (10 ** (mels / 2595) - 1)
    hz = bins * settings.sample_rate / settings.n_fft
    rise = (hz[:, None] - edges[:-2]) / (edges[1:-1] - edges[:-2])
    fall = (edges[2:] - hz[:, None]) / (edges[2:] - edges[1:-1])
    return np.log(np.maximum(power @ np.maximum(0, np.minimum(rise, fall)), 1e-10))


@pytest.mark.parametrize("changes", [{}, {"n_mels": 40, "n_fft": 400}, {"hop_length": 200, "win_length": 512}])
def test_log_mel_is_a_direct_dft_in_double_precision(changes):
    settings = LogMel(normalization="none", top_db=200.0, **changes)
    samples = noise(8123)
    found, expected = log_mel(samples, settings), direct_log_mel(samples, settings)
    assert found.shape == expected.shape
    assert np.abs(found - expected)[expected > -20].max() < 1e-4


def test_log_mel_is_that_of_torchaudio():
    samples = noise(16000)
    melspectrogram = MelSpectrogram(16000, 512, 400, 160, 20.0, 8000.0, n_mels=80)
    expected = melspectrogram(torch.from_numpy(samples)).clamp(min=1e-10).log().T.numpy()
    assert np.abs(log_mel(samples, PLAIN) - expected)[expected > -20].max() < 1e-3


@pytest.mark.parametrize("length", [1, 159, 160, 161, 257, 16000, 48123])
def test_there_is_a_frame_for_every_hop_begun(length):
    assert log_mel(noise(length), LogMel()).shape == (1 + length // 160, 80)


def test_frames_do_not_depend_on_the_blocks_they_are_computed_in(monkeypatch):
    samples = noise(80000)
    whole = log_mel(samples, PLAIN)
    monkeypatch.setattr("asr_model.features.BLOCK_FRAMES", 7)
    assert np.abs(log_mel(samples, PLAIN) - whole).max() < 1e-5


def test_the_level_of_a_recording_does_not_matter():
    samples = noise(16000)
    assert np.abs(log_mel(samples, LogMel()) - log_mel(samples * np.float32(0.25), LogMel())).max() < 1e-3


@pytest.mark.parametrize("samples", [np.zeros(8000, np.float32), np.ones(8000, np.float32), noise(3)])
def test_silence_a_constant_and_next_to_nothing_give_finite_features(samples):
    assert np.isfinite(log_mel(samples, LogMel())).all()


def test_normalized_bands_have_mean_0_and_deviation_1_unless_they_hardly_vary():
    values = np.stack([DRAW.normal(5, 3, 400), DRAW.normal(-9, 0.01, 400)], axis=1).astype(np.float32)
    normalized = normalize(values)
    assert np.allclose(normalized.mean(axis=0), 0, atol=1e-5)
    assert normalized[:, 0].std() == pytest.approx(1, abs=1e-5)
    assert normalized[:, 1].std() < 0.05


def test_shard_bytes_are_float16_rows():
    values = noise(5 * 80).reshape(5, 80)
    assert np.array_equal(from_bytes(to_bytes(values), 5), values.astype(np.float16))


@pytest.mark.parametrize("wrong", [{"win_length": 600}, {"f_max": 9000.0}, {"f_min": 8000.0}, {"hop_length": 0}])
def test_settings_that_cannot_be_are_refused(wrong):
    with pytest.raises(ValueError, match=r"win_length|f_min|hop_length"):
        LogMel(**wrong)
