"""Compare `beamscribe featurize` with other ways to the same features, from one FLAC corpus, on two processes.

AN4 (or another folder with a ``manifest.jsonl``) is encoded as FLAC in a temporary folder and repeated under new ids.
Every contestant decodes, computes 80 log-mel bands of 25 ms every 10 ms, and stores them; they take turns, and medians
of the repeats count, start-up included.

    pool      soundfile, torchaudio and pyarrow in a plain pool of processes
    bare      the functions that beamscribe calls (decode, resample, features, Parquet) in the same plain pool
    lhotse    CutSet.compute_and_store_features (beamscribe[bench] installs it and its storages)
    datasets  Hugging Face datasets: map of soundfile and torchaudio

Example:
    python benchmarks/featurize.py --hours 5
    python benchmarks/featurize.py --scale 1,20 --long-hours 10
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

WORKERS = 2
UNIT_SECONDS = 900.0
"""Of a shard of the plain pools, what beamscribe makes of five hours; more would leave a process without work."""
ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
CONTESTANTS = ("beamscribe", "pool", "bare", "datasets", "lhotse")


def main() -> None:
    """Print wall time, processor time and greatest memory of a process, and each contestant's ratio to beamscribe."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default="../shared/data/an4", help="folder of speech (default %(default)s)")
    parser.add_argument("--hours", type=float, default=5.0, help="of audio (default %(default)s)")
    parser.add_argument("--repeats", type=int, default=3, help="of each, in turn (default %(default)s)")
    parser.add_argument("--of", default=",".join(CONTESTANTS), help="contestants (default %(default)s)")
    parser.add_argument("--scale", help="hours, as 1,5,20: beamscribe alone, on corpora of these sizes")
    parser.add_argument(
        "--long-hours",
        type=float,
        help="with --scale: once more with a file of this length, whole and in segments",
    )
    parser.add_argument(
        "--storage", default="NumpyFilesWriter", help="lhotse's; this one was the fastest of five (default %(default)s)"
    )
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        recordings = encode(Path(options.data), folder / "flac")
        if options.scale:
            sizes = [float(hours) for hours in options.scale.split(",")]
            compare_sizes(sizes, recordings, folder, options.repeats, options.long_hours)
        else:
            rows = repeated(recordings, options.hours)
            write_manifest(folder / "corpus.jsonl", rows)
            hours = sum(row["duration"] for row in rows) / 3600
            print(f"{len(rows)} recordings, {hours:.2f} h of FLAC, {WORKERS} processes, median of {options.repeats}")
            compare(options.of.split(","), folder, options.repeats, options.storage)


def compare(names: list[str], folder: Path, repeats: int, storage: str) -> None:
    """Let contestants take turns and print how they did."""
    taken: dict[str, list[Usage]] = {name: [] for name in names}
    for _ in range(repeats):
        for name in names:
            taken[name].append(run(name, folder / "corpus.jsonl", folder / "out", storage))
    middle = {name: median(usages) for name, usages in taken.items()}
    wall, processor, _ = middle["beamscribe"]
    print("              wall s  processor s  peak MB   wall / beamscribe's  processor / beamscribe's")
    for name, usage in middle.items():
        print(
            f"{name:12} {usage[0]:7.1f} {usage[1]:12.1f} {usage[2]:8.0f} "
            f"{usage[0] / wall:21.2f} {usage[1] / processor:25.2f}"
        )


