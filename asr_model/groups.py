"""What a row is counted under: its channel, speaker, codec, a band of its duration or level, or any column."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable
from functools import lru_cache
from itertools import pairwise
from typing import TypeAlias

from asr_model.records import Transcript, Utterance

__all__ = ["KNOWN_GROUPS", "NONE", "Grouping", "group_order", "grouping"]

Grouping: TypeAlias = Callable[[Utterance, Transcript | None], dict[str, str]]
"""What gives the values that a pair has for some groups."""
NONE = "none"
"""The value of a row that has none."""
_LEVEL_COLUMNS = ("level_db", "rms_db", "rms_dbfs")
_NUMBERS = (int, float)
_LEADING_NUMBER = re.compile(r"-?\d+(\.\d+)?")


def grouping(names: tuple[str, ...]) -> Grouping:
    """Return what gives the value that a pair has for each group, ``none`` where it has none.

    ``channel``, ``speaker``, ``codec``, ``sample_rate``; ``duration_band`` in seconds; ``level_band`` in decibels below
    full scale, as a column ``level_db`` or else the transcript says; or a column of the reference, or else of the
    transcript. Rows that have all values in common share the mapping.
    """
    functions = [_function(name) for name in names]

    @lru_cache(maxsize=10_000)
    def mapping(*values: str) -> dict[str, str]:
        return dict(zip(names, values, strict=True))

    return lambda reference, transcript: mapping(*[value(reference, transcript) for value in functions])


def group_order(value: str) -> tuple[int, float, str]:
    """Return what values of a group are sorted by: numbers by size, then names, ``none`` last.

    >>> sorted(["none", "30 to 60 s", "2 to 5 s", "b", "under 2 s"], key=group_order)
    ['under 2 s', '2 to 5 s', '30 to 60 s', 'b', 'none']
    """
    under = value.startswith("under ")
    found = _LEADING_NUMBER.match(value.removeprefix("under "))
    if found:
        return (0, float(found[0]) - (0.5 if under else 0.0), value)
    return (2 if value == NONE else 1, 0.0, value)


def _banding(bounds: tuple[int, ...], unit: str) -> Callable[[object], str]:
    """Return what gives the band that a number lies in.

    >>> list(map(_banding((2, 5), "s"), (1.9, 2, 7, None)))
    ['under 2 s', '2 to 5 s', '5 s and more', 'none']
    """
    between = [f"{low} to {high} {unit}" for low, high in pairwise(bounds)]
    labels = [f"under {bounds[0]} {unit}", *between, f"{bounds[-1]} {unit} and more"]

    def band(value: object) -> str:
        if not isinstance(value, _NUMBERS) or isinstance(value, bool):
            return NONE
        return labels[bisect_right(bounds, value)]

    return band


_band_of_seconds = _banding((2, 5, 10, 30, 60, 300, 1800), "s")
_band_of_decibels = _banding((-60, -50, -40, -30, -20), "dB")


def _function(name: str) -> _Value:
    return _KNOWN.get(name) or (lambda reference, transcript: _text(_column(name, reference, transcript)))


def _channel(reference: Utterance, transcript: Transcript | None) -> str:
    value = transcript.channel if transcript else reference.channel_number
    return NONE if value is None else str(value)


def _duration_band(reference: Utterance, transcript: Transcript | None) -> str:
    return _band_of_seconds((transcript.duration if transcript else 0.0) or reference.duration or None)


def _level_band(reference: Utterance, transcript: Transcript | None) -> str:
    levels = [_column(name, reference, transcript) for name in _LEVEL_COLUMNS]
    levels.append(transcript.rms_db if transcript else None)
    return _band_of_decibels(next((level for level in levels if level is not None), None))


def _speaker(reference: Utterance, transcript: Transcript | None) -> str:
    return _text(reference.speaker or (transcript.speaker if transcript else None))


def _codec(_: Utterance, transcript: Transcript | None) -> str:
    return (transcript.codec if transcript else "") or NONE


def _sample_rate(_: Utterance, transcript: Transcript | None) -> str:
    return _text(transcript.sample_rate if transcript else None)


_Value: TypeAlias = Callable[[Utterance, Transcript | None], str]
_KNOWN: dict[str, _Value] = {
    "channel": _channel,
    "codec": _codec,
    "duration_band": _duration_band,
    "level_band": _level_band,
    "sample_rate": _sample_rate,
    "speaker": _speaker,
}
KNOWN_GROUPS = frozenset(_KNOWN)
"""Groups that need no column of their name."""


def _text(value: object) -> str:
    return NONE if value in (None, "", 0) else str(value)


def _column(name: str, reference: Utterance, transcript: Transcript | None) -> object:
    if name in reference.extra:
        return reference.extra[name]
    return transcript.extra.get(name) if transcript else None
