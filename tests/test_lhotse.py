from __future__ import annotations

import gzip
import json

import pytest

import pipelines.io as io
from asr_model.records import Failure, Utterance
from pipelines.corpora import find_corpus, read_corpus


def recording(name, *sources, duration=10.0, **more):
    channels = [channel for source in sources for channel in source["channels"]]
    row = {"id": name, "sources": list(sources), "sampling_rate": 8000, "num_samples": int(duration * 8000)}
    return {**row, "duration": duration, "channel_ids": channels, **more}


def file(path, *channels, kind="file"):
    return {"type": kind, "channels": list(channels), "source": path}


def supervision(name, recording, start, duration, channel=0, **more):
    row = {"id": name, "recording_id": recording, "start": start, "duration": duration, "channel": channel}
    return {**row, "text": f"text of {name}", "language": "English", "speaker": "bob", **more}


RECORDINGS = [
    recording("mono", file("/data/mono.flac", 0)),
    recording("call", file("calls/call.wav", 0, 1)),
    recording("array", file("array-1.wav", 0), file("array-2.wav", 1, 2)),
    recording("piped", file("cat x |", 0, kind="command")),
    recording("fast", file("/data/mono.flac", 0), transforms=[{"name": "Speed", "kwargs": {"factor": 1.1}}]),
]


def write(folder, recordings=(), supervisions=(), name="{}.jsonl.gz"):
    for kind, rows in (("recordings", recordings), ("supervisions", supervisions)):
        lines = b"".join(row if isinstance(row, bytes) else json.dumps(row).encode() + b"\n" for row in rows)
        if rows:
            path = name.format(kind)
            io.write_file(str(folder / path), gzip.compress(lines) if path.endswith(".gz") else lines)
    return str(folder)


def rows(source, layout="auto"):
    return [row for row, _ in read_corpus(source, layout)]


def supervised(folder, *supervisions):
    return rows(write(folder, RECORDINGS, supervisions))


def test_supervisions_of_whole_recordings_and_of_stretches(tmp_path):
    whole, part = supervised(
        tmp_path, supervision("a", "mono", 0.0, 10.0), supervision("b", "mono", 2.5, 1.25, gender="F")
    )
    extra = {"language": "English", "utterance": "a"}
    assert whole == Utterance("/data/mono.flac", "/data/mono.flac", 0, "text of a", 10.0, "bob", extra)
    assert (part.offset, part.duration, part.extra["gender"]) == (2.5, 1.25, "F")


def test_channels_are_those_of_the_file_that_holds_them(tmp_path):
    found = supervised(
        tmp_path,
        supervision("a", "call", 0.0, 10.0, 1),
        supervision("b", "call", 1.0, 2.0, [0]),
        supervision("c", "call", 3.0, 2.0, [0, 1]),
        supervision("d", "array", 0.0, 10.0, 2),
        supervision("e", "array", 0.0, 10.0, 0),
    )
    assert [(row.audio_filepath, row.channel, row.offset) for row in found] == [
        ("calls/call.wav", 1, None),
        ("calls/call.wav", 0, 1.0),
        ("calls/call.wav", "mix", 3.0),
        ("array-2.wav", 1, None),
        ("array-1.wav", 0, None),
    ]
    assert found[0].path == f"{tmp_path}/calls/call.wav"


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (supervision("x", "gone", 0, 1), "recording gone: it is not in"),
        (supervision("x", "piped", 0, 1), "its source is a command; only files are read"),
        (supervision("x", "fast", 0, 1), "it has transforms"),
        (supervision("x", "call", 0, 1, 7), "channel is 7, wanted one, or all of a file, of [0, 1]"),
        (supervision("x", "array", 0, 1, [0, 1]), "channel is [0, 1]"),
        (supervision("x", "mono", -1.0, 0.5), "offset is -1.0"),
        ({"id": "x"}, "no supervision"),
        ([], "no supervision"),
        (b"{\n", "line 2"),
    ],
)
def test_a_supervision_that_cannot_be_used_is_a_failure(tmp_path, row, message):
    good, bad = supervised(tmp_path, supervision("a", "mono", 0.0, 10.0), row)
    assert isinstance(good, Utterance)
    assert (bad.reason, bad.audio_filepath) == ("bad-manifest-line", f"{tmp_path}/supervisions.jsonl.gz:2")
    assert message in bad.message


def test_recordings_alone_are_read_file_by_file(tmp_path):
    *found, piped, fast = rows(write(tmp_path, RECORDINGS))
    assert [(row.audio_filepath, row.channel, row.text, row.duration) for row in found] == [
        (name, None, None, 10.0) for name in ("/data/mono.flac", "calls/call.wav", "array-1.wav", "array-2.wav")
    ]
    assert isinstance(piped, Failure)
    assert isinstance(fast, Failure)


def test_a_bad_line_of_recordings_is_a_failure_too(tmp_path):
    bad, good = rows(write(tmp_path, [b"{no\n", *RECORDINGS], [supervision("a", "mono", 0.0, 10.0)]))
    assert (bad.audio_filepath, good.text) == (f"{tmp_path}/recordings.jsonl.gz:1", "text of a")


@pytest.mark.parametrize("named", ["recordings", "supervisions"])
@pytest.mark.parametrize("suffix", [".jsonl", ".jsonl.gz"])
def test_either_manifest_may_be_named(tmp_path, named, suffix):
    name = "an4_{}_dev" + suffix
    write(tmp_path, RECORDINGS, [supervision("a", "mono", 0.0, 10.0)], name)
    source = f"{tmp_path}/{name.format(named)}"
    assert find_corpus(source).layout == "lhotse"
    assert [row.text for row in rows(source)] == ["text of a"]


def test_a_folder_or_pattern_of_manifests_is_read_pair_by_pair(tmp_path):
    for split, name in (("dev", "mono"), ("train", "call")):
        write(tmp_path, RECORDINGS, [supervision(split, name, 0.0, 10.0)], f"an4_{{}}_{split}.jsonl.gz")
    assert [row.text for row in rows(str(tmp_path), "lhotse")] == ["text of dev", "text of train"]
    assert [row.text for row in rows(f"{tmp_path}/*train*", "lhotse")] == ["text of train"]


def test_supervisions_without_recordings_are_an_error(tmp_path):
    write(tmp_path, [], [supervision("a", "mono", 0.0, 10.0)])
    with pytest.raises(io.InputError, match=r"recordings\.jsonl\.gz: no such manifest, which"):
        rows(f"{tmp_path}/supervisions.jsonl.gz")
