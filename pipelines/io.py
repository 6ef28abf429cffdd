"""Every path, file name and marker; files of any Beam filesystem."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import shutil
import stat
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq
from apache_beam.io.filesystem import BeamIOError, CompressionTypes, FileSystem
from apache_beam.io.filesystems import FileSystems

from asr_model.records import Failure, from_table, read_stamp, row_groups

__all__ = [
    "FAILURES_FILE",
    "PARQUET_LAYOUT",
    "ROW_GROUP_BYTES",
    "RUN_FILE",
    "SUCCESS_FILE",
    "InputError",
    "TooManyFailuresError",
    "check_failure_rate",
    "claim_folder",
    "create_file",
    "create_parquet",
    "delete",
    "exists",
    "is_url",
    "join",
    "kind_of",
    "list_files",
    "list_folder",
    "open_file",
    "read_json",
    "read_rows",
    "read_stamps",
    "read_success",
    "write_failures",
    "write_file",
    "write_json",
    "write_lines",
    "write_parquet",
]

SUCCESS_FILE = "_SUCCESS"
"""Finished marker (JSON: counts, settings, versions, files), written last; readers refuse a folder without it."""
RUN_FILE = "_RUN.json"
"""What the folder is an output of, written first; another run refuses the folder."""
FAILURES_FILE = "failures.jsonl"
ROW_GROUP_BYTES = 8 << 20
"""Uncompressed bytes of a row group: what a reader holds in memory, and a writer some times over."""
PARQUET_LAYOUT = {"compression": "zstd", "use_dictionary": False, "write_page_checksum": True}
UNCOMPRESSED = PARQUET_LAYOUT | {"compression": "none"}
"""Of features, of which zstd saves a tenth: reading takes a third of the time."""


class InputError(ValueError):
    """An input is missing, unfinished or of another kind than wanted."""


def is_url(path: str) -> bool:
    """Return whether ``path`` lies on a remote filesystem."""
    return "://" in path


def join(folder: str, path: str) -> str:
    """Return ``path`` seen from ``folder``: absolute paths and URLs stay what they are."""
    if is_url(path) or path.startswith("/") or folder in ("", "."):
        return path
    return f"{folder.rstrip('/')}/{path}"


def open_file(path: str) -> BinaryIO:
    """Open a file for reading bytes.

    Raises:
        FileNotFoundError, IsADirectoryError, PermissionError, OSError: as its filesystem says.
    """
    if not is_url(path):
        return open(path, "rb")
    return FileSystems.open(path, compression_type=CompressionTypes.UNCOMPRESSED)  # type: ignore[no-any-return]


def kind_of(path: str) -> str:
    """Return what a local path is that is no file (``a pipe``), an empty string for files and URLs.

    Raises:
        FileNotFoundError, PermissionError, OSError: as the filesystem says.
    """
    mode = stat.S_IFREG if is_url(path) else os.stat(path).st_mode  # noqa: PTH116 - once for every recording
    kinds = {stat.S_IFREG: "", stat.S_IFDIR: "a folder", stat.S_IFIFO: "a pipe", stat.S_IFSOCK: "a socket"}
    return kinds.get(stat.S_IFMT(mode), "a device")


def exists(path: str) -> bool:
    """Return whether a file of that name exists."""
    return bool(FileSystems.exists(path))


def size_and_time(path: str) -> tuple[int, float]:
    """Return size in bytes and time of the last change (seconds since 1970), by which a changed file is noticed.

    Raises:
        FileNotFoundError: there is no such file.
    """
    if not is_url(path):
        status = Path(path).stat()
        return status.st_size, status.st_mtime
    try:
        found = FileSystems.get_filesystem(path).metadata(path)
    except BeamIOError as error:  # asked again only here: one request for each recording is enough
        raise (error if exists(path) else FileNotFoundError(path)) from None
    return found.size_in_bytes, found.last_updated_in_seconds or 0.0


def list_files(pattern: str) -> list[tuple[str, int]]:
    """Return (path, bytes) of the files a glob pattern matches (``**`` crosses folders), sorted by path."""
    found = FileSystems.match([pattern])[0].metadata_list
    return sorted((metadata.path, metadata.size_in_bytes) for metadata in found)


def list_folder(folder: str, pattern: str = "**") -> list[tuple[str, int]]:
    """Do as `list_files` for a pattern inside a folder, whose own name is none: ``calls [2024]``."""
    if is_url(folder):  # of which Beam can quote nothing: any character is asked for, and what is not meant left out
        found = list_files(join(re.sub(r"[*?[]", "?", folder), pattern))
        return [(path, size) for path, size in found if path.startswith(join(folder, ""))]
    wanted = re.compile(FileSystem.translate_pattern(pattern))
    files = [Path(place, name) for place, _, names in os.walk(folder) for name in names]
    named = ((str(path.relative_to(folder)), path) for path in files if path.is_file())
    return sorted((join(folder, name), path.stat().st_size) for name, path in named if wanted.match(name))


def write_file(path: str, data: bytes) -> None:
    """Write a file that is whole or absent."""
    with create_file(path) as file:
        file.write(data)


def write_lines(path: str, lines: Iterable[str]) -> None:
    """Write lines, one at a time, into a file that is whole or absent."""
    with create_file(path) as file:
        file.writelines(line.encode() + b"\n" for line in lines)


def delete(paths: Iterable[str]) -> None:
    """Delete files; those that do not exist are passed over."""
    paths = list(paths)
    for path in paths:
        if not is_url(path):
            Path(path).unlink(missing_ok=True)
    if remote := [path for path in paths if is_url(path) and exists(path)]:
        FileSystems.delete(remote)


def write_json(path: str, value: Any) -> None:
    """Write ``value`` as indented JSON."""
    write_file(path, (json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False) + "\n").encode())


def read_json(path: str) -> Any:
    """Return the JSON value of a file."""
    with open_file(path) as file:
        return json.loads(file.read())


def write_parquet(path: str, table: pa.Table) -> None:
    """Write a table as one file."""
    with create_parquet(path) as write:
        write(table)


@contextmanager
def create_parquet(path: str) -> Iterator[Callable[[pa.Table], None]]:
    """Give what appends tables of one schema to a new file, each in row groups of its own; without any, no file."""
    with ExitStack() as stack:
        writer = None

        def write(table: pa.Table) -> None:
            nonlocal writer
            if writer is None:
                file = stack.enter_context(create_file(path))
                layout = UNCOMPRESSED if pa.binary() in table.schema.types else PARQUET_LAYOUT
                writer = stack.enter_context(pq.ParquetWriter(file, table.schema, **layout))
            writer.write_table(table, max(1, ROW_GROUP_BYTES * max(1, table.num_rows) // max(1, table.nbytes)))

        yield write


def read_rows(path: str, record: type) -> Iterator[Any]:
    """Yield the rows of a Parquet file as records, holding one row group in memory."""
    with open_file(path) as file:
        for group in row_groups(file):
            yield from from_table(record, group)


class TooManyFailuresError(RuntimeError):
    """More recordings failed than ``max_failure_rate`` allows."""


def check_failure_rate(num_inputs: int, failures: Counter[str], max_failure_rate: float, folder: str) -> None:
    """Fail the job where too great a part of its inputs failed; ``failures`` are counted by reason.

    Raises:
        TooManyFailuresError: with the numbers, the reasons and the file that lists them.
    """
    rate = failures.total() / max(1, num_inputs)
    if rate > max_failure_rate:
        raise TooManyFailuresError(
            f"{failures.total()} of {num_inputs} recordings failed ({', '.join(sorted(failures))}), a rate of "
            f"{rate:.3f}; max_failure_rate is {max_failure_rate}. See {join(folder, FAILURES_FILE)}"
        )


def write_failures(folder: str, failures: Iterable[Failure]) -> None:
    """Write the failures file, one JSON object a line."""
    lines = (json.dumps(dataclasses.asdict(failure), ensure_ascii=False) for failure in failures)
    write_lines(join(folder, FAILURES_FILE), lines)


def read_stamps(paths: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Return the stamp in the footer of each Parquet file by path."""
    stamps = {}
    for path in paths:
        with open_file(path) as file:
            stamps[path] = read_stamp(pq.read_schema(file).metadata, path)
    return stamps


