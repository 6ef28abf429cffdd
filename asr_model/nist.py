"""NIST's text formats: CTM (words with times), STM (segments of references), TRN (one line an utterance)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import groupby

from asr_model.alternatives import Part, parse_alternatives, plain_text
from asr_model.records import Word

__all__ = ["IGNORED", "Side", "parse_ctm", "parse_open_trn", "parse_stm", "parse_trn"]

IGNORED = "ignore_time_segment_in_scoring"
Lines = Iterable[tuple[int, str]]
"""Number and text of each line."""
_TRN = re.compile(r"(.*)\(([^()]+)\)\s*$", re.DOTALL)
_ALTERNATIVES = re.compile(r"[{}]|<ALT", re.IGNORECASE)


@dataclass
class Side:
    """One channel of a recording: its text, with what is known of times, in seconds.

    ``channel`` counts from 0: A is 0 and B is 1, and so are 1 and 2. ``parts`` are what the text is the first of, where
    a reference has alternatives.
    """

    recording: str
    channel: int
    text: str
    words: list[Word] = field(default_factory=list)
    segments: list[tuple[float, float]] = field(default_factory=list)
    ignored: list[tuple[float, float]] = field(default_factory=list)
    speakers: set[str] = field(default_factory=set)
    parts: list[Part] = field(default_factory=list)


def parse_ctm(lines: Lines) -> Iterator[Side]:
    """Yield the sides of a CTM: ``recording channel start duration word [confidence]``; the words in order of time.

    All lines of a recording stand together, as NIST wants it; only one recording is held in memory.

    Raises:
        ValueError: a line is something else, or a recording comes again; the message has its number.
    """
    seen: set[str] = set()
    for recording, rows in groupby(_fields(lines, 5), key=lambda row: row[1][0]):
        sides: dict[int, list[Word]] = {}
        for number, fields in rows:
            if recording in seen:
                raise ValueError(f"line {number}: {recording} comes again; a recording's lines must stand together")
            if _ALTERNATIVES.match(fields[4]):
                raise ValueError(f"line {number}: alternatives are not read, wanted one word")
            start, duration = _number(fields[2], number), _number(fields[3], number)
            confidence = _number(fields[5], number) if len(fields) > 5 and fields[5] != "NA" else None
            word = Word(fields[4], start, start + duration, -1.0 if confidence is None else confidence)
            sides.setdefault(_channel(fields[1], number), []).append(word)
        seen.add(recording)
        for channel, words in sorted(sides.items()):
            words.sort(key=lambda word: word.start)
            yield Side(recording, channel, " ".join(word.text for word in words), words)


def parse_stm(lines: Lines) -> Iterator[Side]:
    """Yield the sides of an STM: ``recording channel speaker begin end [<labels>] text``; segments joined by time.

    Raises:
        ValueError: a line is something else; the message has its number.
    """
    sides: dict[tuple[str, int], list[tuple[float, float, str, list[Part]]]] = {}
    for number, fields in _fields(lines, 5):
        recording, side, speaker, begin, end, *words = fields
        if words and words[0].startswith("<") and words[0].endswith(">"):
            words = words[1:]
        segment = (_number(begin, number), _number(end, number), speaker, _parts(" ".join(words), number))
        sides.setdefault((recording, _channel(side, number)), []).append(segment)
    for (recording, channel), segments in sides.items():
        segments.sort(key=lambda segment: segment[:2])
        spoken = [segment for segment in segments if not _is_ignored(segment[3])]
        parts = [part for _, _, _, parts in spoken for part in parts]
        yield Side(
            recording,
            channel,
            plain_text(parts),
            segments=[(begin, end) for begin, end, _, _ in spoken],
            ignored=[(begin, end) for begin, end, _, parts in segments if _is_ignored(parts)],
            speakers={speaker for _, _, speaker, _ in spoken},
            parts=parts,
        )


def parse_trn(lines: Lines) -> Iterator[tuple[str, str]]:
    """Yield (id, text) of a TRN: ``text (id)``.

    Raises:
        ValueError: a line has no id in parentheses at its end, or alternatives; the message has its number.
    """
    for number, name, text in _trn_lines(lines):
        if _ALTERNATIVES.search(text):
            raise ValueError(f"line {number}: {text!r}, wanted one text: alternatives are read in references only")
        yield name, text


def parse_open_trn(lines: Lines) -> Iterator[tuple[str, list[Part]]]:
    """Yield (id, parts) of a TRN of references, which may have alternatives.

    Raises:
        ValueError: a line is something else; the message has its number.
    """
    for number, name, text in _trn_lines(lines):
        yield name, _parts(text, number)


def _trn_lines(lines: Lines) -> Iterator[tuple[int, str, str]]:
    for number, line in lines:
        if line.startswith(";;") or not line.strip():
            continue
        found = _TRN.match(line)
        if not found:
            raise ValueError(f"line {number}: {line.strip()!r}, wanted text (id)")
        yield number, found[2].strip(), found[1].strip()


def _parts(text: str, number: int) -> list[Part]:
    try:
        return parse_alternatives(text)
    except ValueError as error:
        raise ValueError(f"line {number}: {error}") from error


def _is_ignored(parts: list[Part]) -> bool:
    return len(parts) == 1 and parts[0][0].lower() == IGNORED


def _fields(lines: Lines, wanted: int) -> Iterator[tuple[int, list[str]]]:
    for number, line in lines:
        if line.startswith(";;") or not line.strip():
            continue
        fields = line.split()
        if len(fields) < wanted:
            raise ValueError(f"line {number}: {len(fields)} fields, wanted at least {wanted}: {line.strip()!r}")
        yield number, fields


def _number(value: str, number: int) -> float:
    try:
        return float(value)
    except ValueError:
        raise ValueError(f"line {number}: {value!r} where a number was wanted") from None


def _channel(name: str, number: int) -> int:
    """Return the channel, from 0: letters and numbers both count from the first.

    >>> [_channel(name, 1) for name in ("A", "b", "1", "2")]
    [0, 1, 0, 1]
    """
    if len(name) == 1 and "a" <= name.lower() <= "z":
        return ord(name.lower()) - ord("a")
    if name.isdecimal() and int(name) > 0:
        return int(name) - 1
    raise ValueError(f"line {number}: channel {name!r}, wanted A, B ... or 1, 2 ...")
