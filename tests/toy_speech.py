"""Speech that is learned in seconds: a letter is a tone of its own pitch."""

from __future__ import annotations

import random

import numpy as np
import pyarrow.parquet as pq

from asr_model.batches import BatchSettings
from asr_model.features import LogMel, compute_features, to_bytes
from asr_model.networks import CnnBiLstmSettings
from asr_model.processes import Processes
from asr_model.recognizer import RecognizerSettings
from asr_model.records import Example, to_table
from asr_model.spec_augment import SpecAugmentSettings
from asr_model.text import Alphabet
from asr_model.train import Corpus, TrainSettings, train

FEATURES = LogMel(sample_rate=8000, n_fft=256, win_length=200, hop_length=80, n_mels=20, f_max=4000.0)
NETWORK = CnnBiLstmSettings(channels=(8, 8), residual_blocks=0, lstm_size=24, lstm_layers=1, dropout=0.0)
RECOGNIZER = RecognizerSettings(features=FEATURES, alphabet=Alphabet.of("abc"), network=NETWORK)
ALONE = Processes.alone()
SETTINGS = TrainSettings(
    network=NETWORK,
    batches=BatchSettings(batch_frames=1500),
    spec_augment=SpecAugmentSettings(num_time_masks=0, num_frequency_masks=0),
    epochs=3,
    learning_rate=1e-2,
    average_decay=0.9,
    threads=1,
)


def spoken(text, draw):
    """Return text as tones: a letter is 0.15 s of its own pitch, with noise."""
    tones = [np.sin(2 * np.pi * (400 + 600 * "abc".index(letter)) * np.arange(1200) / 8000) for letter in text]
    pauses = np.zeros(400)
    samples = np.concatenate([piece for tone in tones for piece in (pauses, tone)] + [pauses])
    return (0.1 * samples + draw.normal(0, 0.003, len(samples))).astype(np.float32)


def write_shards(folder, count, seed, texts=None):
    """Return the paths of two shards of spoken letters, and the number of frames in them."""
    draw, letters = np.random.default_rng(seed), random.Random(seed)
    rows = []
    for number in range(count):
        text = texts[number % len(texts)] if texts else "".join(letters.choices("abc", k=letters.randint(1, 5)))
        values = compute_features(spoken(text[:5], draw), FEATURES)
        row = Example(f"{seed}/{number}", "a", 0, "", text, None, 1.0, 8000, "", 1, len(values), to_bytes(values))
        rows.append(row)
    paths = [str(folder / f"{seed}-{part}.parquet") for part in (0, 1)]
    for part, path in enumerate(paths):
        pq.write_table(to_table(Example, rows[part::2], {}), path)
    return paths, sum(row.num_frames for row in rows)


def open_shard(path):
    return open(path, "rb")


def run(folder, shards, settings=SETTINGS, dev=(), on_step=lambda at: None, recognizer=RECOGNIZER, initial=None):
    folder.mkdir(exist_ok=True)
    paths, frames = shards
    corpus = Corpus(paths, list(dev), frames, open_shard)
    return train(settings, recognizer, corpus, folder, on_step, {"by": "test"}, ALONE, initial)
