"""Window classes whose Shift+Insert takes the selection (PRIMARY) and not the clipboard.

Only for these is PRIMARY taken when they own it themselves: a text field that has text marked owns
PRIMARY, and would drop the mark, and with it the wish to have that text replaced.
"""

TERMINALS = frozenset(
    name.lower()
    for name in (
        "Alacritty",
        "com.mitchellh.ghostty",
        "cool-retro-term",
        "Deepin-Terminal",
        "Eterm",
        "foot",
        "Gnome-terminal",
        "Guake",
        "kitty",
        "konsole",
        "kgx",
        "Lxterminal",
        "Mate-terminal",
        "mlterm",
        "org.gnome.Console",
        "org.gnome.Ptyxis",
        "org.wezfurlong.wezterm",
        "Pantheon-terminal",
        "qterminal",
        "Rxvt",
        "Sakura",
        "st",
        "st-256color",
        "Terminator",
        "Terminology",
        "termite",
        "Tilda",
        "Tilix",
        "URxvt",
        "UXTerm",
        "Xfce4-terminal",
        "XTerm",
        "Yakuake",
    )
)


def is_terminal(window_class: str) -> bool:
    """Whether ``window_class`` (WM_CLASS) belongs to a terminal."""
    return window_class.lower() in TERMINALS