def read_success(folder: str, verb: str) -> dict[str, Any]:
    """Return the finished marker of a folder that ``verb`` wrote.

    Raises:
        InputError: the folder has no marker (the job did not finish), or another verb's.
    """
    path = join(folder, SUCCESS_FILE)
    try:
        success: dict[str, Any] = read_json(path)
    except (OSError, ValueError) as error:
        message = f"{folder}: no finished output of {verb} (no {SUCCESS_FILE}); did that job finish?"
        raise InputError(message) from error
    if success["verb"] != verb:
        raise InputError(f"{folder}: written by {success['verb']}, wanted the output of {verb}")
    return success


def claim_folder(folder: str, claim: dict[str, Any], overwrite: bool) -> None:
    """Make ``folder`` the output of the run that ``claim`` describes: a new one, or the same one to resume.

    Raises:
        InputError: the folder holds another run or other files, and ``overwrite`` is not set.
    """
    path = join(folder, RUN_FILE)
    if exists(path):
        theirs = read_json(path)
        if theirs != claim and not overwrite:
            differing = sorted(name for name in theirs.keys() | claim.keys() if theirs.get(name) != claim.get(name))
            message = f"{folder}: holds the output of another run (differing: {', '.join(differing)}); "
            raise InputError(message + "name another folder, or pass --overwrite")
        # Of the same run what is done stays, but not the temporary file of a writer that was killed.
        delete(found for found, _ in list_folder(folder, "**.tmp" if theirs == claim else "**"))
    else:
        delete(found for found, _ in list_folder(folder, f".{RUN_FILE}.*.tmp"))  # of a run killed as it began
        if not overwrite and list_folder(folder, "*"):
            raise InputError(f"{folder}: is not empty and no output of {claim['verb']}; name another folder")
    delete([join(folder, SUCCESS_FILE)])
    write_json(path, claim)


@contextmanager
def create_file(path: str) -> Iterator[BinaryIO]:
    """Open a new file that appears when closed: renamed into place, or put as one object on an object store."""
    if is_url(path):
        # A remote file that is closed is there, also one that fails half-way: it is sent when it is whole.
        with TemporaryFile() as file:
            yield file
            file.seek(0)
            with FileSystems.create(path, compression_type=CompressionTypes.UNCOMPRESSED) as remote:
                shutil.copyfileobj(file, remote)
        return
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    try:
        with open(temporary, "wb") as file:
            yield file
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)
