"""Ways to damage what is well: bytes anywhere, values inside of JSON."""

from __future__ import annotations

import copy
import json
from typing import Any

from hypothesis import strategies as st

NUMBERS = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 2**63 - 1, 2**64 - 1)
VALUES: tuple[Any, ...] = (
    *(None, True, False, -1, 0, 1, 3, 2**31, 2**53, 2**64, 10**30, -0.5, 1e308, float("nan"), float("inf")),
    *(
        "",
        "x",
        "..",
        "../outside",
        "/etc/passwd",
        "a/b",
        "a\\b",
        "C:x",
        "\0",
        "nul\0.bin",
        "\ud800",
        "x" * 5000,
    ),
    *([], {}, [[]], [None], {"": None}, [1, 2, 3], list(range(2000)), ["../outside"] * 3),
)


@st.composite
def damaged_bytes(draw: st.DrawFn, original: bytes, head: int = 0) -> bytes:
    """``original`` with some damage; half of it within the first ``head`` bytes, where headers lie."""
    raw = bytearray(original)
    for _ in range(draw(st.integers(1, 4))):
        most = min(head, len(raw)) if head and draw(st.booleans()) else len(raw)
        at = draw(st.integers(0, max(0, most)))
        kind = draw(st.sampled_from(("flip", "number", "cut", "remove", "repeat", "insert")))
        if kind == "flip" and at < len(raw):
            raw[at] ^= 1 << draw(st.integers(0, 7))
        elif kind == "number":
            width = draw(st.sampled_from((1, 2, 4, 8)))
            number = draw(st.sampled_from(NUMBERS)) % (1 << 8 * width)
            raw[at : at + width] = number.to_bytes(width, draw(st.sampled_from(("little", "big"))))
        elif kind == "cut":
            del raw[at:]
        elif kind == "remove":
            del raw[at : at + draw(st.integers(1, 64))]
        elif kind == "repeat":
            raw[at:at] = raw[at : at + draw(st.integers(1, 64))] * draw(st.integers(1, 40))
        else:
            raw[at:at] = draw(st.binary(min_size=1, max_size=16))
    return bytes(raw)


@st.composite
def damaged_json(draw: st.DrawFn, original: Any) -> bytes:
    """``original`` with some values replaced, taken out or doubled, as UTF-8."""
    tree = copy.deepcopy(original)
    for _ in range(draw(st.integers(1, 3))):
        tree = _damaged(draw, tree)
    try:
        raw = json.dumps(tree, ensure_ascii=draw(st.booleans())).encode("utf-8", "surrogatepass")
    except RecursionError:
        raw = b"[" * 100_000
    return draw(damaged_bytes(raw)) if draw(st.integers(0, 9)) == 0 else raw


def _damaged(draw: st.DrawFn, tree: Any) -> Any:
    if draw(st.integers(0, 19)) == 0 or not isinstance(tree, dict | list) or not tree:
        return copy.deepcopy(draw(st.sampled_from(VALUES)))
    key = draw(st.sampled_from(sorted(tree) if isinstance(tree, dict) else range(len(tree))))
    kind = draw(st.sampled_from(("deeper", "deeper", "deeper", "replace", "remove", "rename")))
    if kind == "deeper" and isinstance(tree[key], dict | list):
        tree[key] = _damaged(draw, tree[key])
    elif kind == "remove":
        del tree[key]
    elif kind == "rename" and isinstance(tree, dict):
        tree[draw(st.sampled_from(("", "x", "../outside", "/tmp/x", "name", "__class__")))] = tree.pop(key)
    else:
        tree[key] = copy.deepcopy(draw(st.sampled_from(VALUES)))
    return tree


def nested(deep: int, opening: bytes = b"[", closing: bytes = b"]") -> bytes:
    """JSON that goes ``deep`` levels down."""
    return opening * deep + closing * deep
