from __future__ import annotations

import sys
from pathlib import Path

import pytest

from asr_model import memory


@pytest.mark.skipif(sys.platform != "linux", reason="asks Linux what is held")
def test_what_is_free_between_what_is_in_use_goes_back_to_the_system(monkeypatch):
    monkeypatch.setattr(memory, "KEPT_BYTES", 100_000_000)
    blocks = [bytearray(50_000) for _ in range(4000)]  # too small to be given back one by one
    kept = blocks[::20]
    held = resident_bytes()
    del blocks
    memory.give_back_memory()
    assert resident_bytes() < held - 100_000_000
    assert len(kept) == 200


def resident_bytes():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096
