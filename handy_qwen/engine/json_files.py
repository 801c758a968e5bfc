"""JSON files of models and checkpoints, from untrusted sources.

A file that is too large or nested too deeply, a duplicate key, and NaN are all a ValueError; any failure
while such a file is used becomes one error that names the file.
"""

from __future__ import annotations

import json
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from handy_qwen.errors import ModelCorruptError, ModelMissingError
from handy_qwen.message import Message

MAX_BYTES = 4 << 20
"""The largest known, a checkpoint's list of tensors, has 0.1 MB; parsed, it is 20 times as much."""
REINSTALL = Message("Install or convert the model again.")


def parse_object(data: bytes) -> dict[str, Any]:
    """The JSON object in ``data``, which is UTF-8; ValueError if it holds something else."""
    if len(data) > MAX_BYTES:
        raise ValueError("it is too large")
    try:
        found = json.loads(data.decode(), object_pairs_hook=_unique, parse_constant=_reject_constant)
    except RecursionError as exc:
        raise ValueError("it is nested too deeply") from exc
    if not isinstance(found, dict):
        raise ValueError("it holds no object")  # noqa: TRY004  one kind of error for what may come in
    return found


def read_object(path: Path) -> dict[str, Any]:
    """The JSON object in the file ``path``; OSError or ValueError if there is none."""
    if not stat.S_ISREG(path.stat().st_mode):  # reading a pipe would never end
        raise ValueError("it is no file")
    with path.open("rb") as file:
        return parse_object(file.read(min(MAX_BYTES, path.stat().st_size) + 1))


def write_object(path: Path, value: dict[str, Any]) -> None:
    """Write ``value`` into the file ``path``, indented; OSError if that fails."""
    path.write_text(json.dumps(value, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


@contextmanager
def as_corrupt(
    path: Path, problem: Message, hint: Message = REINSTALL, missing: Message = REINSTALL
) -> Iterator[None]:
    """Turn any failure in the block, which uses the contents of ``path``, into an error about that file.

    ModelMissingError if it is missing, with the hint ``missing``; ModelCorruptError if it cannot be read, or
    has the ``problem``, with the hint ``hint``.
    """
    try:
        yield
    except FileNotFoundError as exc:
        raise ModelMissingError(path, missing) from exc
    except OSError as exc:
        raise ModelCorruptError(
            path, Message("it cannot be read ({reason})", reason=exc.strerror), Message("Check the path.")
        ) from exc
    except (ValueError, LookupError, TypeError, AttributeError, ArithmeticError, RecursionError) as exc:
        raise ModelCorruptError(path, problem, hint) from exc


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key comes twice")
    return found


def _reject_constant(name: str) -> None:
    raise ValueError(f"{name} is no number of JSON")
