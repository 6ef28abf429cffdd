"""What counting, limits and checks cost: `decode` against a bare `soundfile.read` of the same files, one core.

Example:
    python benchmarks/decode.py
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import soundfile

from asr_model.audio import AudioSettings, decode

FORMATS = [("WAV", "PCM_16"), ("WAV", "ULAW"), ("FLAC", "PCM_16"), ("MP3", "MPEG_LAYER_III"), ("OGG", "VORBIS")]
SECONDS = 5.0
NUM_FILES = 40
SETTINGS = AudioSettings()


def bare(path: Path) -> int:
    """Return the number of samples as soundfile reads them."""
    return len(soundfile.read(path, dtype="float32")[0])


def ours(path: Path) -> int:
    """Return the number of samples as `decode` counts them."""
    with path.open("rb") as file:
        return decode(file, SETTINGS).samples.shape[1]


def microseconds(read: Callable[[Path], int], paths: list[Path]) -> float:
    """Return the processor time that a file takes."""
    start = time.process_time()
    for path in paths:
        read(path)
    return (time.process_time() - start) / len(paths) * 1e6


def main() -> None:
    """Print processor time for a file of five seconds at 16 kHz, and the ratio, by format."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=9, help="of each, in turn; medians count (default %(default)s)")
    options = parser.parse_args()
    print("format             soundfile.read    decode   ratio")
    with tempfile.TemporaryDirectory() as folder:
        for container, subtype in FORMATS:
            paths = []
            for number in range(NUM_FILES):
                noise = np.random.default_rng(number).normal(size=round(SECONDS * 16000))
                # As in speech, more power is in the low frequencies.
                samples = 0.02 * np.convolve(noise, np.hanning(32), "same")
                paths.append(Path(folder) / f"{number}.{container.lower()}")
                soundfile.write(paths[-1], samples, 16000, format=container, subtype=subtype)
            if [bare(path) for path in paths] != [ours(path) for path in paths]:
                raise AssertionError(f"{container}: not the same number of samples")
            times = [(microseconds(bare, paths), microseconds(ours, paths)) for _ in range(options.repeats)]
            first, second = (statistics.median(column) for column in zip(*times, strict=True))
            ratio = statistics.median(b / a for a, b in times)
            print(f"{container + '/' + subtype:18} {first:11.0f} µs {second:6.0f} µs {ratio:7.2f}")


if __name__ == "__main__":
    main()
