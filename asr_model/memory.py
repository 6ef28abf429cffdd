"""Memory that is free goes back to the system."""

from __future__ import annotations

import ctypes
from contextlib import suppress

__all__ = ["give_back_memory"]


def give_back_memory() -> None:
    """Give back what the allocator of C keeps between what is in use: without it, a long run holds ever more.

    Where the allocator is another than glibc's, nothing is done.
    """
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)
