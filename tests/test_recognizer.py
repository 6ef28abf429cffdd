from __future__ import annotations

import json
import pickle
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load, save

from asr_model.calibration import Calibration
from asr_model.conditioning import Conditioning, condition
from asr_model.config import SettingsError, load_settings
from asr_model.decoding import Beam, Greedy, OpenBeam, Tuned
from asr_model.language_model import LanguageModelSettings, train_language_model
from asr_model.recognizer import (
    RecognizerError,
    change_recognizer,
    load_recognizer,
    read_metadata,
    recognizer_file,
    save_recognizer,
)
from asr_model.tempo import change_tempo
from asr_model.transcription import TranscribeSettings


@pytest.fixture(scope="module")
def data(recognizer_folder):
    return (recognizer_folder / "recognizer.safetensors").read_bytes()


def sounds(count):
    draw = np.random.default_rng(0)
    return [0.1 * draw.normal(size=draw.integers(1000, 20000)).astype(np.float32) for _ in range(count)]


def assert_alike(hypotheses, others):
    """The same words at the same times; the company in a batch may change the last bits of confidences."""
    for one, other in zip(hypotheses, others, strict=True):
        assert one.text == other.text
        assert [(word.text, word.start, word.end) for word in one.words] == [
            (word.text, word.start, word.end) for word in other.words
        ]
        assert one.confidence == pytest.approx(other.confidence, abs=1e-4)


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
        assert_alike(recognizer.recognize(sounds(12), batch_frames), alone)
    assert recognizer.recognize([]) == []


def test_every_segment_is_conditioned_as_training_was(data):
    plain = load_recognizer(data, "file")
    levelling = Conditioning(remove_dc=True, level="rms", level_db=-20.0)
    settings = plain.settings.model_copy(update={"conditioning": levelling})
    conditioned = load_recognizer(save_recognizer(settings, dict(plain.network.named_parameters()), {}), "file")
    assert conditioned.settings.conditioning == levelling
    samples = sounds(5)
    assert conditioned.recognize(samples) == plain.recognize([condition(s, 8000, levelling) for s in samples])


def test_confidences_are_calibrated_until_the_decoder_is_another(data):
    plain = load_recognizer(data, "file")
    calibration = Calibration(slope=0.5, offset=-1.0)
    calibrated = load_recognizer(change_recognizer(data, "file", Greedy(), None, {}, calibration), "file")
    before, after = plain.recognize(sounds(3)), calibrated.recognize(sounds(3))
    assert [h.text for h in after] == [h.text for h in before]
    for old, new in zip(before, after, strict=True):
        assert [w.confidence for w in new.words] == [calibration(w.confidence) for w in old.words]
        assert new.confidence == pytest.approx(np.mean([w.confidence for w in new.words]))
    again = load_recognizer(change_recognizer(data, "file", Greedy(), None, {}), "file")
    assert again.settings.calibration == Calibration()


def test_priors_of_tokens_stay_whatever_the_decoder(data):
    size = load_recognizer(data, "file").settings.alphabet.size
    priors = (1 / size,) * size
    tuned = change_recognizer(data, "file", OpenBeam(prior_weight=0.3), None, {}, token_priors=priors)
    assert load_recognizer(tuned, "file").settings.token_priors == priors
    again = load_recognizer(change_recognizer(tuned, "file", Greedy(), None, {}), "file")
    assert again.settings.token_priors == priors
    again.with_decoder(OpenBeam(prior_weight=0.3))


def test_several_vocal_tracts_are_heard_as_their_mean(data):
    features = [np.random.default_rng(0).normal(size=(length, 20)).astype(np.float32) for length in (40, 55)]
    heard = {}
    for tracts in ((0.9,), (1.1,), (0.9, 1.1)):
        changed = change_recognizer(data, "file", Greedy(), None, {}, vocal_tracts=tracts)
        heard[tracts] = load_recognizer(changed, "file").log_probs(features)
    for one, other, both in zip(*heard.values(), strict=True):
        assert not torch.allclose(one, other, atol=1e-4)
        assert torch.allclose(both, ((one + other) / 2).log_softmax(-1), atol=1e-6)
    again = load_recognizer(change_recognizer(changed, "file", Greedy(), None, {}), "file")
    assert again.settings.vocal_tracts == (0.9, 1.1)


