"""Compose strings of words with pauses between them, as people spell and count on the telephone, of a training corpus.

Connected speech is cut into its words where a first recognizer aligns them; each speaker's words, and recordings of a
single word, are strung together anew: letters, digits, and whole utterances spoken word by word. Or with none between
them (--close), as fast speakers spell.

Example:
    python examples/word_strings.py --corpus build/corpus.jsonl --recognizer runs/first --output build/strings
    python examples/word_strings.py --close --corpus build/corpus.jsonl --recognizer runs/first --output build/close
"""

from __future__ import annotations

import argparse
import json
import random
import sys
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import torch
from numpy.typing import NDArray
from recordings import DIGITS, LETTERS

from asr_model.alignment import align, spoken_words
from asr_model.audio import resample
from asr_model.batches import pad_features
from asr_model.features import compute_features
from asr_model.recognizer import Recognizer, load_recognizer, recognizer_file
from asr_model.text import normalize_text

CONNECTED = ("an4",)
"""Corpora of connected speech, cut into words."""
SINGLE = ("fsdd",)
"""Corpora whose recordings are single words, taken as they are."""
STRINGS_PER_WORD = {"letters": 0.6, "digits": 0.2}
"""Strings that are made for each word a speaker has of a kind."""
SPOKEN_APART = 0.4
"""Part of the connected utterances that are also spoken word by word."""
MAX_WORDS = 8
SPEEDS = 0.8, 1.15
"""Of a string's voice: other vocal tracts, and words said slowly, as they are when said alone."""
PAUSE_SECONDS = 0.05, 0.8
"""Before, between and after words; short ones are more frequent, evenly over their logarithms."""
CLOSE_SECONDS = 0.0, 0.03
"""Between words that follow upon each other."""
SILENT = 0.3
"""Part of the strings whose pauses are digital silence, not noise."""
LEVEL = 0.06
"""Root mean square of a word, give or take 4 dB."""
MARGIN_SECONDS = 0.08
"""Kept of a long pause on either side of a word."""
MIN_WORD_SECONDS = 0.12
"""An utterance with a shorter word was aligned badly."""
FADE_SECONDS = 0.005

Samples = NDArray[np.float32]


@dataclass(frozen=True)
class Piece:
    """A word of a speaker, cut out of a recording: samples (N,) at the aligning recognizer's sample rate."""

    text: str
    samples: Samples


