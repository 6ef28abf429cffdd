"""Compose the demo archive: ten stereo telephone calls of real voices, with their references.

The agent (left, channel 0) speaks telephone prompts, the customer (right, channel 1) spells, counts and reads. No call
holds a prompt that the shipped recognizer was trained on. The same bytes every time.

Example:
    python examples/demo_archive.py --output build/demo
"""

from __future__ import annotations

import argparse
import json
import random
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from numpy.typing import NDArray
from packages import PackageError, default_cache
from recordings import DIGITS, LETTERS, Recording, is_for_training, obtain_recordings, sources_table

from asr_model.audio import resample
from asr_model.text import normalize_text

NUM_CALLS = 10
SAMPLE_RATE = 8000
SPEECH_LEVEL = 0.06
"""Root mean square of a turn, about -24 dB below full scale."""
NOISE_LEVEL = 0.0006
"""Root mean square of the line's hiss, 40 dB below speech."""
MIN_SECONDS, MAX_SECONDS = 70.0, 160.0
PAUSE_KEPT = SAMPLE_RATE // 4
"""Samples of the pause that a turn's segment holds on both sides."""

Samples = NDArray[np.float32]


@dataclass(frozen=True)
class Turn:
    """What one side says without a pause of the other: ``start`` in samples; a prompt, letters, digits or a reading."""

    channel: int
    kind: str
    start: int
    samples: Samples
    text: str
    speaker: str


def main(arguments: list[str] | None = None) -> int:
    """Write archive/, references.jsonl, turns.jsonl and SOURCES.md."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, required=True, help="folder for the archive and its references")
    parser.add_argument("--cache", type=Path, default=default_cache(), help="folder of packages (default %(default)s)")
    parser.add_argument("--pypi-only", action="store_true", help="leave the Debian packages out")
    options = parser.parse_args(arguments)
    try:
        recordings = obtain_recordings(options.cache, options.pypi_only)
    except PackageError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    compose(recordings, options.output)
    return 0


def compose(recordings: list[Recording], output: Path) -> None:
    """Write the calls made of ``recordings`` and their references to ``output``."""
    usable = for_demo(recordings)
    (output / "archive").mkdir(parents=True, exist_ok=True)
    rows: list[dict[str, Any]] = []
    segments: list[dict[str, Any]] = []
    seconds = 0.0
    prompts = [r for r in usable if r.speaker == "allison"]
    random.Random("prompts").shuffle(prompts)
    for number in range(1, NUM_CALLS + 1):
        turns = converse(number, usable, prompts)
        name = f"archive/call-{number:02d}.wav"
        stereo = mix(turns, number)
        soundfile.write(output / name, stereo, SAMPLE_RATE, format="WAV", subtype="ULAW")
        seconds += len(stereo) / SAMPLE_RATE
        rows += [reference(name, channel, turns, len(stereo)) for channel in (0, 1)]
        segments += [segment(name, turn) for turn in turns]
    for file, lines in (("references.jsonl", rows), ("turns.jsonl", segments)):
        (output / file).write_text("".join(json.dumps(row) + "\n" for row in lines), encoding="utf-8")
    (output / "SOURCES.md").write_text(sources_table(usable), encoding="utf-8")
    words = sum(len(row["text"].split()) for row in rows)
    print(f"{NUM_CALLS} calls, {seconds / 60:.1f} min, {words} words → {output / 'archive'}")


def for_demo(recordings: list[Recording]) -> list[Recording]:
    """Return what may be demonstrated on: nothing that is for training, and no prompt with the words of one that is."""
    trained = {normalize_text(r.text) for r in recordings if is_for_training(r)}
    return [r for r in recordings if r.speaker != "allison" or normalize_text(r.text) not in trained]


def converse(number: int, usable: list[Recording], prompts: list[Recording]) -> list[Turn]:
    """Return the turns of a call: the agent asks with a prompt, the customer answers, with pauses between."""
    order = random.Random(f"call {number}")
    spoken: dict[tuple[str, str], Recording] = {(r.speaker, normalize_text(r.text)): r for r in usable}
    spellers = sorted({speaker for speaker, text in spoken if text in LETTERS and speaker != "allison"})
    speller = spellers[number % len(spellers)]
    readings = [r for r in usable if r.speaker not in {"allison", *spellers}]
    target = order.uniform(MIN_SECONDS, MAX_SECONDS) * SAMPLE_RATE
    turns: list[Turn] = []
    at = round(order.uniform(0.4, 1.2) * SAMPLE_RATE)
    while at < target:
        if prompts:  # every prompt is heard once before any is heard again
            prompts.append(prompts.pop(0))
            at = say(turns, 0, "prompt", at, [prompts[-1]], order)
        kind = order.choice(["letters", "digits", "reading"])
        if kind == "letters":
            words = [spoken[speller, letter] for letter in order.sample(LETTERS, order.randint(3, 7))]
        elif kind == "digits":
            words = [spoken["captcha", digit] for digit in order.choices(DIGITS, k=order.randint(3, 8))]
        else:
            words = [order.choice(readings)]
            if set(normalize_text(words[0].text).split()) <= set(DIGITS):
                kind = "digits"
        at = say(turns, 1, kind, at, words, order)
    return turns


def say(turns: list[Turn], channel: int, kind: str, at: int, words: list[Recording], order: random.Random) -> int:
    """Add a turn of ``words`` at sample ``at`` and return where the next may begin."""
    pieces: list[Samples] = []
    for word in words:
        pieces += [load(word), np.zeros(round(order.uniform(0.1, 0.3) * SAMPLE_RATE), np.float32)]
    samples = np.concatenate(pieces[:-1])
    text = " ".join(normalize_text(word.text) for word in words)
    turns.append(Turn(channel, kind, at, samples, text, words[0].speaker))
    return at + len(samples) + round(order.uniform(0.5, 2.0) * SAMPLE_RATE)


def load(recording: Recording) -> Samples:
    """Return a recording as mono samples at the telephone's rate, all of the same level."""
    raw = {"samplerate": recording.raw_rate, "channels": 1, "format": "RAW", "subtype": "PCM_16"}
    options = raw if recording.raw_rate else {}
    samples, rate = soundfile.read(recording.path, dtype="float32", always_2d=True, **options)
    mono = resample(np.ascontiguousarray(samples.mean(axis=1)), rate, SAMPLE_RATE)
    level = float(np.sqrt(np.mean(np.square(mono, dtype=np.float64))))
    return np.clip(mono * np.float32(SPEECH_LEVEL / max(level, 1e-6)), -0.98, 0.98)


