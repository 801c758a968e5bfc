"""A small checkpoint with random weights, in the official layout, for tests of everything that reads one.

    write_random_checkpoint(tmp_path / "model")

Unlike weights drawn at one scale, these make a live model: the text varies, and with the audio, so that a
wrong row, head or position shows in the very first tokens. What they say is gibberish.

The numbers come from a generator written out here (integers, then Box and Muller's formula), because
numpy's own may change from one version to the next. The same seed gives the same file on every machine,
save for the last digit of a sine. Needs numpy alone.
"""

from __future__ import annotations

import json
import math
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

TOKENIZER = Path(__file__).parent / "data" / "tokenizer"
"""Files that go into the folder as they are: tokenizer, chat template, generation and feature settings."""

SEED = 6
"""Of the first 40, the one whose text varies most and whose closest decision is the clearest."""

AUDIO: dict[str, Any] = {
    "encoder_layers": 3,
    "encoder_attention_heads": 2,
    "encoder_ffn_dim": 256,
    "d_model": 128,
    "output_dim": 96,
    "downsample_hidden_size": 16,
    "num_mel_bins": 128,
    "n_window": 50,
    "n_window_infer": 800,
    "conv_chunksize": 500,
    "max_source_positions": 1500,
    "activation_function": "gelu",
    "scale_embedding": False,
    "model_type": "qwen3_asr_audio_encoder",
}
TEXT: dict[str, Any] = {
    "num_hidden_layers": 3,
    "hidden_size": 96,
    "num_attention_heads": 6,
    "num_key_value_heads": 2,
    "head_dim": 32,
    "intermediate_size": 192,
    "vocab_size": 640,
    "hidden_act": "silu",
    "rms_norm_eps": 1e-6,
    "rope_theta": 1e6,
    "rope_scaling": {
        "rope_type": "default",
        "type": "default",
        "interleaved": True,
        "mrope_interleaved": True,
        "mrope_section": [6, 5, 5],
    },
    "max_position_embeddings": 4096,
    "tie_word_embeddings": True,
    "attention_bias": False,
    "bos_token_id": 633,
    "eos_token_id": 635,
    "pad_token_id": 633,
    "model_type": "qwen3_asr_text",
}

Float32 = npt.NDArray[np.float32]


