from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time

import pytest
from conftest import call, contents

from asr_model.decoding import Beam, Greedy
from asr_model.language_model import LanguageModelSettings, train_language_model
from asr_model.recognizer import change_recognizer
from pipelines.__main__ import main

RESULTS = ("transcripts.jsonl", "transcripts/*", "failures.jsonl", "_SUCCESS")
BAD = ("--set", "max_failure_rate=0.5")


def arguments(source, output, recognizer_folder, *more):
    return [
        *("transcribe", "--input", str(source), "--output", str(output), "--recognizer", str(recognizer_folder)),
        *("--set", "unit_minutes=0.1", *more),
    ]


def transcripts(output):
    return [json.loads(line) for line in (output / "transcripts.jsonl").read_text().splitlines()]


@pytest.fixture(scope="module")
def undisturbed(archive, recognizer_folder, tmp_path_factory):
    output = tmp_path_factory.mktemp("undisturbed") / "out"
    assert main(arguments(archive / "*.wav", output, recognizer_folder)) == 0
    return output


def test_every_channel_of_every_recording_is_transcribed_in_order(undisturbed):
    rows = transcripts(undisturbed)
    names = [(os.path.basename(row["audio_filepath"]), row["channel"]) for row in rows]  # noqa: PTH119
    assert names == [(f"call-{number}.wav", channel) for number in range(6) for channel in (0, 1)]
    assert any(row["pred_text"] for row in rows)
    for row in rows:
        assert row["pred_text"] == " ".join(filter(None, (segment["text"] for segment in row["segments"])))
        assert row["codec"] == "WAV/PCM_16"
        assert all(0 <= s["start"] < s["end"] <= row["duration"] for s in row["segments"])


@pytest.mark.parametrize(("mode", "workers"), [("multi_processing", 1), ("multi_processing", 2)])
def test_transcripts_have_the_same_bytes_whatever_the_workers(
    undisturbed, archive, recognizer_folder, tmp_path, mode, workers
):
    options = [f"--direct_running_mode={mode}", f"--direct_num_workers={workers}"]
    assert main(arguments(archive / "*.wav", tmp_path / "out", recognizer_folder, *options)) == 0
    assert contents(tmp_path / "out", *RESULTS) == contents(undisturbed, *RESULTS)


def test_what_cannot_be_read_is_listed_with_its_reason_and_the_others_are_transcribed(
    undisturbed, archive, recognizer_folder, tmp_path, capsys
):
    (tmp_path / "corrupt.wav").write_bytes(b"RIFF" + bytes(200))
    (tmp_path / "empty.wav").write_bytes(b"")
    names = [str(archive / f"call-{number}.wav") for number in range(6)]
    names[2:2] = ["corrupt.wav", "missing.wav", "empty.wav"]
    source = tmp_path / "archive.jsonl"
    source.write_text("".join(json.dumps({"audio_filepath": name}) + "\n" for name in names))
    output = tmp_path / "out"
    assert main(arguments(source, output, recognizer_folder)) == 1
    assert "3 of 9 recordings failed" in capsys.readouterr().err
    assert not (output / "_SUCCESS").exists()
    receipts = contents(output, "_units/*")
    assert main(arguments(source, output, recognizer_folder, *BAD)) == 0
    assert contents(output, "_units/*") == receipts  # resumed with the higher limit: nothing was done again
    failures = [json.loads(line) for line in (output / "failures.jsonl").read_text().splitlines()]
    assert [(row["audio_filepath"], row["reason"]) for row in failures] == [
        ("corrupt.wav", "unknown-format"),
        ("missing.wav", "missing"),
        ("empty.wav", "empty"),
    ]
    assert [row["pred_text"] for row in transcripts(output)] == [row["pred_text"] for row in transcripts(undisturbed)]


def test_a_killed_job_that_is_started_again_ends_with_the_same_bytes_and_repeats_no_finished_unit(
    recognizer_folder, tmp_path
):
    for number in range(12):
        (tmp_path / f"call-{number:02d}.wav").write_bytes(call(number, seconds=20))
    source = tmp_path / "*.wav"
    assert main(arguments(source, tmp_path / "whole", recognizer_folder)) == 0
    output = tmp_path / "killed"
    command = [sys.executable, "-m", "pipelines", *arguments(source, output, recognizer_folder)]
    job = subprocess.Popen(command, stderr=subprocess.DEVNULL, start_new_session=True)
    deadline = time.monotonic() + 120
    while len(list(output.glob("_units/*.json"))) < 2 and job.poll() is None and time.monotonic() < deadline:
        time.sleep(0.005)
    os.killpg(job.pid, signal.SIGKILL)
    job.wait()
    finished = {path: path.stat().st_mtime_ns for path in output.glob("_units/*.json")}
    assert 2 <= len(finished) < 12
    assert not (output / "_SUCCESS").exists()
    (output / "_units" / ".000011.json.1.tmp").touch()  # as the kill leaves it, should it come while one is written
    assert main(arguments(source, output, recognizer_folder)) == 0
    assert contents(output, *RESULTS) == contents(tmp_path / "whole", *RESULTS)
    assert {path: path.stat().st_mtime_ns for path in finished} == finished
    assert not list(output.rglob("*.tmp"))


