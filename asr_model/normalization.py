"""Text normalization for scoring: named steps in the order of the settings, the same for reference and hypothesis."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from functools import cache, lru_cache
from typing import Literal

from asr_model.config import SettingsError
from asr_model.text import normalize_text

__all__ = ["STEP_VERSIONS", "Normalize", "StepName", "make_normalize", "numbers_to_words", "step_labels"]

StepName = Literal["none", "basic", "numbers_to_words", "spelled_letters", "replacements", "whisper_english"]
Normalize = Callable[[str], str]

STEP_VERSIONS: dict[StepName, int] = {
    "none": 1,
    "basic": 2,
    "numbers_to_words": 1,
    "spelled_letters": 1,
    "replacements": 1,
    "whisper_english": 1,
}
"""Raised when a step gives other texts than before; reports print it, and figures of other versions do not compare."""

MAX_DIGITS_OF_A_NUMBER = 6
"""Longer runs of digits without separators are read digit by digit, as telephone numbers and the like are."""
_NUMBER = re.compile(r"(?<![\w.,])(\d{1,3}(?:,\d{3})+|\d+)(\.\d+)?(st|nd|rd|th)?(?!\w)", re.IGNORECASE)
_SPELLED = re.compile(r"(?<!\w)\w(?:[ .\-]+\w(?!\w))+\.?(?!\w)")


def step_labels(steps: Sequence[StepName]) -> list[str]:
    """Return the steps with their versions, as a report prints them."""
    return [f"{step} {STEP_VERSIONS[step]}" for step in steps]


def make_normalize(
    steps: Sequence[StepName], replacements: Mapping[str, str] | None = None, language: str = "en"
) -> Normalize:
    """Return the function that takes a text through ``steps``; spacing never counts.

    >>> make_normalize(["numbers_to_words", "basic"])("It's 21, the 3rd!")
    "it's twenty one the third"

    Raises:
        SettingsError: a step needs a package that is not installed, or the language is none it knows.
    """
    functions = [_function(step, replacements or {}, language) for step in steps if step != "none"]

    def normalize(text: str) -> str:
        for function in functions:
            text = function(text)
        return " ".join(text.split())

    return functions[0] if functions == [normalize_text] else normalize


def numbers_to_words(text: str, language: str = "en") -> str:
    """Return ``text`` with its numbers as words, by num2words: cardinals, ordinals (3rd), decimals, thousands (1,000).

    Numbers that begin with 0, or have more than six digits and no commas, are read digit by digit.

    >>> numbers_to_words("1,001 of 0800 at 3.5")
    'one thousand and one of zero eight zero zero at three point five'
    """
    if not any(map(str.isdigit, text)):
        return text
    return _NUMBER.sub(lambda found: _in_words(*found.groups(), language), text)


def spelled_letters(text: str) -> str:
    """Return ``text`` with letters spelled one by one (``a b c``, ``a.b.c.``, ``a-b-c``) as one word (``abc``).

    >>> spelled_letters("the U. S. A. and i b m")
    'the USA and ibm'
    """
    return _SPELLED.sub(lambda found: "".join(filter(str.isalnum, found[0])), text)


def replace(text: str, table: Mapping[str, str]) -> str:
    """Return ``text`` with whole words or phrases replaced by the table, whatever their case, longest phrase first.

    >>> replace("OK, it's ok. Broken", {"ok": "okay"})
    "okay, it's okay. Broken"
    """
    lower = {key.lower(): value for key, value in table.items()}
    return _phrases(tuple(lower)).sub(lambda found: lower[found[0].lower()], text) if lower else text


def _function(step: StepName, replacements: Mapping[str, str], language: str) -> Normalize:
    if step == "basic":
        return normalize_text
    if step == "spelled_letters":
        return spelled_letters
    if step == "replacements":
        return lambda text: replace(text, replacements)
    if step == "numbers_to_words":
        from num2words import CONVERTER_CLASSES

        if language not in CONVERTER_CLASSES:
            raise SettingsError(f"language: found {language!r}; wanted one of {', '.join(sorted(CONVERTER_CLASSES))}")
        return lambda text: numbers_to_words(text, language)
    return _whisper_english()


@cache
def _whisper_english() -> Normalize:
    try:
        from whisper_normalizer.english import EnglishTextNormalizer
    except ImportError as error:
        raise SettingsError("normalization: whisper_english needs the extra beamscribe[whisper-english]") from error
    normalize: Normalize = EnglishTextNormalizer()
    return normalize


@cache
def _phrases(keys: tuple[str, ...]) -> re.Pattern[str]:
    longest_first = sorted(keys, key=lambda key: (-len(key), key))
    return re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, longest_first))})(?!\w)", re.IGNORECASE)


@lru_cache(maxsize=65_536)
def _in_words(whole: str, fraction: str | None, ordinal: str | None, language: str) -> str:
    from num2words import num2words

    is_spelled = "," not in whole and (len(whole) > MAX_DIGITS_OF_A_NUMBER or (whole[0] == "0" and len(whole) > 1))
    if is_spelled and not fraction and not ordinal:
        words = " ".join(num2words(int(digit), lang=language) for digit in whole)
    elif ordinal and not fraction:
        words = num2words(int(whole.replace(",", "")), lang=language, to="ordinal")
    else:
        words = num2words(whole.replace(",", "") + (fraction or ""), lang=language) + (ordinal or "")
    return " ".join(words.replace("-", " ").replace(",", " ").split())
