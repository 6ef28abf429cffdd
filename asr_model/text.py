"""Transcripts: normalization, and the alphabet that maps text to tokens and back."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence

from asr_model.config import Settings

__all__ = ["Alphabet", "normalize_text"]

BLANK = 0
_APOSTROPHES = str.maketrans({"’": "'", "‘": "'", "`": "'", "ʼ": "'"})
_NOT_SPOKEN = re.compile(r"[^\w' ]|_")
_LONE_APOSTROPHE = re.compile(r"(?<!\w)'|'(?!\w)")


def normalize_text(text: str) -> str:
    """Return ``text`` as it is trained on and compared: NFKC, lower case, no punctuation, single spaces.

    >>> normalize_text("  Don’t  PRESS “one” – please… ")
    "don't press one please"
    """
    text = unicodedata.normalize("NFKC", text).translate(_APOSTROPHES).lower()
    text = _NOT_SPOKEN.sub(" ", text)
    return " ".join(_LONE_APOSTROPHE.sub(" ", text).split())


class Alphabet(Settings):
    """Characters a recognizer can write. Token 0 is the CTC blank, token i + 1 the i-th character."""

    characters: tuple[str, ...]

    @classmethod
    def of(cls, texts: Iterable[str]) -> Alphabet:
        """Return the alphabet of all characters in ``texts``, in code point order."""
        return cls(characters=tuple(sorted(set().union(*texts))))

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
        index = {character: token for token, character in enumerate(self.characters, start=1)}
        unknown = sorted(set(text) - index.keys())
        if unknown:
            raise ValueError(f"{''.join(unknown)!r} in {text!r} is outside the alphabet {''.join(self.characters)!r}")
        return [index[character] for character in text]

    def decode(self, tokens: Sequence[int]) -> str:
        """Return the text of ``tokens``; blanks are skipped."""
        return "".join(self.characters[token - 1] for token in tokens if token != BLANK)