def test_another_recognizer_does_not_mix_into_the_folder(undisturbed, archive, recognizer_folder, tmp_path, capsys):
    shutil.copytree(undisturbed, tmp_path / "out")
    more = arguments(archive / "*.wav", tmp_path / "out", recognizer_folder)
    more[more.index("--recognizer") : more.index("--recognizer") + 2] = []
    assert main(more) == 2
    assert "differing: recognizer" in capsys.readouterr().err


def test_the_decoder_is_the_recognizer_s_own_or_another_and_its_words_are_timed(archive, recognizer_folder, tmp_path):
    data = (recognizer_folder / "recognizer.safetensors").read_bytes()
    model = train_language_model(["a b c", "ab c", "b", "c a b"], LanguageModelSettings(order=2))
    path = tmp_path / "words.safetensors"
    path.write_bytes(change_recognizer(data, "file", Beam(), model, {}))
    source = archive / "*.wav"
    assert main(arguments(source, tmp_path / "own", path, "--direct_num_workers=2")) == 0
    assert (
        main(arguments(source, tmp_path / "same", path, "--direct_num_workers=1", "--set", "decoder={kind: beam}")) == 0
    )
    assert contents(tmp_path / "own", *RESULTS) == contents(tmp_path / "same", *RESULTS)
    rows = transcripts(tmp_path / "own")
    assert {"a", "b"} <= {word for row in rows for word in row["pred_text"].split()} <= {"a", "b", "c", "ab"}
    for row in rows:
        assert " ".join(word["text"] for word in row["words"]) == row["pred_text"]
        edges = [edge for word in row["words"] for edge in (word["start"], word["end"])]
        assert edges == sorted(edges)


def test_speakers_as_whom_is_heard_are_the_recognizer_s_own_or_others(archive, recognizer_folder, tmp_path, capsys):
    data = (recognizer_folder / "recognizer.safetensors").read_bytes()
    several = tmp_path / "several.safetensors"
    several.write_bytes(change_recognizer(data, "file", Greedy(), None, {}, vocal_tracts=(0.8, 1.0, 1.2)))
    source, once = archive / "*.wav", ["--set", "vocal_tracts=[1.0]"]
    assert main(arguments(source, tmp_path / "several", several)) == 0
    assert main(arguments(source, tmp_path / "once", several, *once)) == 0
    assert main(arguments(source, tmp_path / "plain", recognizer_folder)) == 0
    heard = {
        name: [(row["pred_text"], row["confidence"]) for row in transcripts(tmp_path / name)]
        for name in ("several", "once", "plain")
    }
    assert heard["once"] == heard["plain"] != heard["several"]
    assert main(arguments(source, tmp_path / "none", "whisper:folder", *once)) == 2
    assert "vocal_tracts: found (1.0,), wanted null for Whisper" in capsys.readouterr().err


def test_a_tempo_is_the_recognizer_s_own_or_another(archive, recognizer_folder, tmp_path, capsys):
    data = (recognizer_folder / "recognizer.safetensors").read_bytes()
    slower = tmp_path / "slower.safetensors"
    slower.write_bytes(change_recognizer(data, "file", Greedy(), None, {}, tempo=0.7))
    source = archive / "*.wav"
    heard = {}
    for name, path, more in (
        ("own", slower, []),
        ("asked", recognizer_folder, ["--set", "tempo=0.7"]),
        ("plain", recognizer_folder, []),
    ):
        assert main(arguments(source, tmp_path / name, path, *more)) == 0
        heard[name] = [(row["pred_text"], row["words"]) for row in transcripts(tmp_path / name)]
    assert heard["own"] == heard["asked"] != heard["plain"]
    assert main(arguments(source, tmp_path / "none", "whisper:folder", "--set", "tempo=1.0")) == 2
    assert "tempo: found 1.0, wanted null for Whisper" in capsys.readouterr().err


def test_a_beam_without_a_language_model_is_refused_before_any_work(archive, recognizer_folder, tmp_path, capsys):
    more = ["--set", "decoder.kind=beam"]
    assert main(arguments(archive / "*.wav", tmp_path / "out", recognizer_folder, *more)) == 2
    assert "carries a language model" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
