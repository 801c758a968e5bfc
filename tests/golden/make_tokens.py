"""Golden encoder outputs and transcripts of a real checkpoint. See make.py."""

from __future__ import annotations

import csv
import json
import shutil
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import soundfile
import torch
from transformers import Qwen3ASRForConditionalGeneration, Qwen3ASRProcessor

from tests.golden.clips import NAMES, clip
from tests.golden.formulas import rows_to_keep
from tests.golden.make_model import encode, greedy, load_model, load_processor, prompt_text

MAX_TOKENS = 256
TOKENIZER_FILES = [
    "tokenizer.json",
    "tokenizer_config.json",
    "vocab.json",
    "merges.txt",
    "chat_template.json",
    "generation_config.json",
    "preprocessor_config.json",
]
ENCODED_CLIPS = [
    "noise_0.2s",
    "vowels_201",
    "chirp_8159",
    "vowels_15999",
    "chirp_1s",
    "vowels_16160",
    "silence_1.5s",
    "quiet_1.7s",
    "vowels_2.3s_odd",
    "vowels_8s",
    "vowels_8s_and_a_hop",
    "vowels_12.34s",
    "vowels_40s",
]
ENCODED_RECORDINGS = ("fsdd_0.wav", "rms_1.wav", "long_0.wav", "long_3.wav", "noise_12s.wav")
FORCED = {
    "vowels_2.3s_odd": ("English", "German"),
    "silence_1.5s": ("English",),
    "noise_3.3s": ("English",),
    "rms_0.wav": ("English", "German"),
    "german_0.wav": ("German", "English"),
    "german_1.wav": ("German", "English"),
    "espeak_3.wav": ("English",),
    "noise_3s.wav": ("English", "German"),
    "long_0.wav": ("English",),
}
CONTEXTS = {  # tried besides the one of refs.tsv
    "name_0_nocontext.wav": ("Emma, Ema", "Ema\nJon\nThom"),
    "rms_0.wav": ("Maria", "  Straße 通 🎙️  "),
}
WITH_LOGITS = ("vowels_2.3s_odd", "silence_1.5s", "rms_0.wav", "german_1.wav", "long_3.wav")
LOGIT_STEPS, LOGITS_KEPT = 3, 20


def make(data: Path, checkpoint: Path, recordings: Path) -> None:
    """Write encoder.npz, encoder.json, tokens.npz, tokens.json and the tokenizer's files."""
    (data / "tokenizer").mkdir(exist_ok=True)
    for name in TOKENIZER_FILES:
        shutil.copyfile(checkpoint / name, data / "tokenizer" / name)
    model, processor = load_model(checkpoint), load_processor(checkpoint)
    with (recordings / "refs.tsv").open(encoding="utf-8", newline="") as file:
        rows = {row["file"]: row for row in csv.DictReader(file, delimiter="\t")}
    wanted = []
    for name in NAMES:
        wanted += [(name, clip(name), "", language) for language in (None, *FORCED.get(name, ()))]
    for name, row in rows.items():
        samples = read(recordings / name)
        given = row["context"]
        wanted += [(name, samples, given, language) for language in (None, *FORCED.get(name, ()))]
        wanted += [(name, samples, context, None) for context in CONTEXTS.get(name, ())]
    make_encoder(data / "encoder", model, processor, wanted)
    write_tokens(data / "tokens", model, processor, wanted)
    _compare(data, rows)


def read(path: Path) -> np.ndarray:
    """Samples of a 16 kHz mono file. Shape (n,), float32."""
    samples, rate = soundfile.read(path, dtype="float32")
    assert rate == 16000
    assert samples.ndim == 1
    return samples


def make_encoder(
    stem: Path, model: Qwen3ASRForConditionalGeneration, processor: Qwen3ASRProcessor, wanted
) -> None:
    cases, arrays = {}, {}
    for name, samples, _, _ in wanted:
        if name in cases or name not in (*ENCODED_CLIPS, *ENCODED_RECORDINGS):
            continue
        inputs = processor(text=[prompt_text(processor, "", None)], audio=[samples])
        output = encode(model, inputs["input_features"], inputs["input_features_mask"])
        cases[name] = source_facts(name, samples) | {"tokens": len(output)}
        arrays |= encoder_arrays(name, output)
    np.savez_compressed(stem.with_suffix(".npz"), **arrays)
    stem.with_suffix(".json").write_text(json.dumps(cases, indent=1) + "\n", encoding="utf-8")