def write_random_checkpoint(
    folder: Path, *, seed: int = SEED, bfloat16: bool = False, lm_head: bool = False, shards: int = 1
) -> None:
    """Write the checkpoint into ``folder``, which is made if need be.

    The last three arguments change how the model is stored, as the official ones are (bfloat16, with the
    output head written out although it is the embedding, the larger one in two files), not what it says:
    every weight is a bfloat16 number to begin with.

    Args:
        folder: Receives config.json, the tensors and the files of the demo tokenizer.
        seed: Golden values exist for the default only.
        bfloat16: Store 16 bits instead of 32.
        lm_head: Store thinker.lm_head.weight too.
        shards: Number of files; more than one come with model.safetensors.index.json.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for source in sorted(TOKENIZER.iterdir()):
        shutil.copyfile(source, folder / source.name)
    (folder / "config.json").write_text(json.dumps(_config(), indent=1) + "\n", encoding="utf-8")
    tensors = random_tensors(seed)
    if lm_head:
        tensors["thinker.lm_head.weight"] = tensors["thinker.model.embed_tokens.weight"]
    if shards == 1:
        write_safetensors(folder / "model.safetensors", tensors, bfloat16=bfloat16)
        return
    weight_map: dict[str, str] = {}
    for number, names in enumerate(np.array_split(list(tensors), shards), start=1):
        file = f"model-{number:05}-of-{shards:05}.safetensors"
        write_safetensors(folder / file, {str(name): tensors[str(name)] for name in names}, bfloat16=bfloat16)
        weight_map |= {str(name): file for name in names}
    size = sum(tensor.size for tensor in tensors.values()) * (2 if bfloat16 else 4)
    index = {"metadata": {"total_size": size}, "weight_map": weight_map}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index, indent=1) + "\n", encoding="utf-8")


def random_tensors(seed: int = SEED) -> dict[str, Float32]:
    """The weights by their official names: float32, of which the lower 16 bits are zero."""
    tensors: dict[str, Float32] = {}
    for name, (shape, mean, deviation) in _layout().items():
        values = mean + deviation * normal(math.prod(shape), _stream(name, seed))
        tensors[name] = _to_bfloat16(values).reshape(shape)
    return tensors


def normal(count: int, state: int) -> npt.NDArray[np.float64]:
    """Independent standard normal numbers. Shape (count,).

    Source: G. E. P. Box and M. E. Muller, "A Note on the Generation of Random Normal Deviates", 1958.
    """
    bits = splitmix64(2 * count, state) >> np.uint64(11)
    uniform = (bits.astype(np.float64) + 0.5) / 2.0**53  # in (0, 1)
    radius: npt.NDArray[np.float64] = np.sqrt(-2 * np.log(uniform[:count]))
    return radius * np.cos(2 * np.pi * uniform[count:])


def splitmix64(count: int, state: int) -> npt.NDArray[np.uint64]:
    """The first ``count`` outputs of SplitMix64 from ``state``. Shape (count,).

    Source: G. L. Steele, D. Lea and C. H. Flood, "Fast Splittable Pseudorandom Number Generators", 2014.
    """
    steps = np.arange(1, count + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    z = steps + np.uint64(state)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


def write_safetensors(path: Path, tensors: dict[str, Float32], *, bfloat16: bool = False) -> None:
    """Write a safetensors file; as bfloat16, the upper half of each number is kept.

    Source: the format's description, https://github.com/huggingface/safetensors.
    """
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    offset = 0
    for name, tensor in tensors.items():
        end = offset + tensor.size * (2 if bfloat16 else 4)
        header[name] = {
            "dtype": "BF16" if bfloat16 else "F32",
            "shape": list(tensor.shape),
            "data_offsets": [offset, end],
        }
        offset = end
    encoded = json.dumps(header).encode()
    encoded += b" " * (-len(encoded) % 8)
    with path.open("wb") as file:
        file.write(len(encoded).to_bytes(8, "little") + encoded)
        for tensor in tensors.values():
            halves = tensor.astype("<f4").view("<u2")
            file.write((halves[..., 1::2] if bfloat16 else halves).tobytes())


def _config() -> dict[str, Any]:
    return {
        "architectures": ["Qwen3ASRForConditionalGeneration"],
        "model_type": "qwen3_asr",
        "dtype": "float32",
        "support_languages": ["English", "German"],
        "thinker_config": {
            "model_type": "qwen3_asr_thinker",
            "audio_config": AUDIO,
            "text_config": TEXT,
            "audio_start_token_id": 636,
            "audio_end_token_id": 637,
            "audio_token_id": 638,
        },
    }


def _to_bfloat16(values: npt.NDArray[np.float64]) -> Float32:
    """The nearest numbers of 8 significant bits, as float32."""
    mantissa, exponent = np.frexp(values)
    nearest: Float32 = np.ldexp(np.rint(mantissa * 256), exponent - 8).astype(np.float32)
    return nearest


def _stream(name: str, seed: int) -> int:
    """A start for the generator that is each tensor's own: FNV-1a of its name, and the seed."""
    state = 0xCBF29CE484222325 ^ seed
    for byte in name.encode():
        state = (state ^ byte) * 0x100000001B3 % 2**64
    return state