def mix(turns: list[Turn], number: int) -> Samples:
    """Return the call (N, 2) float32: both sides over the line's hiss."""
    end = max(turn.start + len(turn.samples) for turn in turns) + SAMPLE_RATE // 2
    stereo = np.random.default_rng(number).normal(0, NOISE_LEVEL, (end, 2)).astype(np.float32)
    for turn in turns:
        stereo[turn.start : turn.start + len(turn.samples), turn.channel] += turn.samples
    return stereo


def reference(name: str, channel: int, turns: list[Turn], num_samples: int) -> dict[str, Any]:
    """Return the reference row of one channel of a call; times in seconds."""
    mine = [turn for turn in turns if turn.channel == channel]
    return {
        "audio_filepath": name,
        "channel": channel,
        "text": " ".join(turn.text for turn in mine),
        "duration": num_samples / SAMPLE_RATE,
        "speaker": "+".join(sorted({turn.speaker for turn in mine})),
        "role": ("agent", "customer")[channel],
        "turns": [
            {
                "start": turn.start / SAMPLE_RATE,
                "end": (turn.start + len(turn.samples)) / SAMPLE_RATE,
                "text": turn.text,
                "speaker": turn.speaker,
            }
            for turn in mine
        ],
    }


def segment(name: str, turn: Turn) -> dict[str, Any]:
    """Return the manifest row of one turn: a segment of its call, with a little of the pauses around it."""
    start = max(0, turn.start - PAUSE_KEPT)
    return {
        "audio_filepath": name,
        "channel": turn.channel,
        "offset": start / SAMPLE_RATE,
        "duration": (turn.start + len(turn.samples) + PAUSE_KEPT - start) / SAMPLE_RATE,
        "text": turn.text,
        "speaker": turn.speaker,
        "kind": turn.kind,
    }


if __name__ == "__main__":
    sys.exit(main())
