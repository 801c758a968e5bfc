"""JSON files of models and checkpoints, read as if anybody could have written them.

Too large, nested too deeply, a key that comes twice, a number that is none: all of it is a ValueError here,
and what a reader stumbles over afterwards becomes one error that names the file.
"""

from __future__ import annotations

import json
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from handy_qwen.errors import ModelCorruptError, ModelMissingError

MAX_BYTES = 4 << 20
"""The largest known, the list of tensors of a checkpoint, has 0.1 MB; as objects it is 20 times as much."""
REINSTALL = "Install or convert the model again."


def parse_object(data: bytes) -> dict[str, Any]:
    """The JSON object that ``data`` holds, in UTF-8.

    Raises:
        ValueError: It holds something else.
    """
    if len(data) > MAX_BYTES:
        raise ValueError("it is too large")
    try:
        found = json.loads(data.decode(), object_pairs_hook=_object, parse_constant=_no_number)
    except RecursionError as exc:
        raise ValueError("it is nested too deeply") from exc
    if not isinstance(found, dict):
        raise ValueError("it holds no object")  # noqa: TRY004  one kind of error for what may come in
    return found


def read_object(path: Path) -> dict[str, Any]:
    """The JSON object in the file ``path``.

    Raises:
        OSError: It cannot be read.
        ValueError: It holds something else, or is no file.
    """
    if not stat.S_ISREG(path.stat().st_mode):  # a pipe would never end
        raise ValueError("it is no file")
    with path.open("rb") as file:
        return parse_object(file.read(min(MAX_BYTES, path.stat().st_size) + 1))


@contextmanager
def as_corrupt(path: Path, problem: str, hint: str = REINSTALL, missing: str = REINSTALL) -> Iterator[None]:
    """Take what ``path`` says at its word inside; where that goes wrong, it is the file's fault.

    Args:
        path: The file.
        problem: What to say of it then.
        hint: What to do then.
        missing: What to do if it is not there.

    Raises:
        ModelMissingError: It is not there.
        ModelCorruptError: It cannot be read, or says what cannot be.
    """
    try:
        yield
    except FileNotFoundError as exc:
        raise ModelMissingError(path, missing) from exc
    except OSError as exc:
        raise ModelCorruptError(path, f"it cannot be read ({exc.strerror})", "Check the path.") from exc
    except (ValueError, LookupError, TypeError, AttributeError, ArithmeticError, RecursionError) as exc:
        raise ModelCorruptError(path, problem, hint) from exc


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key comes twice")
    return found


def _no_number(name: str) -> None:
    raise ValueError(f"{name} is no number of JSON")
