"""The decoder that makes the fewest word errors on held-out utterances, and what its confidences mean there."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from pydantic import Field
from torch import Tensor

from asr_model.calibration import Calibration, fit_calibration
from asr_model.config import Settings, SettingsError
from asr_model.decoding import Beam, DecoderSettings, Greedy, Hypothesis, OpenBeam
from asr_model.edits import align_words
from asr_model.networks import CtcNetwork
from asr_model.recognizer import Recognizer
from asr_model.scoring import ErrorCounts, texts_by_group, word_errors
from asr_model.tempo import Tempo
from asr_model.vocal_tract import VocalTracts

__all__ = ["Tried", "TuneSettings", "best_of", "calibrate", "measure_token_priors", "try_decoders"]


class TuneSettings(Settings):
    """What `tune` tries: the best path, and beam search with every combination of the weights."""

    kind: Literal["beam", "open_beam"] = "beam"
    """Which beam search."""
    beam_size: int = Field(default=32, ge=1)
    beam_threshold: float = Field(default=25.0, gt=0)
    """Of ``beam``."""
    unknown_score: float = -5.0
    """Of ``open_beam``."""
    lm_weights: tuple[float, ...] = Field(default=(0.25, 0.5, 0.75, 1.0, 1.5, 2.0), min_length=1)
    word_scores: tuple[float, ...] = Field(default=(-1.0, 0.0, 1.0, 2.0, 3.0, 4.0), min_length=1)
    letter_scores: tuple[float, ...] = Field(default=(0.0,), min_length=1)
    """Of ``beam``; ``[0.0, 1.5]`` may help where letters are spelled."""
    prior_weights: tuple[float, ...] = Field(default=(0.0, 0.3), min_length=1)
    vocal_tracts: VocalTracts | None = None
    """Of the speakers that each utterance is heard as; None: the recognizer's own. ``[0.9, 1.0, 1.1]`` may help."""
    tempi: tuple[Tempo, ...] | None = Field(default=None, min_length=1)
    """How fast each utterance is heard: all of these are tried; None: the recognizer's own. ``[0.85, 1.0]``."""
    balance: str | None = Field(default=None, min_length=1)
    """A column of the shards: each of its values counts alike, however many words it has. None: every word does."""
    batch_frames: int = Field(default=12000, ge=1)
    """Feature frames recognized at once, padding included."""


@dataclass(frozen=True)
class Tried:
    """A decoder, what it made of each utterance, and its word errors by group."""

    decoder: DecoderSettings
    hypotheses: list[Hypothesis]
    errors: dict[str, ErrorCounts]

    @property
    def wer(self) -> float | None:
        """Word error rate, the mean of the groups' where there are several; None without words."""
        rates = [counts.rate for counts in self.errors.values() if counts.rate is not None]
        return sum(rates) / len(rates) if rates else None


def measure_token_priors(log_probs: Sequence[Tensor]) -> tuple[float, ...]:
    """Return the mean probability of each token (V,) over all steps of (S, V) log-probabilities."""
    mean = torch.cat(list(log_probs)).double().exp().mean(dim=0)
    return tuple(round(prior, 6) for prior in mean.tolist())


def try_decoders(
    recognizer: Recognizer,
    log_probs: Sequence[Tensor],
    references: Sequence[str],
    groups: Sequence[str],
    settings: TuneSettings,
) -> list[Tried]:
    """Return what every decoder that ``settings`` name makes of (S, V) log-probabilities.

    Each has its normalized reference and the group that its words count in.

    Raises:
        SettingsError: the recognizer carries no language model, or its network is not trained by CTC.
    """
    if not isinstance(recognizer.network, CtcNetwork):
        raise SettingsError(f"network.kind: {recognizer.settings.network.kind} has no decoder to tune")
    found = []
    for decoder in _decoders(settings):
        decode = recognizer.with_decoder(decoder).decode
        hypotheses = [decode(one) for one in log_probs]
        texts = texts_by_group(groups, references, [hypothesis.text for hypothesis in hypotheses])
        found.append(Tried(decoder, hypotheses, {name: word_errors(*both) for name, both in texts.items()}))
    return found


def best_of(tried: Sequence[Tried]) -> Tried:
    """Return the one with the lowest word error rate; of equals the first, which is the simplest."""
    return min(tried, key=lambda one: one.wer or 0.0)


def calibrate(hypotheses: Sequence[Hypothesis], references: Sequence[str]) -> Calibration:
    """Return what makes a word's confidence the chance that it is right; of hypotheses and normalized texts."""
    confidences: list[float] = []
    is_right: list[bool] = []
    for hypothesis, text in zip(hypotheses, references, strict=True):
        confidences += [word.confidence for word in hypothesis.words]
        is_right += [word.kind == "hit" for word in align_words(text, hypothesis.text) if word.hypothesis]
    return fit_calibration(confidences, is_right)


def _decoders(settings: TuneSettings) -> Iterator[DecoderSettings]:
    yield Greedy()
    orders = sorted(settings.prior_weights), sorted(settings.lm_weights), sorted(settings.word_scores)
    for prior_weight, lm_weight, word_score in itertools.product(*orders):
        weights: dict[str, Any] = {
            "beam_size": settings.beam_size,
            "lm_weight": lm_weight,
            "word_score": word_score,
            "prior_weight": prior_weight,
        }
        if settings.kind == "beam":
            for letter_score in sorted(settings.letter_scores):
                yield Beam(beam_threshold=settings.beam_threshold, letter_score=letter_score, **weights)
        else:
            yield OpenBeam(unknown_score=settings.unknown_score, **weights)
