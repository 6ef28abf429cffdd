"""Corpora and outputs of an object store: the same rows and the same bytes as on a disk."""

from __future__ import annotations

import dataclasses
import gzip
import json

import memory_filesystem
import pytest
from conftest import contents

import pipelines.io as io
from pipelines.__main__ import main
from pipelines.corpora import read_corpus
from pipelines.reading import read_text

BUCKET = "mem://bucket/corpus"
RECORDING = {"id": "r", "sources": [{"type": "file", "channels": [0], "source": "a.wav"}], "duration": 2.0}
SUPERVISION = {"id": "s", "recording_id": "r", "start": 0.5, "duration": 1.0, "channel": 0, "text": "hi"}
LAYOUTS = {
    "manifest": {"manifest.jsonl": '{"audio_filepath": "a.wav", "text": "hi", "duration": 1}\n'},
    "table": {"t.tsv": "client_id\tpath\tsentence\nann\tx.mp3\thello\n"},
    "kaldi": {"wav.scp": "r a.wav\n", "segments": "s r 0.5 1\n", "text": "s HI\n", "utt2spk": "s ann\n"},
    "lhotse": {
        "recordings.jsonl.gz": gzip.compress(json.dumps(RECORDING).encode() + b"\n"),
        "supervisions.jsonl.gz": gzip.compress(json.dumps(SUPERVISION).encode() + b"\n"),
    },
    "ljspeech": {"metadata.csv": "LJ1|One.|one\n"},
    "folder": {"1/1-2-0.flac": "x", "1/1-2.trans.txt": "1-2-0 A B\n", "b/c.wav": "xyz", "b/c.txt": "hello\n"},
}


@pytest.fixture(autouse=True)
def store(monkeypatch):
    """Yield an empty object store."""
    monkeypatch.setattr(memory_filesystem, "OBJECTS", {})
    monkeypatch.setattr(memory_filesystem, "TIMES", {})
    return memory_filesystem.OBJECTS


def rows(source, top):
    """Return the rows of a corpus with paths seen from its top."""
    found = []
    for row, num_bytes in read_corpus(source):
        row = read_text(row)
        names = {name: getattr(row, name).removeprefix(f"{top}/") for name in ("path", "audio_filepath")}
        found.append((dataclasses.replace(row, **names), num_bytes))
    return found


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_reads_from_an_object_store_as_from_a_disk(layout, tmp_path, store):
    for name, content in LAYOUTS[layout].items():
        data = content if isinstance(content, bytes) else content.encode()
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(data)
        store[f"{BUCKET}/{name}"] = data
    end = "/t.tsv" if layout == "table" else ""
    remote, local = rows(BUCKET + end, BUCKET), rows(f"{tmp_path}{end}", tmp_path)
    assert remote == local
    assert local


def test_shards_of_an_object_store_have_the_bytes_of_those_on_a_disk_and_a_rerun_changes_nothing(
    archive, tmp_path, store
):
    lines = [json.loads(line) | {"duration": 4.0} for line in (archive / "references.jsonl").read_text().splitlines()]
    (tmp_path / "manifest.jsonl").write_text("\n".join(map(json.dumps, lines)))
    for path in archive.glob("*.wav"):
        (tmp_path / path.name).symlink_to(path)
    for path in tmp_path.iterdir():
        store[f"{BUCKET}/{path.name}"] = path.read_bytes()
    features = "features={n_mels: 20, sample_rate: 8000, n_fft: 256, win_length: 200, hop_length: 80, f_max: 4000.0}"
    arguments = ["--set", features, "--set", "unit_minutes=0.2", "--direct_num_workers=1"]
    remote = ["featurize", "--input", f"{BUCKET}/manifest.jsonl", "--output", "mem://bucket/out", *arguments]
    assert main(remote) == 0
    assert main(["featurize", "--input", f"{tmp_path}/manifest.jsonl", "--output", f"{tmp_path}/out", *arguments]) == 0
    prefix = "mem://bucket/out/"
    written = {path.removeprefix(prefix): data for path, data in store.items() if path.startswith(prefix)}
    local = contents(tmp_path / "out")
    assert written.keys() == local.keys()
    shards = {path for path in local if path.endswith((".parquet", "corpus.json", "failures.jsonl"))}
    assert {path: written[path] for path in shards} == {path: local[path] for path in shards}
    before = dict(memory_filesystem.TIMES)
    assert main(remote) == 0
    again = {path for path, time in memory_filesystem.TIMES.items() if time != before[path]}
    assert not {path for path in again if "/part-" in path or "/_units/" in path}


@pytest.mark.parametrize("name", ["calls [2024]", "a*b", "what?"])
def test_the_name_of_a_folder_is_no_pattern(name, store):
    folder, claim = f"mem://bucket/{name}", {"verb": "featurize", "settings": {}}
    others = {f"mem://bucket/{other}/kept": b"x" for other in ("calls 2", "calls ?2024?", "a-b", "whats")}
    store.update(others)
    for _ in range(2):
        io.claim_folder(folder, claim, overwrite=False)
        io.write_file(f"{folder}/train/part-0.parquet", b"xy")
    assert io.list_folder(folder, "*/part-*") == [(f"{folder}/train/part-0.parquet", 2)]
    assert io.size_and_time(f"{folder}/train/part-0.parquet") == (2, 2.0)
    with pytest.raises(FileNotFoundError):
        io.size_and_time(f"{folder}/train/part-1.parquet")
    io.claim_folder(folder, {**claim, "verb": "transcribe"}, overwrite=True)
    assert store.keys() == {*others, f"{folder}/{io.RUN_FILE}"}


def test_what_fails_half_way_is_no_object(store):
    with pytest.raises(ZeroDivisionError):
        io.write_lines("mem://bucket/out/file", (f"{1 / number}" for number in (2, 1, 0)))
    assert not store
