"""Some utterances of a corpus to look at and to listen to: a picture of the features, and the audio, as data URIs."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from numpy.typing import NDArray
from PIL import Image

import pipelines.io as io
from asr_model.audio import AudioError, decode, resample, select_channels
from asr_model.examples import FeaturizeSettings
from asr_model.features import from_bytes
from asr_model.records import Example, from_table, row_groups

__all__ = ["Exhibit", "choose_exhibits", "picture"]

NUM_EXHIBITS = 10
MAX_SECONDS = 8.0
"""The beginning of an utterance that is shown and heard: ten of them are a page of at most some 2 MB."""
PLAYER_HZ = 16_000
COLOURS = np.array(
    [
        (0, 0, 4),
        (40, 11, 84),
        (101, 21, 110),
        (159, 42, 99),
        (212, 72, 66),
        (245, 125, 21),
        (250, 193, 39),
        (252, 255, 164),
    ]
)
"""Matplotlib's inferno at even distances."""
PALETTE = np.stack(
    [np.interp(np.linspace(0, len(COLOURS) - 1, 256), np.arange(len(COLOURS)), band) for band in COLOURS.T], axis=1
)


@dataclass(frozen=True)
class Exhibit:
    """An utterance to show; ``audio`` is empty where the recording could not be read again."""

    example: Example
    picture: str
    audio: str
    seconds: float


def choose_exhibits(files: Sequence[str], source: str, settings: FeaturizeSettings) -> list[Exhibit]:
    """Return some examples of some shards, evenly spread, always the same; augmented copies are left out.

    ``source`` is the corpus, from which the paths of the recordings are seen.
    """
    frames_per_second = settings.features.sample_rate / settings.features.hop_length
    exhibits = []
    for example in _choose(files):
        values = from_bytes(example.features, example.num_frames, settings.features.dtype)
        shown = values[: round(MAX_SECONDS * frames_per_second)]
        audio = _player(example, source, settings)
        exhibits.append(Exhibit(example, picture(shown), audio, min(example.duration, MAX_SECONDS)))
    return exhibits


def picture(values: NDArray[Any]) -> str:
    """Return features (T, F) as a PNG data URI: time to the right, the first feature at the bottom."""
    low, high = np.percentile(values.astype(np.float32), [1, 99.7])
    scaled = np.clip((values.astype(np.float32) - low) / max(float(high - low), 1e-6), 0, 1)
    image = Image.fromarray(np.ascontiguousarray((scaled * 255).astype(np.uint8).T[::-1]))
    image.putpalette(PALETTE.round().astype(np.uint8).tobytes())
    file = BytesIO()
    image.save(file, "PNG", optimize=True)
    return _data_uri("image/png", file.getvalue())


def _choose(files: Sequence[str]) -> Iterator[Example]:
    """Yield up to NUM_EXHIBITS examples: of as many files as there are, and of each the same number."""
    spread = [files[i * len(files) // NUM_EXHIBITS] for i in range(NUM_EXHIBITS)] if files else []
    for path in dict.fromkeys(spread):
        with io.open_file(path) as file:
            group = next(row_groups(file), None)
            if group is None:
                continue
            originals = [row for row, copy in enumerate(group["copy"].to_pylist()) if not copy]
            wanted = min(spread.count(path), len(originals))
            rows = [originals[i * len(originals) // wanted] for i in range(wanted)]
            yield from from_table(Example, group.take(rows))


def _player(example: Example, source: str, settings: FeaturizeSettings) -> str:
    """Return the beginning of an example's audio as a data URI, an empty string where it cannot be had.

    FLAC: MP3 would be a third of it, and take twenty times as long to make.
    """
    folder = source if not io.is_url(source) and Path(source).is_dir() else source.rpartition("/")[0]
    for path in (io.join(folder, example.audio_filepath), example.audio_filepath):
        try:
            with io.open_file(path) as file:
                audio = decode(file, settings.audio, example.offset or 0.0, min(example.duration, MAX_SECONDS))
            mix = settings.audio.channels == "mix"
            ((_, samples),) = select_channels(audio, "mix" if mix else example.channel, settings.audio.channels)
            file_like = BytesIO()
            soundfile.write(file_like, resample(samples, audio.sample_rate, PLAYER_HZ), PLAYER_HZ, format="FLAC")
            return _data_uri("audio/flac", file_like.getvalue())
        except (OSError, AudioError, soundfile.LibsndfileError):
            continue
    return ""


def _data_uri(kind: str, data: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"
