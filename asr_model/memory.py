"""Memory that is free goes back to the system."""

from __future__ import annotations

import ctypes
import os
from contextlib import suppress
from pathlib import Path

__all__ = ["give_back_memory"]

KEPT_BYTES = 1 << 30
"""A process that holds less than this keeps it: to get it again takes time."""


def give_back_memory() -> None:
    """Give back what the allocator of C keeps between what is in use: without it, a long run holds ever more.

    Nothing is done where the system is not Linux or the allocator not glibc's.
    """
    with suppress(OSError, AttributeError):
        num_pages = int(Path("/proc/self/statm").read_text().split()[1])
        if num_pages * os.sysconf("SC_PAGE_SIZE") > KEPT_BYTES:
            ctypes.CDLL(None).malloc_trim(0)
