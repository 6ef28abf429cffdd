from __future__ import annotations

import functools
import json
import os
from io import BytesIO

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import soundfile
from conftest import call, contents

import pipelines.io as io
from asr_model.census import add_counts
from asr_model.examples import FeaturizeSettings
from asr_model.features import from_bytes
from asr_model.records import Utterance
from pipelines.__main__ import main
from pipelines.corpora import read_corpus
from pipelines.corpus_page import REASONS
from pipelines.featurize import featurize_unit
from pipelines.planning import Unit, plan_units

COARSE = [
    "--set",
    "features={n_mels: 20, sample_rate: 8000, n_fft: 256, win_length: 200, hop_length: 80, f_max: 4000.0}",
]


def featurize(source, output, *more):
    return main(["featurize", "--input", str(source), "--output", str(output), *COARSE, *more])


def rows(output):
    tables = [pq.read_table(path).to_pylist() for path in sorted(output.glob("*/part-*.parquet"))]
    return sorted((row for table in tables for row in table), key=lambda row: row["id"])


def test_shards_have_the_same_bytes_whatever_the_workers(archive, tmp_path):
    source = archive / "references.jsonl"
    modes = [("in_memory", 1), ("multi_processing", 2)]
    for mode, workers in modes:
        options = [f"--direct_running_mode={mode}", f"--direct_num_workers={workers}", "--set", "unit_minutes=0.1"]
        assert featurize(source, tmp_path / mode, *options) == 0
    first, second = (
        contents(tmp_path / mode, "*/part-*.parquet", "_SUCCESS", "failures.jsonl", "corpus.*") for mode, _ in modes
    )
    assert len([path for path in first if path.endswith(".parquet")]) > 2
    assert first == second


def test_one_shard_holds_what_five_hold(archive, tmp_path):
    source = archive / "references.jsonl"
    assert featurize(source, tmp_path / "one", "--set", "split.dev=0") == 0
    assert featurize(source, tmp_path / "many", "--set", "unit_minutes=0.1", "--set", "split.dev=0") == 0
    assert len(list((tmp_path / "one").glob("*/part-*"))) == 1
    assert len(list((tmp_path / "many").glob("*/part-*"))) > 2
    assert rows(tmp_path / "one") == rows(tmp_path / "many")


def test_recordings_in_are_examples_and_failures_out(archive, tmp_path):
    lines = (archive / "references.jsonl").read_text().splitlines()
    (archive / "silent.jsonl").write_text(
        "\n".join([*lines, json.dumps({"audio_filepath": "call-0.wav", "channel": 7, "text": "a"})])
    )
    assert featurize(archive / "silent.jsonl", tmp_path / "out", "--set", "max_failure_rate=0.5") == 0
    success = json.loads((tmp_path / "out" / "_SUCCESS").read_text())
    assert (success["num_inputs"], success["num_rows"], success["num_failures"]) == (13, 12, 1)
    failure = json.loads((tmp_path / "out" / "failures.jsonl").read_text())
    assert (failure["audio_filepath"], failure["channel"], failure["reason"]) == ("call-0.wav", 7, "no-such-channel")


def test_copies_are_made_of_training_rows_only(archive, tmp_path):
    copies = ["--set", "copies=[{name: slow, speed: 0.8}]", "--set", "split.dev=0.5"]
    assert featurize(archive / "references.jsonl", tmp_path / "out", *copies) == 0
    by_split = {split: rows_of(tmp_path / "out" / split) for split in ("train", "dev")}
    assert {row["copy"] for row in by_split["dev"]} == {""}
    originals = {row["id"]: row for row in by_split["train"] if not row["copy"]}
    slow = [row for row in by_split["train"] if row["copy"] == "slow"]
    assert len(slow) == len(originals) > 0
    for row in slow:
        assert row["duration"] == pytest.approx(originals[row["id"].removesuffix("/slow")]["duration"] / 0.8, abs=1e-3)


def rows_of(folder):
    return [row for path in folder.glob("part-*.parquet") for row in pq.read_table(path).to_pylist()]


GLOBAL = ["--set", "features.normalization=global", "--set", "split.dev=0.4"]


def stamp(path):
    return json.loads(pq.read_schema(path).metadata[b"beamscribe"])


