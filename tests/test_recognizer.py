from __future__ import annotations

import numpy as np
import pytest
import torch
from safetensors.torch import save

from asr_model.recognizer import RecognizerError, load_recognizer, read_metadata, recognizer_file, save_recognizer


@pytest.fixture(scope="module")
def data(recognizer_folder):
    return (recognizer_folder / "recognizer.safetensors").read_bytes()


def sounds(count):
    draw = np.random.default_rng(0)
    return [0.1 * draw.normal(size=draw.integers(1000, 20000)).astype(np.float32) for _ in range(count)]


def test_a_recognizer_saved_and_loaded_is_the_same(data):
    first = load_recognizer(data, "file")
    again = save_recognizer(first.settings, dict(first.network.named_parameters()), {"who": "me"})
    second = load_recognizer(again, "file")
    assert second.settings == first.settings
    assert second.recognize(sounds(5)) == first.recognize(sounds(5))
    assert read_metadata(again, "file")["provenance"] == {"who": "me"}


def test_the_digest_tells_recognizers_apart(data):
    first = load_recognizer(data, "file")
    assert load_recognizer(data, "elsewhere").digest == first.digest
    weights = {name: weight * 1.001 for name, weight in first.network.named_parameters()}
    assert load_recognizer(save_recognizer(first.settings, weights, {}), "file").digest != first.digest


def test_hypotheses_come_in_the_order_of_the_segments_whatever_the_batch(data):
    recognizer = load_recognizer(data, "file")
    alone = [recognizer.recognize([sound])[0] for sound in sounds(12)]
    assert len({hypothesis.text for hypothesis in alone}) > 3
    for batch_frames in (1, 400, 10_000):
        together = recognizer.recognize(sounds(12), batch_frames)
        assert [h.text for h in together] == [h.text for h in alone]
        assert [h.confidence for h in together] == pytest.approx([h.confidence for h in alone], abs=1e-4)
    assert recognizer.recognize([]) == []


def wrong_shapes(data):
    recognizer = load_recognizer(data, "file")
    weights = {name: weight[..., :-1] for name, weight in recognizer.network.named_parameters()}
    return save_recognizer(recognizer.settings, weights, {})


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        (lambda data: b"PK\x03\x04 a pickle", "not a safetensors file"),
        (lambda data: b"", "not a safetensors file"),
        (lambda data: data[: len(data) // 2], "not a safetensors file"),
        (lambda data: save({"w": torch.zeros(1)}), "no recognizer"),
        (wrong_shapes, "weights do not fit"),
    ],
)
def test_a_file_that_is_no_recognizer_is_refused_by_name(data, broken, message):
    with pytest.raises(RecognizerError, match=rf"^my-file: .*{message}"):
        load_recognizer(broken(data), "my-file")


@pytest.mark.parametrize(
    ("path", "file"),
    [
        ("runs/a", "runs/a/recognizer.safetensors"),
        ("runs/a/", "runs/a/recognizer.safetensors"),
        ("gs://b/a", "gs://b/a/recognizer.safetensors"),
        ("mine.safetensors", "mine.safetensors"),
    ],
)
def test_a_folder_stands_for_the_recognizer_in_it(path, file):
    assert recognizer_file(path) == file