def _layout() -> dict[str, tuple[tuple[int, ...], float, float]]:
    """Shape, mean and standard deviation of every tensor, in the order of the file."""
    width, ffn, channels = AUDIO["d_model"], AUDIO["encoder_ffn_dim"], AUDIO["downsample_hidden_size"]
    tower: dict[str, tuple[tuple[int, ...], float, float]] = {}
    for number, inputs in enumerate((1, channels, channels), start=1):
        tower[f"conv2d{number}.weight"] = ((channels, inputs, 3, 3), 0.0, 1.6 / math.sqrt(9 * inputs))
        tower[f"conv2d{number}.bias"] = ((channels,), 0.0, 0.3)
    tower["conv_out.weight"] = _matrix(width, 16 * channels, 2.0)
    for layer in range(AUDIO["encoder_layers"]):
        at = f"layers.{layer}."
        for part, gain in (("q", 1.6), ("k", 1.6), ("v", 1.0), ("out", 1.5)):
            tower |= _linear(f"{at}self_attn.{part}_proj", width, width, gain)
        tower |= _linear(f"{at}fc1", ffn, width, 1.0) | _linear(f"{at}fc2", width, ffn, 1.5)
        tower |= _norm(f"{at}self_attn_layer_norm", width) | _norm(f"{at}final_layer_norm", width)
    tower |= _norm("ln_post", width)
    tower |= _linear("proj1", width, width, 1.5) | _linear("proj2", AUDIO["output_dim"], width, 1.5)
    named = {f"thinker.audio_tower.{name}": spec for name, spec in tower.items()}
    return named | {f"thinker.model.{name}": spec for name, spec in _decoder_layout().items()}


def _decoder_layout() -> dict[str, tuple[tuple[int, ...], float, float]]:
    hidden, ffn, size = TEXT["hidden_size"], TEXT["intermediate_size"], TEXT["head_dim"]
    heads, kv_heads = TEXT["num_attention_heads"], TEXT["num_key_value_heads"]
    # Small embeddings: what the layers add must outweigh the token they start from, or it repeats itself.
    decoder: dict[str, tuple[tuple[int, ...], float, float]] = {
        "embed_tokens.weight": ((TEXT["vocab_size"], hidden), 0.0, 0.2)
    }
    for layer in range(TEXT["num_hidden_layers"]):
        at = f"layers.{layer}."
        decoder[f"{at}self_attn.q_proj.weight"] = _matrix(heads * size, hidden, 1.0)
        decoder[f"{at}self_attn.k_proj.weight"] = _matrix(kv_heads * size, hidden, 1.0)
        decoder[f"{at}self_attn.v_proj.weight"] = _matrix(kv_heads * size, hidden, 1.5)
        decoder[f"{at}self_attn.o_proj.weight"] = _matrix(hidden, heads * size, 2.0)
        decoder[f"{at}self_attn.q_norm.weight"] = ((size,), 1.6, 0.2)
        decoder[f"{at}self_attn.k_norm.weight"] = ((size,), 1.6, 0.2)
        decoder[f"{at}mlp.gate_proj.weight"] = _matrix(ffn, hidden, 1.5)
        decoder[f"{at}mlp.up_proj.weight"] = _matrix(ffn, hidden, 1.5)
        decoder[f"{at}mlp.down_proj.weight"] = _matrix(hidden, ffn, 1.5)
        decoder[f"{at}input_layernorm.weight"] = ((hidden,), 1.0, 0.2)
        decoder[f"{at}post_attention_layernorm.weight"] = ((hidden,), 1.0, 0.2)
    decoder["norm.weight"] = ((hidden,), 2.0, 0.4)
    return decoder


def _matrix(rows: int, columns: int, gain: float) -> tuple[tuple[int, ...], float, float]:
    return (rows, columns), 0.0, gain / math.sqrt(columns)


def _linear(
    name: str, rows: int, columns: int, gain: float
) -> dict[str, tuple[tuple[int, ...], float, float]]:
    return {f"{name}.weight": _matrix(rows, columns, gain), f"{name}.bias": ((rows,), 0.0, 0.1)}


def _norm(name: str, width: int) -> dict[str, tuple[tuple[int, ...], float, float]]:
    return {f"{name}.weight": ((width,), 1.0, 0.2), f"{name}.bias": ((width,), 0.0, 0.1)}
