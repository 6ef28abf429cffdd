from __future__ import annotations

import numpy as np
import pytest
from pydantic import TypeAdapter, ValidationError

from asr_model.tempo import Tempo, change_tempo


def test_what_is_said_more_slowly_has_more_frames_and_the_same_in_the_middle():
    time = np.linspace(0, 1, 41, dtype=np.float32)
    features = np.stack([time, -2 * time], axis=1)
    for tempo, num_frames in ((0.5, 82), (0.8, 51), (1.25, 33), (2.0, 20)):
        changed = change_tempo(features, tempo)
        assert changed.shape == (num_frames, 2)
        assert changed.dtype == np.float32
        assert np.allclose(changed[:, 1], -2 * changed[:, 0])
        assert (np.diff(changed[:, 0]) >= 0).all()
        assert changed[:, 0].mean() == pytest.approx(0.5, abs=1e-3)


def test_frames_between_two_are_interpolated_and_as_it_was_said_it_is_the_same_array():
    features = np.array([[0.0], [4.0]], np.float16)
    assert change_tempo(features, 0.5)[:, 0].tolist() == [0.0, 1.0, 3.0, 4.0]
    assert change_tempo(features, 1.0) is features


def test_a_single_frame_stays_one_however_fast():
    assert change_tempo(np.ones((1, 3), np.float32), 2.0).tolist() == [[1.0, 1.0, 1.0]]


@pytest.mark.parametrize("wrong", [0.0, 0.1, 3.0])
def test_nobody_speaks_that_fast(wrong):
    with pytest.raises(ValidationError):
        TypeAdapter(Tempo).validate_python(wrong)
