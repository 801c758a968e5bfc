"""The tests: unit (mirrors the package), golden (against the reference), e2e (the real program)."""

import os

# The session of whoever runs the tests decides on defaults, which are read when the settings are imported.
for name in ("WAYLAND_DISPLAY", "XDG_SESSION_TYPE"):
    os.environ.pop(name, None)
