"""Log-probabilities → hypotheses: the best path, or beam search with a language model.

Shapes: S output steps, V vocabulary.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Literal

import torch
from pydantic import ConfigDict, Field
from torch import Tensor

from asr_model import alignment
from asr_model.alignment import SpokenWord, align, best_path, spoken_words
from asr_model.calibration import Calibration
from asr_model.config import Settings, SettingsError, load_settings
from asr_model.language_model import LanguageModel
from asr_model.prefix_beam import PrefixBeam
from asr_model.text import BLANK, Alphabet

__all__ = [
    "Beam",
    "Decoder",
    "DecoderChoice",
    "DecoderSettings",
    "Greedy",
    "Hypothesis",
    "OpenBeam",
    "Tuned",
    "build_decoder",
    "calibrated",
    "choose",
    "greedy",
    "hypothesis_of",
    "spellable",
]

MIN_PRIOR = 1e-4
"""What is hardly ever written counts as this frequent."""
NEVER = -1e4
"""Log-probability of what is impossible, finite so that sums stay numbers."""


class Greedy(Settings):
    """The best path: no search, no language model."""

    kind: Literal["greedy"] = "greedy"


class Beam(Settings):
    """Beam search over the words of the recognizer's language model: no other word is ever written."""

    kind: Literal["beam"] = "beam"
    beam_size: int = Field(default=32, ge=1)
    beam_threshold: float = Field(default=25.0, gt=0)
    """Hypotheses that score this much less than the best are dropped."""
    lm_weight: float = Field(default=1.0, ge=0)
    """Times the language model's log-probability (to base 10)."""
    word_score: float = 2.0
    """Added for every word; higher writes more and shorter words."""
    letter_score: float = Field(default=0.0, ge=0)
    """Added besides for a letter after a letter, where the language model has seen the two: names are spelled so, and a
    letter pays the price of a word for the sound of a fraction of one."""
    prior_weight: float = Field(default=0.0, ge=0)
    """Times the logarithm of a token's prior, taken off its log-probability; higher writes more letters."""


class OpenBeam(Settings):
    """Beam search that writes words unknown to the language model too, or has none; slower."""

    kind: Literal["open_beam"] = "open_beam"
    beam_size: int = Field(default=16, ge=1)
    lm_weight: float = Field(default=1.0, ge=0)
    word_score: float = 2.0
    prior_weight: float = Field(default=0.0, ge=0)
    unknown_score: float = -5.0
    """The language model's log-probability (to base 10) of a word it does not know."""
    hot_words: tuple[str, ...] = ()
    """Words, names above all, that are likelier here than elsewhere."""
    hot_word_score: float = 3.0
    """Added for each of them."""


class Tuned(Settings):
    """The decoder that the recognizer was given when it was tuned: greedy where it carries no language model.

    Other settings are those of that decoder, and go before what it was given.
    """

    model_config = ConfigDict(extra="allow")
    kind: Literal["recognizer"] = "recognizer"


DecoderSettings = Annotated[Greedy | Beam | OpenBeam, Field(discriminator="kind")]
"""A decoder as a recognizer carries it."""
DecoderChoice = Annotated[Tuned | Greedy | Beam | OpenBeam, Field(discriminator="kind")]
"""A decoder as one may ask for it."""


def choose(asked: DecoderChoice, carried: DecoderSettings) -> DecoderSettings:
    """Return the decoder asked for; what it leaves open is as ``carried``, if that is of the same kind.

    >>> choose(Beam(beam_size=8), Beam(lm_weight=0.5)).lm_weight
    0.5

    Raises:
        SettingsError: the carried decoder is asked for with settings that it has none of.
    """
    if isinstance(asked, Tuned):
        asked = load_settings(type(carried), asked.model_extra or {}, f"decoder ({carried.kind}, the recognizer's)")
    if type(asked) is type(carried):
        return carried.model_copy(update={name: getattr(asked, name) for name in asked.model_fields_set})
    return asked


@dataclass(frozen=True)
class Hypothesis:
    """Recognized text and its confidence (0 to 1): the mean of its words', the part of them expected to be right.

    ``words`` are those of ``text``, in output steps; empty where the network does not tell when they were spoken.
    """

    text: str
    confidence: float
    words: tuple[SpokenWord, ...] = ()

    @classmethod
    def of(cls, words: Sequence[SpokenWord]) -> Hypothesis:
        """Return what ``words`` say one after another."""
        if not words:
            return cls("", 0.0)
        confidence = sum(word.confidence for word in words) / len(words)
        return cls(" ".join(word.text for word in words), confidence, tuple(words))


def greedy(log_probs: Tensor, num_steps: int, alphabet: Alphabet) -> Hypothesis:
    """Return the best path of (S, V) log-probabilities: repeats merged, blanks dropped (Graves et al., 2006)."""
    return hypothesis_of(best_path(log_probs[:num_steps]), alphabet)


def hypothesis_of(path: alignment.Path, alphabet: Alphabet) -> Hypothesis:
    """Return what a path writes."""
    return Hypothesis.of(spoken_words(path, alphabet))


