"""Links from a page to the recordings it is about, where a browser can reach them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote

import pipelines.io as io

__all__ = ["audio_folders", "audio_link"]


def audio_folders(reference: str, transcripts: str) -> list[Path]:
    """Return the local folders that names of recordings may be seen from.

    They are that of the references, that of the manifest that was transcribed, and the one we are in.
    """
    run = io.join(transcripts, io.RUN_FILE)
    inputs = [reference, str(io.read_json(run)["input"]) if io.exists(run) else transcripts]
    folders = [folder for name in inputs if "://" not in name for folder in (Path(name).parent, Path(name))]
    return [*dict.fromkeys(folder for folder in folders if folder.is_dir()), Path()]


def audio_link(
    names: Sequence[str], offset: float | None, duration: float | None, folders: Sequence[Path], output: str
) -> str | None:
    """Return a link from a page in ``output`` to the recording of one of ``names``; None where none is found.

    With an ``offset`` it is to the segment of ``duration`` seconds that begins there.
    """
    if "://" in output or any("://" in name for name in names):
        return None
    paths = (folder / name for folder in folders for name in names)
    path = next((path for path in paths if path.is_file()), None)
    if path is None:
        return None
    link = quote(Path(os.path.relpath(path, output)).as_posix())
    if offset is None:
        return link
    return f"{link}#t={offset:g}" + (f",{offset + duration:g}" if duration else "")
