"""Writes a checkpoint of random weights with the true sizes of an official one, for measuring.

usage: python tests/bench/make_checkpoint.py --size 0.6b|1.7b FOLDER [--tokenizer tokenizer.json]

Random weights cost the same time as trained ones. They are spread so that activations neither vanish nor
blow up and tokens vary, which keeps kernels from meeting nothing but zeros. Without ``--tokenizer`` a
vocabulary of the right size is made up, in which every letter is a token of its own.

Source of the sizes: config.json of Qwen/Qwen3-ASR-0.6B and Qwen/Qwen3-ASR-1.7B.
"""

import argparse
import json
import struct
from pathlib import Path

import numpy as np

VOCAB = 151_936
MARKERS = {  # name -> id, as in the official tokenizer_config.json
    "<|endoftext|>": 151_643,
    "<|im_start|>": 151_644,
    "<|im_end|>": 151_645,
    "<|audio_start|>": 151_669,
    "<|audio_end|>": 151_670,
    "<|audio_pad|>": 151_676,
    "<asr_text>": 151_704,
}
AUDIO = {
    "0.6b": {"encoder_layers": 18, "d_model": 896, "encoder_attention_heads": 14, "encoder_ffn_dim": 3584},
    "1.7b": {"encoder_layers": 24, "d_model": 1024, "encoder_attention_heads": 16, "encoder_ffn_dim": 4096},
}
TEXT = {
    "0.6b": {"hidden_size": 1024, "intermediate_size": 3072},
    "1.7b": {"hidden_size": 2048, "intermediate_size": 6144},
}
LAYERS, HEADS, KV_HEADS, HEAD_DIM, CONV = 28, 16, 8, 128, 480


def config_of(size):
    """config.json."""
    hidden = TEXT[size]["hidden_size"]
    audio = AUDIO[size] | {
        "downsample_hidden_size": CONV,
        "output_dim": hidden,
        "num_mel_bins": 128,
        "n_window": 50,
        "n_window_infer": 800,
    }
    text = TEXT[size] | {
        "num_hidden_layers": LAYERS,
        "num_attention_heads": HEADS,
        "num_key_value_heads": KV_HEADS,
        "head_dim": HEAD_DIM,
        "vocab_size": VOCAB,
        "rope_theta": 1_000_000.0,
        "rms_norm_eps": 1e-6,
        "tie_word_embeddings": True,
    }
    return {"model_type": "qwen3_asr", "thinker_config": {"audio_config": audio, "text_config": text}}


def shapes_of(config):
    """Name and shape of every tensor, in the official naming."""
    audio, text = (config["thinker_config"][f"{part}_config"] for part in ("audio", "text"))
    d, ffn = audio["d_model"], audio["encoder_ffn_dim"]
    yield from ((f"audio_tower.conv2d{n}.weight", (CONV, 1 if n == 1 else CONV, 3, 3)) for n in (1, 2, 3))
    yield from ((f"audio_tower.conv2d{n}.bias", (CONV,)) for n in (1, 2, 3))
    yield "audio_tower.conv_out.weight", (d, CONV * 16)
    for layer in range(audio["encoder_layers"]):
        name = f"audio_tower.layers.{layer}"
        linears = {f"self_attn.{p}_proj": (d, d) for p in ("q", "k", "v", "out")}
        yield from biased(name, linears | {"fc1": (ffn, d), "fc2": (d, ffn)})
        yield from biased(name, {"self_attn_layer_norm": (d,), "final_layer_norm": (d,)})
    hidden = text["hidden_size"]
    yield from biased("audio_tower", {"ln_post": (d,), "proj1": (d, d), "proj2": (hidden, d)})
    yield "model.embed_tokens.weight", (VOCAB, hidden)
    for layer in range(LAYERS):
        name, ffn = f"model.layers.{layer}", text["intermediate_size"]
        parts = {
            "self_attn.q_proj": (HEADS * HEAD_DIM, hidden),
            "self_attn.k_proj": (KV_HEADS * HEAD_DIM, hidden),
            "self_attn.v_proj": (KV_HEADS * HEAD_DIM, hidden),
            "self_attn.o_proj": (hidden, HEADS * HEAD_DIM),
            "self_attn.q_norm": (HEAD_DIM,),
            "self_attn.k_norm": (HEAD_DIM,),
            "input_layernorm": (hidden,),
            "post_attention_layernorm": (hidden,),
            "mlp.gate_proj": (ffn, hidden),
            "mlp.up_proj": (ffn, hidden),
            "mlp.down_proj": (hidden, ffn),
        }
        yield from ((f"{name}.{part}.weight", shape) for part, shape in parts.items())
    yield "model.norm.weight", (hidden,)


