from __future__ import annotations

import json

import pytest
import recordings
from packages import default_cache

from asr_model.text import normalize_text


@pytest.fixture(scope="module")
def cached():
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", "")  # what of Debian is not in the cache yet is not asked for again
        return recordings.obtain_recordings(default_cache())


def test_every_recording_is_there_and_has_words(cached):
    assert len(cached) >= 40
    for recording in cached:
        assert recording.path.is_file()
        assert normalize_text(recording.text)
    assert len({(recording.speaker, recording.name) for recording in cached}) == len(cached)


@pytest.mark.parametrize(
    ("transcript", "spoken"),
    [
        ("press 1 for ... [beep]", "press one for"),
        ("[monkeys screaming]", None),
        ("(silence)", None),
        ("twenty 20", None),
        ("good morning, 7 A.M.", "good morning, seven A M"),
        ("press *, then #", "press star, then pound"),
        ("your PBX", "your P B X"),
    ],
)
def test_a_transcript_becomes_the_words_that_are_spoken(transcript, spoken):
    assert recordings.spoken_text(transcript) == spoken


def test_half_of_the_prompts_and_nothing_else_may_be_trained_on(cached):
    prompts = [recording for recording in cached if recording.speaker == "allison"]
    chosen = [recording for recording in cached if recordings.is_for_training(recording)]
    assert {recording.speaker for recording in chosen} <= {"allison"}
    if prompts:  # from Debian: not to be had everywhere
        assert 0.4 < len(chosen) / len(prompts) < 0.6


def test_the_training_half_is_written_with_its_sources(cached, tmp_path):
    if not any(recordings.is_for_training(recording) for recording in cached):
        with pytest.raises(recordings.PackageError, match="Debian"):
            recordings.write_training(cached, tmp_path)
        return
    recordings.write_training(cached, tmp_path)
    rows = [json.loads(line) for line in (tmp_path / "manifest.jsonl").read_text().splitlines()]
    assert all((tmp_path / row["audio_filepath"]).is_file() and row["duration"] > 0 for row in rows)
    assert "CC-BY-SA-3.0" in (tmp_path / "SOURCES.md").read_text()


def test_digits_are_there_in_at_least_one_voice(monkeypatch):
    monkeypatch.setenv("PATH", "")
    assert {text for _, text, _ in recordings.spoken_words(default_cache())} >= {*recordings.DIGITS}


def test_where_debian_s_cannot_be_had_it_is_said_and_the_others_are_used(cached, tmp_path, monkeypatch, capsys):
    names = [f"{p.name}-{p.sha256[:12]}" for p in recordings.PACKAGES if p.registry == "PyPI"]
    for folder in ("packages", "unpacked"):
        (tmp_path / "cache" / folder).mkdir(parents=True)
        for path in (default_cache() / folder).resolve().iterdir():
            if path.name.startswith(tuple(names)):
                (tmp_path / "cache" / folder / path.name).symlink_to(path)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert recordings.main(["--cache", str(tmp_path / "cache")]) == 0
    shown = capsys.readouterr()
    assert "allison" not in shown.out
    assert "warning: not all recordings can be had" in shown.err
    found = [(r.speaker, r.name) for r in recordings.obtain_recordings(tmp_path / "cache")]
    assert found == [(r.speaker, r.name) for r in cached if r.package.registry == "PyPI"]
