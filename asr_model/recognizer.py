"""A recognizer: front end, alphabet, network and weights in one file; load, save, recognize."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from asr_model.batches import pad_features
from asr_model.calibration import Calibration
from asr_model.conditioning import Conditioning, condition
from asr_model.config import Settings, SettingsError, load_settings
from asr_model.decoding import (
    Decoder,
    DecoderChoice,
    DecoderSettings,
    Greedy,
    Hypothesis,
    build_decoder,
    calibrated,
    choose,
)
from asr_model.features import Features, compute_features
from asr_model.language_model import LanguageModel
from asr_model.networks import CtcNetwork, Network, NetworkSettings, build_network
from asr_model.tempo import Tempo, change_tempo
from asr_model.text import Alphabet
from asr_model.vocal_tract import VocalTracts, stretch_bands

__all__ = [
    "Recognizer",
    "RecognizerError",
    "RecognizerSettings",
    "change_recognizer",
    "load_recognizer",
    "read_metadata",
    "recognizer_file",
    "save_recognizer",
]

Heard = TypeVar("Heard")

METADATA_KEY = "beamscribe"
LANGUAGE_MODEL = "language_model"
"""Name of the tensor that holds the bytes of a gzipped ARPA file."""


class RecognizerError(ValueError):
    """A file is no recognizer, or a broken one."""


class RecognizerSettings(Settings):
    """Everything but the weights that makes a recognizer what it is; stored in its file."""

    features: Features
    conditioning: Conditioning = Conditioning()
    alphabet: Alphabet
    network: NetworkSettings
    decoder: DecoderSettings = Greedy()
    """How log-probabilities become text, where nothing else is asked for."""
    calibration: Calibration = Calibration()
    """What makes a word's confidence the chance that it is right."""
    vocal_tracts: VocalTracts = (1.0,)
    """Each utterance is heard as if spoken by all of these, and the mean counts; of networks trained by CTC."""
    tempo: Tempo = 1.0
    """Each utterance is heard as if spoken this fast."""
    token_priors: tuple[float, ...] | None = None
    """What part of its output the network gives each token (V,), on the average; for the decoder's ``prior_weight``."""


