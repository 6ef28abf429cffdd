"""Transcripts: normalization, and the alphabet that maps text to tokens and back."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence

from asr_model.config import Settings
from asr_model.pieces import cut, train_pieces

__all__ = ["Alphabet", "normalize_text"]

BLANK = 0
_APOSTROPHES = str.maketrans({"’": "'", "‘": "'", "`": "'", "ʼ": "'", "\u200c": None, "\u200d": None})
"""One apostrophe for all; the joiners that only shape letters go."""
_ASCII = bytes(
    ord(letter.lower() if letter.isalnum() else "'" if letter in "'`" else " ") for letter in map(chr, range(128))
).ljust(256)
"""What becomes of each ASCII character."""
_NOT_SPOKEN = re.compile(r"[^\w' ]|_")
_LONE_APOSTROPHE = re.compile(r"(?<!\w)'|'(?!\w)")


def normalize_text(text: str) -> str:
    """Return ``text`` as it is trained on and compared: NFKC, lower case, no punctuation, single spaces.

    Marks that belong to a letter (Indic vowel signs, the virama, Arabic and Hebrew points) are kept with it.

    >>> normalize_text("  Don’t  PRESS “one” – please… ")
    "don't press one please"
    """
    if text.isascii():
        text = text.encode().translate(_ASCII).decode().strip(" ")
        if "'" in text:
            text = _LONE_APOSTROPHE.sub(" ", text).strip(" ")
        return " ".join(text.split()) if "  " in text else text
    text = unicodedata.normalize("NFKC", text.translate(_APOSTROPHES)).translate(_APOSTROPHES)
    text = unicodedata.normalize("NFKC", text.lower())
    text = _NOT_SPOKEN.sub(lambda found: found[0] if _is_mark(found[0]) else " ", text)
    words = _LONE_APOSTROPHE.sub(" ", text).split()
    return " ".join(filter(None, map(_without_leading_marks, words)))


def _is_mark(character: str) -> bool:
    return unicodedata.category(character).startswith("M")


def _without_leading_marks(word: str) -> str:
    while word and _is_mark(word[0]):
        word = word[1:]
    return word


class Alphabet(Settings):
    """Characters, or pieces of words, that a recognizer can write. Token 0 is the CTC blank, token i + 1 the i-th.

    White space is a token of its own in either case, so that words end where it stands.
    """

    characters: tuple[str, ...]
    sentencepiece: str | None = None
    """The SentencePiece model, in base64, that cuts text into the pieces among ``characters``; None: there are none."""

    @classmethod
    def of(cls, texts: Iterable[str]) -> Alphabet:
        """Return the alphabet of all characters in ``texts``, in code point order."""
        return cls(characters=tuple(sorted(set().union(*texts))))

    @classmethod
    def of_pieces(cls, texts: Iterable[str], num_pieces: int) -> Alphabet:
        """Return the alphabet of ``num_pieces`` pieces, single characters among them, that ``texts`` are made of.

        Raises:
            ValueError: the texts have more characters than that, or too few pieces.
        """
        found, model = train_pieces(texts, num_pieces)
        return cls(characters=tuple(found), sentencepiece=model)

    @property
    def size(self) -> int:
        """Number of tokens V, blank included."""
        return len(self.characters) + 1

    def encode(self, text: str) -> list[int]:
        """Return the tokens of ``text``.

        >>> Alphabet.of(["cab"]).encode("abc")
        [1, 2, 3]

        Raises:
            ValueError: ``text`` holds a character outside the alphabet.
        """
        unknown = sorted(set(text).difference(self.characters))
        if unknown:
            found = "".join(c for c in self.characters if len(c) == 1)
            raise ValueError(f"{''.join(unknown)!r} in {text!r} is outside the alphabet {found!r}")
        if self.sentencepiece:
            return cut(text, self.sentencepiece)
        index = {character: token for token, character in enumerate(self.characters, start=1)}
        return [index[character] for character in text]

    def can_write(self, text: str) -> bool:
        """Return whether all characters of ``text`` are in the alphabet."""
        return set(text) <= set(self.characters)

    def decode(self, tokens: Sequence[int]) -> str:
        """Return the text of ``tokens``; blanks are skipped."""
        return "".join(self.characters[token - 1] for token in tokens if token != BLANK)
