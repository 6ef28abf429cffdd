"""Compare `beamscribe evaluate` with `jiwer.process_words` on the same texts in as many processes.

Example:
    python benchmarks/evaluate.py --utterances 1000000
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

WORD_ERROR_RATE = 0.1
LETTERS = "abcdefghijklmnopqrstuvwxyz"


def main() -> int:
    """Print wall and processor time and the peak memory of a process of both, and the ratios."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--utterances", type=int, default=1_000_000, help="of 1 to 23 words (default %(default)s)")
    parser.add_argument("--workers", type=int, default=2, help="processes (default %(default)s)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        write_texts(Path(name), options.utterances)
        jiwer = measured([sys.executable, __file__, "--jiwer", name, str(options.workers)])
        files = ["--input", f"{name}/system.jsonl", "--reference", f"{name}/references.jsonl"]
        command = [sys.executable, "-m", "pipelines", "evaluate", *files, "--output", f"{name}/report"]
        multi = [f"--direct_num_workers={options.workers}", "--direct_running_mode=multi_processing"]
        ours = measured([*command, *multi])
        summary = json.loads(Path(name, "report", "summary.json").read_text())
        errors = sum(summary[kind] for kind in ("substitutions", "deletions", "insertions"))
        assert errors == json.loads(Path(name, "jiwer.json").read_text())
    for label, (wall, processor, memory) in {"jiwer": jiwer, "beamscribe": ours}.items():
        print(f"{label:12} {wall:7.1f} s wall {processor:7.1f} s processor {memory:7.2f} GB in the largest process")
    print(f"speed        {jiwer[0] / ours[0]:7.2f}        {jiwer[1] / ours[1]:7.2f}")
    return 0


def write_texts(folder: Path, number: int) -> None:
    """Write references and a system's transcripts with some 10 % of errors, each as JSON lines."""
    draw = random.Random(0)
    vocabulary = ["".join(draw.choices(LETTERS, k=draw.randrange(2, 9))) for _ in range(20_000)]
    with (
        open(folder / "references.jsonl", "w", encoding="utf-8") as references,
        open(folder / "system.jsonl", "w", encoding="utf-8") as system,
    ):
        for count in range(number):
            words = draw.choices(vocabulary, k=draw.randrange(1, 24))
            said = []
            for word in words:
                chance = draw.random()
                if chance > 0.08:
                    said.append(word)
                elif chance < 0.06:
                    said.append(draw.choice(vocabulary))
                if draw.random() < 0.02:
                    said.append(draw.choice(vocabulary))
            path = f"day-{count % 30}/{count:07d}.wav"
            references.write(json.dumps({"audio_filepath": path, "text": " ".join(words), "duration": 4.2}) + "\n")
            system.write(json.dumps({"audio_filepath": path, "pred_text": " ".join(said), "duration": 4.2}) + "\n")


def measured(command: list[str]) -> tuple[float, float, float]:
    """Run ``command`` and return its wall time, its processes' processor time (seconds) and largest memory (GB)."""
    started = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    # Of this process and those it waited for, not of the ones measured before.
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise subprocess.CalledProcessError(os.waitstatus_to_exitcode(status), command)
    return time.monotonic() - started, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1e6


def with_jiwer(folder: Path, workers: int) -> None:
    """Read the same files, call jiwer in processes of which each has an equal part, and write the sum of errors."""
    texts = []
    for name, column in (("references", "text"), ("system", "pred_text")):
        with open(folder / f"{name}.jsonl", encoding="utf-8") as file:
            texts.append([json.loads(line)[column] for line in file])
    size = -(-len(texts[0]) // workers)
    parts = [
        (texts[0][start : start + size], texts[1][start : start + size]) for start in range(0, len(texts[0]), size)
    ]
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        errors = sum(pool.map(count_errors, parts))
    (folder / "jiwer.json").write_text(json.dumps(errors))


def count_errors(part: tuple[list[str], list[str]]) -> int:
    """Return the word errors of some texts, by jiwer."""
    import jiwer

    result = jiwer.process_words(*part)
    return result.substitutions + result.deletions + result.insertions


if __name__ == "__main__":
    if sys.argv[1:2] == ["--jiwer"]:
        with_jiwer(Path(sys.argv[2]), int(sys.argv[3]))
    else:
        sys.exit(main())