def biased(name, parts):
    """Weight and bias of each part."""
    for part, shape in parts.items():
        yield f"{name}.{part}.weight", shape
        yield f"{name}.{part}.bias", shape[:1]


class Weights:
    """Random tensors, cut out of one pool of normal numbers: drawing 2 billion would take minutes."""

    def __init__(self, seed=1):
        self._random = np.random.default_rng(seed)
        self._pool = self._random.standard_normal((1 << 24) + 7).astype(
            np.float32
        )  # 7: no two tensors in step

    def tensor(self, name, shape):
        """Values that keep the variance of what goes through; norms near 1, biases near 0."""
        count = int(np.prod(shape))
        start = int(self._random.integers(len(self._pool)))
        values = np.resize(np.roll(self._pool, -start), count).reshape(shape)
        if len(shape) == 1:
            return 0.02 * values + (1.0 if name.endswith("weight") else 0.0)
        gain = 1.4 if "conv2d" in name else 1.0
        return values * np.float32(gain / np.sqrt(count / shape[0]))


def write_weights(path, config):
    """model.safetensors in bf16, tensor by tensor."""
    shapes = [(f"thinker.{name}", shape) for name, shape in shapes_of(config)]
    header, offset = {}, 0
    for name, shape in shapes:
        size = 2 * int(np.prod(shape))
        header[name] = {"dtype": "BF16", "shape": shape, "data_offsets": [offset, offset + size]}
        offset += size
    lead = json.dumps(header).encode()
    lead += b" " * (-len(lead) % 8)
    weights = Weights()
    with path.open("wb") as file:
        file.write(struct.pack("<Q", len(lead)) + lead)
        for name, shape in shapes:
            values = np.ascontiguousarray(weights.tensor(name, shape), np.float32)
            (values.view(np.uint32) >> 16).astype(np.uint16).tofile(file)


def write_tokenizer(folder, source):
    """Qwen's own tokenizer.json with Qwen3-ASR's markers; without it, a token for each byte and fillers."""
    form = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
    first = min(MARKERS.values())
    names = {i: f"<|unused_{i}|>" for i in range(first, 151_705)} | {i: name for name, i in MARKERS.items()}
    added = {i: {"content": name} | form for i, name in names.items()}
    if source:
        parsed = json.loads(source.read_text(encoding="utf-8"))
        known = {token["id"] for token in parsed["added_tokens"]}
        parsed["added_tokens"] += [{"id": i} | token for i, token in added.items() if i not in known]
        (folder / "tokenizer.json").write_text(json.dumps(parsed), encoding="utf-8")
        return
    vocab = {letter: i for i, letter in enumerate(byte_letters())}
    vocab |= {f"<filler_{i}>": i for i in range(len(vocab), first)}
    (folder / "vocab.json").write_text(json.dumps(vocab), encoding="utf-8")
    (folder / "merges.txt").write_text("#version: 0.2\n", encoding="utf-8")
    settings = json.dumps({"added_tokens_decoder": added})
    (folder / "tokenizer_config.json").write_text(settings, encoding="utf-8")


def byte_letters():
    """The 256 letters that stand for bytes in byte-level BPE (GPT-2's table)."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    return [chr(b) for b in printable] + [chr(256 + n) for n in range(256 - len(printable))]


def main():
    """Write the folder."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--size", choices=tuple(TEXT), required=True)
    parser.add_argument("--tokenizer", type=Path)
    parser.add_argument("folder", type=Path)
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    config = config_of(options.size)
    (options.folder / "config.json").write_text(json.dumps(config, indent=1), encoding="utf-8")
    write_tokenizer(options.folder, options.tokenizer)
    write_weights(options.folder / "model.safetensors", config)


if __name__ == "__main__":
    main()
