"""Compose the manifest that the shipped recognizer is trained on, from folders of speech.

Example:
    python examples/training_corpus.py --data ../shared/data --prompts build/prompts --output build/corpus.jsonl

Who is for development is decided once, by hash: of AN4 and telephone prompts nobody can have tuned on luck.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import sys
from pathlib import Path
from typing import Any

AN4_DEV_SPEAKERS = 12
FSDD_DEV_TAKES = 0.1


def main(arguments: list[str] | None = None) -> int:
    """Write the manifest and print what is in it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with an4/, fsdd/ and speechocean762/")
    parser.add_argument("--prompts", type=Path, help="folder of the telephone prompts' training half")
    parser.add_argument("--output", type=Path, required=True, help="manifest to write (JSON lines)")
    parser.add_argument("--leave-out", action="append", default=[], metavar="CORPUS", help="train on nothing of it")
    options = parser.parse_args(arguments)
    sources = {
        "an4": options.data / "an4",
        "fsdd": options.data / "fsdd",
        "speechocean762": options.data / "speechocean762" / "train",
        "speechocean762-dev": options.data / "speechocean762" / "dev",
    }
    if options.prompts:
        sources["prompts"] = options.prompts
    sources = {name: folder for name, folder in sources.items() if name.removesuffix("-dev") not in options.leave_out}
    rows = [row for name, folder in sources.items() for row in read_corpus(name, folder, options.output.parent)]
    options.output.parent.mkdir(parents=True, exist_ok=True)
    options.output.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    for corpus in sorted({row["corpus"] for row in rows}):
        for split in ("train", "dev"):
            chosen = [row for row in rows if (row["corpus"], row["split"]) == (corpus, split)]
            hours = sum(row["duration"] for row in chosen) / 3600
            speakers = len({row["speaker"] for row in chosen})
            print(f"{corpus:15} {split:5} {len(chosen):5} utterances {hours:6.2f} h {speakers:4} speakers")
    return 0


def read_corpus(name: str, folder: Path, base: Path) -> list[dict[str, Any]]:
    """Return the rows of a corpus folder with paths relative to ``base``, a ``corpus`` and a ``split`` column."""
    lines = (folder / "manifest.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    an4_dev = set(sorted({row["speaker"] for row in rows}, key=lambda s: position(f"an4/{s}"))[:AN4_DEV_SPEAKERS])
    for row in rows:
        take = Path(row["audio_filepath"]).stem.rsplit("_", 1)[-1]
        is_dev = {
            "an4": row["speaker"] in an4_dev,
            "fsdd": position(f"fsdd/{take}") < FSDD_DEV_TAKES,
            "speechocean762-dev": True,
        }.get(name, False)
        row["audio_filepath"] = os.path.relpath(folder / row["audio_filepath"], base)
        row["corpus"] = name.removesuffix("-dev")
        row["split"] = "dev" if is_dev else "train"
    return rows


def position(key: str) -> float:
    """Return a place between 0 and 1 that follows from ``key`` alone."""
    return int.from_bytes(hashlib.blake2b(key.encode(), digest_size=8).digest()) / 2**64


if __name__ == "__main__":
    sys.exit(main())