def compare_sizes(
    sizes: list[float], recordings: list[dict[str, Any]], folder: Path, repeats: int, long_hours: float | None
) -> None:
    """Print the throughput and the memory of beamscribe by size of the corpus, in all and beyond the first minutes."""
    corpora = [(repeated(recordings, hours), "") for hours in sizes]
    if long_hours:
        long_rows = long_recording(recordings, folder / "long.flac", long_hours)
        corpora.append((corpora[0][0] + long_rows, f", {long_hours:g} h of it in one file"))
    # In turn: the start is seconds, which change with what else the machine does, and a small corpus is hardly more.
    first = first_minutes(recordings)
    turns = [[measured(rows, folder) for rows in (first, *(rows for rows, _ in corpora))] for _ in range(repeats)]
    start, *taken = [median(list(usages)) for usages in zip(*turns, strict=True)]
    # Against the start of the same turn: it swings by as much as an hour of audio takes.
    beyond = [statistics.median(turn[n][0] - turn[0][0] for turn in turns) for n in range(1, 1 + len(corpora))]
    print(f"the first minutes of audio: {start[0]:.1f} s, of the processors {start[1]:.1f} s")
    print("hours    wall s  processor s  peak MB  hours of audio per minute  beyond the first minutes of audio")
    for (rows, what), (wall, processor, memory), seconds in zip(corpora, taken, beyond, strict=True):
        real = hours_of(rows)
        rate = (real - hours_of(first)) / seconds * 60
        print(f"{real:5.2f} {wall:9.1f} {processor:12.1f} {memory:8.0f} {real / wall * 60:20.1f}{rate:30.1f}{what}")


