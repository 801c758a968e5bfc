"""Golden outputs of the random checkpoint of random_checkpoint.py. See make.py."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import numpy as np

from tests.golden.clips import clip
from tests.golden.make_model import encode, load_model, load_processor, prompt_text
from tests.golden.make_tokens import encoder_arrays, source_facts, write_tokens
from tests.golden.random_checkpoint import write_random_checkpoint

STEPS = 40
CLIPS = [
    "vowels_2.3s_odd",
    "noise_3.3s",
    "square_1.2s",
    "vowels_12.34s",
    "silence_1.5s",
    "chirp_1s",
    "vowels_8s_and_a_hop",
    "noise_0.2s",
    "chirp_20s",
]


def make(data: Path) -> None:
    """Write random_encoder.npz and .json, random_tokens.npz and .json."""
    with tempfile.TemporaryDirectory() as folder:
        write_random_checkpoint(Path(folder))
        model, processor = load_model(Path(folder)), load_processor(Path(folder))
    cases, arrays, wanted = {}, {}, []
    for name in CLIPS:
        samples = clip(name)
        inputs = processor(text=[prompt_text(processor, "", None)], audio=[samples])
        output = encode(model, inputs["input_features"], inputs["input_features_mask"])
        cases[name] = source_facts(name, samples) | {"tokens": len(output)}
        arrays |= encoder_arrays(name, output)
        wanted.append((name, samples, "", None))
    for name in CLIPS[:2]:
        wanted += [(name, clip(name), "", "German"), (name, clip(name), "Anna, Köln", None)]
    np.savez_compressed(data / "random_encoder.npz", **arrays)
    (data / "random_encoder.json").write_text(json.dumps(cases, indent=1) + "\n", encoding="utf-8")
    write_tokens(data / "random_tokens", model, processor, wanted, steps=STEPS, stop=False, logits_of=CLIPS)
