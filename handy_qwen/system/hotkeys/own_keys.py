"""How the user binds a key of the desktop's own to the program, where programs get none.

Sources: man 5 sway; wiki.hypr.land, "Binds"; niri's wiki, "Configuration: Key Bindings".
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping

from handy_qwen.system.entries import SCRIPT, launch_for

OWN_KEYS = (
    'Let your desktop run "{command} start" when a key of your choice goes down and "{command} stop" '
    'when it comes up, or "{command} toggle" on a key.'
)
_BY_DESKTOP = {
    "sway": (
        "Add these lines to ~/.config/sway/config, then reload it: "
        "bindsym --no-repeat F9 exec {command} start  and  bindsym --release F9 exec {command} stop"
    ),
    "Hyprland": (
        "Add these lines to ~/.config/hypr/hyprland.conf: bind = , F9, exec, {command} start"
        "  and  bindr = , F9, exec, {command} stop"
    ),
    "niri": (
        "Add this line to binds in ~/.config/niri/config.kdl: "
        'F9 repeat=false {{ spawn "{command}" "toggle"; }}'
    ),
    "GNOME": "Settings > Keyboard > Custom Shortcuts: add one with the command {command} toggle",
}


def own_keys(environment: Mapping[str, str] = os.environ) -> str:
    """What to do, with the lines for this desktop if it is a known one."""
    command = SCRIPT if shutil.which(SCRIPT) else launch_for(environment).command[0]
    desktops = environment.get("XDG_CURRENT_DESKTOP", "").split(":")
    hint = next((_BY_DESKTOP[name] for name in desktops if name in _BY_DESKTOP), OWN_KEYS)
    return hint.format(command=command)