def encoder_arrays(name: str, output: np.ndarray) -> dict[str, np.ndarray]:
    kept = rows_to_keep(len(output))
    return {
        f"{name}/rows": kept,
        f"{name}/values": output[kept],
        f"{name}/row_norm": np.linalg.norm(output.astype(np.float64), axis=1).astype(np.float32),
    }


def source_facts(name: str, samples: np.ndarray) -> dict[str, object]:
    """Where the samples are found again, and how to see that they are the same."""
    if not name.endswith(".wav"):
        return {"clip": name, "samples": len(samples)}
    whole = np.rint(samples * 32768).astype("<i2").tobytes()
    return {"recording": name, "samples": len(samples), "crc32": zlib.crc32(whole)}


def write_tokens(
    stem: Path,
    model: Qwen3ASRForConditionalGeneration,
    processor: Qwen3ASRProcessor,
    wanted,
    *,
    steps: int = MAX_TOKENS,
    stop: bool = True,
    logits_of: Sequence[str] = WITH_LOGITS,
) -> None:
    """Decode greedily; ids, text and margins of each case go to ``stem``.json, logits to ``stem``.npz."""
    ends = frozenset(model.config.eos_token_id) if stop else frozenset()
    cases, arrays = [], {}
    for name, samples, context, language in wanted:
        inputs = dict(processor(text=[prompt_text(processor, context, language)], audio=[samples]))
        ids, logits = greedy(model, inputs, steps, ends)
        if len(cases) % 7 == 0 and stop:
            _check_generate(model, inputs, ids)
        best = np.sort(logits, axis=1)[:, -2:]
        parsed = processor.decode(ids, return_format="parsed")
        cases.append(
            source_facts(name, samples)
            | {
                "context": context,
                "language": language,
                "audio_tokens": int((inputs["input_ids"] == processor.audio_token_id).sum()),
                "prompt_tokens": inputs["input_ids"].shape[1],
                "ids": ids,
                "raw": processor.tokenizer.decode(ids, skip_special_tokens=True),
                "text": parsed["transcription"],
                "detected": parsed["language"],
                "margins": [round(float(b - a), 4) for a, b in best],
            }
        )
        if name in logits_of:
            first = logits[:LOGIT_STEPS]
            kept = np.argsort(-first, axis=1)[:, :LOGITS_KEPT]
            arrays[f"{len(cases) - 1}/ids"] = kept.astype(np.int32)
            arrays[f"{len(cases) - 1}/values"] = np.take_along_axis(first, kept, axis=1)
    np.savez_compressed(stem.with_suffix(".npz"), **arrays)
    lines = ",\n".join(json.dumps(case, ensure_ascii=False) for case in cases)
    stem.with_suffix(".json").write_text(f"[\n{lines}\n]\n", encoding="utf-8")


def _check_generate(model: Qwen3ASRForConditionalGeneration, inputs: dict, ids: list[int]) -> None:
    """The loop above gives what ``generate`` gives."""
    with torch.no_grad():
        whole = model.generate(**inputs, max_new_tokens=MAX_TOKENS, do_sample=False)
    assert whole[0, inputs["input_ids"].shape[1] :].tolist() == ids


def _compare(data: Path, rows: dict[str, dict[str, str]]) -> None:
    """Tell where the output differs from the one noted in refs.tsv, which another implementation gave."""
    for case in json.loads((data / "tokens.json").read_text(encoding="utf-8")):
        row = rows.get(case.get("recording"))
        if row and case["language"] is None and case["context"] == row["context"]:
            same = case["raw"] == row["model_output"]
            print(
                "same" if same else "DIFFERENT",
                case["recording"],
                "" if same else (case["raw"], row["model_output"]),
            )
