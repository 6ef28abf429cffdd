"""The networks there are: a line for each kind."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Discriminator, Tag

from asr_model.cnn_bilstm import CnnBiLstm, CnnBiLstmSettings
from asr_model.conformer import Conformer, ConformerSettings
from asr_model.listen_attend_spell import ListenAttendSpell, ListenAttendSpellSettings
from asr_model.network import CtcNetwork, Network

__all__ = [
    "CnnBiLstm",
    "CnnBiLstmSettings",
    "Conformer",
    "ConformerSettings",
    "CtcNetwork",
    "ListenAttendSpell",
    "ListenAttendSpellSettings",
    "Network",
    "NetworkSettings",
    "build_network",
]


def _kind(value: Any) -> str:
    """Return which network settings are of; those that do not say are of the first there was."""
    kind = value.get("kind", "cnn_bilstm") if isinstance(value, dict) else getattr(value, "kind", "")
    return str(kind)


NetworkSettings = Annotated[
    Annotated[CnnBiLstmSettings, Tag("cnn_bilstm")]
    | Annotated[ConformerSettings, Tag("conformer")]
    | Annotated[ListenAttendSpellSettings, Tag("listen_attend_spell")],
    Discriminator(_kind),
]

_KINDS: dict[type, Any] = {
    CnnBiLstmSettings: CnnBiLstm,
    ConformerSettings: Conformer,
    ListenAttendSpellSettings: ListenAttendSpell,
}


def build_network(settings: NetworkSettings, num_features: int, vocabulary_size: int) -> Network:
    """Return the network that ``settings`` are of, with fresh weights; token 0 of the vocabulary is the blank."""
    network: Network = _KINDS[type(settings)](settings, num_features, vocabulary_size)
    return network
