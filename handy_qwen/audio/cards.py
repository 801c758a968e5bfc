"""Whether a sound card or a sound server of Linux may have come or gone, without asking either.

To ask starts a process, and has PortAudio open every device there is.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

CARDS = Path("/dev/snd")


def state_of(environment: Mapping[str, str], cards: Path = CARDS) -> tuple[tuple[str, int], ...]:
    """What changes when a card is plugged in or may be used, or when a sound server makes its socket.

    A server on another machine changes nothing here.
    """
    return tuple(_stamps(environment, cards))


def _stamps(environment: Mapping[str, str], cards: Path) -> Iterator[tuple[str, int]]:
    places = [cards]
    if runtime := environment.get("XDG_RUNTIME_DIR"):
        places += [Path(runtime), Path(runtime, "pulse")]
    for place in places:
        try:
            yield str(place), place.stat().st_mtime_ns
        except OSError:  # there is none
            continue
    try:
        with os.scandir(cards) as nodes:
            yield from sorted((node.name, node.stat().st_ctime_ns) for node in nodes)
    except OSError:  # or one that has just gone
        return
