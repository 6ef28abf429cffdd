"""References that leave open what was said: NIST's alternatives ``{ a / b }``, and words that need not be: ``(uh)``."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from rapidfuzz.distance import Levenshtein

from asr_model.normalization import Normalize

__all__ = ["Part", "has_choice", "parse_alternatives", "plain_text", "said_text"]

Part: TypeAlias = Sequence[str]
"""A stretch of a reference: the texts of which one was said; an empty one is nothing at all."""
MAX_ALTERNATIVES = 100
"""Of one stretch, those of nested braces multiplied."""
_OUTSIDE = re.compile(r"[{}]|[^\s{}]+")
_INSIDE = re.compile(r"/|[^/]+")


def parse_alternatives(text: str) -> list[Part]:
    """Return the parts of a text in NIST's manner; ``@`` in braces is nothing, which a word in parentheses may be too.

    >>> parse_alternatives("so then { i am / i'm / @ } (uh) going")
    [('so then',), ('i am', "i'm", ''), ('uh', ''), ('going',)]

    Raises:
        ValueError: braces do not match, hold an empty alternative, or too many of them.
    """
    parts: list[Part] = []
    tokens, run = _tokens(text), list[str]()
    for token in tokens:
        texts = _braces(tokens) if token == "{" else _texts(token)
        if texts == (token,):
            run.append(token)
            continue
        if run:
            parts.append((" ".join(run),))
            run = []
        parts.append(texts)
    return [*parts, (" ".join(run),)] if run else parts


def has_choice(parts: Iterable[Part]) -> bool:
    """Return whether anything is left open."""
    return any(len(part) > 1 for part in parts)


def plain_text(parts: Iterable[Part]) -> str:
    """Return the text of the first of all alternatives."""
    return " ".join(filter(None, (part[0] for part in parts)))


def said_text(parts: Sequence[Part], pred_text: str, normalize: Normalize) -> str:
    """Return the text of the alternatives that have the fewest word errors together, of as good ones the first.

    They are chosen by their normalized words, each part normalized by itself.

    >>> said_text([("so",), ("i am", "i'm"), ("uh", "")], "so i'm", str.lower)
    "so i'm"
    """
    options = [[normalize(text).split() for text in part] for part in parts]
    numbers = _choose(options, normalize(pred_text).split())
    return plain_text([part[number]] for part, number in zip(parts, numbers, strict=True))


Options: TypeAlias = Sequence[Sequence[Sequence[str]]]
"""The words of every alternative of every part."""


def _choose(parts: Options, heard: Sequence[str]) -> list[int]:
    """Return the numbers of the alternatives that ``heard`` has the fewest errors of.

    The words are cut where the first half of the parts and the second have the fewest errors together, and each half by
    itself then (Hirschberg, 1975): of a recording of hours no table of all words by all words is held.
    """
    if not any(len(part) > 1 for part in parts):
        return [0] * len(parts)
    if len(parts) == 1:
        return [int(np.argmin([Levenshtein.distance(words, heard) for words in parts[0]]))]
    middle = len(parts) // 2
    backward = [[words[::-1] for words in part] for part in reversed(parts[middle:])]
    errors = _errors(parts[:middle], heard) + _errors(backward, heard[::-1])[::-1]
    cut = int(np.argmin(errors))
    return _choose(parts[:middle], heard[:cut]) + _choose(parts[middle:], heard[cut:])


def _errors(parts: Options, heard: Sequence[str]) -> NDArray[np.int64]:
    """Return the fewest errors of the parts against the first 0, 1, 2 ... words of ``heard``."""
    numbers: dict[str, int] = {}
    codes = np.array([numbers.setdefault(word, len(numbers)) for word in heard], np.int64)
    places = np.arange(len(heard) + 1)
    row = places
    for part in parts:
        rows = []
        for words in part:
            after = row
            for word in words:
                changed = after[:-1] + (codes != numbers.get(word, -1))
                best = np.concatenate([after[:1] + 1, np.minimum(changed, after[1:] + 1)])
                after = np.minimum.accumulate(best - places) + places  # insertions: one more error for each word
            rows.append(after)
        row = np.min(rows, axis=0)
    return row


def _tokens(text: str) -> Iterator[str]:
    """Yield words and braces, and within braces the slashes, beside which no space is needed."""
    depth = 0
    for token in _OUTSIDE.findall(text):
        depth += (token == "{") - (token == "}")
        if depth > 0:
            yield from _INSIDE.findall(token)
        else:
            yield token
    if depth:
        raise ValueError("braces that do not match, wanted { a / b }")


def _braces(tokens: Iterator[str]) -> tuple[str, ...]:
    """Return the texts of the alternatives of which the opening brace was read."""
    texts: list[str] = []
    so_far: list[str] = []
    for token in tokens:
        if token in ("/", "}"):
            if not so_far:
                raise ValueError("an empty alternative, wanted @ for none")
            texts += so_far
            if token == "}":
                return tuple(dict.fromkeys(texts))
            so_far = []
            continue
        more = _braces(tokens) if token == "{" else ("",) if token == "@" else _texts(token)
        so_far = [f"{left} {right}".strip() for left in so_far or [""] for right in more]
        if len(texts) + len(so_far) > MAX_ALTERNATIVES:
            raise ValueError(f"more than {MAX_ALTERNATIVES} alternatives in one place")
    raise ValueError("braces that do not match, wanted { a / b }")


def _texts(token: str) -> tuple[str, ...]:
    """Return what a word may stand for: a word in parentheses for itself or nothing."""
    if token == "}":
        raise ValueError("braces that do not match, wanted { a / b }")
    return (token[1:-1], "") if len(token) > 2 and token[0] == "(" and token[-1] == ")" else (token,)
