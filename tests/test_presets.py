from __future__ import annotations

import kaldi_native_fbank as knf
import numpy as np
import pytest
import scipy.signal
import soundfile  # noqa: F401 - before transformers, which looks for it
import torch
from torchaudio.compliance import kaldi
from transformers import WhisperFeatureExtractor

from asr_model.config import SettingsError, load_settings
from asr_model.features import FeatureStamp, compute_features
from asr_model.presets import PRESETS, expand

DRAW = np.random.default_rng(0)


def speech(num_samples, sample_rate=16000):
    """Return coloured noise that comes and goes, with silence in between."""
    time = np.arange(num_samples) / sample_rate
    noise = scipy.signal.lfilter([1], [1, -0.9], DRAW.normal(size=num_samples))
    return (0.02 * noise * np.maximum(0, np.sin(2 * np.pi * 3 * time))).astype(np.float32)


def settings_of(**given):
    return load_settings(FeatureStamp, {"features": given}, "f").features


@pytest.mark.parametrize(
    ("changes", "arguments"),
    [
        ({}, {}),
        ({"snip_edges": False}, {"snip_edges": False}),
        ({"n_mels": 23, "f_min": 100.0, "f_max": 7000.0}, {"num_mel_bins": 23, "low_freq": 100.0, "high_freq": 7000.0}),
        ({"use_energy": True}, {"use_energy": True}),
        ({"use_energy": True, "energy_floor": 1e9}, {"use_energy": True, "energy_floor": 1e9}),
        ({"window_fn": "hamming_window", "wkwargs": {"periodic": False}}, {"window_type": "hamming"}),
        ({"preemphasis": 0.0, "remove_dc_offset": False}, {"preemphasis_coefficient": 0.0, "remove_dc_offset": False}),
        ({"power": 1.0}, {"use_power": False}),
        ({"sample_rate": 8000}, {"sample_frequency": 8000.0}),
    ],
    ids=str,
)
def test_kaldi_s_log_mel_is_that_of_torchaudio_s_compliance_module(changes, arguments):
    samples = speech(16000)
    given = {"sample_frequency": 16000.0, "num_mel_bins": 80, "energy_floor": 0.0, **arguments}
    expected = kaldi.fbank(torch.from_numpy(samples * 32768)[None], **given).numpy()
    found = compute_features(samples, settings_of(preset="kaldi", **changes))
    assert found.shape == expected.shape
    assert np.abs(found - expected).max() < 2e-3
    assert np.abs(found - expected)[expected > 0].max() < 1e-3
    assert np.median(np.abs(found - expected)) < 1e-5


@pytest.mark.parametrize("changes", [{}, {"use_energy": False}, {"n_mfcc": 20, "n_mels": 40}])
def test_kaldi_s_mfcc_is_that_of_torchaudio_s_compliance_module(changes):
    samples = speech(16000)
    expected = kaldi.mfcc(
        torch.from_numpy(samples * 32768)[None],
        num_ceps=changes.get("n_mfcc", 13),
        num_mel_bins=changes.get("n_mels", 23),
        use_energy=changes.get("use_energy", True),
        energy_floor=0.0,
    ).numpy()
    found = compute_features(samples, settings_of(preset="kaldi", kind="mfcc", **changes))
    assert np.abs(found - expected).max() < 1e-2
    assert np.median(np.abs(found - expected)) < 1e-4


def test_kaldi_s_log_mel_is_that_of_kaldi_native_fbank():
    samples = speech(16000)
    options = knf.FbankOptions()
    options.frame_opts.dither = 0
    options.mel_opts.num_bins = 80
    fbank = knf.OnlineFbank(options)
    fbank.accept_waveform(16000, (samples * 32768).tolist())
    expected = np.stack([fbank.get_frame(i) for i in range(fbank.num_frames_ready)])
    found = compute_features(samples, settings_of(preset="kaldi"))
    assert found.shape == expected.shape
    assert np.abs(found - expected)[expected > 0].max() < 5e-3
    assert np.median(np.abs(found - expected)) < 1e-4


