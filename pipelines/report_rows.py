"""The files that a report shows, as small data inside the page: alignment, times, a link to the audio."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from typing import Any

from rapidfuzz.distance import Levenshtein

from asr_model.edits import AlignedWord, align_words
from asr_model.records import Transcript
from asr_model.scoring import Score

__all__ = ["MAX_FILES", "file_row", "file_rows", "pieces", "spoken_times", "worst"]

MAX_FILES = 1000
"""Rows in the page, those with the most errors first: a browser stays quick; all are in per_file.csv. Rows without a
transcript come last: there is nothing to see in them, and they must not crowd out the others."""
MAX_WORDS_OF_FILE = 20_000
"""Aligned words shown of one file: some two hours of speech."""
MAX_WORDS = 300_000
"""Aligned words shown of all files together, so that the page stays below some ten megabytes."""

Row = tuple[Score, Transcript | None]
"""A score and the transcript it is of, for the times of its words; None where there is none, or no times."""


def worst(rows: Iterable[Row], so_far: Sequence[Row] = (), number: int = MAX_FILES) -> list[Row]:
    """Return the ``number`` rows with the most errors of ``rows`` and of those that were the worst ``so_far``."""
    if len(so_far) == number and so_far[-1][0].status != "missing":  # most rows are better, and need no ranking
        least = so_far[-1][0].num_errors
        rows = [row for row in rows if row[0].num_errors >= least]
    return sorted([*so_far, *rows], key=lambda row: badness(row[0]))[:number]


def badness(score: Score) -> tuple[bool, int, str, int, float]:
    """Return what rows are ranked by: errors, then name, channel and offset, so that no two rows are equal."""
    channel = -1 if score.channel is None else score.channel
    offset = -1.0 if score.offset is None else score.offset
    return score.status == "missing", -score.num_errors, score.audio_filepath, channel, offset


def file_rows(rows: Iterable[Row], links: Iterable[str | None]) -> list[dict[str, Any]]:
    """Return the files of a page, each with its link; when all words that may be shown are, the rest has none."""
    left, files = MAX_WORDS, []
    for (score, transcript), link in zip(rows, links, strict=True):
        files.append(file_row(score, transcript, link, min(left, MAX_WORDS_OF_FILE)))
        left -= files[-1].get("z", sum(files[-1]["w"]))
    return files


def file_row(
    score: Score, transcript: Transcript | None, audio: str | None, max_words: int = MAX_WORDS_OF_FILE
) -> dict[str, Any]:
    """Return a file as ``report.js`` reads it; its names are short because there are a thousand of them."""
    aligned = align_words(score.text, score.pred_text) if max_words else []
    shown = aligned[:max_words]
    row: dict[str, Any] = {
        "n": score.audio_filepath,
        "c": score.channel,
        "s": score.status,
        "w": [score.hits, score.substitutions, score.deletions, score.insertions],
        "k": score.cer,
        "d": None if score.duration is None else round(score.duration, 1),
        "p": None if score.confidence is None else round(score.confidence, 3),
        "x": pieces(shown),
    }
    if score.speaker:
        row["g"] = score.speaker
    if score.offset is not None:
        row["o"] = score.offset
    if audio:
        row["a"] = audio
    if len(shown) < sum(row["w"]):
        row["z"] = len(shown)
    heard = [word.hypothesis for word in shown if word.hypothesis]
    if transcript and heard:
        row |= _times(heard, transcript)
    return row


def spoken_times(heard: Sequence[str], timed: Sequence[tuple[str, float, float]]) -> list[tuple[float, float] | None]:
    """Return start and end of every word of a normalized text from the ``timed`` words as they were written.

    Normalization changes words, so both are aligned; words without an equal share the time of what stands in their
    place.

    >>> spoken_times(["it", "is", "ten"], [("It's", 0, 1), ("ten.", 1, 2)])
    [(0, 1), (0, 1), (1, 2)]
    """
    written = [_bare(word) for word, _, _ in timed]
    bare = [_bare(word) for word in heard]
    times: list[tuple[float, float] | None] = [None] * len(heard)
    blocks = itertools.groupby(Levenshtein.opcodes(bare, written), lambda block: block.tag == "equal")
    for equal, group in blocks:
        parts = list(group)
        left, right, right_end = parts[0].src_start, parts[0].dest_start, parts[-1].dest_end
        for number in range(left, parts[-1].src_end):
            if equal:
                times[number] = timed[right + number - left][1:]
            elif right < right_end:
                times[number] = (timed[right][1], timed[right_end - 1][2])
    return times


def pieces(aligned: Sequence[AlignedWord]) -> list[Any]:
    """Return runs of equal words as one text, and every difference as [what was said, what was recognized].

    >>> pieces(align_words("a b c", "a b d e"))
    ['a b', ['', 'd'], ['c', 'e']]
    """
    pieces: list[Any] = []
    run: list[str] = []
    for word in aligned:
        if word.kind == "hit":
            run.append(word.reference)
            continue
        if run:
            pieces.append(" ".join(run))
            run = []
        pieces.append([word.reference, word.hypothesis])
    return [*pieces, " ".join(run)] if run else pieces


def _times(heard: Sequence[str], transcript: Transcript) -> dict[str, Any]:
    """Return ``t``, start and end of every recognized word, where known, and ``q``, the segments."""
    segments = sorted(transcript.segments, key=lambda segment: segment.start)
    words = [(word.text, word.start, word.end) for word in transcript.words]
    row: dict[str, Any] = {}
    if words:
        known = spoken_times(heard, words[: 2 * len(heard) + 100])  # a cut file has many more
        row["t"] = [None if time is None else round(time[side], 2) for time in known for side in (0, 1)]
    else:
        said = [(word, segment.start, segment.end) for segment in segments for word in segment.text.split()]
        known = spoken_times(heard, said[: 2 * len(heard) + 100])
    if segments:
        row["q"] = _first_words([(s.start, s.end) for s in segments if s.text.strip()], known)
    return row


def _first_words(
    segments: Sequence[tuple[float, float]], times: Sequence[tuple[float, float] | None]
) -> list[tuple[float, float, int]]:
    """Return the segments, each with the number of its first word among those of ``times``."""
    first: list[tuple[float, float, int]] = []
    number = 0
    for start, end in segments:
        while number < len(times) and (times[number] is None or times[number][0] < start - 0.01):  # type: ignore[index]
            number += 1
        if number < len(times):
            first.append((round(start, 2), round(end, 2), number))
    return first


def _bare(word: str) -> str:
    return "".join(character for character in word.casefold() if character.isalnum())
