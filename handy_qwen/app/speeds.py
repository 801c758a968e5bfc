"""How fast models were on this machine: measured once, kept in a small file."""

from __future__ import annotations

import json
import logging
import math
from pathlib import Path

from handy_qwen.durable import replace_file

logger = logging.getLogger(__name__)


class Speeds:
    """Seconds for ten seconds of speech, by name and size: another package under a name is another model.

    A file that cannot be read or written costs no more than measuring again.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._known: dict[str, float] | None = None

    def of(self, name: str, disk_bytes: int) -> float | None:
        """What was measured; None if nothing was."""
        if self._known is None:
            self._known = self._read()
        return self._known.get(f"{name}:{disk_bytes}")

    def note(self, name: str, disk_bytes: int, clip_s: float) -> None:
        """Keep what was measured."""
        known = self._read() | {f"{name}:{disk_bytes}": round(clip_s, 3)}
        self._known = known
        try:
            replace_file(self._path, f"{json.dumps(known, indent=2)}\n".encode())
        except OSError as exc:
            logger.info("the speed of a model could not be kept: %s", exc.strerror)

    def _read(self) -> dict[str, float]:
        try:
            raw = json.loads(self._path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, RecursionError) as exc:
            logger.info("the speeds of the models could not be read: %s", type(exc).__name__)
            return {}
        if not isinstance(raw, dict):
            return {}
        return {key: float(value) for key, value in raw.items() if _is_time(value)}


def _is_time(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < math.inf