def test_a_slower_tempo_takes_more_and_shorter_steps_and_stays_in_the_file(data):
    features = [np.random.default_rng(0).normal(size=(length, 20)).astype(np.float32) for length in (40, 55)]
    known = load_recognizer(data, "file")
    changed = change_recognizer(data, "file", Greedy(), None, {}, tempo=0.8)
    slower = load_recognizer(changed, "file")
    assert slower.step_seconds == pytest.approx(0.8 * known.step_seconds)
    heard = known.log_probs([change_tempo(array, 0.8) for array in features])
    for one, other in zip(slower.log_probs(features), heard, strict=True):
        assert torch.equal(one, other)
    again = load_recognizer(change_recognizer(changed, "file", Greedy(), None, {}), "file")
    assert again.settings.tempo == 0.8
    samples = [np.random.default_rng(1).normal(size=size).astype(np.float32) for size in (4000, 9000)]
    assert_alike(slower.recognize(samples), [slower.recognize([one])[0] for one in samples])
    assert slower.recognize(samples) != known.recognize(samples)


def test_a_recognizer_of_before_there_was_conditioning_does_none(data):
    settings = read_metadata(data, "file")["settings"]
    del settings["conditioning"], settings["tempo"]
    old = save(load(data), {"beamscribe": json.dumps({"settings": settings, "provenance": {}})})
    assert load_recognizer(old, "file").settings.conditioning == Conditioning()


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
        ("runs/v1.2", "runs/v1.2/recognizer.safetensors"),
        ("mine.safetensors", "mine.safetensors"),
    ],
)
def test_a_folder_stands_for_the_recognizer_in_it(path, file):
    assert recognizer_file(path) == file


