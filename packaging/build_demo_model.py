"""Converts tests/data/demo-checkpoint into assets/demo-model, which ships with the program."""

from __future__ import annotations

import shutil
from pathlib import Path

from handy_qwen.convert.package import Details, convert
from handy_qwen.convert.presets import PRESETS

ROOT = Path(__file__).resolve().parents[1]
CHECKPOINT = ROOT / "tests" / "data" / "demo-checkpoint"
PACKAGE = ROOT / "assets" / "demo-model"
DETAILS = Details(
    name="demo",
    pass_s=8.0,  # trained on hardly anything longer
    licence="CC BY-SA 4.0, attribution in README.md",
    notice="This is the demo model. It knows some 300 English and German words and hears only those.",
)


def main() -> None:
    """Build the package in place."""
    convert(CHECKPOINT, PACKAGE, PRESETS["precise"], DETAILS, speech=None)
    shutil.copy(CHECKPOINT / "README.md", PACKAGE)


if __name__ == "__main__":
    main()
