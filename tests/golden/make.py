"""Makes the golden data in ``data/`` with the reference implementation.

    python -m tests.golden.make --checkpoint DIR --recordings DIR --tokenizer FILE [--only PART ...]

To be run from the top of the checkout with a Python of its own, which has torch and transformers (5.13 or
later; ``data/versions.json`` tells which were used last). Nothing else in the project
needs these two.

    --checkpoint   a small checkpoint in the official layout (config.json, model.safetensors, tokenizer)
    --recordings   folder of 16 kHz WAV files with refs.tsv, which names them and the context of each
    --tokenizer    tokenizer.json of Qwen3

Only files in ``data/`` are read by tests; they are small on purpose, so of long clips some frames and rows
are kept, and sums over all of them.
"""

from __future__ import annotations

import argparse
import json
import platform
from pathlib import Path

import numpy as np
import torch
import transformers

from tests.golden import make_features, make_prompts, make_random, make_tokens

PARTS = ("features", "prompts", "tokens", "random")


def main() -> None:
    parser = argparse.ArgumentParser(description="Make the golden data with the reference implementation.")
    parser.add_argument("--checkpoint", type=Path, required=True)
    parser.add_argument("--recordings", type=Path, required=True)
    parser.add_argument("--tokenizer", type=Path, required=True)
    parser.add_argument("--only", nargs="*", choices=PARTS, default=PARTS)
    arguments = parser.parse_args()

    torch.set_num_threads(1)  # the order of sums, and so the last digit, does not depend on the machine
    data = Path(__file__).parent / "data"
    data.mkdir(exist_ok=True)
    if "features" in arguments.only:
        make_features.make(data)
    if "prompts" in arguments.only:
        make_prompts.make(data, arguments.checkpoint, arguments.tokenizer)
    if "tokens" in arguments.only:
        make_tokens.make(data, arguments.checkpoint, arguments.recordings)
    if "random" in arguments.only:
        make_random.make(data)
    write_versions(data)
    for path in sorted(data.rglob("*.*")):
        print(f"{path.stat().st_size:>9} {path.relative_to(data)}")


def write_versions(data: Path) -> None:
    versions = {
        "torch": torch.__version__,
        "transformers": transformers.__version__,
        "numpy": np.__version__,
        "python": platform.python_version(),
        "machine": platform.machine(),
    }
    (data / "versions.json").write_text(json.dumps(versions, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