@dataclass(frozen=True)
class Recognizer:
    """Turns samples into text. ``digest`` identifies settings, weights and language model as they were loaded."""

    settings: RecognizerSettings
    network: Network
    digest: str
    language_model: LanguageModel | None = None

    def with_decoder(self, asked: DecoderChoice) -> Recognizer:
        """Return this recognizer with another decoder; what ``asked`` leaves open is as in this one's.

        Raises:
            SettingsError: the decoder needs a language model that is not there, or a network that is trained by CTC.
        """
        decoder = choose(asked, self.settings.decoder)
        if not isinstance(self.network, CtcNetwork) and not isinstance(decoder, Greedy):
            kind = self.settings.network.kind
            raise SettingsError(
                f"decoder.kind: {decoder.kind} needs a network trained by CTC, and {kind} searches itself"
            )
        changed = replace(self, settings=self.settings.model_copy(update={"decoder": decoder}))
        changed.decode  # noqa: B018 (built now, so that what is missing is said before any work starts)
        return changed

    def hearing_as(self, vocal_tracts: tuple[float, ...] | None, tempo: float | None) -> Recognizer:
        """Return this recognizer, each utterance heard as if spoken by these and this fast; None: as it was.

        It is times as much work as there are vocal tracts, and less the faster.

        Raises:
            SettingsError: vocal tracts are given and the network is not trained by CTC.
        """
        if vocal_tracts and not isinstance(self.network, CtcNetwork):
            kind = self.settings.network.kind
            raise SettingsError(f"vocal_tracts: wanted a network trained by CTC, and {kind} is none")
        asked = {"vocal_tracts": vocal_tracts, "tempo": tempo}
        update = {name: value for name, value in asked.items() if value is not None}
        return replace(self, settings=self.settings.model_copy(update=update))

    @cached_property
    def decode(self) -> Decoder:
        """What turns log-probabilities (S, V) of one segment into its hypothesis; of networks trained by CTC."""
        settings = self.settings
        return build_decoder(settings.decoder, settings.alphabet, self.language_model, settings.token_priors)

    @property
    def decoder(self) -> DecoderSettings:
        """How log-probabilities become text."""
        return self.settings.decoder

    @property
    def sample_rate(self) -> int:
        """Samples of a second that `recognize` wants."""
        return self.settings.features.sample_rate

    @property
    def step_seconds(self) -> float:
        """Seconds between two output steps of the network; the middle of step 0 is the segment's start."""
        return self.network.frames_per_step * self.settings.tempo / self.settings.features.frames_per_second

    def recognize(self, segments: Sequence[NDArray[np.float32]], batch_frames: int = 12000) -> list[Hypothesis]:
        """Return the hypothesis of each segment: samples (N,) float32 at ``settings.features.sample_rate``.

        Segments of like length share a batch of at most ``batch_frames`` frames, padding included.
        """
        rate = self.settings.features.sample_rate
        conditioned = [condition(samples, rate, self.settings.conditioning) for samples in segments]
        features = [compute_features(samples, self.settings.features) for samples in conditioned]
        return self._in_batches(features, batch_frames, self._recognize_batch)

    def log_probs(self, features: Sequence[NDArray[np.floating]], batch_frames: int = 12000) -> list[Tensor]:
        """Return the log-probabilities (S, V) of each segment's features (T, F); of networks trained by CTC."""
        return self._in_batches(features, batch_frames, self._log_probs_of_batch)

    def _in_batches(
        self,
        features: Sequence[NDArray[np.floating]],
        batch_frames: int,
        hear: Callable[[list[NDArray[np.floating]]], list[Heard]],
    ) -> list[Heard]:
        """Return what ``hear`` makes of each segment's features (T, F) at the recognizer's tempo."""
        features = [change_tempo(array, self.settings.tempo) for array in features]
        found: dict[int, Heard] = {}
        for batch in _batches([len(array) for array in features], batch_frames):
            found.update(zip(batch, hear([features[i] for i in batch]), strict=True))
        return [found[index] for index in range(len(features))]

    @torch.inference_mode()
    def _recognize_batch(self, features: list[NDArray[np.floating]]) -> list[Hypothesis]:
        if not isinstance(self.network, CtcNetwork):
            return self.network.decode(*pad_features(features), self.settings.alphabet)
        hypotheses = [self.decode(log_probs) for log_probs in self._log_probs_of_batch(features)]
        return [calibrated(hypothesis, self.settings.calibration) for hypothesis in hypotheses]

    @torch.inference_mode()
    def _log_probs_of_batch(self, features: list[NDArray[np.floating]]) -> list[Tensor]:
        padded, num_frames = pad_features(features)
        views = [self.network(stretch_bands(padded, tract), num_frames) for tract in self.settings.vocal_tracts]
        log_probs, num_steps = views[0]
        if views[1:]:
            log_probs = torch.stack([view for view, _ in views]).mean(dim=0).log_softmax(-1)
        return [row[:steps] for row, steps in zip(log_probs, num_steps.tolist(), strict=True)]


def _batches(lengths: list[int], batch_frames: int) -> Iterator[list[int]]:
    """Yield the indexes of segments of like length that share a batch of at most ``batch_frames``, padding included."""
    batch: list[int] = []
    for index in sorted(range(len(lengths)), key=lambda i: (lengths[i], i)):
        if batch and (len(batch) + 1) * lengths[index] > batch_frames:
            yield batch
            batch = []
        batch.append(index)
    if batch:
        yield batch


