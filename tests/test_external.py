from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest

import asr_model.external
from asr_model.config import SettingsError
from asr_model.decoding import Beam, Greedy, Tuned
from asr_model.external import load_whisper
from asr_model.recognizer import RecognizerError
from asr_model.transcription import TranscribeSettings
from pipelines.transcribe import job_of, settle_decoder

MODEL = Path(__file__).parents[2] / "shared" / "models" / "whisper-tiny.en-ct2"


class FakeModel:
    """Says a word for every second of sound, and remembers how it was asked."""

    def __init__(self, folder, **options):
        self.folder, self.options, self.asked = folder, options, []

    def transcribe(self, samples, **asked):
        self.asked.append(asked)
        words = [
            SimpleNamespace(
                word=f" Word{second},", start=float(second), end=second + 0.5, probability=0.25 + 0.5 * second
            )
            for second in range(len(samples) // 16000)
        ]
        return iter([SimpleNamespace(words=words)]), None


@pytest.fixture
def folder(tmp_path, monkeypatch):
    fake = ModuleType("faster_whisper")
    fake.WhisperModel = FakeModel
    monkeypatch.setitem(sys.modules, "faster_whisper", fake)
    monkeypatch.setattr(asr_model.external.importlib.util, "find_spec", lambda name: fake)
    (tmp_path / "model.bin").write_bytes(b"weights")
    (tmp_path / "config.json").write_text("{}")
    return tmp_path


def test_segments_become_hypotheses_with_timed_words(folder):
    whisper = load_whisper(str(folder), Tuned())
    two, none = whisper.recognize([np.zeros(32000, np.float32), np.zeros(100, np.float32)])
    assert (two.text, two.confidence) == ("Word0, Word1,", pytest.approx(0.5))
    times = [[(edge - 0.5) * whisper.step_seconds for edge in (word.start, word.end)] for word in two.words]
    assert times == [pytest.approx([0.0, 0.5]), pytest.approx([1.0, 1.5])]
    assert (none.text, none.confidence, none.words) == ("", 0.0, ())
    assert {asked["temperature"] for asked in whisper.model.asked} == {0.0}  # never sampled


def test_the_decoder_is_its_own_beam_or_greedy_and_nothing_else(folder):
    for asked, size in ((Tuned(), 5), (Greedy(), 1)):
        whisper = load_whisper(str(folder), asked)
        whisper.recognize([np.zeros(100, np.float32)])
        assert whisper.model.asked[0]["beam_size"] == size
    with pytest.raises(SettingsError, match=r"decoder\.kind: beam is none of Whisper's"):
        load_whisper(str(folder), Beam())


def test_the_digest_tells_models_apart_and_not_where_they_lie(folder, tmp_path_factory):
    first = load_whisper(str(folder), Tuned()).digest
    other = tmp_path_factory.mktemp("other")
    for path in folder.glob("*.*"):
        (other / path.name).write_bytes(path.read_bytes())
    assert load_whisper(str(other), Tuned()).digest == first
    (other / "model.bin").write_bytes(b"Weights")
    assert load_whisper(str(other), Tuned()).digest != first


def test_transcribe_takes_it_by_name(folder):
    name = f"whisper:{folder}"
    settings = settle_decoder(TranscribeSettings(), name)
    assert settings.decoder == Tuned()
    digest = load_whisper(str(folder), Tuned()).digest
    assert job_of("calls/*.wav", name, "out", settings).identity["recognizer"] == digest


def test_a_folder_without_a_model_is_refused(folder):
    (folder / "model.bin").unlink()
    with pytest.raises(RecognizerError, match=r"no model\.bin"):
        load_whisper(str(folder), Tuned())


def test_its_decoder_has_no_settings(folder):
    with pytest.raises(SettingsError, match=r"decoder\.beam_size"):
        load_whisper(str(folder), Tuned(beam_size=3))


def test_without_the_extra_it_says_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setattr(asr_model.external.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(SettingsError, match=r"beamscribe\[whisper\]"):
        load_whisper(str(tmp_path), Tuned())


@pytest.mark.skipif(not MODEL.is_dir(), reason="no Whisper model here")
def test_the_real_one_hears_no_more_in_noise_than_time_allows():
    pytest.importorskip("faster_whisper")
    samples = (0.01 * np.random.default_rng(0).normal(size=16000)).astype(np.float32)
    (hypothesis,) = load_whisper(str(MODEL), Greedy()).recognize([samples])
    assert all(0.5 <= word.start <= word.end for word in hypothesis.words)
    assert 0 <= hypothesis.confidence <= 1
