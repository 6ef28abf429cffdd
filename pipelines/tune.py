"""A recognizer and the development split of shards → the recognizer with the decoder that suits it best."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
from rich.console import Console
from rich.table import Table

import pipelines.io as io
from asr_model.batches import read_examples
from asr_model.conditioning import Conditioning
from asr_model.config import SettingsError, load_settings
from asr_model.decoding import Beam, Greedy
from asr_model.features import FeatureStamp, from_bytes
from asr_model.recognizer import Recognizer, change_recognizer, load_recognizer, recognizer_file
from asr_model.text import normalize_text
from asr_model.tuning import Tried, TuneSettings, best_of, calibrate, measure_token_priors, try_decoders

__all__ = ["tune_recognizer"]

RECOGNIZER_FILE = "recognizer.safetensors"


def tune_recognizer(
    shards: str, recognizer: str, output: str, settings: TuneSettings, overwrite: bool
) -> dict[str, Any]:
    """Try tempi and decoders on the dev split of ``shards``, print word error rates, and write the tuned recognizer.

    Its confidences are calibrated on the same utterances.

    Raises:
        InputError: the shards are unfinished, hold no dev split, or other features than the recognizer's.
        SettingsError: the recognizer carries no language model, or the shards have no column to balance.
    """
    torch.set_num_threads(1)  # whatever the machine: the number of threads changes the last bits of a result
    success = io.read_success(shards, "featurize")
    path = recognizer_file(recognizer)
    with io.open_file(path) as file:
        data = file.read()
    loaded = load_recognizer(data, path)
    loaded.with_decoder(Beam())
    files = [io.join(shards, name) for name in success["files"] if name.startswith("dev/")]
    if not files:
        raise io.InputError(f"{shards}: no utterances in the dev split")
    _check_features(files, loaded)
    features, references, groups = [], [], []
    for example in read_examples(files, io.open_file):
        columns = {"speaker": example.speaker, **example.extra}
        if settings.balance and settings.balance not in columns:
            raise SettingsError(f"balance: {shards} has no column {settings.balance!r}, but {sorted(columns)}")
        if not example.copy:
            groups.append(str(columns[settings.balance]) if settings.balance else "")
            features.append(from_bytes(example.features, example.num_frames, loaded.settings.features.dtype))
            references.append(normalize_text(example.text))
    trials = []
    for tempo in settings.tempi or (loaded.settings.tempo,):
        heard = loaded.hearing_as(settings.vocal_tracts, tempo)
        log_probs = heard.log_probs(features, settings.batch_frames)
        priors = measure_token_priors(log_probs)
        heard = replace(heard, settings=heard.settings.model_copy(update={"token_priors": priors}))
        tried = try_decoders(heard, log_probs, references, groups, settings)
        _show(tried, settings, tempo)
        trials.append((best_of(tried), tried[0], heard.settings))
    best, greedy, hearing = min(trials, key=lambda trial: trial[0].wer or 0.0)
    figures: dict[str, Any] = {"wer": best.wer, "greedy_wer": greedy.wer, "num_words": _num_words(best)}
    if settings.balance:
        figures["wer_by_group"] = {group: counts.rate for group, counts in best.errors.items()}
    identity = {"settings": settings.model_dump(mode="json"), "input": shards, "recognizer": loaded.digest}
    io.claim_folder(output, {"verb": "tune", **identity}, overwrite)
    made = {"tuning": {**identity, **figures}}
    calibration = calibrate(best.hypotheses, references)
    tuned = change_recognizer(
        data,
        path,
        best.decoder,
        loaded.language_model,
        made,
        calibration,
        token_priors=hearing.token_priors,
        vocal_tracts=hearing.vocal_tracts,
        tempo=hearing.tempo,
    )
    io.write_file(io.join(output, RECOGNIZER_FILE), tuned)
    found = {
        "decoder": best.decoder.model_dump(mode="json"),
        "tempo": hearing.tempo,
        "calibration": calibration.model_dump(mode="json"),
    }
    io.write_json(io.join(output, io.SUCCESS_FILE), {"verb": "tune", **identity, **figures, **found})
    return {**figures, **found}


def _check_features(files: list[str], recognizer: Recognizer) -> None:
    """Raise InputError where shards were made with other features or conditioning than the recognizer's."""
    for path, stamp in io.read_stamps(files).items():
        features = load_settings(FeatureStamp, {"features": stamp["features"]}, path).features
        conditioning = load_settings(Conditioning, stamp.get("conditioning", {}), path)
        settings = recognizer.settings
        if features != settings.features or conditioning != settings.conditioning:
            raise io.InputError(f"{path}: its features or conditioning differ from those of the recognizer")


def _num_words(tried: Tried) -> int:
    return sum(counts.num_reference for counts in tried.errors.values())


def _show(tried: Sequence[Tried], settings: TuneSettings, tempo: float) -> None:
    """Print the word error rates, a row for all other weights and a column for each word_score."""
    best = best_of(tried)
    others = ("prior_weight", "lm_weight", "letter_score")
    table = Table(*others, *(f"word_score {score:g}" for score in sorted(settings.word_scores)))
    rows: dict[tuple[float, ...], list[str]] = {}
    for one in tried:
        text = "undefined" if one.wer is None else f"{one.wer:.2%}"
        if isinstance(one.decoder, Greedy):
            mean = f", mean of {len(one.errors)} groups" if settings.balance else ""
            heard = f" at tempo {tempo:g}" if settings.tempi else ""
            table.title = f"word error rate on {_num_words(one)} words{heard}{mean}; greedy {text}; * is the best"
        else:
            row = rows.setdefault(tuple(getattr(one.decoder, name, 0.0) for name in others), [])
            row.append(f"{text} *" if one is best else text)
    for weights, cells in rows.items():
        table.add_row(*(f"{weight:g}" for weight in weights), *cells)
    Console(width=120).print(table)
