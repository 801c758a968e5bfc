"""What the tests of the guide share."""

import pytest


@pytest.fixture
def asked(asked):
    """With a command that Qt can see the argument of: it gives none to a function that takes any number."""

    def use_autostart(is_on):
        asked.calls.append(("use_autostart", is_on))

    asked.use_autostart = use_autostart
    return asked
