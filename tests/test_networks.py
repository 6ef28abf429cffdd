from __future__ import annotations

from typing import get_args

import pytest
import torch
from pydantic import Field

from asr_model.config import Settings, SettingsError, load_settings
from asr_model.networks import (
    CnnBiLstm,
    CnnBiLstmSettings,
    CtcNetwork,
    ListenAttendSpell,
    ListenAttendSpellSettings,
    NetworkSettings,
    build_network,
)
from asr_model.text import Alphabet

KINDS = [get_args(kind)[0] for kind in get_args(get_args(NetworkSettings)[0])]


class Outer(Settings):
    network: NetworkSettings = Field(default=CnnBiLstmSettings())


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_stored_loaded_and_built(kind):
    stored = {"network": kind().model_dump(mode="json")}
    loaded = load_settings(Outer, stored, "f").network
    assert loaded == kind()
    network = build_network(loaded, 20, 5)
    sizes = {name: weight.shape[0] for name, weight in network.named_parameters() if name in network.TOKEN_WEIGHTS}
    assert set(sizes.values()) == {5}
    batch = torch.randn(2, 40, 20), torch.tensor([40, 30]), torch.tensor([[1, 2], [3, 0]]), torch.tensor([2, 1])
    assert torch.isfinite(network.loss(*batch).total)
    assert len(network.eval().decode(*batch[:2], Alphabet.of("abcd"))) == 2


def test_settings_that_name_no_kind_are_of_the_first_there_was():
    assert load_settings(Outer, {"network": {"lstm_size": 8}}, "f").network == CnnBiLstmSettings(lstm_size=8)


def test_the_kinds_are_told_apart():
    assert isinstance(build_network(CnnBiLstmSettings(), 20, 5), CnnBiLstm)
    assert isinstance(build_network(CnnBiLstmSettings(), 20, 5), CtcNetwork)
    assert isinstance(build_network(ListenAttendSpellSettings(), 20, 5), ListenAttendSpell)


@pytest.mark.parametrize(
    ("network", "message"),
    [
        ({"kind": "las"}, "f: network: found"),
        ({"kind": "listen_attend_spell", "lstm_size": 3}, "f: network.lstm_size: unknown setting"),
        (
            {"kind": "listen_attend_spell", "beam_with": 3},
            "f: network.beam_with: unknown setting; did you mean beam_wid",
        ),
        ({"chanels": [3]}, "f: network.chanels: unknown setting; did you mean channels?"),
        ({"lstm_size": 0}, "f: network.lstm_size: found 0"),
        ({"time_stride": [1, 0]}, "f: network.time_stride"),
    ],
)
def test_a_wrong_setting_is_named_by_the_path_the_user_wrote(network, message):
    with pytest.raises(SettingsError) as error:
        load_settings(Outer, {"network": network}, "f")
    assert message in str(error.value)
    assert "speller_size" not in str(error.value) or network.get("kind") == "listen_attend_spell"