def calibrated(hypothesis: Hypothesis, calibration: Calibration) -> Hypothesis:
    """Return a hypothesis whose words have calibrated confidences; without words it stays as it is."""
    if not hypothesis.words:
        return hypothesis
    return Hypothesis.of([replace(word, confidence=calibration(word.confidence)) for word in hypothesis.words])


Decoder = Callable[[Tensor], Hypothesis]
"""Turns the log-probabilities (S, V) of one utterance into its hypothesis."""


def build_decoder(
    settings: DecoderSettings,
    alphabet: Alphabet,
    language_model: LanguageModel | None,
    token_priors: Sequence[float] | None = None,
) -> Decoder:
    """Return the decoder that ``settings`` describe.

    What is searched are log-probabilities less a part of those of ``token_priors`` (V,): a network says what is likely
    before it has heard anything, too, which the language model knows better (as in EESEN, Miao et al., 2015).

    Raises:
        SettingsError: it needs a language model or priors and there are none, or no word of the model can be written.
    """
    if isinstance(settings, Greedy):
        return lambda log_probs: greedy(log_probs, len(log_probs), alphabet)
    search = (
        _closed_search(settings, alphabet, language_model)
        if isinstance(settings, Beam)
        else _open_search(settings, alphabet, language_model)
    )

    prior = _weighted_prior(settings.prior_weight, token_priors)

    def decode(log_probs: Tensor) -> Hypothesis:
        text = search(log_probs.float() - prior) if len(log_probs) else ""
        return hypothesis_of(align(log_probs, alphabet.encode(text)), alphabet)

    return decode


def _weighted_prior(weight: float, token_priors: Sequence[float] | None) -> Tensor:
    """Return what is taken off the log-probabilities of the tokens (V,)."""
    if not weight:
        return torch.zeros(1)
    if token_priors is None:
        raise SettingsError("decoder.prior_weight: this recognizer carries no priors of its tokens; `tune` finds them")
    return weight * torch.tensor(token_priors).clamp_min(MIN_PRIOR).log()


def _open_search(
    settings: OpenBeam, alphabet: Alphabet, language_model: LanguageModel | None
) -> Callable[[Tensor], str]:
    beam = PrefixBeam(
        alphabet,
        settings.beam_size,
        language_model,
        settings.lm_weight,
        settings.word_score,
        unknown_score=settings.unknown_score,
        hot_words=frozenset(settings.hot_words),
        hot_word_score=settings.hot_word_score,
    )
    return lambda log_probs: beam.search(log_probs)[0][0]


def _closed_search(settings: Beam, alphabet: Alphabet, language_model: LanguageModel | None) -> Callable[[Tensor], str]:
    if language_model is None:
        raise SettingsError(
            "decoder.kind: beam needs a recognizer that carries a language model, and this one has none "
            "(wanted: greedy, open_beam, or `beamscribe lm --attach`)"
        )
    if settings.letter_score and not settings.lm_weight:
        raise SettingsError("decoder.letter_score: wanted a lm_weight above 0, it acts through the language model")
    words = spellable(language_model, alphabet)
    if not words or " " not in alphabet.characters:
        found = "".join(alphabet.characters)
        raise SettingsError(f"decoder.kind: beam needs a space and the language model's letters, found {found!r}")
    space = alphabet.encode(" ")[0]
    decoder = _flashlight(settings, alphabet, language_model, words, space)
    # A word ends where white space follows it, the last one too: without a step of certain white space after the end
    # it would be lost, and one before the start does no harm.
    edge = torch.full((1, alphabet.size), NEVER)
    edge[0, space] = 0.0

    def search(log_probs: Tensor) -> str:
        found = decoder(torch.cat([edge, log_probs, edge])[None])[0]
        return " ".join(found[0].words) if found else ""

    return search


def _flashlight(settings: Beam, alphabet: Alphabet, language_model: LanguageModel, words: list[str], space: int) -> Any:
    """Return torchaudio's decoder; tokens go by their numbers, for it reads words and spellings from a file."""
    from torchaudio.models.decoder import ctc_decoder

    if settings.letter_score:  # flashlight adds to every word alike: the others pay it back
        language_model = language_model.lowered(settings.letter_score / settings.lm_weight, _is_spelled)
    spellings = (" ".join(map(str, [*alphabet.encode(word), space])) for word in words)
    with language_model.as_file() as model, tempfile.TemporaryDirectory() as folder:
        lexicon = Path(folder, "lexicon.txt")
        lexicon.write_text("".join(f"{w} {s}\n" for w, s in zip(words, spellings, strict=True)), encoding="utf-8")
        return ctc_decoder(
            lexicon=str(lexicon),
            lm=model,
            tokens=[str(token) for token in range(alphabet.size)],
            blank_token=str(BLANK),
            sil_token=str(space),
            beam_size=settings.beam_size,
            beam_threshold=settings.beam_threshold,
            lm_weight=settings.lm_weight,
            word_score=settings.word_score + settings.letter_score,
            log_add=True,
        )


def _is_spelled(ngram: Sequence[str]) -> bool:
    return [len(word) for word in ngram[-2:]] == [1, 1]


def spellable(language_model: LanguageModel, alphabet: Alphabet) -> list[str]:
    """Return the words of ``language_model`` that ``alphabet`` has the characters for."""
    characters = set(alphabet.characters)
    return [word for word in language_model.words if characters.issuperset(word)]
