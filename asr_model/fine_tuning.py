"""A new run that begins with the weights of a recognizer, for the same alphabet or another."""

from __future__ import annotations

from typing import Any

import torch

from asr_model.network import Network
from asr_model.recognizer import Recognizer, RecognizerError, RecognizerSettings

__all__ = ["take_over"]


def take_over(network: Network, settings: RecognizerSettings, initial: Recognizer) -> list[str]:
    """Copy the weights of ``initial`` into ``network`` and return the characters that it did not know.

    Weights with a row for every token are copied for the blank and for the characters that both alphabets hold. Layers
    that the recognizer has fewer of begin anew. ``features.hop_length`` may be another: to the network, it is a tempo.

    Raises:
        RecognizerError: the recognizer's features are others, or its network is deeper, or of another kind or other
            sizes.
    """
    _check("features", *(it.features.model_dump(exclude={"hop_length"}) for it in (initial.settings, settings)))
    ours, theirs = dict(network.named_parameters()), dict(initial.network.named_parameters())
    same = ours.keys() >= theirs.keys() and all(
        ours[name].shape[1:] == theirs[name].shape[1:]
        and (name in network.TOKEN_WEIGHTS or ours[name].shape == theirs[name].shape)
        for name in theirs
    )
    if not same:
        _check("network", initial.settings.network.model_dump(), settings.network.model_dump())
    places = {character: token for token, character in enumerate(initial.settings.alphabet.characters, start=1)}
    wanted = settings.alphabet.characters
    rows = [(0, 0), *((token, places[c]) for token, c in enumerate(wanted, start=1) if c in places)]
    to, of = (torch.tensor(side) for side in zip(*rows, strict=True))
    with torch.no_grad():
        for name, learned in theirs.items():
            weight = ours[name]
            if name in network.TOKEN_WEIGHTS:
                weight[to.to(weight.device)] = learned[of].to(weight.device)
            else:
                weight.copy_(learned)
    return [character for character in wanted if character not in places]


def _check(section: str, theirs: dict[str, Any], wanted: dict[str, Any]) -> None:
    differing = [
        f"{section}.{name}: {_shown(theirs.get(name))}, wanted {_shown(wanted.get(name))}"
        for name in wanted.keys() | theirs.keys()
        if theirs.get(name) != wanted.get(name)
    ]
    if differing:
        raise RecognizerError(f"the recognizer to begin with has other settings: {'; '.join(sorted(differing))}")


def _shown(value: Any) -> str:
    return "none" if value is None else str(list(value) if isinstance(value, tuple) else value)
