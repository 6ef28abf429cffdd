"""Compare `compute_features` with torchaudio's MelSpectrogram and a logarithm: same values, one core.

Example:
    python benchmarks/log_mel.py
"""

from __future__ import annotations

import argparse
import os
import statistics
import time

os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"

import numpy as np
import torch
from torchaudio.transforms import MelSpectrogram

from asr_model.features import LogMel, compute_features

SECONDS = (3, 10, 60, 600)


def main() -> None:
    """Print milliseconds for a minute of audio, their ratio and the greatest difference, by length of recording."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=15, help="of each, in turn; medians count (default %(default)s)")
    options = parser.parse_args()
    torch.set_num_threads(1)
    settings = LogMel(normalization="none", top_db=None)
    transform = MelSpectrogram(16000, 512, 400, 160, 20.0, 8000.0, n_mels=80)

    def of_torchaudio(recordings: list[torch.Tensor]) -> list[torch.Tensor]:
        with torch.inference_mode():
            return [transform(samples).clamp(min=1e-10).log() for samples in recordings]

    print("recording  torchaudio  beamscribe   ratio  greatest difference  beyond 1e-4")
    for seconds in SECONDS:
        draw = np.random.default_rng(seconds)
        num_samples, copies = 16000 * seconds, max(1, 60 // seconds)
        arrays = [(0.1 * draw.normal(size=num_samples)).astype(np.float32) for _ in range(copies)]
        tensors = [torch.from_numpy(samples) for samples in arrays]
        differences = np.abs(of_torchaudio(tensors)[0].T.numpy() - compute_features(arrays[0], settings))
        theirs, ours = [], []
        for _ in range(options.repeats):
            started = time.process_time()
            of_torchaudio(tensors)
            between = time.process_time()
            for samples in arrays:
                compute_features(samples, settings)
            theirs.append(between - started)
            ours.append(time.process_time() - between)
        per_minute = 60000 / (seconds * copies)
        their, our = (statistics.median(times) * per_minute for times in (theirs, ours))
        print(
            f"{seconds:7} s {their:8.1f} ms {our:8.1f} ms {their / our:7.2f} {differences.max():19.1e}  "
            f"{(differences > 1e-4).sum()} of {differences.size}"
        )


if __name__ == "__main__":
    main()
