from __future__ import annotations

from io import BytesIO

import numpy as np
import pytest
import soundfile
import torch

from asr_model.augment import Copy, augment
from asr_model.sounds import Sounds

RATE = 16000


def tone(hz, seconds=1.0):
    return (0.5 * np.sin(2 * np.pi * hz * np.arange(round(seconds * RATE)) / RATE)).astype(np.float32)


def peak_hz(samples):
    windowed = samples * np.hanning(len(samples))
    return np.argmax(np.abs(np.fft.rfft(windowed, 16 * len(samples)))) * RATE / (16 * len(samples))


def level_db(samples):
    return 10 * np.log10(np.mean(np.square(samples, dtype=np.float64)))


def folder(**files):
    """Return the sounds of folders in memory: ``folder(n={"a.wav": samples})``."""
    data = {}
    for name, sounds in files.items():
        for file, samples in sounds.items():
            held = BytesIO()
            soundfile.write(held, samples, RATE, format="WAV", subtype="FLOAT")
            data[f"{name}/{file}"] = held.getvalue()
    return Sounds(
        lambda name: [path for path in sorted(data) if path.startswith(name + "/")], lambda path: BytesIO(data[path])
    )


@pytest.mark.parametrize("speed", [0.5, 0.9, 1.0, 1.1, 2.0])
def test_speed_divides_the_duration_and_multiplies_the_pitch(speed):
    changed = augment(tone(800), RATE, Copy(name="copy", speed=speed))
    assert len(changed) == pytest.approx(RATE / speed, abs=1)
    assert peak_hz(changed) == pytest.approx(800 * speed, abs=2)


@pytest.mark.parametrize("semitones", [-12.0, -3.0, -0.5, 0.5, 4.0, 12.0])
@pytest.mark.parametrize("hz", [220, 800])
def test_a_pitch_step_moves_the_spectral_peak_and_not_the_duration(semitones, hz):
    changed = augment(tone(hz), RATE, Copy(name="copy", pitch_semitones=semitones))
    assert changed.shape == (RATE,)
    assert peak_hz(changed[2000:-2000]) == pytest.approx(hz * 2 ** (semitones / 12), rel=0.005)
    assert level_db(changed[2000:-2000]) == pytest.approx(level_db(tone(hz)), abs=1.5)


@pytest.mark.parametrize("length", [1, 100, 1600])
def test_pitch_changes_in_the_shortest_sounds_too(length):
    assert augment(tone(500)[:length], RATE, Copy(name="copy", pitch_semitones=3.0)).shape == (length,)


def test_pitch_does_not_depend_on_the_number_of_threads():
    copy, threads = Copy(name="copy", pitch_semitones=2.0), torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        one = augment(tone(300, 3.0), RATE, copy)
        torch.set_num_threads(3)
        assert np.array_equal(augment(tone(300, 3.0), RATE, copy), one)
        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(threads)


@pytest.mark.parametrize("seconds", [0.25, -0.25, 1.5, -1.5])
def test_a_shift_moves_what_is_there_and_keeps_the_length(seconds):
    samples, places = tone(500), round(seconds * RATE)
    shifted = augment(samples, RATE, Copy(name="copy", shift_seconds=seconds))
    expected = np.zeros_like(samples)
    for place in range(RATE):
        if 0 <= place - places < RATE:
            expected[place] = samples[place - places]
    assert np.array_equal(shifted, expected)


@pytest.mark.parametrize("gain", [-20.0, 6.0])
def test_a_gain_is_that_many_decibels(gain):
    changed = augment(tone(500), RATE, Copy(name="copy", gain_db=gain))
    assert level_db(changed) - level_db(tone(500)) == pytest.approx(gain, abs=0.001)


@pytest.mark.parametrize("snr", [-5.0, 0.0, 20.0])
@pytest.mark.parametrize("seconds", [None, 0.3, 5.0])
def test_the_snr_is_the_snr(snr, seconds):
    """Of white noise, and of a folder's noise that is shorter or longer than the utterance."""
    noise = {} if seconds is None else {"fan.wav": 3 * np.random.default_rng(1).normal(size=round(seconds * RATE))}
    copy = Copy(name="copy", snr_db=snr, noises="n" if noise else None)
    noisy = augment(tone(500), RATE, copy, "a", folder(n=noise))
    assert level_db(tone(500)) - level_db(noisy - tone(500)) == pytest.approx(snr, abs=0.01)


def test_the_noise_is_a_stretch_of_a_file_in_the_folder():
    files = {f"{n}.wav": tone(200 + 100 * n, 2.0) for n in range(4)}
    copy, sounds = Copy(name="copy", snr_db=0.0, noises="n"), folder(n=files)
    found = {round(peak_hz(augment(tone(4000), RATE, copy, key, sounds) - tone(4000))) for key in "abcdefghijklmnop"}
    assert found == {200, 300, 400, 500}
    starts = {float(augment(tone(4000), RATE, copy, key, sounds)[0]) for key in "abcdefgh"}
    assert len(starts) == 8


