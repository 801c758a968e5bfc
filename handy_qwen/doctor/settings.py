"""The settings file: whether it can be read, and what in it is not used as written."""

from __future__ import annotations

from collections.abc import Iterator

from handy_qwen.doctor.context import Context
from handy_qwen.doctor.finding import Finding, fine, problem, warning

NAME = "settings"


def check(context: Context) -> Iterator[Finding]:
    """Look at the file as it was read."""
    found = context.configuration
    path = str(found.path)
    complaint = found.complaint("The next start uses the defaults until you fix it.")
    if complaint and found.error:
        yield problem(NAME, complaint.title, complaint.hint, path=path)
    elif complaint:
        told = "; ".join(map(str, found.problems))
        end = "" if told.endswith("?") else "."
        yield warning(
            NAME,
            f"In {path}, not everything is used as written: {told}{end}",
            "Look at the comment above each of these settings in the file.",
            path=path,
            problems=[str(one) for one in found.problems],
        )
    elif found.exists:
        yield fine(NAME, f"{path} is in order.", path=path)
    else:
        yield fine(NAME, f"There is no settings file yet: defaults hold. It will be {path}.", path=path)
