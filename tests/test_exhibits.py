from __future__ import annotations

import base64
import dataclasses
from io import BytesIO

import numpy as np
import pytest
import soundfile
from PIL import Image

import pipelines.io as io
from asr_model.examples import FeaturizeSettings, SplitSettings, make_examples
from asr_model.records import Example, Utterance, to_table
from pipelines.exhibits import MAX_SECONDS, choose_exhibits, picture

SETTINGS = FeaturizeSettings(split=SplitSettings(dev=0.0))


def decoded(uri):
    return BytesIO(base64.b64decode(uri.partition(",")[2]))


def corpus(folder, num_files, seconds=1.0):
    """Write recordings of rising tones and return the examples of them."""
    made = []
    for number in range(num_files):
        path = folder / f"{number}.wav"
        times = np.arange(int(seconds * 16000)) / 16000
        soundfile.write(path, 0.3 * np.sin(2 * np.pi * (200 + 100 * number) * times), 16000)
        with path.open("rb") as file:
            made += make_examples(file, Utterance(path.name, str(path), text="go", speaker="s"), SETTINGS)
    return made


def shard(folder, number, examples):
    path = f"{folder}/part-{number}.parquet"
    io.write_parquet(path, to_table(Example, examples, {}))
    return path


def test_a_picture_has_time_to_the_right_and_the_first_feature_at_the_bottom():
    values = np.zeros((30, 5), np.float16)
    values[20:, 0] = 1.0
    uri = picture(values)
    assert uri.startswith("data:image/png;base64,")
    image = np.asarray(Image.open(decoded(uri)).convert("L"))
    assert image.shape == (5, 30)
    assert image[-1, -1] > 200 > 50 > image[0, -1]
    assert image[-1, 0] < 50


def test_a_picture_of_silence_is_one():
    assert np.asarray(Image.open(decoded(picture(np.zeros((4, 3), np.float16))))).shape == (3, 4)


@pytest.mark.parametrize(
    ("sizes", "expected"), [([3], 3), ([25], 10), ([2, 2, 2], 6), ([20, 20], 10), ([1] * 30, 10), ([], 0)]
)
def test_examples_are_spread_over_the_corpus_and_none_is_shown_twice(tmp_path, sizes, expected):
    (example,) = corpus(tmp_path, 1)
    examples = [dataclasses.replace(example, id=str(number)) for number in range(sum(sizes))]
    files, start = [], 0
    for number, size in enumerate(sizes):
        files.append(shard(tmp_path, number, examples[start : start + size]))
        start += size
    chosen = [int(exhibit.example.id) for exhibit in choose_exhibits(files, str(tmp_path), SETTINGS)]
    assert len(set(chosen)) == len(chosen) == expected
    assert chosen == sorted(chosen)


def test_the_beginning_is_heard_that_is_seen_and_copies_are_not_shown(tmp_path):
    (example,) = corpus(tmp_path, 1, seconds=MAX_SECONDS + 2)
    path = shard(tmp_path, 0, [example, dataclasses.replace(example, copy="slow")])
    (exhibit,) = choose_exhibits([path], f"{tmp_path}/manifest.jsonl", SETTINGS)
    samples, rate = soundfile.read(decoded(exhibit.audio))
    assert exhibit.seconds == MAX_SECONDS
    assert len(samples) / rate == pytest.approx(MAX_SECONDS, abs=0.2)
    assert np.argmax(np.abs(np.fft.rfft(samples[:rate]))) == pytest.approx(200, abs=2)
    assert Image.open(decoded(exhibit.picture)).size[0] == MAX_SECONDS * 100


def test_a_recording_that_is_gone_is_seen_only(tmp_path):
    (example,) = corpus(tmp_path, 1)
    path = shard(tmp_path, 0, [example])
    (tmp_path / "0.wav").unlink()
    (exhibit,) = choose_exhibits([path], str(tmp_path), SETTINGS)
    assert exhibit.audio == ""
    assert exhibit.picture
