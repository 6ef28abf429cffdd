"""The page of a featurized corpus: what is in it and what stands out, one file without any remote request."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from asr_model.census import DURATION_SECONDS, LEVEL_DB
from asr_model.records import Failure
from pipelines.exhibits import Exhibit
from pipelines.pages import page_environment
from pipelines.pictures import histogram, percent

__all__ = ["find_oddities", "show_corpus"]

POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; media-src data:"
MAX_BARS = 30
MAX_CHARACTERS = 400
RARE = 5
"""A character that is in the texts less often is rare: a recognizer cannot learn it."""
FAST = 30
"""Characters a second that nobody speaks: the text is not of this audio, or the audio is cut."""
QUIET_DB = -45
REASONS = {
    "missing": "there is no such file",
    "not-a-file": "a folder, pipe or device stands where a file should be",
    "no-permission": "the file may not be read",
    "empty-text": "there is no text, or nothing in it to learn from",
    "bad-text": "the text is not UTF-8",
    "outside-alphabet": "the text has characters that the setting alphabet has not",
    "bad-manifest-line": "a line of the manifest says nothing that can be used",
    "bad-file-name": "the name of the file is not UTF-8",
    "duplicate": "named a second time; the first counts",
    "ambiguous-channel": "one text for several channels",
    "no-such-channel": "the recording has fewer channels",
    "empty": "the file holds no bytes",
    "unknown-format": "no format of audio that is known here",
    "unreadable": "broken inside",
    "truncated": "it breaks off before its header says",
    "too-short": "shorter than audio.min_seconds",
    "too-long": "longer than audio.max_seconds",
    "too-many-channels": "more than audio.max_channels",
    "bad-sample-rate": "a sample rate outside audio.min_sample_rate and max_sample_rate",
    "out-of-range": "the segment begins or ends after its recording",
    "no-speech": "nothing is left after trimming",
    "non-finite": "samples that are no numbers",
}


def show_corpus(
    found: Mapping[str, Any],
    exhibits: Sequence[Exhibit],
    failures: Sequence[Failure],
    source: str,
    settings: Mapping[str, Any],
) -> str:
    """Return the page of what `asr_model.census.describe_corpus` found."""
    environment = page_environment()
    environment.globals["policy"] = POLICY
    return environment.get_template("corpus.html").render(
        found=found,
        source=source,
        exhibits=exhibits,
        failures=failures,
        num_failures=sum(found["failures"].values()),
        reasons=REASONS,
        oddities=list(find_oddities(found, settings)),
        durations=_bars(found["durations"], "Utterances by duration", "s", DURATION_SECONDS),
        rates=_bars(found["characters_per_second"], "Utterances by characters a second", "", 1.0),
        levels=[
            (title, _bars(found[name], title, "dB", LEVEL_DB))
            for name, title in (("rms_db", "Level (RMS)"), ("peak_db", "Peaks"))
            if found[name]
        ],
        tables=[
            ("sample rate", [(f"{int(name):,} Hz", part) for name, part in found["sample_rates"].items()]),
            ("codec", list(found["codecs"].items())),
            ("channels", list(found["channels"].items())),
        ],
        characters=[(_shown(name), number, _name(name)) for name, number in _head(found["characters"], MAX_CHARACTERS)],
        settings=list(_flat(settings)),
    )


def find_oddities(found: Mapping[str, Any], settings: Mapping[str, Any]) -> Iterator[str]:
    """Yield what a person should know before training on the corpus, as sentences."""
    number = found["examples"]
    inputs = number + sum(found["failures"].values())
    if found["failures"]:
        first = next(iter(found["failures"]))
        yield f"{_share(inputs - number, inputs)} could not be used, most often because of {first!r}."
    if shared := found["speakers"]["num_in_several_splits"]:
        names = ", ".join(found["speakers"]["in_several_splits"][:5])
        yield f"{shared:,} speakers are in more than one split ({names}): figures of dev and test flatter."
    if number and not found["splits"].get("dev"):
        yield "There is no dev split: training cannot tell when to stop."
    if number and found["speakers"]["seconds_without"] >= found["seconds"] > 0:
        yield "No row names a speaker: the splits go by files, and one voice may be in several."
    wanted = settings.get("features", {}).get("sample_rate", 0)
    low = sum(part["examples"] for rate, part in found["sample_rates"].items() if int(rate) < wanted)
    if low:
        yield f"{_share(low, number)} were recorded below {wanted:,} Hz: their upper bands are empty."
    if found["clipped"]:
        yield f"{_share(found['clipped'], number)} reach full scale: clipped, or levelled to it."
    if quiet := _below(found["rms_db"], QUIET_DB):
        yield f"{_share(quiet, number)} are quieter than −{-QUIET_DB} dB."
    if fast := number - _below(found["characters_per_second"], FAST):
        yield f"{_share(fast, number)} have {FAST} characters a second or more: audio and text may not belong together."
    rare = [name for name, times in found["characters"].items() if times < RARE]
    if rare:
        shown = " ".join(_shown(name) for name in rare[:20])
        yield f"{len(rare):,} of {len(found['characters']):,} characters are there less than {RARE} times: {shown}"


def _bars(counts: Mapping[str, int], label: str, unit: str, width: float) -> Any:
    """Return a histogram of some 30 bars at most; the last holds what is beyond the 99.5th percentile."""
    if not counts:
        return ""
    values = {float(name): number for name, number in counts.items()}
    total, reached, top = sum(values.values()), 0, max(values)
    for value in sorted(values):
        reached += values[value]
        if reached >= 0.995 * total:
            top = value
            break
    first = min(values)
    step = width * math.ceil(((top - first) / width + 1) / MAX_BARS)
    num_bars = int((top - first) // step) + 1
    heights = [0] * (num_bars + any(value >= first + num_bars * step for value in values))
    for value, number in values.items():
        heights[min(int((value - first) // step), len(heights) - 1)] += number
    names = [f"{first + i * step:g}".replace("-", "−") for i in range(len(heights))]
    if len(heights) > num_bars:
        names[-1] += "+"
    bars = [(f"{name}{unit and chr(0x202F) + unit}", height) for name, height in zip(names, heights, strict=True)]
    return histogram(bars, label, every=max(1, math.ceil(len(bars) / 8)), first_is_good=False)


def _below(counts: Mapping[str, int], limit: float) -> int:
    return sum(number for name, number in counts.items() if float(name) < limit)


def _share(part: int, whole: int) -> str:
    return f"{part:,} of {whole:,} utterances ({percent(part / whole if whole else None)})"


def _head(counts: Mapping[str, int], most: int) -> list[tuple[str, int]]:
    return list(counts.items())[:most]


def _shown(character: str) -> str:
    """Return a character so that it is seen.

    >>> _shown("a"), _shown(" "), _shown("\\u0301")
    ('a', '␣', '◌́')
    """
    if character == " ":
        return "␣"
    kind = unicodedata.category(character)
    if kind.startswith("M"):
        return f"◌{character}"
    return f"U+{ord(character):04X}" if kind[0] in "CZ" else character


def _name(character: str) -> str:
    return f"U+{ord(character):04X} {unicodedata.name(character, '')}".strip()


def _flat(settings: Mapping[str, Any], prefix: str = "") -> Iterable[tuple[str, Any]]:
    for name, value in settings.items():
        if isinstance(value, Mapping) and value:
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value
