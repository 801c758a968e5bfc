"""How the user binds a key of the desktop's own to the program, where programs get none.

Sources: man 5 sway; wiki.hypr.land, "Binds"; niri's wiki, "Configuration: Key Bindings".
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping

from handy_qwen.message import Message
from handy_qwen.system.entries import SCRIPT, launch_for


def own_keys(environment: Mapping[str, str] = os.environ) -> Message:
    """What to do, with the lines for this desktop if it is a known one."""
    command = SCRIPT if shutil.which(SCRIPT) else launch_for(environment).command[0]
    for desktop in environment.get("XDG_CURRENT_DESKTOP", "").split(":"):
        match desktop:
            case "sway":
                return Message(
                    "Add these lines to ~/.config/sway/config, then reload it: {lines}",
                    lines=f"bindsym --no-repeat F9 exec {command} start  and  "
                    f"bindsym --release F9 exec {command} stop",
                )
            case "Hyprland":
                return Message(
                    "Add these lines to ~/.config/hypr/hyprland.conf: {lines}",
                    lines=f"bind = , F9, exec, {command} start  and  bindr = , F9, exec, {command} stop",
                )
            case "niri":
                return Message(
                    "Add this line to binds in ~/.config/niri/config.kdl: {line}",
                    line=f'F9 repeat=false {{ spawn "{command}" "toggle"; }}',
                )
            case "GNOME":
                return Message(
                    "Settings > Keyboard > Custom Shortcuts: add one with the command {command}",
                    command=f"{command} toggle",
                )
    return Message(
        'Let your desktop run "{command} start" when a key of your choice goes down and "{command} stop" '
        'when it comes up, or "{command} toggle" on a key.',
        command=command,
    )
