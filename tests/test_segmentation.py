from __future__ import annotations

import numpy as np
import pytest

from asr_model import segmentation
from asr_model.segmentation import SegmentationSettings, Segmenter, speech_segments

RATE = 8000
DEFAULT = SegmentationSettings()
SHORT = SegmentationSettings(min_pause_seconds=0.6)


def recording(*bursts, seconds=10.0, hiss=1e-4, level=0.1):
    """Return hiss with louder noise at each (start, end)."""
    draw = np.random.default_rng(0)
    samples = hiss * draw.normal(size=round(seconds * RATE))
    for start, end in bursts:
        burst = samples[round(start * RATE) : round(end * RATE)]
        burst += level * draw.normal(size=len(burst))
    return samples.astype(np.float32)


def found(samples, settings=DEFAULT):
    return [(start / RATE, end / RATE) for start, end in speech_segments(samples, RATE, settings)]


@pytest.mark.parametrize("level", [0.3, 0.02])
def test_bursts_are_found_with_their_padding(level):
    segments = found(recording((1, 2.5), (4, 4.5), (7, 9), level=level))
    expected = [(0.5, 3), (3.5, 5), (6.5, 9.5)]
    assert np.array(segments) == pytest.approx(np.array(expected), abs=0.06)


def test_short_pauses_stay_inside():
    assert len(found(recording((1, 2), (2.4, 3)), SHORT)) == 1
    assert len(found(recording((1, 2), (2.9, 4)), SHORT)) == 2


def test_clicks_are_no_speech():
    assert len(found(recording((1, 2), (6, 6.01)))) == 1


def test_there_is_nothing_in_silence():
    assert found(np.zeros(RATE, np.float32)) == []
    assert found(np.full(RATE, 0.3, np.float32)) == []  # an offset is no sound
    assert found(np.zeros(0, np.float32)) == []


def test_speech_without_pauses_is_one_stretch():
    assert found(recording((0, 10))) == [(0.0, 10.0)]


@pytest.mark.parametrize("seconds", [47.0, 100.3])
def test_long_stretches_are_cut_at_the_quietest_place_and_lose_nothing(seconds):
    samples = recording((0, seconds), seconds=seconds)
    samples[16 * RATE : 16 * RATE + 400] *= 0.05
    segments = found(samples)
    assert segments[0][1] == pytest.approx(16.02, abs=0.05)
    assert [end for _, end in segments[:-1]] == [start for start, _ in segments[1:]]
    assert (segments[0][0], segments[-1][1]) == (0.0, pytest.approx(seconds))
    assert max(end - start for start, end in segments) <= 20


@pytest.mark.parametrize("seed", range(5))
def test_segments_are_in_order_inside_the_recording_and_do_not_overlap(seed):
    draw = np.random.default_rng(seed)
    bursts = [(start, start + draw.uniform(0.02, 3)) for start in np.sort(draw.uniform(0, 57, 20))]
    segments = speech_segments(recording(*bursts, seconds=60.0), RATE, SegmentationSettings(max_seconds=5.0))
    edges = [edge for segment in segments for edge in segment]
    assert edges == sorted(edges)
    assert all(start < end for start, end in segments)
    assert 0 <= edges[0] <= edges[-1] <= 60 * RATE


def test_hiss_far_below_speech_is_silence():
    assert found(recording(seconds=5.0)) == []


@pytest.mark.parametrize("seed", range(5))
def test_all_of_every_burst_is_inside_one_segment_when_none_is_too_long(seed):
    draw = np.random.default_rng(seed)
    starts = 1 + 3.5 * np.arange(8) + draw.uniform(0, 0.5, 8)
    bursts = [(start, start + draw.uniform(0.3, 2.2)) for start in starts]
    segments = found(recording(*bursts, seconds=30.0))
    assert len(segments) == len(bursts)
    for (start, end), (first, last) in zip(segments, bursts, strict=True):
        assert start <= first < last <= end
        assert end - start <= last - first + 2 * DEFAULT.padding_seconds + 0.1


@pytest.mark.parametrize("padding", [0.5, 2.0, 20.0])
@pytest.mark.parametrize(
    ("bursts", "seconds"),
    [(((1, 3), (3.8, 5)), 10.0), (((0.0, 0.2), (0.9, 3)), 10.0), (((8, 10), (10.65, 10.75)), 10.75)],
    ids=["inside", "at the start", "at the end"],
)
def test_where_paddings_meet_the_cut_lies_in_the_pause(padding, bursts, seconds):
    settings = SHORT.model_copy(update={"padding_seconds": padding})
    first, second = found(recording(*bursts, seconds=seconds), settings)
    (_, last_end), (next_start, _) = bursts
    assert last_end - 0.02 <= first[1] <= second[0] <= next_start + 0.02


def streamed(samples, block, settings=DEFAULT):
    """Return (start, end) of what a segmenter yields of samples in blocks, having compared the samples."""
    segmenter = Segmenter(RATE, settings)
    segments = [s for at in range(0, len(samples), block) for s in segmenter.add(samples[at : at + block])]
    segments += segmenter.finish()
    assert all(np.array_equal(piece, samples[start : start + len(piece)]) for start, piece in segments)
    return [(start / RATE, (start + len(piece)) / RATE) for start, piece in segments]


@pytest.mark.parametrize("block", [1000, 7919, 10**6])
def test_blocks_of_a_recording_give_the_segments_of_the_whole(block):
    samples = recording((1, 2.5), (4, 4.5), (7, 10.0))
    assert streamed(samples, block) == found(samples)
    assert streamed(samples[:0], block) == []


@pytest.mark.parametrize("seed", range(8))
def test_stretches_of_a_long_recording_lose_no_speech_and_split_no_word(monkeypatch, seed):
    monkeypatch.setattr(segmentation, "STRETCH_SECONDS", 3.0)
    draw = np.random.default_rng(seed)
    starts = 1 + 3.5 * np.arange(40) + draw.uniform(0, 0.5, 40)
    bursts = [(start, start + draw.uniform(0.3, 2.2)) for start in starts]
    samples = recording(*bursts, seconds=145.0)
    settings = SegmentationSettings(max_seconds=6.0)
    segments = streamed(samples, 7919, settings)
    assert len(segments) == len(bursts)
    for (start, end), (first, last) in zip(segments, bursts, strict=True):
        assert start <= first < last <= end
    assert streamed(samples, 50_000, settings) == segments


def test_a_long_recording_without_pauses_loses_nothing_and_what_is_held_is_bounded(monkeypatch):
    monkeypatch.setattr(segmentation, "STRETCH_SECONDS", 3.0)
    samples = recording((0, 100), seconds=100.0)
    segments = streamed(samples, 1000, SegmentationSettings(max_seconds=4.0))
    assert [end for _, end in segments[:-1]] == [start for start, _ in segments[1:]]
    assert (segments[0][0], segments[-1][1]) == (0.0, 100.0)
    segmenter = Segmenter(RATE, SHORT.model_copy(update={"max_seconds": 4.0}))
    for at in range(0, len(samples), 1000):
        list(segmenter.add(samples[at : at + 1000]))
        assert len(segmenter._held) <= 8.1 * RATE
