"""Compare training on shards with the same network fed by a plain DataLoader over WAV files.

Example:
    python benchmarks/train.py --config configs/train-recognizer.yaml --minutes 20
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import soundfile
import torch
from torch.utils.data import DataLoader, Dataset

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "examples")]

from packages import default_cache  # noqa: E402
from recordings import spoken_words  # noqa: E402

import pipelines.io as io  # noqa: E402
from asr_model.audio import resample  # noqa: E402
from asr_model.batches import Step, length_buckets, read_examples, share_steps  # noqa: E402
from asr_model.config import load_settings, parse_yaml  # noqa: E402
from asr_model.examples import FeaturizeSettings, make_examples  # noqa: E402
from asr_model.networks import build_network  # noqa: E402
from asr_model.optimization import Losses, take_step  # noqa: E402
from asr_model.processes import Processes  # noqa: E402
from asr_model.records import Example, Utterance, to_table  # noqa: E402
from asr_model.run_state import RunState  # noqa: E402
from asr_model.text import Alphabet, normalize_text  # noqa: E402
from asr_model.train import TrainSettings  # noqa: E402

SAMPLE_RATE = 16000
FEATURES = FeaturizeSettings()


def main() -> int:
    """Print throughput, the part of the time that loading takes, and the part of the frames that is padding."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", type=Path, default=ROOT / "configs" / "train-recognizer.yaml")
    parser.add_argument("--minutes", type=float, default=10.0, help="of audio, one epoch each (default %(default)s)")
    parser.add_argument("--threads", type=int, default=0, help="of the processor (default: the config's)")
    options = parser.parse_args()
    text = options.config.read_text(encoding="utf-8")
    settings = load_settings(TrainSettings, parse_yaml(text, str(options.config)), str(options.config))
    torch.set_num_threads(options.threads or settings.threads or torch.get_num_threads())
    with tempfile.TemporaryDirectory() as name:
        utterances = compose(Path(name), options.minutes * 60)
        examples = [example for utterance in utterances for example in featurized(utterance)]
        shards = [f"{name}/{part}.parquet" for part in range(4)]
        for part, shard in enumerate(shards):
            io.write_parquet(shard, to_table(Example, examples[part::4], {}))
        alphabet = Alphabet.of(normalize_text(e.text) for e in examples)
        bucketed = list(length_buckets(examples, settings.batches, random.Random(0)))
        per_batch = max(1, len(examples) // len(bucketed))
        wav = Waves(utterances)
        plain = DataLoader(wav, per_batch, shuffle=True, collate_fn=list, generator=torch.Generator().manual_seed(0))

        def from_shards() -> Iterator[Step]:
            batches = length_buckets(read_examples(shards, io.open_file), settings.batches, random.Random(0))
            return share_steps(batches, alphabet, 1)

        measured(settings, alphabet, share_steps(bucketed[:1], alphabet, 1))  # what is slow only once
        rows = {
            "shards, bucketed": measured(settings, alphabet, from_shards()),
            "plain DataLoader over WAV": measured(settings, alphabet, share_steps(plain, alphabet, 1)),
        }
    print(f"{len(examples)} utterances, {torch.get_num_threads()} threads, {settings.precision}")
    for label, (wall, processor, loading, padding) in rows.items():
        speeds = f"{wall:6.1f} h of audio/h {processor:6.1f} h/h of processor time"
        print(f"{label:26} {speeds}, loading {loading:5.1%} of it, padding {padding:5.1%}")
    ours, theirs = rows.values()
    print(f"{'ratio':26} {ours[0] / theirs[0]:6.2f}                {ours[1] / theirs[1]:6.2f}")
    return 0


def compose(folder: Path, seconds: float) -> list[Utterance]:
    """Write WAV files of one to twelve spoken words of a voice, as many as ``seconds`` hold."""
    voices: dict[str, list[tuple[np.ndarray, str]]] = {}
    for path, text, speaker in spoken_words(default_cache()):
        samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
        voices.setdefault(speaker, []).append((resample(samples[:, 0], rate, SAMPLE_RATE), text))
    draw, utterances, written = random.Random(0), [], 0.0
    while written < seconds:
        speaker = draw.choice(sorted(voices))
        words = draw.choices(voices[speaker], k=draw.randint(1, 12))
        samples = np.concatenate([samples for samples, _ in words])
        path = str(folder / f"{len(utterances):05d}.wav")
        soundfile.write(path, samples, SAMPLE_RATE)
        utterances.append(Utterance(path, path, 0, " ".join(text for _, text in words), speaker=speaker))
        written += len(samples) / SAMPLE_RATE
    return utterances


def featurized(utterance: Utterance) -> list[Example]:
    """Return an utterance's example as `beamscribe featurize` makes it."""
    with open(utterance.path, "rb") as file:
        return make_examples(file, utterance, FEATURES)


class Waves(Dataset[Example]):
    """Decodes a WAV file and computes its features whenever it is asked for."""

    def __init__(self, utterances: list[Utterance]):
        self.utterances = utterances

    def __len__(self) -> int:
        return len(self.utterances)

    def __getitem__(self, index: int) -> Example:
        (example,) = featurized(self.utterances[index])
        return example


def measured(settings: TrainSettings, alphabet: Alphabet, steps: Iterable[Step]) -> tuple[float, float, float, float]:
    """Train on steps, each loaded when the one before is done.

    Return hours of audio in an hour of wall and of processor time, loading's part of the latter, padding's of frames.
    """
    torch.manual_seed(0)
    network = build_network(settings.network, FEATURES.features.num_features, alphabet.size)
    run, losses = RunState.begin(network, settings.weight_decay), Losses(network, settings.consistency)
    alone = Processes.alone()
    loading, padded, remaining = 0.0, 0, iter(steps)
    started, processor_started = time.monotonic(), time.process_time()
    while True:
        before = time.process_time()
        step = next(remaining, None)
        loading += time.process_time() - before
        if step is None:
            break
        padded += sum(batch.features.shape[0] * batch.features.shape[1] for _, batch in step.batches)
        take_step(run, losses, step, settings, 0.5, alone)
    wall, processor = time.monotonic() - started, time.process_time() - processor_started
    seconds = run.frames / FEATURES.features.frames_per_second
    return seconds / wall, seconds / processor, loading / processor, 1 - run.frames / padded


if __name__ == "__main__":
    sys.exit(main())