@pytest.mark.parametrize("n_mels", [80, 128])
@pytest.mark.parametrize("seconds", [1, 30])
def test_whisper_s_log_mel_is_whisper_s(n_mels, seconds):
    samples = speech(seconds * 16000)
    extractor = WhisperFeatureExtractor(feature_size=n_mels, chunk_length=seconds)
    expected = extractor(samples, sampling_rate=16000, return_tensors="np").input_features[0].T
    found = compute_features(samples, settings_of(preset="whisper", n_mels=n_mels))
    assert found.shape == expected.shape == (seconds * 100, n_mels)
    assert np.abs(found - expected).max() < 1e-4


def tensorflow_mfcc(samples, sample_rate):
    """Return the MFCC of TensorFlow's audio_spectrogram and mfcc, as DeepSpeech calls them, loop by loop."""
    length, step, num_channels, num_coefficients = round(0.032 * sample_rate), round(0.02 * sample_rate), 40, 26
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(length) / length)
    starts = range(0, len(samples) - length + 1, step)
    size = 1 << (length - 1).bit_length()
    spectra = np.abs(np.fft.rfft(np.stack([samples[s : s + length] * hann for s in starts]), size))
    bin_hz = 0.5 * sample_rate / (spectra.shape[1] - 1)
    low, high = (1127 * np.log(1 + hz / 700) for hz in (20, sample_rate / 2))
    centres = low + (high - low) / (num_channels + 1) * np.arange(1, num_channels + 2)
    bands = np.zeros((len(spectra), num_channels))
    channel = 0
    for number in range(int(1.5 + 20 / bin_hz), int(sample_rate / 2 / bin_hz) + 1):
        mel = 1127 * np.log(1 + number * bin_hz / 700)
        while channel < num_channels and centres[channel] < mel:
            channel += 1
        below = centres[channel - 1] if channel else low
        weight = (centres[channel] - mel) / (centres[channel] - below)
        if channel:
            bands[:, channel - 1] += spectra[:, number] * weight
        if channel < num_channels:
            bands[:, channel] += spectra[:, number] * (1 - weight)
    logs = np.log(np.maximum(bands, 1e-12))
    order, place = np.arange(num_coefficients)[:, None], np.arange(num_channels)
    return logs @ (np.sqrt(2 / num_channels) * np.cos(order * np.pi / num_channels * (place + 0.5))).T


@pytest.mark.parametrize("sample_rate", [16000, 8000])
def test_deepspeech_s_mfcc_are_those_of_tensorflow_s_operations(sample_rate):
    samples = speech(2 * sample_rate, sample_rate) + 1e-4 * DRAW.normal(size=2 * sample_rate).astype(np.float32)
    expected = tensorflow_mfcc(samples.astype(np.float64), sample_rate)
    found = compute_features(samples, settings_of(preset="deepspeech", sample_rate=sample_rate))
    assert found.shape == expected.shape
    assert found.shape[1] == 26
    assert np.abs(found - expected).max() < 1e-3


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_is_stored_as_what_it_stands_for(name):
    settings = settings_of(preset=name)
    stored = settings.model_dump(mode="json")
    assert "preset" not in stored
    assert settings_of(**stored) == settings


def test_what_is_given_goes_before_the_preset():
    assert expand({"preset": "whisper", "n_mels": 128})["n_mels"] == 128
    assert expand({"preset": "kaldi", "sample_rate": 8000})["win_length"] == 200


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"preset": "kadli"}, "'kadli', wanted one of deepspeech, whisper, kaldi"),
        ({"preset": "whisper", "kind": "mfcc"}, "'whisper' is for kind log_mel, not 'mfcc'"),
        ({"preset": "kaldi", "sample_rate": "8k"}, "sample_rate '8k'"),
    ],
)
def test_presets_that_cannot_be_are_refused(given, message):
    with pytest.raises(SettingsError, match=message):
        settings_of(**given)
