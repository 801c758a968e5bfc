"""Many dictations one after the other, and what they cost the program."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import cycle, islice
from typing import Any

from tests.e2e.app import SPOKEN, App

TEXT_S = 60.0


@dataclass(frozen=True)
class Cost:
    """What the program uses after so many takes."""

    takes: int
    memory_bytes: int
    threads: int
    files: int  # on Windows, handles


def dictate_many(app: App, editor: Any, takes: int, *, every: int, tell: Any = None) -> list[Cost]:
    """Dictate ``takes`` times, each take spoken while the one before is transcribed.

    Checks that every text came, once and in order; returns the costs after each ``every`` takes, when
    the program has nothing more to do.
    """
    names = list(islice(cycle(SPOKEN), takes))
    expected, costs = "", []
    for number, name in enumerate(names, 1):
        app.dictate(name)
        expected += SPOKEN[name]
        if number % every:
            continue
        text = editor.wait_for_text(expected, timeout_s=TEXT_S)
        assert text == expected, f"after take {number}: {text}"
        app.wait_for_phase("idle")
        cost = Cost(number, *app.costs())
        costs.append(cost)
        if tell is not None:
            tell(cost)
    assert editor.wait_for_text(expected, timeout_s=TEXT_S, quiet_s=0.5) == expected
    return costs
