from __future__ import annotations

import inspect
from typing import get_args

import numpy as np
import pytest
from torchaudio.transforms import MelSpectrogram

from asr_model.spectrum import Spectrum, WindowArguments, WindowName, window

WINDOWS = get_args(WindowName)


def test_every_argument_of_torchaudio_s_transform_is_a_setting():
    arguments = set(inspect.signature(MelSpectrogram).parameters) - {"onesided", "norm"}  # norm: of LogMel
    assert arguments <= set(Spectrum.model_fields)


@pytest.mark.parametrize("name", WINDOWS)
def test_windows_are_symmetric_unless_periodic(name):
    values = window(Spectrum(window_fn=name, wkwargs=WindowArguments(periodic=False)))
    assert np.allclose(values, values[::-1], atol=1e-6)
    if name != "povey_window":
        assert np.allclose(window(Spectrum(window_fn=name))[1:], window(Spectrum(window_fn=name))[:0:-1], atol=1e-6)


@pytest.mark.parametrize("wrong", [{"win_length": 600}, {"f_max": 9000.0}, {"f_min": 8000.0}, {"hop_length": 0}])
def test_settings_that_cannot_be_are_refused(wrong):
    with pytest.raises(ValueError, match=r"win_length|f_min|hop_length"):
        Spectrum(**wrong)
