from __future__ import annotations

import inspect

import numpy as np
import pytest
import torch
from torchaudio.functional import compute_deltas
from torchaudio.transforms import MFCC, MelSpectrogram

from asr_model.config import SettingsError, load_settings
from asr_model.features import (
    FeatureStamp,
    LogMel,
    Mfcc,
    compute_features,
    deltas,
    from_bytes,
    normalize,
    to_bytes,
)

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
    found, expected = compute_features(samples, settings), direct_log_mel(samples, settings)
    assert found.shape == expected.shape
    assert np.abs(found - expected)[expected > -20].max() < 1e-4


def test_log_mel_is_that_of_torchaudio():
    samples = noise(16000)
    melspectrogram = MelSpectrogram(16000, 512, 400, 160, 20.0, 8000.0, n_mels=80)
    expected = melspectrogram(torch.from_numpy(samples)).clamp(min=1e-10).log().T.numpy()
    assert np.abs(compute_features(samples, PLAIN) - expected)[expected > -20].max() < 1e-4


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"n_mfcc": 13},
        {"norm": None},
        {"log_mels": True},
        {"log_mels": True, "n_mfcc": 20, "mel_norm": "slaney", "mel_scale": "slaney", "n_mels": 64},
    ],
    ids=str,
)
def test_mfcc_are_those_of_torchaudio(changes):
    samples = noise(16000)
    settings = Mfcc(normalization="none", **changes)
    melkwargs = {
        "n_fft": 512,
        "win_length": 400,
        "hop_length": 160,
        "f_min": 20.0,
        "f_max": 8000.0,
        "n_mels": settings.n_mels,
        "norm": settings.mel_norm,
        "mel_scale": settings.mel_scale,
    }
    log_mels = changes.get("log_mels", False)
    expected = MFCC(16000, settings.n_mfcc, 2, settings.norm, log_mels, melkwargs)(torch.from_numpy(samples)).T.numpy()
    found = compute_features(samples, settings)
    assert found.shape == expected.shape
    assert np.abs(found - expected).max() < 1e-4 * np.abs(expected).max()


def test_every_argument_of_torchaudio_s_mfcc_is_a_setting():
    assert set(inspect.signature(MFCC).parameters) - {"log_mels", "melkwargs"} <= set(Mfcc.model_fields)


@pytest.mark.parametrize("window", [3, 5, 9])
@pytest.mark.parametrize("num_frames", [1, 4, 50])
def test_deltas_are_those_of_torchaudio(window, num_frames):
    values = noise(num_frames * 7, 1.0).reshape(num_frames, 7)
    expected = compute_deltas(torch.from_numpy(values.T.copy()), window).T.numpy()
    assert np.abs(deltas(values, window) - expected).max() < 1e-5


def test_deltas_of_a_ramp_are_its_slope():
    ramp = np.arange(20, dtype=np.float32)[:, None] * np.float32([[1, -2]])
    assert np.allclose(deltas(ramp, 5)[2:-2], [1, -2], atol=1e-5)


@pytest.mark.parametrize("order", [0, 1, 2])
@pytest.mark.parametrize("make", [LogMel, Mfcc])
@pytest.mark.parametrize("use_energy", [False, True])
def test_there_are_as_many_features_as_the_settings_say(make, order, use_energy):
    settings = make(deltas=order, use_energy=use_energy)
    assert compute_features(noise(8000), settings).shape == (51, settings.num_features)


def test_deltas_stand_behind_what_they_are_of():
    samples = noise(8000)
    first = compute_features(samples, LogMel(normalization="none"))
    both = compute_features(samples, LogMel(normalization="none", deltas=2))
    assert np.array_equal(both, np.concatenate([first, slopes := deltas(first, 5), deltas(slopes, 5)], axis=1))


@pytest.mark.parametrize(("log", "factor"), [("log10", np.log(10)), ("db", np.log(10) / 10)])
def test_logarithms_differ_by_their_base(log, factor):
    samples = noise(8000)
    natural = compute_features(samples, PLAIN)
    assert np.allclose(compute_features(samples, PLAIN.model_copy(update={"log": log})) * factor, natural, atol=1e-4)


@pytest.mark.parametrize("length", [1, 159, 160, 161, 257, 16000, 48123])
def test_there_is_a_frame_for_every_hop_begun(length):
    assert compute_features(noise(length), LogMel()).shape == (1 + length // 160, 80)


def test_the_level_of_a_recording_does_not_matter():
    samples = noise(16000)
    assert (
        np.abs(compute_features(samples, LogMel()) - compute_features(samples * np.float32(0.25), LogMel())).max()
        < 1e-3
    )


@pytest.mark.parametrize("samples", [np.zeros(8000, np.float32), np.ones(8000, np.float32), noise(3)])
def test_silence_a_constant_and_next_to_nothing_give_finite_features(samples):
    assert np.isfinite(compute_features(samples, LogMel())).all()


def test_normalized_bands_have_mean_0_and_deviation_1_unless_they_hardly_vary():
    values = np.stack([DRAW.normal(5, 3, 400), DRAW.normal(-9, 0.01, 400)], axis=1).astype(np.float32)
    normalized = normalize(values)
    assert np.allclose(normalized.mean(axis=0), 0, atol=1e-5)
    assert normalized[:, 0].std() == pytest.approx(1, abs=1e-5)
    assert normalized[:, 1].std() < 0.05


@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_shard_bytes_are_rows_of_the_type_asked_for(dtype):
    values = noise(5 * 80).reshape(5, 80)
    assert np.array_equal(from_bytes(to_bytes(values, dtype), 5, dtype), values.astype(dtype))


def test_settings_of_older_shards_and_recognizers_mean_what_they_meant():
    old = {
        "kind": "log_mel", "sample_rate": 16000, "n_fft": 512, "win_length": 400, "hop_length": 160, "n_mels": 80,
        "f_min": 20.0, "f_max": 8000.0, "top_db": 80.0, "normalization": "utterance",
    }  # fmt: skip
    assert load_settings(FeatureStamp, {"features": old}, "f").features == LogMel()
    assert load_settings(FeatureStamp, {"features": {"n_mels": 40}}, "f").features == LogMel(n_mels=40)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"kind": "mfcc", "n_mfcc": 90}, "n_mfcc 90 is more than n_mels 80"),
        ({"kind": "mfcc", "log_mels": 1}, "log_mels 1, wanted true or false"),
        ({"amin": 0.0}, "amin and log_offset are both 0"),
        ({"delta_window": 4}, "delta_window 4, wanted an odd number"),
        ({"kind": "mel"}, "'mel'"),
        ({"n_mell": 3}, r"features\.n_mell: unknown setting; did you mean n_mels"),
        ({"n_fft": 300}, "win_length 400 is longer than n_fft 300"),
    ],
)
def test_settings_that_cannot_be_are_refused(given, message):
    with pytest.raises(SettingsError, match=message):
        load_settings(FeatureStamp, {"features": given}, "f")
