"""Where the settings and the recognizer that come with the project lie: beside the packages, or installed in them."""

from __future__ import annotations

from pathlib import Path

__all__ = ["config_file", "shipped_recognizer"]

_PACKAGE = Path(__file__).parent


def config_file(verb: str) -> Path:
    """Return the file of a verb's default settings."""
    return _first(_PACKAGE.parent / "configs", _PACKAGE / "configs") / f"{verb}.yaml"


def shipped_recognizer() -> str:
    """Return the folder of the recognizer that is used when none is named."""
    return str(_first(_PACKAGE.parent / "examples" / "recognizer", _PACKAGE / "recognizer"))


def _first(in_checkout: Path, installed: Path) -> Path:
    return in_checkout if in_checkout.is_dir() else installed
