"""Compiles the translations before the program is built or installed, also from a checkout."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class CompileTranslations(BuildHookInterface):  # type: ignore[type-arg]  # of what it configures: nothing
    """See ``translations``."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002  hatchling's
        """Called by hatchling."""
        sys.path.insert(0, str(Path(self.root) / "packaging"))
        import translations

        translations.compile_all()
