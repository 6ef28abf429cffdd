"""Files below a folder or of a glob pattern, folder by folder in a stable order, however many there are."""

from __future__ import annotations

import itertools
import os
import re
from collections.abc import Iterator
from pathlib import Path

from apache_beam.io.filesystem import FileSystem
from apache_beam.io.filesystems import FileSystems

import pipelines.io as io

__all__ = ["File", "is_pattern", "list_folders", "matches", "matches_any"]

File = tuple[str, int]
"""Path and size in bytes."""

_GLOB = re.compile(r"[*?\[]")


def is_pattern(source: str) -> bool:
    """Return whether ``source`` is a glob pattern: ``**`` crosses folders. A file that is called so is none."""
    return bool(_GLOB.search(source)) and (io.is_url(source) or not os.path.lexists(source))


def matches(pattern: str) -> re.Pattern[str]:
    """Return the expression of the paths that a glob pattern stands for, as Beam understands it."""
    return re.compile(FileSystem.translate_pattern(pattern))


def list_folders(source: str) -> Iterator[list[File]]:
    """Yield the files below a folder, or in the folders that a pattern may match in, a folder at a time.

    Of a local tree one folder is held in memory, of an object store all names (Beam lists no other way). A link to a
    folder is followed, but not in circles.

    Raises:
        FileNotFoundError, PermissionError: there is no such folder, or it may not be read.
    """
    prefix = source
    depth: int | None = None
    if is_pattern(source):
        prefix = source[: _GLOB.search(source).start()]  # type: ignore[union-attr]
        depth = None if "**" in source else source.count("/", len(prefix))
    if io.is_url(source):
        pattern = f"{prefix}**" if prefix != source else io.join(source, "**")
        found = [(file.path, file.size_in_bytes) for file in FileSystems.match([pattern])[0].metadata_list]
        found.sort(key=lambda file: (file[0].split("/")[:-1], file[0]))
        for _, files in itertools.groupby(found, key=lambda file: file[0].rpartition("/")[0]):
            yield list(files)
        return
    folder = prefix if prefix == source else prefix.rpartition("/")[0] or ("/" if prefix.startswith("/") else "")
    yield from _walk(folder, depth, ())


def matches_any(source: str) -> bool:
    """Return whether a folder holds any file, or a pattern matches one; stops at the first."""
    if io.is_url(source):
        pattern = source if is_pattern(source) else io.join(source, "**")
        return bool(FileSystems.match([pattern], limits=[1])[0].metadata_list)
    wanted = matches(source) if is_pattern(source) else None
    try:
        return any(wanted is None or wanted.match(path) for files in list_folders(source) for path, _ in files)
    except (FileNotFoundError, NotADirectoryError):
        return False


def _walk(folder: str, depth: int | None, above: tuple[tuple[int, int], ...]) -> Iterator[list[File]]:
    status = Path(folder or ".").stat()
    here = (status.st_dev, status.st_ino)
    if here in above:
        return
    files: list[File] = []
    folders: list[str] = []
    with os.scandir(folder or ".") as entries:
        for entry in entries:
            path = io.join(folder, entry.name)
            if entry.is_dir():
                folders.append(path)
            else:
                files.append((path, _size(entry)))
    if files:
        yield sorted(files)
    if depth is None or depth > 0:
        for path in sorted(folders):
            yield from _walk(path, None if depth is None else depth - 1, (*above, here))


def _size(entry: os.DirEntry[str]) -> int:
    try:
        return entry.stat().st_size
    except OSError:  # a link to nothing: who reads it will say so
        return 0
