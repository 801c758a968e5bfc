"""Presses a button, switch or item by its name, through the accessibility bus (GTK 4 and Qt both offer it).

press_button.py NAME [SECONDS]      waits for it; prints what it pressed; status 1 if there is none
press_button.py --list              everything that can be seen
"""

import sys
import time
from collections.abc import Iterator
from typing import Any

import gi

gi.require_version("Atspi", "2.0")
from gi.repository import Atspi, GLib  # noqa: E402 (the version must be asked for first)


def walk(node: Any, depth: int = 0) -> Iterator[tuple[Any, int]]:
    """``node`` and all below it, each with its depth."""
    yield node, depth
    try:
        count = node.get_child_count()
    except GLib.Error:
        return
    for place in range(count):
        try:
            child = node.get_child_at_index(place)
        except GLib.Error:
            continue
        if child is not None:
            yield from walk(child, depth + 1)


def programs() -> Iterator[Any]:
    """Those with windows; the shell's own tree is large and slow, and portals' dialogs are never in it."""
    desktop = Atspi.get_desktop(0)
    for place in reversed(range(desktop.get_child_count())):
        program = desktop.get_child_at_index(place)
        if program is not None and program.get_name() not in (
            "gnome-shell",
            "mutter-x11-frames",
            "kwin_wayland",
        ):
            yield program


def act(node: Any) -> bool:
    """Press it."""
    for candidate in (node, node.get_parent()):  # the name may be that of the label inside
        try:
            if candidate is not None and candidate.get_n_actions():
                return bool(candidate.do_action(0))
        except GLib.Error:
            continue
    return False


def press(name: str) -> bool:
    """Press what is called ``name``; False: there is no such thing."""
    found = []
    for node, _ in (pair for program in programs() for pair in walk(program)):
        try:
            if (node.get_name() or "").replace("_", "").replace("&", "") == name:
                found.append((node, node.get_role_name()))
        except GLib.Error:
            continue
    found.sort(
        key=lambda one: one[1] not in ("push button", "button", "toggle button", "check box", "switch")
    )
    for node, role in found:
        if act(node):
            print("pressed", role, name)
            return True
    return False


Atspi.init()
if sys.argv[1] == "--list":
    for node, depth in (pair for program in programs() for pair in walk(program)):
        try:
            print("  " * depth + node.get_role_name(), repr(node.get_name()), node.get_n_actions())
        except GLib.Error as error:
            print("  " * depth, error.message)
    sys.exit(0)
end = time.monotonic() + float(sys.argv[2] if len(sys.argv) > 2 else 10)
while not press(sys.argv[1]):
    if time.monotonic() > end:
        sys.exit(f"no button {sys.argv[1]}")
    time.sleep(0.2)