def test_global_normalization_is_by_the_training_split_alone_and_stands_in_every_footer(archive, tmp_path):
    source = archive / "references.jsonl"
    assert featurize(source, tmp_path / "out", *GLOBAL, "--set", "unit_minutes=0.1") == 0
    shards = sorted((tmp_path / "out").glob("*/part-*.parquet"))
    assert {path.parent.name for path in shards} == {"train", "dev"}
    assert len({json.dumps(stamp(path)) for path in shards}) == 1
    training = [row for path in shards if path.parent.name == "train" for row in pq.read_table(path).to_pylist()]
    frames = np.concatenate([from_bytes(row["features"], row["num_frames"]) for row in training]).astype(np.float64)
    variance = np.array(stamp(shards[0])["features"]["statistics"]["variance"])
    assert np.abs(frames.mean(axis=0)).max() < 1e-3
    assert np.allclose(frames.std(axis=0), np.minimum(1, np.sqrt(variance) / 0.5), atol=1e-3)


def test_global_normalization_gives_the_same_bytes_whatever_the_workers(archive, tmp_path):
    source = archive / "references.jsonl"
    for mode, workers in [("in_memory", 1), ("multi_processing", 2)]:
        options = [f"--direct_running_mode={mode}", f"--direct_num_workers={workers}", "--set", "unit_minutes=0.1"]
        assert featurize(source, tmp_path / mode, *GLOBAL, *options) == 0
    assert contents(tmp_path / "in_memory", "*/part-*.parquet") == contents(
        tmp_path / "multi_processing", "*/part-*.parquet"
    )


def test_statistics_are_those_of_one_unit_or_of_many_and_a_rerun_keeps_them(archive, tmp_path, monkeypatch):
    source = archive / "references.jsonl"
    assert featurize(source, tmp_path / "one", *GLOBAL) == 0
    many = (source, tmp_path / "many", *GLOBAL, "--set", "unit_minutes=0.1")
    assert featurize(*many) == 0
    assert rows(tmp_path / "one") == rows(tmp_path / "many")
    before = contents(tmp_path / "many", "*/part-*.parquet")

    def refuse(*_):
        raise AssertionError("computed again")

    monkeypatch.setattr("pipelines.featurize.make_examples", refuse)
    assert featurize(*many, "--direct_running_mode=in_memory") == 0
    assert contents(tmp_path / "many", "*/part-*.parquet") == before


def test_statistics_may_be_given(archive, tmp_path):
    source = archive / "references.jsonl"
    given = ["--set", f"features.statistics={{mean: {[0.0] * 20}, variance: {[1.0] * 20}}}"]
    assert featurize(source, tmp_path / "given", *GLOBAL, *given) == 0
    assert featurize(source, tmp_path / "plain", "--set", "features.normalization=none", "--set", "split.dev=0.4") == 0
    assert not list((tmp_path / "given").glob("_sums/*"))
    assert [row["features"] for row in rows(tmp_path / "given")] == [
        row["features"] for row in rows(tmp_path / "plain")
    ]


def test_noises_and_rooms_are_drawn_from_folders_the_same_whatever_the_units(archive, tmp_path):
    for name in ("fan", "street"):
        (tmp_path / "noises" / name).mkdir(parents=True)
        (tmp_path / "noises" / name / "LICENSE").write_text("free")
        (tmp_path / "noises" / name / "long.wav").write_bytes(call(len(name), seconds=3))
    copy = f"{{name: street, snr_db: [5, 15], noises: {tmp_path / 'noises'}, room_seconds: [0.2, 0.5]}}"
    settings = ["--set", f"copies=[{copy}]", "--set", "split.dev=0"]
    source = archive / "references.jsonl"
    assert featurize(source, tmp_path / "one", *settings) == 0
    assert featurize(source, tmp_path / "many", *settings, "--set", "unit_minutes=0.2") == 0
    assert rows(tmp_path / "one") == rows(tmp_path / "many")
    assert len([row for row in rows(tmp_path / "one") if row["copy"] == "street"]) == 12
    (tmp_path / "noises" / "fan" / "another.wav").write_bytes(call(9, seconds=1))
    assert featurize(source, tmp_path / "one", *settings) == 2  # other noises are another run