def save_recognizer(
    settings: RecognizerSettings,
    weights: dict[str, torch.Tensor],
    provenance: dict[str, Any],
    language_model: LanguageModel | None = None,
) -> bytes:
    """Return the bytes of a recognizer file: safetensors, with settings and provenance as JSON metadata.

    The language model is a tensor of bytes beside the weights: a recognizer is one file.
    """
    metadata = {"settings": settings.model_dump(mode="json"), "provenance": provenance}
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in weights.items()}
    if language_model:
        tensors[LANGUAGE_MODEL] = torch.frombuffer(bytearray(language_model.data), dtype=torch.uint8)
    return save(tensors, {METADATA_KEY: json.dumps(metadata, sort_keys=True)})


def change_recognizer(
    data: bytes,
    source: str,
    decoder: DecoderSettings,
    language_model: LanguageModel | None,
    made: dict[str, Any],
    calibration: Calibration = Calibration(),  # noqa: B008 (it cannot be changed)
    token_priors: tuple[float, ...] | None = None,
    vocal_tracts: tuple[float, ...] | None = None,
    tempo: float | None = None,
) -> bytes:
    """Return a recognizer file's bytes with another decoder and language model; ``made`` joins its provenance.

    Confidences are calibrated for a decoder and a language model: with others, an earlier one is void. Priors, vocal
    tracts and tempo stay where no others are given, and weights as they are stored.
    """
    recognizer = load_recognizer(data, source)
    changed: dict[str, Any] = {"decoder": decoder, "calibration": calibration}
    kept = {"token_priors": token_priors, "vocal_tracts": vocal_tracts, "tempo": tempo}
    changed |= {name: value for name, value in kept.items() if value is not None}
    settings = recognizer.settings.model_copy(update=changed)
    provenance = {**read_metadata(data, source)["provenance"], **made}
    weights = {name: tensor for name, tensor in load(data).items() if name != LANGUAGE_MODEL}
    return save_recognizer(settings, weights, provenance, language_model)


def load_recognizer(data: bytes, source: str) -> Recognizer:
    """Return the recognizer of a file's bytes, in evaluation mode on the CPU.

    Raises:
        RecognizerError: not a safetensors file, not a recognizer, or weights that do not fit its settings.
    """
    try:
        weights = load(data)
    except SafetensorError as error:
        raise RecognizerError(f"{source}: not a safetensors file: {error}") from error
    metadata = read_metadata(data, source)
    stored = weights.pop(LANGUAGE_MODEL, None)
    settings = load_settings(RecognizerSettings, metadata["settings"], source)
    network = build_network(settings.network, settings.features.num_features, settings.alphabet.size)
    try:
        network.load_state_dict(weights)
    except RuntimeError as error:
        raise RecognizerError(f"{source}: the weights do not fit the settings: {error}") from error
    language_model = None if stored is None else LanguageModel(stored.numpy().tobytes())
    return Recognizer(settings, network.eval(), hashlib.blake2b(data, digest_size=8).hexdigest(), language_model)


def read_metadata(data: bytes, source: str) -> dict[str, Any]:
    """Return the settings and provenance stored in a recognizer file's bytes.

    Raises:
        RecognizerError: the file carries none.
    """
    size = int.from_bytes(data[:8], "little")  # safetensors: header length, JSON header, tensors
    try:
        metadata = json.loads(json.loads(data[8 : 8 + size])["__metadata__"][METADATA_KEY])
        return {"settings": metadata["settings"], "provenance": metadata["provenance"]}
    except (ValueError, KeyError, TypeError) as error:
        message = f"{source}: no recognizer (no {METADATA_KEY!r} metadata that holds settings and provenance)"
        raise RecognizerError(message) from error


def recognizer_file(path: str) -> str:
    """Return the file that a recognizer's folder holds, or ``path`` itself where it ends in ``.safetensors``."""
    return path if path.endswith(".safetensors") else f"{path.rstrip('/')}/recognizer.safetensors"
