"""Which profile applies to a program, and the built-in profiles.

A program is known by its name on the desktop: WM_CLASS on X11, the executable on Windows, the bundle ID of
an app on macOS. Case, ".exe" and a folder or domain before the name are ignored; "*" matches anything.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from fnmatch import fnmatchcase

from handy_qwen.core.types import Method, Profile, Rules, Spacing, Submit

_TERMINALS = """
    alacritty com.mitchellh.ghostty ghostty cool-retro-term deepin-terminal eterm foot gnome-terminal*
    guake hyper iterm2 kgx kitty konsole lxterminal mate-terminal mintty mlterm org.gnome.console
    org.gnome.ptyxis org.wezfurlong.wezterm wezterm* pantheon-terminal putty qterminal rxvt sakura st
    st-256color tabby terminal terminator terminology termite tilda tilix urxvt uxterm warp
    windowsterminal cmd powershell pwsh xfce4-terminal xterm yakuake
"""
_EDITORS = """
    code code-oss vscodium cursor windsurf zed dev.zed.zed sublime_text kate org.kde.kate gvim neovide
    emacs xcode jetbrains-* idea64 pycharm64 webstorm64 clion64 goland64 rider64 devenv notepad++ lapce
"""
_CHATS = """
    slack discord teams ms-teams teams-for-linux org.telegram.desktop telegramdesktop telegram signal
    whatsapp whatsapp.root element fractal nheko mattermost zulip rocket.chat skype threema viber wechat
    weixin line
"""
BUILT_IN = (
    # Enter would run a command, as would a typed line break.
    Profile(
        "Terminals", tuple(_TERMINALS.split()), method=Method.PASTE, submit=Submit.OFF, spacing=Spacing.OFF
    ),
    # Editors complete brackets, quotation marks and words in typed text.
    Profile("Code editors", tuple(_EDITORS.split()), method=Method.PASTE, submit=Submit.OFF),
    # A typed line break would send the message.
    Profile("Chat", tuple(_CHATS.split()), method=Method.PASTE),
)


def effective(own: Iterable[Profile]) -> tuple[Profile, ...]:
    """The user's ``own`` profiles, and the built-in ones that none of them replaces by name.

    A profile that replaces a built-in one and names no programs applies to the same programs.
    """
    built_in = {one.name: one for one in BUILT_IN}
    mine = [
        replace(one, programs=one.programs or built_in[one.name].programs) if one.name in built_in else one
        for one in own
    ]
    names = {one.name for one in mine}
    return (*mine, *(one for one in BUILT_IN if one.name not in names))


def plain_name(program: str) -> str:
    """``program`` in the form used for comparison."""
    return re.split(r"[\\/]", program.strip().casefold())[-1].removesuffix(".exe")


def profile_of(application: str, profiles: Iterable[Profile]) -> Profile | None:
    """The first of ``profiles`` that applies to ``application``, or None."""
    name = plain_name(application)
    if not name:
        return None
    names = {name, name.rpartition(".")[2]}
    return next(
        (one for one in profiles if any(_fits(plain_name(each), names) for each in one.programs)), None
    )


def rules_for(application: str, rules: Rules) -> Rules:
    """``rules`` with the words of the profile for ``application`` added."""
    found = profile_of(application, rules.profiles)
    words = found.words if found else ()
    text = replace(rules.text, custom_words=(*words, *rules.text.custom_words))
    return replace(rules, context=(*words, *rules.context), text=text)


def _fits(pattern: str, names: Iterable[str]) -> bool:
    return any(fnmatchcase(name, pattern) for name in names)
