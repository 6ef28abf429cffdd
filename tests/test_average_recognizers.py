from __future__ import annotations

import average_recognizers
import pytest
import torch

from asr_model.calibration import Calibration
from asr_model.decoding import Greedy
from asr_model.networks import build_network
from asr_model.recognizer import load_recognizer, read_metadata, save_recognizer


@pytest.fixture
def two(recognizer_folder, tmp_path):
    """A recognizer, and one of the same settings with other weights."""
    first = recognizer_folder / "recognizer.safetensors"
    settings = load_recognizer(first.read_bytes(), "first").settings
    torch.manual_seed(1)
    network = build_network(settings.network, settings.features.num_features, settings.alphabet.size)
    second = tmp_path / "second.safetensors"
    uniform = (1 / settings.alphabet.size,) * settings.alphabet.size
    found = {"calibration": Calibration(slope=0.5), "token_priors": uniform, "vocal_tracts": (0.9, 1.1), "tempo": 0.9}
    tuned = settings.model_copy(update=found)
    second.write_bytes(save_recognizer(tuned, network.state_dict(), {}))
    return first, second


def average(output, *paths, shares):
    return average_recognizers.main([*map(str, paths), "--shares", shares, "--output", str(output)])


def test_every_weight_is_the_mean_by_shares(two, tmp_path):
    assert average(tmp_path / "out", *two, shares="0.25,0.75") == 0
    data = (tmp_path / "out" / "recognizer.safetensors").read_bytes()
    made = load_recognizer(data, "made")
    one, other = (load_recognizer(path.read_bytes(), "part") for path in two)
    for name, weight in made.network.state_dict().items():
        wanted = 0.25 * one.network.state_dict()[name] + 0.75 * other.network.state_dict()[name]
        torch.testing.assert_close(weight, wanted.half().float())  # the file holds float16
    assert (made.settings.decoder, made.settings.calibration) == (Greedy(), Calibration())
    assert made.settings.token_priors is None
    assert (made.settings.vocal_tracts, made.settings.tempo) == ((1.0,), 1.0)
    parts = read_metadata(data, "made")["provenance"]["average"]
    assert parts == [{"recognizer": one.digest, "share": 0.25}, {"recognizer": other.digest, "share": 0.75}]


@pytest.mark.parametrize("shares", ["1.0", "0.5,0.6", "0.2,0.3,0.5"])
def test_shares_are_one_for_each_and_make_a_whole(two, tmp_path, shares, capsys):
    with pytest.raises(SystemExit):
        average(tmp_path / "out", *two, shares=shares)
    assert "wanted 2 numbers whose sum is 1" in capsys.readouterr().err


def test_recognizers_of_other_settings_are_refused(two, tmp_path, capsys):
    loaded = load_recognizer(two[0].read_bytes(), "first")
    settings = loaded.settings.model_copy(
        update={"network": loaded.settings.network.model_copy(update={"dropout": 0.5})}
    )
    other = tmp_path / "other.safetensors"
    other.write_bytes(save_recognizer(settings, loaded.network.state_dict(), {}))
    with pytest.raises(SystemExit):
        average(tmp_path / "out", two[0], other, shares="0.5,0.5")
    assert "are not those of" in capsys.readouterr().err