def test_a_room_of_a_folder_is_heard_from_its_direct_sound_on():
    room = np.zeros(4000, np.float32)
    room[[500, 1700]] = 0.8, 0.4  # what is before the direct sound would only be a delay
    click = np.zeros(RATE, np.float32)
    click[1000] = 1.0
    heard = augment(click, RATE, Copy(name="copy", rooms="r"), "a", folder(r={"hall.wav": room}))
    assert set(np.flatnonzero(np.abs(heard) > 1e-4)) == {1000, 2200}
    assert heard[2200] / heard[1000] == pytest.approx(0.5, abs=1e-4)
    assert level_db(heard) == pytest.approx(level_db(click), abs=0.01)


@pytest.mark.parametrize("seconds", [0.2, 0.6])
def test_in_a_made_up_room_sound_falls_by_60_db_in_its_time(seconds):
    click = np.zeros(2 * RATE, np.float32)
    click[0] = 1.0
    heard = augment(click, RATE, Copy(name="copy", room_seconds=seconds), "a")
    rest = np.cumsum(heard[:0:-1] ** 2)[::-1]  # energy still to come (Schroeder, 1965)
    fallen = 10 * np.log10(rest / rest[0] + 1e-12)
    slope = np.argmax(fallen < -25) - np.argmax(fallen < -5)
    assert slope / RATE == pytest.approx(seconds / 3, rel=0.15)
    assert level_db(heard) == pytest.approx(level_db(click), abs=0.01)


def noise():
    return (0.1 * np.random.default_rng(0).normal(size=RATE)).astype(np.float32)


def test_a_line_begins_and_ends_where_each_utterance_draws_it():
    copy = Copy(name="copy", telephone=True, low_hz=(50.0, 300.0), high_hz=(3400.0, 3900.0))
    spectrum = [np.abs(np.fft.rfft(augment(noise(), RATE, copy, f"{n}"))) for n in range(40)]
    low, high = (np.array([s[start:end].mean() for s in spectrum]) for start, end in ((120, 160), (3600, 3700)))
    middle = np.array([s[1000:2000].mean() for s in spectrum])
    for kept in (low / middle, high / middle):
        assert kept.min() < 0.3
        assert kept.max() > 0.8


def test_a_range_is_drawn_from_evenly_and_the_same_for_an_id_every_time():
    copy = Copy(name="copy", gain_db=(-10.0, 10.0))

    def gain(key):
        return level_db(augment(tone(500), RATE, copy, key)) - level_db(tone(500))

    gains = [gain(f"call-{n}.wav#0") for n in range(300)]
    assert np.min(gains) >= -10
    assert np.max(gains) <= 10
    assert np.quantile(gains, [0.25, 0.5, 0.75]) == pytest.approx([-5, 0, 5], abs=2)
    assert [gain(f"call-{n}.wav#0") for n in range(5)] == gains[:5]
    # Written down, because shards of all machines and versions must agree.
    assert gain("call-0.wav#0") == pytest.approx(-9.420106, abs=1e-3)


def test_an_effect_is_the_same_whatever_others_there_are():
    others = {"room_seconds": (0.1, 0.5), "pitch_semitones": (-1.0, 1.0), "gain_db": (-3.0, 3.0)}
    alone = augment(tone(500), RATE, Copy(name="copy", snr_db=10.0), "a") - tone(500)
    quiet, noisy = (augment(tone(500), RATE, Copy(name="copy", snr_db=snr, **others), "a") for snr in (None, 10.0))
    assert np.corrcoef(alone, noisy - quiet)[0, 1] == pytest.approx(1.0, abs=1e-3)


@pytest.mark.parametrize("name", ["other", "copy"])
def test_every_copy_and_every_utterance_draws_its_own(name):
    first = augment(tone(500), RATE, Copy(name="copy", snr_db=10.0), "a")
    second = augment(tone(500), RATE, Copy(name=name, snr_db=10.0), "a" if name == "other" else "b")
    assert not np.array_equal(first, second)


def test_silence_gets_neither_noise_nor_nan():
    everything = Copy(name="copy", snr_db=10.0, room_seconds=0.3, pitch_semitones=2.0, gain_db=3.0)
    assert not augment(np.zeros(RATE, np.float32), RATE, everything).any()


def test_a_plain_copy_is_the_recording():
    assert np.array_equal(augment(tone(300), RATE, Copy(name="plain")), tone(300))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"name": "A b"}, "name"),
        ({"name": ""}, "name"),
        ({"speed": 0.1}, "speed"),
        ({"speed": (0.9, 2.1)}, "speed"),
        ({"speed": (1.1, 0.9)}, r"speed: wanted \[low, high\], found \[1.1, 0.9\]"),
        ({"shift_seconds": 6.0}, "shift_seconds"),
        ({"pitch_semitones": 13.0}, "pitch_semitones"),
        ({"gain_db": -61.0}, "gain_db"),
        ({"snr_db": 101.0}, "snr_db"),
        ({"low_hz": -1.0}, "low_hz"),
        ({"high_hz": (3400.0, 4001.0)}, "high_hz"),
        ({"room_seconds": 0.0}, "room_seconds"),
        ({"room_seconds": 0.5, "rooms": "r"}, "rooms and room_seconds"),
        ({"noises": "n"}, "noises: wanted snr_db"),
    ],
)
def test_amounts_have_ranges(wrong, message):
    with pytest.raises(ValueError, match=message):
        Copy(**{"name": "x", **wrong})


def test_the_folders_of_a_copy_are_known_beforehand():
    assert Copy(name="x", rooms="r", snr_db=1.0, noises="n").folders == ["r", "n"]
    assert Copy(name="x", snr_db=1.0).folders == []
