"""Links from a page to the recordings it is about, where a browser can reach them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote

import pipelines.io as io
from asr_model.records import Transcript
from asr_model.scoring import Score

__all__ = ["audio_folders", "audio_link"]


def audio_folders(reference: str, transcripts: str) -> list[Path]:
    """Return the local folders that names of recordings may be seen from.

    They are that of the references, that of the manifest that was transcribed, and the one we are in.
    """
    run = io.join(transcripts, io.RUN_FILE)
    inputs = [reference, str(io.read_json(run)["input"]) if io.exists(run) else transcripts]
    folders = [folder for name in inputs if "://" not in name for folder in (Path(name).parent, Path(name))]
    return [*dict.fromkeys(folder for folder in folders if folder.is_dir()), Path()]


def audio_link(score: Score, transcript: Transcript | None, folders: Sequence[Path], output: str) -> str | None:
    """Return a link from a page in ``output`` to the recording, or to the segment of it; None where none is found."""
    names = [score.audio_filepath, *([transcript.audio_filepath] if transcript else [])]
    if "://" in output or any("://" in name for name in names):
        return None
    paths = (folder / name for folder in folders for name in names)
    path = next((path for path in paths if path.is_file()), None)
    if path is None:
        return None
    link = quote(Path(os.path.relpath(path, output)).as_posix())
    if score.offset is None:
        return link
    return f"{link}#t={score.offset:g}" + (f",{score.offset + score.duration:g}" if score.duration else "")
