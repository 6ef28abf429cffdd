"""Pieces of words after SentencePiece (Kudo and Richardson, 2018), for networks that take larger steps than letters."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

__all__ = ["cut", "train_pieces"]

SPACE = "▁"
"""How SentencePiece writes a space; as a symbol of its own it never joins a piece."""


def train_pieces(texts: Iterable[str], num_pieces: int) -> tuple[list[str], str]:
    """Return the pieces of a unigram model of ``texts``, whose order does not matter, and the model in base64.

    The i-th piece has token i + 1: token 0, which SentencePiece gives to the unknown, is the blank's.

    Raises:
        ValueError: the texts have more characters than ``num_pieces``, or too few pieces.
    """
    from sentencepiece import SentencePieceProcessor, SentencePieceTrainer

    made = io.BytesIO()
    try:
        SentencePieceTrainer.train(
            sentence_iterator=iter(sorted(texts)),
            model_writer=made,
            vocab_size=num_pieces + 1,
            character_coverage=1.0,
            user_defined_symbols=[SPACE],
            add_dummy_prefix=False,
            remove_extra_whitespaces=False,
            normalization_rule_name="identity",
            unk_id=0,
            bos_id=-1,
            eos_id=-1,
            num_threads=1,
            minloglevel=2,
        )
    except RuntimeError as error:
        raise ValueError(f"{num_pieces} pieces: {error}") from error
    model = SentencePieceProcessor(model_proto=made.getvalue())
    found = [model.id_to_piece(token).replace(SPACE, " ") for token in range(1, model.get_piece_size())]
    return found, base64.b64encode(made.getvalue()).decode()


def cut(text: str, model: str) -> list[int]:
    """Return the tokens of the likeliest pieces of ``text``, all of whose characters the model in base64 knows."""
    tokens: list[int] = _processor(model).encode(text)
    return tokens


@lru_cache(maxsize=4)
def _processor(model: str) -> Any:
    from sentencepiece import SentencePieceProcessor

    return SentencePieceProcessor(model_proto=base64.b64decode(model))
