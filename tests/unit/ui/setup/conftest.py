"""What the tests of the guide share."""

import pytest


@pytest.fixture
def asked(asked):
    """With a command that Qt can see the argument of: it gives none to a function that takes any number."""

    def use_autostart(is_on):
        asked.calls.append(("use_autostart", is_on))

    def use_hotkey(chord, on_refused):
        asked.calls.append(("use_hotkey", chord))
        asked.refuse = on_refused

    asked.use_autostart = use_autostart
    asked.use_hotkey = use_hotkey
    return asked