def test_a_folder_without_noises_is_noticed_before_any_work(archive, tmp_path, capsys):
    copy = f"copies=[{{name: street, snr_db: 5, noises: {tmp_path}}}]"
    assert featurize(archive / "references.jsonl", tmp_path / "out", "--set", copy) == 2
    assert f"{tmp_path}: no audio files to draw noises or rooms from" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_the_corpus_is_described_as_its_shards_are_whatever_their_number(archive, tmp_path):
    source = archive / "references.jsonl"
    assert featurize(source, tmp_path / "one") == 0
    assert featurize(source, tmp_path / "many", "--set", "unit_minutes=0.1") == 0
    one, many = (json.loads((tmp_path / name / "corpus.json").read_text()) for name in ("one", "many"))
    assert one == many
    made = rows(tmp_path / "many")
    assert (one["examples"], one["speakers"]["number"]) == (len(made), len({row["speaker"] for row in made}))
    assert one["seconds"] == pytest.approx(sum(row["duration"] for row in made))
    page = (tmp_path / "many" / "corpus.html").read_text()
    assert page.count("data:audio/flac;base64,") == page.count("data:image/png;base64,") > 5


def test_a_folder_with_texts_beside_its_recordings_is_featurized_and_a_rerun_changes_nothing(archive, tmp_path, capsys):
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    for number in range(3):
        (corpus / f"{number}.wav").write_bytes((archive / f"call-{number}.wav").read_bytes())
        (corpus / f"{number}.txt").write_text(f"text {number}")
    (corpus / "2.txt").write_bytes(b"caf\xe9")
    options = ("--set", "audio.channels=mix", "--set", "max_failure_rate=0.5")
    assert featurize(corpus, tmp_path / "out", *options) == 0
    first = contents(tmp_path / "out")
    assert sorted(row["text"] for row in rows(tmp_path / "out")) == ["text 0", "text 1"]
    assert json.loads((tmp_path / "out" / "failures.jsonl").read_text())["reason"] == "bad-text"
    assert featurize(corpus, tmp_path / "out", *options) == 0
    assert contents(tmp_path / "out") == first
    (corpus / "1.txt").write_text("another text")
    (corpus / "0-new.wav").write_bytes((archive / "call-4.wav").read_bytes())  # before the others
    (corpus / "0-new.txt").write_text("a new one")
    assert featurize(corpus, tmp_path / "out", *options) == 0
    assert sorted(row["text"] for row in rows(tmp_path / "out")) == ["a new one", "another text", "text 0"]


def test_global_normalization_sees_texts_that_lie_beside_the_recordings(archive, tmp_path):
    (tmp_path / "corpus").mkdir()
    (tmp_path / "corpus" / "a.wav").write_bytes((archive / "call-0.wav").read_bytes())
    (tmp_path / "corpus" / "a.txt").write_text("hello")
    options = ("--set", "audio.channels=mix", "--set", "features.normalization=global", "--set", "split.dev=0")
    assert featurize(tmp_path / "corpus", tmp_path / "out", *options) == 0
    assert len(rows(tmp_path / "out")) == 1


def wav(seconds, *, samples=None, rate=8000, channels=1):
    file = BytesIO()
    tone = 0.1 * np.random.default_rng(0).normal(size=(int(seconds * rate), channels)) if samples is None else samples
    soundfile.write(file, tone, rate, format="WAV", subtype="FLOAT")
    return file.getvalue()


BAD = {  # file → (its bytes, or what makes it; its row beside the name; the reason)
    "gone.wav": (None, {}, "missing"),
    "folder.wav": (os.mkdir, {}, "not-a-file"),
    "pipe.wav": (os.mkfifo, {}, "not-a-file"),
    "none.wav": (b"", {}, "empty"),
    "letter.wav": (b"Dear all, " * 100, {}, "unknown-format"),
    "cut.wav": (wav(2.0)[:-20_000], {}, "truncated"),
    "short.wav": (wav(0.01), {}, "too-short"),
    "long.wav": (wav(70.0), {}, "too-long"),
    "nan.wav": (wav(1.0, samples=np.full(8000, np.nan)), {}, "non-finite"),
    "two.wav": (wav(1.0, channels=2), {}, "ambiguous-channel"),
    "one.wav": (wav(1.0), {"channel": 1}, "no-such-channel"),
    "nine.wav": (wav(1.0, channels=9), {}, "too-many-channels"),
    "slow.wav": (wav(9.0, rate=1000), {}, "bad-sample-rate"),
    "mute.wav": (wav(1.0), {"text": None}, "empty-text"),
    "dots.wav": (wav(1.0), {"text": " ... "}, "empty-text"),
    "cafe.wav": (wav(1.0), {"text": "café"}, "outside-alphabet"),
    "after.wav": (wav(1.0), {"offset": 5.0, "duration": 1.0}, "out-of-range"),
}
BAD_LINES = {
    '{"audio_filepath": "good.wav", "text": "a"}': "duplicate",
    '{"audio_filepath": "x.wav", "text": "a", "duration": -1}': "bad-manifest-line",
    '{"audio_filepath": "x.wav", "text": "a", "duration": NaN}': "bad-manifest-line",
    '{"audio_filepath": "x.wav", "text": "a", "split": "both"}': "bad-manifest-line",
    '{"text": "a"}': "bad-manifest-line",
    "{no json": "bad-manifest-line",
}


