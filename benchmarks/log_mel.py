"""Compare `compute_features` with torchaudio's MelSpectrogram and a logarithm: same values, one core.

Both are held against a DFT in float64: what differs from it by more than 1e-4 are bands that are as good as empty,
where float32 has no more digits; in a few of millions of values of white noise.

Example:
    python benchmarks/log_mel.py
"""

from __future__ import annotations

import argparse
import os
import time

os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"

import numpy as np
import torch
from numpy.typing import NDArray
from torchaudio.transforms import MelSpectrogram

from asr_model.features import LogMel, compute_features
from asr_model.mel import mel_filters

SECONDS = (3, 10, 60, 600)


def main() -> None:
    """Print milliseconds for a minute of audio, their ratio and the greatest difference, by length of recording."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--repeats",
        type=int,
        default=25,
        help="of each, in turn; the least time counts, as what else runs only adds to it (default %(default)s)",
    )
    options = parser.parse_args()
    torch.set_num_threads(1)
    settings = LogMel(normalization="none", top_db=None)
    transform = MelSpectrogram(16000, 512, 400, 160, 20.0, 8000.0, n_mels=80)

    def of_torchaudio(recordings: list[torch.Tensor]) -> list[torch.Tensor]:
        with torch.inference_mode():
            return [transform(samples).clamp(min=1e-10).log() for samples in recordings]

    print("recording  torchaudio  beamscribe   ratio    off float64 by more than 1e-4 (and at most)")
    for seconds in SECONDS:
        draw = np.random.default_rng(seconds)
        num_samples, copies = 16000 * seconds, max(1, 60 // seconds)
        arrays = [(0.1 * draw.normal(size=num_samples)).astype(np.float32) for _ in range(copies)]
        tensors = [torch.from_numpy(samples) for samples in arrays]
        exact = in_float64(arrays[0], settings)
        found = (of_torchaudio(tensors)[0].T.numpy(), compute_features(arrays[0], settings))
        off = [np.abs(values - exact) for values in found]
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
        their, our = min(theirs) * per_minute, min(ours) * per_minute
        print(
            f"{seconds:7} s {their:8.1f} ms {our:8.1f} ms {their / our:7.2f}    "
            + " and ".join(f"{(values > 1e-4).sum()} ({values.max():.0e})" for values in off)
            + f" of {exact.size} values"
        )


def in_float64(samples: NDArray[np.float32], settings: LogMel) -> NDArray[np.float64]:
    """Return log-mel values (T, M) by a Fourier transform in float64, a minute of frames at a time."""
    around = settings.n_fft // 2
    padded = np.pad(samples.astype(np.float64), around, mode="reflect")
    frames = np.lib.stride_tricks.sliding_window_view(padded, settings.n_fft)[:: settings.hop_length]
    window = np.zeros(settings.n_fft)
    start = around - settings.win_length // 2
    window[start : start + settings.win_length] = np.hanning(settings.win_length + 1)[:-1]
    filters = mel_filters(settings, None).astype(np.float64)
    parts = np.array_split(frames, 1 + len(frames) // 6000)
    energies = [np.square(np.abs(np.fft.rfft(part * window))) @ filters for part in parts]
    return np.log(np.maximum(np.concatenate(energies), settings.amin))


if __name__ == "__main__":
    main()
