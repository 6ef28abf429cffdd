from __future__ import annotations

import dataclasses
import random
from collections import Counter

import pytest

from asr_model.matching import match, recording_key
from asr_model.records import Failure, Transcript, Utterance


def reference(path, channel=None, text="x"):
    return Utterance(path, path, channel, text)


def transcript(path, channel=0):
    return Transcript(path, channel, "y", None, 1.0, 8000, "", 1, [])


def pairs(references, transcripts):
    """Return (reference path, channel) → (transcript path, channel) or None, and the reasons of failures."""
    found, reasons = {}, []
    for row in match(references, transcripts):
        if isinstance(row, Failure):
            reasons.append(row.reason)
        else:
            left, right = row
            found[left.audio_filepath, left.channel] = right and (right.audio_filepath, right.channel)
    return found, sorted(reasons)


def test_the_same_file_under_another_folder_is_matched():
    assert pairs([reference("a.wav")], [transcript("/data/a.wav")]) == ({("a.wav", None): ("/data/a.wav", 0)}, [])


def test_channels_are_matched_each():
    references = [reference("a.wav", 0), reference("a.wav", 1)]
    found, reasons = pairs(references, [transcript("a.wav", 1), transcript("a.wav", 0)])
    assert found == {("a.wav", 0): ("a.wav", 0), ("a.wav", 1): ("a.wav", 1)}
    assert reasons == []


def test_equal_file_names_are_told_apart_by_their_folders():
    names = ["mon/a.wav", "tue/a.wav"]
    found, reasons = pairs([reference(name) for name in names], [transcript(f"/data/{name}") for name in names])
    assert found == {(name, None): (f"/data/{name}", 0) for name in names}
    assert reasons == []


@pytest.mark.parametrize(
    ("references", "transcripts", "reasons"),
    [
        ([reference("a.wav")], [], ["no-transcript"]),
        ([], [transcript("a.wav")], ["no-reference"]),
        ([reference("a.wav", 3)], [transcript("a.wav", 0)], ["no-reference", "no-transcript"]),
        ([reference("a.wav", text=None)], [transcript("a.wav")], ["no-reference", "no-text"]),
        (
            [reference("a.wav")],
            [transcript("a.wav", 0), transcript("a.wav", 1)],
            ["ambiguous-channel", "no-reference", "no-reference"],
        ),
        (
            [reference("a.wav")],
            [transcript("x/a.wav"), transcript("y/a.wav")],
            ["ambiguous-recording", "no-reference", "no-reference"],
        ),
        ([reference("a.wav", 0), reference("a.wav")], [transcript("a.wav")], ["duplicate"]),
    ],
)
def test_what_finds_no_partner_has_a_reason(references, transcripts, reasons):
    assert pairs(references, transcripts)[1] == reasons


def test_a_lost_transcript_stays_with_its_reference_to_be_counted():
    assert pairs([reference("a.wav", 0)], [])[0] == {("a.wav", 0): None}


@pytest.mark.parametrize("path", ["a.wav", "/x/a.wav", "gs://b/x/a.wav", "C:\\x\\a.wav", "x/a", "a.FLAC"])
def test_the_key_is_the_last_part_without_a_media_suffix(path):
    assert recording_key(path) == "a"


@pytest.mark.parametrize(("name", "key"), [("sw2001.A", "sw2001.A"), (".wav", ".wav"), ("a.b.wav", "a.b")])
def test_what_is_no_media_suffix_is_part_of_the_name(name, key):
    assert recording_key(name) == key


def test_a_name_without_suffix_is_any_recording_of_that_name():
    assert pairs([reference("mon/a.wav")], [transcript("out/mon/a")]) == ({("mon/a.wav", None): ("out/mon/a", 0)}, [])
    found, reasons = pairs([reference("a.wav")], [transcript("a.flac")])
    assert (found, reasons) == ({("a.wav", None): None}, ["no-reference", "no-transcript"])


def test_a_reference_listed_twice_counts_once():
    for transcripts in ([], [transcript("a.wav")]):
        rows = list(match([reference("a.wav", 0), reference("a.wav", 0)], transcripts))
        assert len([row for row in rows if not isinstance(row, Failure)]) == 1
        assert "duplicate" in [row.reason for row in rows if isinstance(row, Failure)]


def test_a_second_transcript_of_the_same_is_not_lost_in_silence():
    found, reasons = pairs([reference("a.wav", 0)], [transcript("a.wav"), transcript("a.wav")])
    assert found == {("a.wav", 0): ("a.wav", 0)}
    assert reasons == ["no-reference"]


@pytest.mark.parametrize("seed", range(50))
def test_the_account_of_references_and_transcripts_is_closed(seed):
    draw = random.Random(seed)

    def path():
        return "/".join([*draw.choices(["x", "y", "z"], k=draw.randrange(4)), "a.wav"])

    references = [
        reference(path(), draw.choice([None, 0, 1]), draw.choice(["x", "x", None])) for _ in range(draw.randrange(8))
    ]
    transcripts = [transcript(path(), draw.randrange(2)) for _ in range(draw.randrange(8))]
    rows = list(match(references, transcripts))
    scored = [row for row in rows if not isinstance(row, Failure) and row[1] is not None]
    failures = Counter(row.reason for row in rows if isinstance(row, Failure))
    unmatched = failures.pop("no-reference", 0)
    assert len(references) == len(scored) + failures.total()
    assert len(transcripts) == len(scored) + unmatched
    assert len({id(transcript) for _, transcript in scored}) == len(scored)
    for left, right in scored:
        assert left.channel in (None, right.channel)


def test_segments_of_one_recording_are_told_apart_by_their_offsets():
    references = [dataclasses.replace(reference("a.wav"), offset=offset) for offset in (0.0, 2.5, 9.0)]
    transcripts = [dataclasses.replace(transcript("a.wav"), offset=offset) for offset in (2.5001, 0.0)]
    matched = [row for row in match(references, transcripts) if not isinstance(row, Failure)]
    assert [(left.offset, right and right.offset) for left, right in matched] == [
        (0.0, 0.0),
        (2.5, 2.5001),
        (9.0, None),
    ]


def test_a_reference_at_the_start_of_a_recording_belongs_to_the_whole_transcript():
    assert pairs([dataclasses.replace(reference("a.wav"), offset=0.0)], [transcript("a.wav")])[1] == []


def test_a_reference_without_offset_does_not_choose_among_segments():
    transcripts = [dataclasses.replace(transcript("a.wav"), offset=offset) for offset in (0.0, 2.5)]
    assert pairs([reference("a.wav", 0)], transcripts)[1] == ["ambiguous-segment", "no-reference", "no-reference"]
