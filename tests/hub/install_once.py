"""Installs the tiny model in a process of its own, which can be killed: run with ``python -m``."""

import sys

from handy_qwen.core.models import InstallStage, Progress
from handy_qwen.models.installing import install
from tests.hub.tiny import TINY


def main() -> int:
    """Tell each stage on a line of its own."""
    last: InstallStage | None = None

    def tell(progress: Progress) -> None:
        nonlocal last
        if progress.stage is not last:
            last = progress.stage
            print(last.name, flush=True)  # noqa: T201

    install(TINY, tell)
    return 0


if __name__ == "__main__":
    sys.exit(main())
