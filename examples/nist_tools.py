"""Obtain NIST's scoring tools (sclite, sc_stats), which tests compare scores with; where they can't be had, say so.

Example:
    python examples/nist_tools.py
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from packages import Package, PackageError, default_cache, obtain

__all__ = ["SCTK", "find_tool"]

SCTK = Package(
    "sctk",
    "2.4.10-20151007-1312Z+dfsg2-3.1",
    "deb",
    "5fe1eab7c08f814d1fc130e73fa7b434be68d92a7503db2e2c6b880ab26f603e",
    ("usr/lib/sctk/bin",),
    "NIST, public domain",
)
"""The NIST Scoring Toolkit, as Debian 12 has it for x86-64. (PyPI's sctk is something else.)"""
INSTALLED = Path("/usr/lib/sctk/bin")


def find_tool(name: str, cache: Path | None = None) -> str | None:
    """Return the path of one of the tools: from the cache, where Debian's package puts it, or on the path."""
    unpacked = (cache or default_cache()) / "unpacked" / f"{SCTK.name}-{SCTK.sha256[:12]}"
    places = (unpacked / "usr/lib/sctk/bin" / name, INSTALLED / name)
    return next((str(place) for place in places if place.is_file()), shutil.which(name))


def main() -> int:
    """Obtain the tools, unless they are here."""
    if found := find_tool("sclite"):
        print(f"sclite: {found}")
        return 0
    try:
        obtain(SCTK, default_cache())
    except PackageError as error:
        print(f"NIST's scoring tools can't be had; tests that compare with them are skipped ({error})")
    return 0


if __name__ == "__main__":
    sys.exit(main())