def first_minutes(recordings: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the first recordings that make a unit for each worker: every process has then done all it does once."""
    from pipelines.planning import LEAST_SECONDS

    ends = itertools.accumulate(row["duration"] for row in recordings)
    return [row for row, end in zip(recordings, ends, strict=True) if end <= WORKERS * LEAST_SECONDS]


def hours_of(rows: list[dict[str, Any]]) -> float:
    """Return the hours of audio in ``rows``."""
    return sum(float(row.get("duration", 0.0)) for row in rows) / 3600


def measured(rows: list[dict[str, Any]], folder: Path) -> Usage:
    """Return what beamscribe takes for a corpus."""
    write_manifest(folder / "corpus.jsonl", rows)
    return run("beamscribe", folder / "corpus.jsonl", folder / "out", "")


Usage = tuple[float, float, float]


def median(usages: list[Usage]) -> Usage:
    """Return the median of each measure."""
    wall, processor, memory = (statistics.median(values) for values in zip(*usages, strict=True))
    return wall, processor, memory


def run(name: str, manifest: Path, output: Path, storage: str) -> Usage:
    """Return wall seconds, processor seconds of all processes and MB of the largest one."""
    shutil.rmtree(output, ignore_errors=True)
    command = [sys.executable, __file__, "--run", name, str(manifest), str(output), storage]
    if name == "beamscribe":
        command = [sys.executable, "-m", "pipelines", "featurize", "--input", str(manifest), "--output", str(output)]
        command += ["--direct_running_mode=multi_processing", f"--direct_num_workers={WORKERS}"]
        command += ["--set", "split.dev=0"]
    started = time.monotonic()
    process = subprocess.Popen(
        command, env={**os.environ, **ONE_THREAD}, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    assert process.stderr
    errors = process.stderr.read()
    _, status, used = os.wait4(process.pid, 0)
    wall = time.monotonic() - started
    if status:
        raise SystemExit(f"{name}: exit status {status}\n{errors[-3000:]}")
    return wall, used.ru_utime + used.ru_stime, largest(used)


def largest(used: resource.struct_rusage) -> float:
    """Return the greatest resident memory in MB of a process that was waited for, or of one of its own."""
    return float(used.ru_maxrss) / 1024


def encode(data: Path, folder: Path) -> list[dict[str, Any]]:
    """Return the rows of a manifest, their recordings encoded anew as FLAC below ``folder``."""
    import soundfile

    folder.mkdir()
    rows = []
    for number, line in enumerate((data / "manifest.jsonl").read_text().splitlines()):
        row = json.loads(line)
        samples, sample_rate = soundfile.read(data / row["audio_filepath"], dtype="int16")
        path = folder / f"{number:05d}.flac"
        soundfile.write(path, samples, sample_rate)
        rows.append({**row, "audio_filepath": str(path), "duration": len(samples) / sample_rate})
    return rows


def repeated(recordings: list[dict[str, Any]], hours: float) -> list[dict[str, Any]]:
    """Return rows of at least ``hours`` of audio: the recordings under one new name after another."""
    rows: list[dict[str, Any]] = []
    seconds, copy = 0.0, 0
    while seconds < hours * 3600:
        for row in recordings:
            source = Path(row["audio_filepath"])
            path = source.with_name(f"{copy:03d}-{source.name}")
            if not path.exists():
                os.link(source, path)
            rows.append({**row, "audio_filepath": str(path)})
            seconds += row["duration"]
            if seconds >= hours * 3600:
                break
        copy += 1
    return rows


def long_recording(recordings: list[dict[str, Any]], path: Path, hours: float) -> list[dict[str, Any]]:
    """Write one FLAC file of ``hours`` and return its rows: the whole, which is refused as too long, and segments."""
    import soundfile

    rows: list[dict[str, Any]] = [{"audio_filepath": str(path), "text": "too long", "speaker": "long"}]
    seconds = 0.0
    with soundfile.SoundFile(path, "w", 16000, 1, format="FLAC", subtype="PCM_16") as file:
        while seconds < hours * 3600:
            for row in recordings:
                samples, _ = soundfile.read(row["audio_filepath"], dtype="int16")
                file.write(samples)
                rows.append({**row, "audio_filepath": str(path), "offset": seconds})
                seconds += row["duration"]
    return rows


def write_manifest(path: Path, rows: list[dict[str, Any]]) -> None:
    """Write rows as JSON lines."""
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def read_manifest(path: Path) -> list[dict[str, Any]]:
    """Return the rows of JSON lines."""
    return [json.loads(line) for line in path.read_text().splitlines()]


def units(rows: list[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    """Yield rows in groups of UNIT_SECONDS."""
    unit, seconds = [], 0.0
    for row in rows:
        unit.append(row)
        seconds += row["duration"]
        if seconds >= UNIT_SECONDS:
            yield unit
            unit, seconds = [], 0.0
    if unit:
        yield unit


def in_pool(work: Any, manifest: Path, output: Path) -> None:
    """Do all units in a plain pool of processes."""
    (output / "train").mkdir(parents=True)
    with ProcessPoolExecutor(WORKERS, mp_context=get_context("spawn")) as pool:
        jobs = [
            pool.submit(work, unit, output / "train" / f"part-{number:06d}.parquet")
            for number, unit in enumerate(units(read_manifest(manifest)))
        ]
        for job in jobs:
            job.result()


def run_pool(manifest: Path, output: Path, storage: str) -> None:
    """Featurize with soundfile, torchaudio and pyarrow in a plain pool of processes."""
    in_pool(pool_unit, manifest, output)


def torchaudio_features() -> Any:
    """Return the function from samples to normalized log-mel values, by torchaudio."""
    import torch
    from torchaudio.transforms import MelSpectrogram

    torch.set_num_threads(1)
    transform = MelSpectrogram(16000, 512, 400, 160, 20.0, 8000.0, n_mels=80)

    def features(samples: Any) -> Any:
        with torch.inference_mode():
            values = transform(torch.from_numpy(samples)).T
            values = values.clamp(min=max(1e-10, float(values.max()) * 1e-8)).log()
            values = (values - values.mean(dim=0)) / values.std(dim=0, correction=0).clamp(min=0.5)
            return values.half().numpy()

    return features


def pool_unit(unit: list[dict[str, Any]], path: Path) -> None:
    """Write one shard, as one would without beamscribe."""
    import pyarrow as pa
    import pyarrow.parquet as pq
    import soundfile

    features = torchaudio_features()
    columns: dict[str, list[Any]] = {"audio_filepath": [], "text": [], "speaker": [], "num_frames": [], "features": []}
    for row in unit:
        samples, _ = soundfile.read(row["audio_filepath"], dtype="float32")
        values = features(samples)
        found = (row["audio_filepath"], row["text"], row["speaker"], len(values), values.tobytes())
        for name, value in zip(columns, found, strict=True):
            columns[name].append(value)
    pq.write_table(pa.table(columns), path, compression="zstd", use_dictionary=False)


def run_bare(manifest: Path, output: Path, storage: str) -> None:
    """Featurize by the functions that beamscribe calls, in a plain pool of processes."""
    in_pool(bare_unit, manifest, output)


def bare_unit(unit: list[dict[str, Any]], path: Path) -> None:
    """Write one shard with nothing but decoding, resampling, features and Parquet."""
    import pyarrow as pa
    import pyarrow.parquet as pq
    import soundfile

    from asr_model.audio import resample
    from asr_model.features import LogMel, compute_features, to_bytes

    settings = LogMel()
    columns: dict[str, list[Any]] = {"audio_filepath": [], "text": [], "speaker": [], "num_frames": [], "features": []}
    for row in unit:
        samples, sample_rate = soundfile.read(row["audio_filepath"], dtype="float32")
        values = compute_features(resample(samples, sample_rate, 16000), settings)
        found = (row["audio_filepath"], row["text"], row["speaker"], len(values), to_bytes(values))
        for name, value in zip(columns, found, strict=True):
            columns[name].append(value)
    pq.write_table(pa.table(columns), path, compression="zstd", use_dictionary=False, write_page_checksum=True)


def run_lhotse(manifest: Path, output: Path, storage: str) -> None:
    """Featurize with lhotse's Kaldi-like log-mel of 80 bands."""
    import lhotse.features.io
    from lhotse import CutSet, Fbank, FbankConfig, MonoCut, Recording
    from lhotse.audio import AudioSource

    cuts = []
    for row in read_manifest(manifest):
        path = Path(row["audio_filepath"])
        num_samples = round(row["duration"] * 16000)
        source = AudioSource("file", [0], str(path))
        recording = Recording(path.stem, [source], 16000, num_samples, num_samples / 16000)
        cuts.append(MonoCut(path.stem, 0, num_samples / 16000, 0, recording=recording))
    CutSet.from_cuts(cuts).compute_and_store_features(
        Fbank(FbankConfig(num_mel_bins=80)),
        output,
        num_jobs=WORKERS,
        storage_type=getattr(lhotse.features.io, storage),
        progress_bar=False,
    ).to_file(f"{output}.jsonl.gz")


def run_datasets(manifest: Path, output: Path, storage: str) -> None:
    """Featurize with datasets.map, which stores Arrow files."""
    os.environ["HF_DATASETS_OFFLINE"] = "1"
    from datasets import Dataset, Features, Value, disable_progress_bars

    disable_progress_bars()
    rows = [
        {name: row[name] for name in ("audio_filepath", "text", "speaker", "duration")}
        for row in read_manifest(manifest)
    ]
    wanted = {name: Value("string") for name in ("audio_filepath", "text", "speaker")}
    types = Features(
        {**wanted, "duration": Value("float64"), "num_frames": Value("int64"), "features": Value("binary")}
    )
    dataset = Dataset.from_list(rows).map(datasets_row, num_proc=WORKERS, features=types)
    dataset.save_to_disk(output, num_proc=WORKERS)


def datasets_row(row: dict[str, Any], made: list[Any] = []) -> dict[str, Any]:  # noqa: B006 - made once in a process
    """Return the features of a row."""
    import soundfile

    if not made:
        made.append(torchaudio_features())
    samples, _ = soundfile.read(row["audio_filepath"], dtype="float32")
    values = made[0](samples)
    return {"num_frames": len(values), "features": values.tobytes()}


if __name__ == "__main__":
    if sys.argv[1:2] == ["--run"]:
        _, _, name, manifest, output, storage = sys.argv
        globals()[f"run_{name}"](Path(manifest), Path(output), storage)
    else:
        main()
