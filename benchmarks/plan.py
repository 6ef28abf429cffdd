"""Measure how long it takes to plan the units of a large corpus, from a manifest and from a folder, and the memory.

Example:
    python benchmarks/plan.py --rows 1000000
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path


def main() -> int:
    """Print processor time and memory of planning a manifest with durations, and a folder of empty files."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000, help="recordings (default %(default)s)")
    parser.add_argument("--plan", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.plan:
        print(planned(options.plan))
        return 0
    with tempfile.TemporaryDirectory() as name:
        for make in (make_manifest, make_folder):
            source = make(Path(name), options.rows)
            shown = subprocess.run([sys.executable, __file__, "--plan", source], check=True, stdout=subprocess.PIPE)
            print(f"{make.__name__.removeprefix('make_')}: {shown.stdout.decode().strip()}", flush=True)
    return 0


def make_manifest(folder: Path, num_rows: int) -> str:
    """Write a manifest of utterances of 7.5 seconds, and return its path."""
    path = folder / "manifest.jsonl"
    with path.open("w") as file:
        for number in range(num_rows):
            row = {
                "audio_filepath": f"speaker-{number % 5000:04d}/utterance-{number:07d}.flac",
                "text": "the quick brown fox jumps over the lazy dog and so on",
                "duration": 7.5,
                "speaker": f"speaker-{number % 5000:04d}",
            }
            file.write(json.dumps(row) + "\n")
    return str(path)


def make_folder(folder: Path, num_rows: int) -> str:
    """Make a folder of files, a thousand in each folder below it, and return its path."""
    for number in range(num_rows):
        path = folder / "audio" / f"{number // 1000:05d}" / f"{number:07d}.flac"
        if number % 1000 == 0:
            path.parent.mkdir(parents=True)
        path.touch()
    return str(folder / "audio")


def planned(source: str) -> str:
    """Plan a corpus and return what that took."""
    from asr_model.examples import FeaturizeSettings, split_of
    from pipelines.corpora import find_corpus, read_corpus
    from pipelines.planning import plan_units

    settings = FeaturizeSettings()
    before, started = resource.getrusage(resource.RUSAGE_SELF), time.process_time()
    find_corpus(source)
    found = time.process_time() - started
    num_units = num_rows = 0
    for unit in plan_units(read_corpus(source), settings.unit_seconds, lambda row: split_of(row, settings.split)):
        num_units += 1
        num_rows += len(unit.utterances)
    seconds = time.process_time() - started
    more = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before.ru_maxrss) / 1024
    return (
        f"{num_rows:,} rows, {num_units:,} units, {seconds:.1f} s of processor time "
        f"({found:.2f} s before the job starts), {more:.0f} MB more memory"
    )


if __name__ == "__main__":
    sys.exit(main())
