"""The settings file: whether it can be read, and what in it is not taken as it stands."""

from __future__ import annotations

from collections.abc import Iterator

from handy_qwen.doctor.context import Context
from handy_qwen.doctor.finding import Finding, fine, problem, warning

NAME = "settings"


def check(context: Context) -> Iterator[Finding]:
    """Look at the file as it was read."""
    found = context.configuration
    path = str(found.path)
    if found.error:
        yield problem(
            NAME,
            f"The settings file {path} is broken: {found.error}. Defaults hold.",
            "Mend it, or rename it: at the next start a new one is written, and a broken one set aside.",
            path=path,
        )
    elif found.warnings:
        yield warning(
            NAME,
            f"In {path}, not everything is understood: {'; '.join(found.warnings)}.",
            "Look at the comment above each of these settings in the file.",
            path=path,
            warnings=list(found.warnings),
        )
    elif found.exists:
        yield fine(NAME, f"{path} is in order.", path=path)
    else:
        yield fine(NAME, f"There is no settings file yet: defaults hold. It will be {path}.", path=path)