def test_whatever_is_bad_is_one_failure_with_its_reason_and_the_rest_is_done(tmp_path):
    (tmp_path / "good.wav").write_bytes(wav(1.0))
    lines = [json.dumps({"audio_filepath": "good.wav", "text": "a", "room": 3})]
    for name, (content, row, _) in BAD.items():
        if callable(content):
            content(tmp_path / name)
        elif content is not None:
            (tmp_path / name).write_bytes(content)
        lines.append(json.dumps({"audio_filepath": name, "text": "a", **row}))
    source = tmp_path / "manifest.jsonl"
    source.write_text("\n".join([*lines, *BAD_LINES]))
    output = tmp_path / "out"
    assert featurize(source, output, "--set", "max_failure_rate=1.0", "--set", "alphabet=abc") == 0
    failures = [json.loads(line) for line in (output / "failures.jsonl").read_text().splitlines()]
    found = sorted((row["audio_filepath"], row["reason"]) for row in failures)
    number = len(lines) + 1
    expected = [(name, reason) for name, (_, _, reason) in BAD.items()]
    for line, (text, reason) in enumerate(BAD_LINES.items(), start=number):
        named = {"duplicate": "good.wav"}.get(reason, "x.wav" if "both" in text else f"{source}:{line}")
        expected.append((named, reason))
    assert found == sorted(expected)
    assert all(len(row["message"]) > 10 for row in failures)
    (good,) = rows(output)
    assert (good["audio_filepath"], json.loads(good["extra"])) == ("good.wav", {"room": 3})
    described = json.loads((output / "corpus.json").read_text())
    assert sum(described["failures"].values()) == len(failures)
    assert not set(described["failures"]) - set(REASONS)  # the page has a sentence for each


def test_segments_of_a_kaldi_directory_are_the_stretches_they_say(tmp_path):
    (tmp_path / "call.wav").write_bytes(wav(4.0))
    (tmp_path / "wav.scp").write_text("call call.wav\n")
    (tmp_path / "segments").write_text("s1 call 0.5 1.5\ns2 call 1.5 -1\n")
    (tmp_path / "text").write_text("s1 ONE\ns2 TWO\n")
    settings = FeaturizeSettings()
    (unit,) = plan_units(read_corpus(str(tmp_path)), 3600.0, lambda row: "train")
    (result,) = featurize_unit(unit, settings=settings)
    assert result.failures == []
    first, second = result.table.to_pylist()
    assert (first["id"], first["offset"], first["duration"], first["text"]) == ("call.wav#0@0.5", 0.5, 1.0, "ONE")
    assert (second["id"], second["duration"]) == ("call.wav#0@1.5", 2.5)
    samples, _ = soundfile.read(tmp_path / "call.wav", dtype="float32", start=4000, stop=12000)
    alone = tmp_path / "alone.wav"
    alone.write_bytes(wav(1.0, samples=samples))
    row = Utterance("alone.wav", str(alone), text="ONE")
    (alone_result,) = featurize_unit(Unit(0, "train", (row,), ()), settings=settings)
    (whole,) = alone_result.table.to_pylist()
    assert whole["features"] == first["features"]


def test_a_unit_comes_in_parts_of_bounded_size_that_are_together_the_whole(archive, monkeypatch):
    source = str(archive / "references.jsonl")
    (unit,) = plan_units(read_corpus(source), 3600.0, lambda row: "train")
    (whole,) = featurize_unit(unit, settings=FeaturizeSettings())
    most = max(len(row["features"]) for row in whole.table.to_pylist())
    monkeypatch.setattr(io, "ROW_GROUP_BYTES", 2 * most)
    parts = list(featurize_unit(unit, settings=FeaturizeSettings()))
    tables = [part.table for part in parts if part.table is not None]
    assert len(tables) > 2
    assert all(sum(map(len, table["features"].to_pylist())) < 3 * most for table in tables)
    assert pa.concat_tables(tables).to_pylist() == whole.table.to_pylist()
    assert sum(part.seconds for part in parts) == pytest.approx(whole.seconds)
    assert functools.reduce(add_counts, (part.counts for part in parts)) == whole.counts
