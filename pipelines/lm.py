"""Texts → language model, and a recognizer that carries it."""

from __future__ import annotations

from typing import Any

import pipelines.io as io
from asr_model.decoding import Beam, Greedy, spellable
from asr_model.language_model import LanguageModelSettings, measure_perplexity, train_language_model
from asr_model.recognizer import change_recognizer, load_recognizer, recognizer_file
from pipelines.texts import read_texts

__all__ = ["make_language_model"]

LANGUAGE_MODEL_FILE = "language_model.arpa.gz"
RECOGNIZER_FILE = "recognizer.safetensors"


def make_language_model(
    source: str, dev: str | None, attach: str | None, output: str, settings: LanguageModelSettings, overwrite: bool
) -> dict[str, Any]:
    """Train on the texts of ``source``, leave the language model in ``output``, and return its figures.

    ``dev`` is what perplexity is measured on. ``attach`` is a recognizer: a copy of it that carries the language model
    is left in ``output``, and decodes by beam search from then on.

    Raises:
        InputError: an input is not there or holds no words, or ``output`` holds another run.
    """
    texts = list(read_texts(source, "train"))
    if not texts:
        raise io.InputError(f"{source}: no texts to train a language model on")
    held_out = list(read_texts(dev, "dev")) if dev else []
    if dev and not held_out:
        raise io.InputError(f"{dev}: no texts to measure perplexity on")
    recognizer = None
    if attach:
        with io.open_file(recognizer_file(attach)) as file:
            recognizer = file.read()
    model = train_language_model(texts, settings)
    found = measure_perplexity(model, held_out)
    figures: dict[str, Any] = {
        "num_texts": len(texts),
        "num_words": sum(len(text.split()) for text in texts),
        "vocabulary": len(model.words),
        "perplexity": found.value,
        "unknown_rate": found.unknown_rate,
        "num_dev_words": found.num_words,
    }
    identity = {"settings": settings.model_dump(mode="json"), "input": source, "dev": dev, "attach": attach}
    if attach and recognizer is not None:
        loaded = load_recognizer(recognizer, attach)
        figures["num_unspellable"] = len(model.words) - len(spellable(model, loaded.settings.alphabet))
        carried = loaded.settings.decoder
        decoder = Beam() if isinstance(carried, Greedy) else carried
        made = {"language_model": {**figures, **identity, "recognizer": loaded.digest}}
        recognizer = change_recognizer(recognizer, attach, decoder, model, made)
        load_recognizer(recognizer, output).with_decoder(decoder)  # so that one that cannot decode is not written
    io.claim_folder(output, {"verb": "lm", **identity}, overwrite)
    io.write_file(io.join(output, LANGUAGE_MODEL_FILE), model.data)
    if recognizer is not None:
        io.write_file(io.join(output, RECOGNIZER_FILE), recognizer)
    io.write_json(io.join(output, io.SUCCESS_FILE), {"verb": "lm", **identity, **figures})
    return figures