def log_probs(recognizer):
    features = torch.randn(3, 50, recognizer.settings.features.num_features, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        return recognizer.network(features, torch.tensor([50, 20, 33]))[0]


def test_saved_and_loaded_log_probabilities_and_digest_are_bit_for_bit_the_same(data):
    first = load_recognizer(data, "file")
    again = save_recognizer(first.settings, first.network.state_dict(), read_metadata(data, "file")["provenance"])
    second = load_recognizer(again, "file")
    assert torch.equal(log_probs(second), log_probs(first))
    assert second.digest == first.digest


def test_weights_stored_in_half_precision_stay_so(data):
    first = load_recognizer(data, "file")
    halves = {name: weight.half() for name, weight in first.network.state_dict().items()}
    stored = save_recognizer(first.settings, halves, {})
    changed = change_recognizer(stored, "file", Greedy(), None, {})
    assert len(stored) < 0.7 * len(data)
    assert all(torch.equal(tensor, halves[name]) for name, tensor in load(changed).items())
    torch.testing.assert_close(log_probs(load_recognizer(changed, "file")), log_probs(first), rtol=0, atol=0.01)


class Trap:
    """Unpickled, it leaves a file behind."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


def test_a_pickle_is_refused_and_never_run(tmp_path):
    data = BytesIO()
    torch.save({"w": torch.zeros(1), "trap": Trap(tmp_path / "sprung")}, data)
    for poison in (data.getvalue(), pickle.dumps(Trap(tmp_path / "sprung"))):
        with pytest.raises(RecognizerError, match="not a safetensors file"):
            load_recognizer(poison, "my-file")
    assert not (tmp_path / "sprung").exists()
    pickle.loads(poison)
    assert (tmp_path / "sprung").exists()  # the trap works


@pytest.mark.parametrize("metadata", ["no JSON", "[1]", "3", "{}", '{"settings": {}}'])
def test_metadata_that_are_not_a_recognizer_s_are_refused_by_name(metadata):
    foreign = save({"w": torch.zeros(1)}, {"beamscribe": metadata})
    with pytest.raises(RecognizerError, match=r"^my-file: no recognizer"):
        load_recognizer(foreign, "my-file")


@pytest.mark.parametrize("data", [b"", b"PK\x03\x04 something else", b"\x02" + bytes(7) + b"{}", b"\xff" * 40])
def test_metadata_of_any_bytes_are_read_or_refused_by_name(data):
    with pytest.raises(RecognizerError, match=r"^my-file: no recognizer"):
        read_metadata(data, "my-file")


def test_settings_of_another_version_are_named_by_their_path(data):
    recognizer = load_recognizer(data, "file")
    changed = recognizer.settings.model_dump(mode="json")
    changed["network"]["heads"] = 4
    weights = {name: weight.detach() for name, weight in recognizer.network.named_parameters()}
    foreign = save(weights, {"beamscribe": json.dumps({"settings": changed, "provenance": {}})})
    with pytest.raises(SettingsError, match=r"^my-file: network\.heads: unknown setting"):
        load_recognizer(foreign, "my-file")


def test_the_steps_of_the_network_are_as_long_as_its_strides_say(data):
    recognizer = load_recognizer(data, "file")
    features = torch.zeros(1, 1000, recognizer.settings.features.num_features)
    with torch.inference_mode():
        _, num_steps = recognizer.network(features, torch.tensor([1000]))
    assert recognizer.step_seconds * num_steps[0] == 1000 / recognizer.settings.features.frames_per_second


@pytest.fixture(scope="module")
def with_words(data):
    model = train_language_model(["a b c", "ab c", "b", "c a b", "abc"], LanguageModelSettings(order=2))
    return change_recognizer(data, "file", Beam(lm_weight=0.5), model, {"lm": {"texts": 5}})


def test_a_language_model_travels_in_the_file_and_changes_the_digest_and_no_weight(data, with_words):
    first, second = load_recognizer(data, "file"), load_recognizer(with_words, "file")
    assert first.language_model is None
    assert set(second.language_model.words) == {"a", "b", "c", "ab", "abc"}
    assert second.settings.decoder == Beam(lm_weight=0.5)
    assert second.digest != first.digest
    assert torch.equal(log_probs(second), log_probs(first))
    assert read_metadata(with_words, "file")["provenance"] == {"lm": {"texts": 5}}
    greedy = second.with_decoder(Greedy())
    assert greedy.recognize(sounds(5)) == first.recognize(sounds(5))
    assert greedy.digest == second.digest


def test_it_decodes_as_it_was_tuned_unless_asked_otherwise(with_words):
    recognizer = load_recognizer(with_words, "file")
    tuned = [hypothesis.text for hypothesis in recognizer.recognize(sounds(8))]
    assert set(" ".join(tuned).split()) <= {"a", "b", "c", "ab", "abc"}
    assert [h.text for h in recognizer.with_decoder(Tuned()).recognize(sounds(8))] == tuned
    assert [h.text for h in recognizer.with_decoder(Beam()).recognize(sounds(8))] == tuned
    assert [h.text for h in recognizer.with_decoder(OpenBeam()).recognize(sounds(8))] != tuned
    assert recognizer.with_decoder(Beam(beam_size=5)).settings.decoder == Beam(beam_size=5, lm_weight=0.5)


def test_the_recognizer_s_own_decoder_takes_other_settings_without_its_kind(data, with_words):
    asked = load_settings(TranscribeSettings, {"decoder": {"kind": "recognizer", "beam_size": 5}}, "file").decoder
    assert load_recognizer(with_words, "file").with_decoder(asked).decoder == Beam(beam_size=5, lm_weight=0.5)
    with pytest.raises(SettingsError, match=r"greedy, the recognizer's.*beam_size: unknown setting \(known: kind\)"):
        load_recognizer(data, "file").with_decoder(asked)
    asked = load_settings(
        TranscribeSettings, {"decoder": {"kind": "recognizer", "beam_sice": 5, "lm_weight": "1"}}, "file"
    ).decoder
    with pytest.raises(SettingsError, match=r"(?s)lm_weight: found \"1\".*did you mean beam_size"):
        load_recognizer(with_words, "file").with_decoder(asked)


def test_beam_hypotheses_do_not_depend_on_the_batch(with_words):
    recognizer = load_recognizer(with_words, "file")
    alone = [recognizer.recognize([sound])[0] for sound in sounds(12)]
    together = recognizer.recognize(sounds(12), 10_000)
    assert len({hypothesis.text for hypothesis in alone}) > 3
    assert [h.text for h in together] == [h.text for h in alone]
    assert [[(w.start, w.end) for w in h.words] for h in together] == [
        [(w.start, w.end) for w in h.words] for h in alone
    ]


def test_a_decoder_that_the_recognizer_cannot_have_is_refused(data):
    with pytest.raises(SettingsError, match="carries a language model"):
        load_recognizer(data, "file").with_decoder(Beam())
