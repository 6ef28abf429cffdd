from __future__ import annotations

import pytest
import torch
from pydantic import TypeAdapter, ValidationError

from asr_model.vocal_tract import VocalTracts, stretch_bands


def test_a_peak_moves_down_for_a_longer_vocal_tract_and_up_for_a_shorter_one():
    bands = torch.arange(40.0)
    features = torch.exp(-((bands - 20) ** 2) / 4).expand(2, 3, 40)
    for factor in (0.8, 1.0, 1.25):
        stretched = stretch_bands(features, factor)
        assert stretched.shape == features.shape
        assert (stretched.argmax(-1) == round(20 / factor)).all()
    assert stretch_bands(features, 1.0) is features


def test_bands_between_two_are_interpolated_and_none_lies_beyond_the_last():
    assert stretch_bands(torch.tensor([[[0.0, 1.0, 4.0, 9.0]]]), 0.5).tolist() == [[[0.0, 0.5, 1.0, 2.5]]]
    assert stretch_bands(torch.tensor([[[0.0, 1.0, 4.0, 9.0]]]), 2.0).tolist() == [[[0.0, 4.0, 9.0, 9.0]]]


@pytest.mark.parametrize("wrong", [(), (0.1,), (1.0, 3.0)])
def test_there_is_a_vocal_tract_of_a_length_that_people_have(wrong):
    with pytest.raises(ValidationError):
        TypeAdapter(VocalTracts).validate_python(wrong)
