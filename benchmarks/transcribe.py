"""Compare `beamscribe transcribe` with the same work in a plain pool of processes, without Beam.

Example:
    python benchmarks/transcribe.py --copies 10
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

EXAMPLES = Path(__file__).parents[1] / "examples"


def main() -> int:
    """Print wall and processor time of both, start-up included, and their ratios."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--copies", type=int, default=10, help="of the demo archive's ten calls (default %(default)s)")
    parser.add_argument("--workers", type=int, default=2, help="processes (default %(default)s)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        command = [sys.executable, str(EXAMPLES / "demo_archive.py"), "--output", str(folder / "demo")]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        archive = folder / "archive"
        archive.mkdir()
        for call in sorted((folder / "demo" / "archive").iterdir()):
            for copy in range(options.copies):
                os.link(call, archive / f"{copy:03d}-{call.name}")
        pool = measured([sys.executable, __file__, "--pool", str(archive), str(options.workers)])
        verb = ["transcribe", "--input", f"{archive}/*.wav", "--output", str(folder / "out")]
        beam = measured(
            [sys.executable, "-m", "pipelines", *verb, f"--direct_num_workers={options.workers}", *MULTI_PROCESSING]
        )
    for label, (wall, processor) in {"plain pool": pool, "beamscribe": beam}.items():
        print(f"{label:12} {wall:7.1f} s wall {processor:7.1f} s processor")
    print(f"ratio        {beam[0] / pool[0]:7.2f}        {beam[1] / pool[1]:7.2f}")
    return 0


MULTI_PROCESSING = ["--direct_running_mode=multi_processing"]


def measured(command: list[str]) -> tuple[float, float]:
    """Run ``command`` and return its wall time and its processes' processor time in seconds."""
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    processor = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return time.monotonic() - started, processor


def plain_pool(archive: str, workers: int) -> None:
    """Transcribe an archive in a pool of processes, ten recordings at a time."""
    paths = sorted(str(path) for path in Path(archive).iterdir())
    groups = [paths[start : start + 10] for start in range(0, len(paths), 10)]
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        list(pool.map(transcribe_group, groups))


def transcribe_group(paths: list[str]) -> list[str]:
    """Return the texts of recordings by the functions that `beamscribe transcribe` calls."""
    import torch

    from asr_model.recognizer import load_recognizer, recognizer_file
    from asr_model.records import Utterance
    from asr_model.transcription import Transcriber, TranscribeSettings
    from pipelines.resources import shipped_recognizer

    torch.set_num_threads(1)
    weights = recognizer_file(shipped_recognizer())
    recognizer = load_recognizer(Path(weights).read_bytes(), weights)
    transcriber = Transcriber(recognizer, TranscribeSettings())
    speeches = []
    for path in paths:
        with open(path, "rb") as file:
            speeches += transcriber.listen(file, Utterance(path, path))
    return [transcript.pred_text for transcript in transcriber.transcripts(speeches)]


if __name__ == "__main__":
    if sys.argv[1:2] == ["--pool"]:
        plain_pool(sys.argv[2], int(sys.argv[3]))
    else:
        sys.exit(main())
