"""One utterance's audio → its examples: the recording itself and its augmented copies, as features."""

from __future__ import annotations

import hashlib
from typing import BinaryIO, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from asr_model.audio import AudioError, AudioSettings
from asr_model.augment import Copy, augment
from asr_model.channels import Channel, read_channels
from asr_model.conditioning import Conditioning, condition
from asr_model.config import Settings
from asr_model.features import Features, LogMel, compute_features, to_bytes
from asr_model.records import Example, Layout, Utterance
from asr_model.sounds import Sounds
from asr_model.text import normalize_text
from asr_model.trimming import Trimming, fix_length, trim

__all__ = ["FeaturizeSettings", "SplitSettings", "make_examples", "split_of"]

SPLITS = ("train", "dev", "test")
SHARD_BYTES = 64_000_000
"""Features in a shard."""


class SplitSettings(Settings):
    """Which utterances are for training: by the row's ``split`` column, else by a hash of its speaker."""

    dev: float = Field(default=0.1, ge=0, le=1)
    """Part of the speakers, by hash, whose utterances are for development."""
    test: float = Field(default=0.0, ge=0, le=1)


class UtteranceSettings(AudioSettings):
    """Which utterances are taken, and which of their channels."""

    max_seconds: float = Field(default=60.0, gt=0, le=1800)
    """An utterance is in memory whole, as samples and as features: of a longer recording take segments."""


class FeaturizeSettings(Settings):
    """The settings of `featurize`."""

    corpus: Layout = "auto"
    """How the corpus lies on disk; ``auto``: what is found there."""
    audio: UtteranceSettings = UtteranceSettings()
    trimming: Trimming = Trimming()
    copies: tuple[Copy, ...] = ()
    """Augmented copies, made of training utterances only."""
    conditioning: Conditioning = Conditioning()
    """Of the utterance and of every copy; travels with the features."""
    fixed_seconds: float | None = Field(default=None, gt=0)
    """Cut or pad with silence to this; None: utterances are as long as they are, as recognizers here take them."""
    features: Features = LogMel()
    split: SplitSettings = SplitSettings()
    alphabet: str | None = Field(default=None, min_length=1)
    """Characters that texts may have beside the space, after `normalize_text`; None: any."""
    unit_minutes: float | None = Field(default=None, gt=0)
    """Audio in a work unit, and so in a shard, copies not counted; None: what makes a shard of about
    64 MB. It is less where the corpus would make fewer than 16 units."""
    max_failure_rate: float = Field(default=0.05, ge=0, le=1)

    @property
    def unit_seconds(self) -> float:
        """Seconds of audio in a work unit."""
        if self.unit_minutes is not None:
            return self.unit_minutes * 60
        num_bytes = self.features.num_features * np.dtype(self.features.dtype).itemsize
        frames_per_second = self.features.sample_rate / self.features.hop_length
        return SHARD_BYTES / (num_bytes * frames_per_second * (1 + len(self.copies)))

    @model_validator(mode="after")
    def _check(self) -> FeaturizeSettings:
        names = [copy.name for copy in self.copies]
        if len(set(names)) < len(names):
            raise ValueError(f"copies: wanted a name for each, found {', '.join(names)}")
        return self


def split_of(utterance: Utterance, settings: SplitSettings) -> Literal["train", "dev", "test"]:
    """Return the split of an utterance; all utterances of a speaker (without one: of a file) fall in the same.

    Raises:
        ValueError: the row's ``split`` column holds something else than train, dev or test.
    """
    given = utterance.extra.get("split")
    if given is not None:
        if given not in SPLITS:
            raise ValueError(f"{utterance.audio_filepath}: split {given!r}, wanted one of {', '.join(SPLITS)}")
        return given  # type: ignore[no-any-return]
    key = utterance.speaker or utterance.audio_filepath
    position = int.from_bytes(hashlib.blake2b(key.encode(), digest_size=8).digest()) / 2**64
    if position < settings.dev:
        return "dev"
    return "test" if position < settings.dev + settings.test else "train"


def make_examples(
    file: BinaryIO, utterance: Utterance, settings: FeaturizeSettings, sounds: Sounds | None = None
) -> list[Example]:
    """Return the examples of an utterance whose audio is in ``file``: itself first, then its copies.

    The order is: decode, choose the channel, resample, trim, make the copies, condition, fix the length, features.
    ``sounds`` gives the noises and rooms that copies draw from folders.

    Raises:
        AudioError: the audio cannot be used, ``empty-text`` where there is nothing to learn from it,
            ``outside-alphabet`` where the text has other characters than the settings allow, or
            ``ambiguous-channel`` where one text stands for several channels.
    """
    text = normalize_text(utterance.text or "")
    if not text:
        raise AudioError("empty-text", f"text is {utterance.text!r}: nothing to train on")
    if settings.alphabet is not None and (strange := sorted(set(text) - set(settings.alphabet) - {" "})):
        raise AudioError("outside-alphabet", f"text has {' '.join(strange)}, which the setting alphabet has not")
    sample_rate = settings.features.sample_rate
    blocks: dict[Channel, list[NDArray[np.float32]]] = {}
    for channel, block in read_channels(file, utterance, settings.audio, sample_rate):
        blocks.setdefault(channel, []).append(block)
        if len(blocks) > 1 and utterance.channel != "all":
            message = (
                f"{channel.source.num_channels} channels for one text: name a channel, or set audio.channels to mix"
            )
            raise AudioError("ambiguous-channel", message)
    copies = settings.copies if split_of(utterance, settings.split) == "train" else ()
    examples = []
    for channel in list(blocks):
        first, *others = blocks.pop(channel)
        whole = np.concatenate([first, *others]) if any(map(len, others)) else first
        samples = trim(whole, sample_rate, settings.trimming)
        key = utterance.id_of(channel.number)
        for copy in (None, *copies):
            name = copy.name if copy else ""
            variant = augment(samples, sample_rate, copy, key, sounds) if copy else samples
            heard = condition(variant, sample_rate, settings.conditioning)
            if settings.fixed_seconds is not None:
                heard = fix_length(heard, round(settings.fixed_seconds * sample_rate))
            values = compute_features(heard, settings.features)
            examples.append(
                Example(
                    id="/".join([key, *filter(None, [name])]),
                    audio_filepath=utterance.audio_filepath,
                    channel=channel.number,
                    copy=name,
                    text=utterance.text or "",
                    speaker=utterance.speaker,
                    duration=round(len(heard) / sample_rate, 6),
                    sample_rate=channel.source.sample_rate,
                    codec=channel.source.codec,
                    num_channels=channel.source.num_channels,
                    num_frames=len(values),
                    features=to_bytes(values, settings.features.dtype),
                    extra=utterance.extra,
                    offset=utterance.offset,
                    num_bytes=channel.source.num_bytes,
                    **channel.levels._asdict(),
                )
            )
    return examples
