"""Opening recordings: what goes wrong on the way to the audio becomes a failure with a reason code."""

from __future__ import annotations

import dataclasses
import errno
from collections.abc import Callable
from typing import BinaryIO, TypeVar

import pipelines.io as io
from asr_model.audio import AudioError
from asr_model.records import Failure, Utterance

__all__ = ["read_audio", "read_text"]

T = TypeVar("T")
_NO_PATH = (errno.ENOTDIR, errno.ENAMETOOLONG, errno.ELOOP)


def read_audio(utterance: Utterance, use: Callable[[BinaryIO], list[T]]) -> list[T] | Failure:
    """Return what ``use`` makes of the utterance's open file, or the failure that kept it from being used.

    What is no file is not opened: a pipe would be waited for.

    Reasons, beside those of `AudioError`: ``missing``, ``not-a-file``, ``no-permission``.
    """
    try:
        if kind := io.kind_of(utterance.path):
            reason, message = "not-a-file", f"{kind}: {utterance.path}"
        else:
            with io.open_file(utterance.path) as file:
                return use(file)
    except AudioError as error:
        reason, message = error.reason, error.message
    except FileNotFoundError:
        reason, message = "missing", f"no such file: {utterance.path}"
    except IsADirectoryError:
        reason, message = "not-a-file", f"a folder: {utterance.path}"
    except PermissionError:
        reason, message = "no-permission", f"not allowed to read {utterance.path}"
    except OSError as error:
        if error.errno not in _NO_PATH:
            raise
        reason, message = "missing", f"no path of a file: {utterance.path}"
    return Failure.of(utterance, reason, message)


def read_text(utterance: Utterance) -> Utterance | Failure:
    """Return the utterance with the text that lies in a file of its own, where it has such a file.

    Reasons: ``missing`` (it is gone), ``bad-text`` (it is not UTF-8).
    """
    if utterance.text_path is None:
        return utterance
    try:
        with io.open_file(utterance.text_path) as file:
            text = file.read().decode("utf-8-sig").strip()
    except UnicodeDecodeError as error:
        return Failure.of(utterance, "bad-text", f"{utterance.text_path} is not UTF-8: {error}")
    except OSError as error:
        return Failure.of(utterance, "missing", f"{utterance.text_path} cannot be read: {error}")
    return dataclasses.replace(utterance, text=text, text_path=None)
