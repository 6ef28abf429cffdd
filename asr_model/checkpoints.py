"""Checkpoints of a training run: tensors and counters in one file that is whole or absent."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

from safetensors.torch import load, save
from torch import Tensor

__all__ = ["CheckpointError", "keep_as_best", "latest_checkpoint", "save_checkpoint", "write_atomically"]

DIGEST_SIZE = 16
BEST = "best.checkpoint"


class CheckpointError(RuntimeError):
    """No checkpoint of a run can be used."""


def write_atomically(path: Path, data: bytes) -> None:
    """Write ``data`` under a temporary name, flush it to the disk, and rename it to ``path``.

    Raises:
        OSError: it could not be written, as on a full disk; what was at ``path`` is still there.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        with open(temporary, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        reason = error.strerror or str(error)
        raise OSError(
            error.errno, f"cannot write {len(data):,} bytes ({reason}); what was there is kept", str(path)
        ) from error


def save_checkpoint(folder: Path, step: int, tensors: dict[str, Tensor], state: dict[str, Any], keep: int) -> Path:
    """Write the checkpoint of ``step`` (safetensors behind a BLAKE2b checksum) and delete all but the last ``keep``.

    Those of later steps go first: a run that stands at ``step`` has found them damaged.
    """
    body = save(tensors, {"state": json.dumps(state, sort_keys=True)})
    path = folder / f"step-{step:08d}.checkpoint"
    write_atomically(path, hashlib.blake2b(body, digest_size=DIGEST_SIZE).digest() + body)
    found = sorted(folder.glob("step-*.checkpoint"))
    kept = found[: found.index(path) + 1][-keep:]
    for other in found:
        if other not in kept:
            other.unlink()
    return path


def keep_as_best(path: Path) -> None:
    """Keep a copy of the checkpoint at ``path``, whatever comes after it."""
    write_atomically(path.with_name(BEST), path.read_bytes())


def latest_checkpoint(folder: Path) -> tuple[dict[str, Tensor], dict[str, Any], list[Path]] | None:
    """Return tensors and state of the newest sound checkpoint and the damaged newer ones, or None without any.

    Where all of the last steps are damaged, it is the best one.
    """
    damaged: list[Path] = []
    for path in [*sorted(folder.glob("step-*.checkpoint"), reverse=True), *folder.glob(BEST)]:
        data = path.read_bytes()
        checksum, body = data[:DIGEST_SIZE], data[DIGEST_SIZE:]
        if hashlib.blake2b(body, digest_size=DIGEST_SIZE).digest() == checksum:
            header = json.loads(body[8 : 8 + int.from_bytes(body[:8], "little")])
            return load(body), json.loads(header["__metadata__"]["state"]), damaged
        damaged.append(path)
    return None
