"""Memory that was freed leaves the process."""

import ctypes
import sys
import types

import numpy as np
import psutil
import pytest

from handy_qwen.transcriber import slot

PIECES, PIECE_BYTES = 2000, 50_000  # 100 MB in pieces too small to be mapped one by one


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc's way")
def test_freed_memory_goes_back_to_the_system():
    process = psutil.Process()
    pieces = [np.ones(PIECE_BYTES, np.uint8) for _ in range(PIECES)]
    last = pieces[-1]  # keeps the heap from shrinking by itself
    full = process.memory_info().rss
    del pieces
    slot.return_freed_memory()
    assert process.memory_info().rss < full - PIECES * PIECE_BYTES // 2
    assert last.all()


def test_a_c_library_without_a_way_is_no_trouble(monkeypatch):
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(ctypes, "CDLL", lambda _name: types.SimpleNamespace())
    slot.return_freed_memory()
