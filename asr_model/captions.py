"""Transcripts as captions: SRT, WebVTT, and the JSON that Whisper writes; one file is one recording."""

from __future__ import annotations

import html
import json
import math
from io import StringIO
from typing import Any, Literal

from asr_model.records import Segment, Word

__all__ = ["parse_captions", "parse_whisper"]


def parse_captions(text: str, form: Literal["srt", "vtt"]) -> list[Segment]:
    """Return the captions of an SRT or WebVTT file, without tags; their confidence is unknown (-1).

    Raises:
        ValueError: it is no such file, or some of it cannot be read.
    """
    import webvtt
    from webvtt.errors import MalformedFileError

    if not text.strip():
        return []
    try:
        captions = list(webvtt.from_buffer(StringIO(text), format=form))
    except MalformedFileError as error:
        raise ValueError(f"no {form.upper()} captions: {error}") from error
    if (wanted := text.count("-->")) != len(captions):
        raise ValueError(f"{wanted} times of captions, of which {len(captions)} could be read")
    return [
        Segment(_seconds(caption.start), _seconds(caption.end), html.unescape(" ".join(caption.text.split())), -1.0)
        for caption in captions
    ]


def parse_whisper(data: Any) -> tuple[str, list[Segment], list[Word]]:
    """Return text, segments and words of the JSON value that Whisper (and faster-whisper, WhisperX) writes.

    Raises:
        ValueError: it is no such value.
    """
    try:
        segments = [
            Segment(float(s["start"]), float(s["end"]), s["text"].strip(), math.exp(s.get("avg_logprob", 0.0)))
            if "avg_logprob" in s
            else Segment(float(s["start"]), float(s["end"]), s["text"].strip(), -1.0)
            for s in data["segments"]
        ]
        words = [
            Word(word["word"].strip(), float(word["start"]), float(word["end"]), _probability(word))
            for segment in data["segments"]
            for word in segment.get("words") or ()
            if "start" in word
        ]
        text = data["text"] if "text" in data else " ".join(segment.text for segment in segments)
        return str(text).strip(), segments, words
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"no transcript of Whisper's: {error!r} in {json.dumps(data)[:80]}") from error


def _probability(word: dict[str, Any]) -> float:
    return float(word.get("probability", word.get("score", -1.0)))


def _seconds(time: str) -> float:
    """Return the seconds of a time.

    >>> _seconds("01:02:03.500")
    3723.5
    """
    hours, minutes, seconds = time.split(":")
    return int(hours) * 3600 + int(minutes) * 60 + float(seconds)
