"""A row of a manifest or table, as people write it → an utterance."""

from __future__ import annotations

import json
import math
from typing import Any

import pipelines.io as io
from asr_model.records import Utterance

__all__ = ["parse_cell", "parse_row"]

_TYPES: dict[str, tuple[tuple[type, ...], str]] = {
    "audio_filepath": ((str,), "a path or URL"),
    "text": ((str, type(None)), "a string"),
    "duration": ((int, float, type(None)), "seconds"),
    "speaker": ((str, int, type(None)), "a string"),
    "channel": ((int, str, type(None)), "a channel number from 0, all, or mix"),
    "offset": ((int, float, type(None)), "seconds"),
}
MAX_CHANNEL = 65_535
"""The highest channel that any format of audio can have."""


def parse_row(row: Any, folder: str) -> Utterance:
    """Return the utterance of a manifest row in the NeMo manner; paths in it are seen from ``folder``.

    Raises:
        ValueError: the row is no object, or a column holds something else than it should.
    """
    if not isinstance(row, dict):
        raise ValueError(f"wanted a JSON object, found {type(row).__name__}")
    if not row.get("audio_filepath"):
        raise ValueError("no audio_filepath")
    for name, (types, wanted) in _TYPES.items():
        value: Any = row.get(name)
        is_out_of_range = isinstance(value, int | float) and not 0 <= value < math.inf
        if not isinstance(value, types) or isinstance(value, bool) or is_out_of_range:
            raise ValueError(f"{name} is {json.dumps(value)}, wanted {wanted}")
    channel, offset, duration, speaker = (row.get(name) for name in ("channel", "offset", "duration", "speaker"))
    if (
        channel is not None
        and channel not in ("all", "mix")
        and not (isinstance(channel, int) and channel <= MAX_CHANNEL)
    ):
        raise ValueError(f"channel is {json.dumps(channel)}, wanted {_TYPES['channel'][1]}")
    if offset is not None and not duration:
        raise ValueError(f"offset is {offset} but duration is {json.dumps(duration)}, wanted the segment's seconds")
    return Utterance(
        audio_filepath=row["audio_filepath"],
        path=io.join(folder, row["audio_filepath"]),
        channel=channel,
        text=row.get("text"),
        duration=duration,
        speaker=None if speaker is None else str(speaker),
        extra={name: value for name, value in row.items() if name not in _TYPES},
        offset=None if offset is None else float(offset),
    )


def parse_cell(cell: str) -> int | float | str | None:
    """Return what a cell of a table says: nothing, a number, or the text itself, which is for `parse_row` to judge."""
    if not cell:
        return None
    try:
        return int(cell) if cell.isdecimal() else float(cell)
    except ValueError:
        return cell