def main(arguments: list[str] | None = None) -> int:
    """Write the strings as FLAC files and their manifest; before those with pauses the rows of the corpus."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus", type=Path, required=True, help="manifest that training_corpus.py wrote")
    parser.add_argument("--recognizer", required=True, help="recognizer that aligns, or the folder that holds it")
    parser.add_argument("--close", action="store_true", help="no pauses, and no rows of the corpus in the manifest")
    parser.add_argument("--draw", type=int, default=0, help="another number draws other strings (default: 0)")
    parser.add_argument("--output", type=Path, required=True, help="folder for manifest.jsonl and audio/")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    path = recognizer_file(options.recognizer)
    recognizer = load_recognizer(Path(path).read_bytes(), path)
    rows = [json.loads(line) for line in options.corpus.read_text(encoding="utf-8").splitlines()]
    for row in rows:
        row["audio_filepath"] = str((options.corpus.parent / row["audio_filepath"]).resolve())
    (options.output / "audio").mkdir(parents=True, exist_ok=True)
    strings = compose([row for row in rows if row["split"] == "train"], recognizer, options.draw)
    rate = recognizer.settings.features.sample_rate
    made = [write(options.output, *string, rate, options.close) for string in strings]
    listed = made if options.close else [*rows, *made]
    (options.output / "manifest.jsonl").write_text("".join(json.dumps(row) + "\n" for row in listed), "utf-8")
    print(f"{len(made)} strings, {sum(row['duration'] for row in made) / 3600:.2f} h → {options.output}")
    return 0


def compose(rows: list[dict[str, Any]], recognizer: Recognizer, draw: int) -> list[tuple[str, str, list[Piece]]]:
    """Return (name, speaker, pieces) of every string that is made of ``rows``; the same ones for the same ``draw``."""
    drawn = f"-{draw}" if draw else ""
    strings: list[tuple[str, str, list[Piece]]] = []
    owned: dict[tuple[str, str], list[Piece]] = defaultdict(list)
    for number, row in enumerate(rows):
        if row["corpus"] not in CONNECTED + SINGLE:
            continue
        pieces = cut(row, recognizer)
        for piece in pieces:
            kind = "letters" if piece.text in LETTERS else "digits" if piece.text in DIGITS else ""
            if kind:
                owned[row["speaker"], kind].append(piece)
        if len(pieces) > 1 and random.Random(f"apart{drawn}/{number}").random() < SPOKEN_APART:
            strings.append((f"apart{drawn}-{number:05d}", row["speaker"], pieces))
    for (speaker, kind), pieces in sorted(owned.items()):
        chance = random.Random(f"{speaker}/{kind}{drawn}")
        of_word: dict[str, list[Piece]] = defaultdict(list)
        for piece in pieces:
            of_word[piece.text].append(piece)
        for number in range(round(len(pieces) * STRINGS_PER_WORD[kind])):
            # Rare words as often as frequent ones.
            num_words = min(chance.randint(1, MAX_WORDS), chance.randint(1, MAX_WORDS))
            words = [chance.choice(sorted(of_word)) for _ in range(num_words)]
            name = f"{kind}{drawn}-{speaker}-{number:03d}"
            strings.append((name, speaker, [chance.choice(of_word[word]) for word in words]))
    return strings


@torch.inference_mode()
def cut(row: dict[str, Any], recognizer: Recognizer) -> list[Piece]:
    """Return the words of a recording in their order, or none where they are not to be told apart."""
    samples, source_rate = soundfile.read(row["audio_filepath"], dtype="float32")
    rate = recognizer.settings.features.sample_rate
    samples = resample(samples, source_rate, rate)
    text = normalize_text(row["text"])
    if row["corpus"] in SINGLE:
        return [Piece(text, samples)]
    features = compute_features(samples, recognizer.settings.features)
    log_probs, num_steps = recognizer.network(*pad_features([features]))
    alphabet = recognizer.settings.alphabet
    try:
        words = spoken_words(align(log_probs[0, : int(num_steps[0])], alphabet.encode(text)), alphabet)
    except ValueError:
        return []
    step = len(samples) / int(num_steps[0])
    edges = [(round(word.start * step), round(word.end * step)) for word in words]
    gaps = zip([0, *(end for _, end in edges)], [*(start for start, _ in edges), len(samples)], strict=True)
    sides = [_quietest(samples, rate, *sorted(gap)) for gap in gaps]
    pieces = [
        Piece(word.text, samples[before[1] : after[0]])
        for word, before, after in zip(words, sides, sides[1:], strict=False)
    ]
    return pieces if all(len(piece.samples) >= MIN_WORD_SECONDS * rate for piece in pieces) else []


def _quietest(samples: Samples, rate: int, start: int, end: int) -> tuple[int, int]:
    """Return where the word before ends and the word after begins in the gap between ``start`` and ``end``."""
    margin, window = round(MARGIN_SECONDS * rate), rate // 50
    start, end = max(0, start - window), min(len(samples), end + window)
    if end - start < window:
        return (start + end) // 2, (start + end) // 2
    power = np.convolve(samples[start:end] ** 2, np.ones(window, np.float32) / window, mode="valid")
    place = start + int(np.argmin(power)) + window // 2
    quiet = np.flatnonzero(power < 4 * power.min() + 1e-9)
    if len(quiet) > 2 * margin:  # a real pause: a margin of it stays with either word
        first, last = start + int(quiet[0]), start + int(quiet[-1]) + window
        return min(first + margin, len(samples)), max(last - margin, 0)
    return place, place


def write(folder: Path, name: str, speaker: str, pieces: list[Piece], rate: int, close: bool) -> dict[str, Any]:
    """Write a string of words, ``close`` or with pauses between them, as a FLAC file and return its manifest row."""
    draw = np.random.default_rng(list(name.encode()))
    speed = draw.uniform(*SPEEDS)

    def pause(between_words: bool) -> Samples:
        if close and between_words:
            seconds = draw.uniform(*CLOSE_SECONDS)
        else:
            seconds = float(np.exp(draw.uniform(*np.log(PAUSE_SECONDS))))
        return np.zeros(round(seconds * rate), np.float32)

    parts = [pause(between_words=False)]
    for number, piece in enumerate(pieces, 1):
        said = resample(piece.samples, round(rate * speed), rate)
        from_edge = np.minimum(np.arange(len(said)), np.arange(len(said))[::-1])
        fade = np.minimum(1, from_edge / (FADE_SECONDS * rate))
        rms = float(np.sqrt(np.mean(np.square(said, dtype=np.float64)))) if len(said) else 1.0
        gain = LEVEL / max(rms, 1e-5) * 10 ** (draw.uniform(-4, 4) / 20)
        parts += [(said * fade * gain).astype(np.float32), pause(between_words=number < len(pieces))]
    samples = np.concatenate(parts)
    if draw.uniform() > SILENT:
        samples += draw.normal(0, LEVEL * 10 ** (-draw.uniform(30, 60) / 20), len(samples)).astype(np.float32)
    path = folder / "audio" / f"{name}.flac"
    soundfile.write(path, samples.clip(-1, 1), rate, subtype="PCM_16")
    text = " ".join(piece.text for piece in pieces)
    row = {"audio_filepath": str(path.resolve()), "text": text, "duration": len(samples) / rate}
    return row | {"speaker": speaker, "corpus": "strings", "split": "train"}


if __name__ == "__main__":
    sys.exit(main())
