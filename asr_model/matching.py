"""Which transcript belongs to which reference: by recording and, where given, channel."""

from __future__ import annotations

import posixpath
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import TypeAlias

from asr_model.records import Failure, Transcript, Utterance

__all__ = ["match", "recording_key"]

Match: TypeAlias = tuple[Utterance, Transcript | None]
"""A reference and its transcript; None: there is none."""
SAME_SECONDS = 1e-3
"""Offsets nearer to one another are of the same segment."""


MEDIA_SUFFIXES = frozenset(
    [
        "3gp",
        "aac",
        "aif",
        "aiff",
        "amr",
        "au",
        "caf",
        "flac",
        "g722",
        "gsm",
        "m4a",
        "m4v",
        "mka",
        "mkv",
        "mov",
        "mp3",
        "mp4",
        "oga",
        "ogg",
        "opus",
        "raf",
        "raw",
        "rf64",
        "sph",
        "ul",
        "ulaw",
        "vox",
        "w64",
        "wav",
        "webm",
        "wma",
    ]
)


def recording_key(path: str) -> str:
    """Return what a reference and its transcript must have in common: the file's name without its media suffix.

    >>> recording_key("gs://calls/mon/a.wav"), recording_key("C:\\\\calls\\\\a.2024"), recording_key("a")
    ('a', 'a.2024', 'a')
    """
    return _stem(path.replace("\\", "/").rpartition("/")[2])


def match(references: Sequence[Utterance], transcripts: Sequence[Transcript]) -> Iterable[Match | Failure]:
    """Pair references and transcripts of one `recording_key`; what finds no partner is a failure.

    The file names agree, or one has no media suffix (as in CTM, or where a caption file names the recording). Where
    several recordings share the file name, a reference belongs to the one whose path agrees with its own in the
    most parts from the end, if each is the other's only best. A reference without channel belongs to a recording with
    a single transcript; one with an offset, to the segment that begins there. Reasons: ``no-text``, ``duplicate``,
    ``ambiguous-recording``, ``ambiguous-channel``, ``ambiguous-segment``, ``no-transcript`` (with the reference, to be
    scored as lost), ``no-reference``.
    """
    if len(references) == len(transcripts) == 1 and _is_plain_pair(references[0], transcripts[0]):
        return [(references[0], transcripts[0])]
    return _matches(references, transcripts)


def _matches(references: Sequence[Utterance], transcripts: Sequence[Transcript]) -> Iterator[Match | Failure]:
    recordings: dict[str, list[Transcript]] = defaultdict(list)
    for transcript in transcripts:
        recordings[transcript.audio_filepath].append(transcript)
    paths = sorted({reference.path for reference in references})
    partner = {path: _mutual_best(path, paths, sorted(recordings)) for path in paths}
    used: set[tuple[str, int, float | None]] = set()
    seen: set[tuple[str, object, float | None]] = set()
    for reference in references:
        if (key_of_reference := (reference.audio_filepath, reference.channel, reference.offset)) in seen:
            yield _failure(reference, "duplicate", "the references name this recording, channel and offset again")
            continue
        seen.add(key_of_reference)
        if reference.text is None:
            yield _failure(reference, "no-text", "the reference has no text")
            continue
        found = recordings.get(partner[reference.path] or "", [])
        if not found and recordings and partner[reference.path] is None and _is_tied(reference.path, recordings):
            message = f"several recordings of this name fit: {', '.join(sorted(recordings))}"
            yield _failure(reference, "ambiguous-recording", message)
            continue
        if reference.offset is not None:
            found = [t for t in found if abs((t.offset or 0.0) - reference.offset) < SAME_SECONDS]
        if reference.channel_number is None and len(found) > 1:
            message = f"no channel given, the recording has {len(found)} transcripts: name one in the reference"
            yield _failure(reference, "ambiguous-channel", message)
            continue
        chosen = [t for t in found if reference.channel_number in (None, t.channel)]
        if len({t.offset for t in chosen}) > 1:
            message = f"{len(chosen)} segments of this recording and channel: name an offset in the reference"
            yield _failure(reference, "ambiguous-segment", message)
            continue
        if not chosen:
            yield reference, None
            yield _failure(reference, "no-transcript", "no transcript of this recording and channel")
            continue
        key = (chosen[0].audio_filepath, chosen[0].channel, chosen[0].offset)
        if key in used:
            yield _failure(reference, "duplicate", "another reference names this recording, channel and offset")
            continue
        used.add(key)
        yield reference, chosen[0]
    for transcript in transcripts:
        key = (transcript.audio_filepath, transcript.channel, transcript.offset)
        if key in used:
            used.remove(key)  # a second transcript of the same is not scored
        else:
            message = "no (other) reference for this recording and channel: not scored"
            yield Failure(transcript.audio_filepath, transcript.channel, "no-reference", message, transcript.offset)


def _mutual_best(path: str, paths: Sequence[str], recordings: Sequence[str]) -> str | None:
    best = _only_best(path, recordings)
    return best if best is not None and _only_best(best, paths) == path else None


def _only_best(path: str, others: Sequence[str]) -> str | None:
    """Return the one of ``others`` that agrees with ``path`` in the most parts from the end, None where two do."""
    ranked = sorted(((count, other) for other in others if (count := _common_parts(path, other))), reverse=True)
    if not ranked or (len(ranked) > 1 and ranked[0][0] == ranked[1][0]):
        return None
    return ranked[0][1]


def _is_tied(path: str, recordings: dict[str, list[Transcript]]) -> bool:
    return (
        sum(_common_parts(path, other) > 0 for other in recordings) > 1 and _only_best(path, list(recordings)) is None
    )


def _is_plain_pair(reference: Utterance, transcript: Transcript) -> bool:
    """Return whether nothing else than a match can be said of the two."""
    return (
        reference.text is not None
        and reference.channel in (None, transcript.channel)
        and (reference.offset is None or abs((transcript.offset or 0.0) - reference.offset) < SAME_SECONDS)
        and (
            reference.audio_filepath == transcript.audio_filepath
            or _common_parts(reference.path, transcript.audio_filepath) > 0
        )
    )


def _common_parts(one: str, other: str) -> int:
    """Return in how many parts two paths agree from the end; the last may lack its media suffix in one of them."""
    left, right = _parts(one), _parts(other)
    if left[-1] != right[-1]:
        stems = _stem(left[-1]), _stem(right[-1])
        if stems[0] != stems[1] or stems[0] not in (left[-1], right[-1]):
            return 0
    count = 1
    for a, b in zip(left[-2::-1], right[-2::-1], strict=False):
        if a != b:
            break
        count += 1
    return count


def _parts(path: str) -> list[str]:
    return posixpath.normpath(path.replace("\\", "/")).split("/")


def _stem(name: str) -> str:
    stem, _dot, suffix = name.rpartition(".")
    return stem if stem and suffix.lower() in MEDIA_SUFFIXES else name


def _failure(reference: Utterance, reason: str, message: str) -> Failure:
    return Failure.of(reference, reason, message)
