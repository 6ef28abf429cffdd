"""What tests of several verbs share: a small archive of calls and a small recognizer, made once."""

from __future__ import annotations

import json
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from asr_model.features import LogMel
from asr_model.networks import CnnBiLstmSettings, build_network
from asr_model.recognizer import RecognizerSettings, save_recognizer
from asr_model.text import Alphabet


@pytest.fixture(scope="session")
def recognizer_folder(tmp_path_factory):
    """Return the folder of a recognizer of random weights: it writes something for every sound, always the same."""
    settings = RecognizerSettings(
        features=LogMel(sample_rate=8000, n_fft=256, win_length=200, hop_length=80, n_mels=20, f_max=4000.0),
        alphabet=Alphabet.of("abc '"),
        network=CnnBiLstmSettings(channels=(4,), residual_blocks=0, lstm_size=8, lstm_layers=1),
    )
    torch.manual_seed(0)
    network = build_network(settings.network, 20, settings.alphabet.size)
    with torch.no_grad():
        for weight in network.parameters():
            weight.mul_(3)
    folder = tmp_path_factory.mktemp("recognizer")
    weights = {name: weight.detach() for name, weight in network.named_parameters()}
    (folder / "recognizer.safetensors").write_bytes(save_recognizer(settings, weights, {}))
    return folder


@pytest.fixture(scope="session")
def archive(tmp_path_factory):
    """Return a folder of six two-channel calls of noise in bursts, and a manifest of both channels with a text each."""
    folder = tmp_path_factory.mktemp("archive")
    rows = []
    for number in range(6):
        (folder / f"call-{number}.wav").write_bytes(call(number, seconds=2 + number))
        rows += [
            {"audio_filepath": f"call-{number}.wav", "channel": channel, "text": "a b", "speaker": f"s{number}"}
            for channel in (0, 1)
        ]
    (folder / "references.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


def call(seed: int, seconds: float) -> bytes:
    """Return a two-channel WAV file, 8 kHz: coloured noise that comes and goes."""
    draw = np.random.default_rng(seed)
    time = np.arange(int(seconds * 8000)) / 8000
    noise = np.cumsum(draw.normal(size=(2, len(time))), axis=1)
    noise = np.diff(noise, axis=1, prepend=0) + 0.5 * np.sin(2 * np.pi * np.array([[300], [700]]) * time)
    loud = np.stack([np.sin(2 * np.pi * 0.7 * time) > 0, np.sin(2 * np.pi * 0.7 * time) < 0])
    file = BytesIO()
    soundfile.write(file, (0.1 * noise * loud).T.astype(np.float32), 8000, format="WAV", subtype="PCM_16")
    return file.getvalue()


def contents(folder: Path | str, *patterns: str) -> dict[str, bytes]:
    """Return the bytes of the files below ``folder`` by relative path."""
    found = [path for pattern in patterns or ("**/*",) for path in Path(folder).glob(pattern) if path.is_file()]
    return {str(path.relative_to(folder)): path.read_bytes() for path in found}
