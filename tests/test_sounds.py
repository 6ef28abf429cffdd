from __future__ import annotations

from io import BytesIO

import numpy as np
import pytest
import soundfile

from asr_model.sounds import Sounds

DRAW = np.random.default_rng


def wav(samples, rate=16000):
    file = BytesIO()
    soundfile.write(file, samples, rate, format="WAV", subtype="FLOAT")
    return file.getvalue()


def test_each_file_is_drawn_and_decoded_once():
    opened = []
    data = {f"{n}.wav": wav(np.full(100, n / 10, np.float32)) for n in range(5)}

    def open_file(path):
        opened.append(path)
        return BytesIO(data[path])

    sounds, draw = Sounds(lambda folder: sorted(data), open_file), DRAW(0)
    found = {round(float(sounds.draw("noises", 16000, draw)[0]) * 10) for _ in range(100)}
    assert found == {0, 1, 2, 3, 4}
    assert sorted(opened) == sorted(data)


def test_channels_are_mixed_and_the_rate_is_the_one_asked_for():
    stereo = np.stack([np.full(8000, 0.2), np.full(8000, 0.4)], axis=1)
    sounds = Sounds(lambda folder: ["a.wav"], lambda path: BytesIO(wav(stereo, 8000)))
    samples = sounds.draw("noises", 16000, DRAW(0))
    assert samples.shape == (16000,)
    assert samples[8000] == pytest.approx(0.3, abs=1e-3)


def test_of_a_long_sound_only_the_beginning_is_held():
    sounds = Sounds(lambda folder: ["a.wav"], lambda path: BytesIO(wav(np.zeros(8000 * 130), 8000)))
    assert len(sounds.draw("noises", 8000, DRAW(0))) == 8000 * 120


@pytest.mark.parametrize(
    ("files", "message"), [([], "noises: no sounds to draw from"), (["a.txt"], r"a\.txt: not to be used as a noise")]
)
def test_a_folder_that_cannot_be_drawn_from_is_named(files, message):
    sounds = Sounds(lambda folder: files, lambda path: BytesIO(b"no sound"))
    with pytest.raises(ValueError, match=message):
        sounds.draw("noises", 16000, DRAW(0))


def test_a_noise_that_is_gone_is_no_failure_of_the_recording():
    def gone(path):
        raise FileNotFoundError(path)

    with pytest.raises(ValueError, match=r"a\.wav: not to be used as a noise"):
        Sounds(lambda folder: ["a.wav"], gone).draw("noises", 16000, DRAW(0))
