"""Builds model folders in the published ONNX layout from an official checkpoint, for tests.

The folder has the files, the tensor names, the graph inputs and outputs and the quirks of the
packages people can download (encoder, decoder_init, decoder_step, one data file that the two
decoders share, embed_tokens.bin), at whatever size the checkpoint is. The graphs are written
node by node with numpy and onnx; no torch.

    encoder        mel (1, 128, time) -> audio_features (1, tokens, hidden)
    decoder_init   input_ids, position_ids (1, n), audio_features, audio_offset (1,)
                   -> logits (1, n, vocab), present_keys and present_values (layers, 1, kv, n, dim)
    decoder_step   input_embeds (1, 1, hidden), position_ids (1, 1), past_keys, past_values
                   -> logits (1, 1, vocab), present_keys, present_values

``dtype`` is the form of the decoders' matrices: fp32, or blocks of 4 or 8 bits (MatMulNBits).
As in the published packages the encoder stays fp32; as in earlier ones, so does the output head of
decoder_init, which is the embedding table itself.

Source: the file formats of https://github.com/andrewleech/qwen3-asr-onnx.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper

CHUNK_FRAMES, CHUNK_TOKENS, WINDOW_TOKENS = 100, 13, 104
BLOCK = 64  # weights that share a scale
INLINE_BELOW_BYTES = 1024  # smaller tensors stay in the graph
MASKED = float(np.finfo(np.float32).min)

Weights = dict[str, np.ndarray]


def write_published_layout(
    checkpoint: Path,
    folder: Path,
    *,
    dtype: str = "fp32",
    embed_dtype: str = "float32",
    shared_data: bool = True,
    suffix: str = "",
) -> Path:
    """Write ``folder`` from ``checkpoint``; call it twice to have two precisions in one folder.

    Args:
        checkpoint: A folder with config.json, tokenizer files and safetensors (float32 or bfloat16).
        folder: Created if need be.
        dtype: "fp32", "int8" or "int4".
        embed_dtype: "float32" or "float16", the form of embed_tokens.bin.
        shared_data: One data file for both decoders, else one for each.
        suffix: Goes into the file names: "int4" makes ``encoder.int4.onnx``.
    """
    folder.mkdir(parents=True, exist_ok=True)
    weights = read_safetensors(checkpoint)
    thinker = json.loads((checkpoint / "config.json").read_text(encoding="utf-8"))["thinker_config"]
    infix = f".{suffix}" if suffix else ""
    bits = {"fp32": 32, "int8": 8, "int4": 4}[dtype]
    onnx.save(encoder_model(weights, thinker["audio_config"]), folder / f"encoder{infix}.onnx")
    decoders = {
        f"decoder_init{infix}.onnx": decoder_model(weights, thinker["text_config"], bits, is_step=False),
        f"decoder_step{infix}.onnx": decoder_model(weights, thinker["text_config"], bits, is_step=True),
    }
    save_decoders(folder, decoders, f"decoder_weights{infix}.data" if shared_data else None)
    table = weights["thinker.model.embed_tokens.weight"]
    table.astype({"float32": np.float32, "float16": np.float16}[embed_dtype]).tofile(
        folder / "embed_tokens.bin"
    )
    config = config_json(thinker, checkpoint) | {"embed_tokens_dtype": embed_dtype}
    (folder / "config.json").write_text(json.dumps(config, indent=2), encoding="utf-8")
    for name in ("tokenizer.json", "tokenizer_config.json", "preprocessor_config.json", "vocab.json"):
        shutil.copyfile(checkpoint / name, folder / name)
    return folder


def read_safetensors(checkpoint: Path) -> Weights:
    """All tensors of a checkpoint as float32, by name."""
    tensors = {}
    for path in sorted(checkpoint.glob("*.safetensors")):
        raw = path.read_bytes()
        body = 8 + int.from_bytes(raw[:8], "little")
        for name, entry in json.loads(raw[8:body]).items():
            if name == "__metadata__":
                continue
            start, end = (body + offset for offset in entry["data_offsets"])
            if entry["dtype"] == "BF16":
                flat = (np.frombuffer(raw[start:end], "<u2").astype(np.uint32) << 16).view(np.float32)
            else:
                flat = np.frombuffer(raw[start:end], {"F32": "<f4", "F16": "<f2"}[entry["dtype"]])
            tensors[name] = flat.astype(np.float32).reshape(entry["shape"])
    return tensors


def config_json(thinker: dict[str, Any], checkpoint: Path) -> dict[str, Any]:
    """The config.json of the published packages, with the ids of this checkpoint's tokenizer."""
    audio, text = thinker["audio_config"], thinker["text_config"]
    tokenizer = json.loads((checkpoint / "tokenizer.json").read_text(encoding="utf-8"))
    ids = {token["content"]: token["id"] for token in tokenizer["added_tokens"]}
    decoder_keys = "hidden_size num_attention_heads num_key_value_heads head_dim intermediate_size"
    decoder_keys += " vocab_size rope_theta rms_norm_eps tie_word_embeddings"
    return {
        "model_type": "qwen3_asr",
        "encoder": {
            "num_layers": audio["encoder_layers"],
            "hidden_size": audio["d_model"],
            "num_heads": audio["encoder_attention_heads"],
            "ffn_dim": audio["encoder_ffn_dim"],
            "conv_channels": audio["downsample_hidden_size"],
            "output_dim": audio["output_dim"],
            "downsample_factor": 8,
            "num_mel_bins": audio["num_mel_bins"],
        },
        "decoder": {"num_layers": text["num_hidden_layers"]}
        | {key: text[key] for key in decoder_keys.split()}
        | {
            "rope_scaling": {"mrope_section": text["rope_scaling"]["mrope_section"], "interleaved": True},
        },
        "mel": {
            "sample_rate": 16000,
            "n_fft": 400,
            "hop_length": 160,
            "n_mels": 128,
            "fmin": 0,
            "fmax": 8000,
        },
        "special_tokens": {
            "eos_token_ids": [ids["<|endoftext|>"], ids["<|im_end|>"]],
            "pad_token_id": ids["<|endoftext|>"],
            "im_start_token_id": ids["<|im_start|>"],
            "im_end_token_id": ids["<|im_end|>"],
            "audio_start_token_id": ids["<|audio_start|>"],
            "audio_end_token_id": ids["<|audio_end|>"],
            "audio_pad_token_id": ids["<|audio_pad|>"],
            "asr_text_token_id": ids["<asr_text>"],
        },
    }


class Graph:
    """A graph under construction: nodes and initializers in order, fresh names."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.initializers: dict[str, onnx.TensorProto] = {}

    def op(self, kind: str, *inputs: str, out: str = "", domain: str = "", **attributes: Any) -> str:
        """Append a node with one output and return the output's name."""
        out = out or f"{kind}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [out], domain=domain, **attributes))
        return out

    def tensor(self, name: str, value: np.ndarray) -> str:
        """Add an initializer (once per name) and return its name."""
        if name not in self.initializers:
            self.initializers[name] = onnx.numpy_helper.from_array(np.asarray(value, order="C"), name)
        return name

    def ints(self, *values: int) -> str:
        """A constant int64 vector."""
        return self.tensor("i_" + "_".join(map(str, values)), np.array(values, np.int64))

    def scalar(self, value: float) -> str:
        """A constant float32 scalar."""
        return self.tensor(f"f_{value!r}", np.array(value, np.float32))

    def model(self, inputs: list[onnx.ValueInfoProto], outputs: list[onnx.ValueInfoProto]) -> onnx.ModelProto:
        """The finished model, weights inline."""
        graph = helper.make_graph(self.nodes, "main", inputs, outputs, list(self.initializers.values()))
        opsets = [helper.make_opsetid("", 17), helper.make_opsetid("com.microsoft", 1)]
        return helper.make_model(graph, opset_imports=opsets, ir_version=8)


def gelu(g: Graph, x: str) -> str:
    """The exact form, with erf."""
    inner = g.op("Add", g.op("Erf", g.op("Div", x, g.scalar(2**0.5))), g.scalar(1.0))
    return g.op("Mul", g.op("Mul", x, inner), g.scalar(0.5))


def linear(g: Graph, x: str, weights: Weights, name: str) -> str:
    """A matrix product with the transposed weight, and the bias if the checkpoint has one."""
    y = g.op("MatMul", x, g.tensor(f"{name}.weight", weights[f"{name}.weight"].T))
    bias = weights.get(f"{name}.bias")
    return y if bias is None else g.op("Add", y, g.tensor(f"{name}.bias", bias))


def layer_norm(g: Graph, x: str, weights: Weights, name: str) -> str:
    """LayerNorm over the last axis."""
    scale = g.tensor(f"{name}.weight", weights[f"{name}.weight"])
    bias = g.tensor(f"{name}.bias", weights[f"{name}.bias"])
    return g.op("LayerNormalization", x, scale, bias, axis=-1, epsilon=1e-5)


def attend(g: Graph, q: str, k: str, v: str, *, mask: str | None, head_dim: int) -> str:
    """Attention over (batch, heads, positions, head_dim), heads joined again at the end."""
    scores = g.op("MatMul", q, g.op("Transpose", k, perm=[0, 1, 3, 2]))
    scores = g.op("Mul", scores, g.scalar(head_dim**-0.5))
    if mask is not None:
        scores = g.op("Add", scores, mask)
    mixed = g.op("MatMul", g.op("Softmax", scores, axis=-1), v)
    return g.op("Reshape", g.op("Transpose", mixed, perm=[0, 2, 1, 3]), g.ints(0, 0, -1))


def conv_tokens(g: Graph, weights: Weights, prefix: str, d_model: int) -> str:
    """Chunks of 100 frames, the last one filled up with 0, through the convolutions: (chunks, 13, d)."""
    frames = g.op("Shape", "mel", start=2, end=3, out="frames")
    missing = g.op("Mod", g.op("Sub", g.ints(CHUNK_FRAMES), g.op("Mod", frames, g.ints(CHUNK_FRAMES))),
                   g.ints(CHUNK_FRAMES))  # fmt: skip
    x = g.op("Pad", "mel", g.op("Concat", g.ints(0, 0, 0, 0, 0), missing, axis=0), g.scalar(0.0))
    x = g.op("Transpose", g.op("Reshape", x, g.ints(128, -1, CHUNK_FRAMES)), perm=[1, 0, 2])
    x = g.op("Unsqueeze", x, g.ints(1))  # (chunks, 1, 128, 100)
    for name in (f"{prefix}conv2d1", f"{prefix}conv2d2", f"{prefix}conv2d3"):
        kernel = g.tensor(f"{name}.weight", weights[f"{name}.weight"])
        bias = g.tensor(f"{name}.bias", weights[f"{name}.bias"])
        x = gelu(g, g.op("Conv", x, kernel, bias, strides=[2, 2], pads=[1, 1, 1, 1], kernel_shape=[3, 3]))
    x = g.op("Reshape", g.op("Transpose", x, perm=[0, 3, 1, 2]), g.ints(0, 0, -1))
    x = linear(g, x, weights, f"{prefix}conv_out")
    rate = np.exp(-np.log(10000.0) / (d_model // 2 - 1) * np.arange(d_model // 2))
    angle = np.arange(CHUNK_TOKENS)[:, None] * rate
    table = np.concatenate([np.sin(angle), np.cos(angle)], 1).astype(np.float32)
    return g.op("Add", x, g.tensor("positions_in_chunk", table))


def valid_tokens(g: Graph) -> str:
    """The number of tokens that stand for frames of the clip: shape (1,)."""
    rest = g.op("Mod", "frames", g.ints(CHUNK_FRAMES))
    for _ in range(3):
        rest = g.op("Div", g.op("Add", rest, g.ints(1)), g.ints(2))
    full = g.op("Mul", g.op("Div", "frames", g.ints(CHUNK_FRAMES)), g.ints(CHUNK_TOKENS))
    return g.op("Add", rest, full, out="valid")


def window_mask(g: Graph, total: str) -> str:
    """0 for real tokens, the smallest float for filling: (windows, 1, 1, 104)."""
    zero = g.tensor("zero", np.array(0, np.int64))
    one = g.tensor("one", np.array(1, np.int64))
    position = g.op("Range", zero, g.op("Squeeze", total, g.ints(0)), one)
    position = g.op("Reshape", position, g.ints(-1, WINDOW_TOKENS))
    filling = g.op("Cast", g.op("GreaterOrEqual", position, "valid"), to=TensorProto.FLOAT)
    return g.op("Unsqueeze", g.op("Mul", filling, g.scalar(MASKED)), g.ints(1, 2))


def encoder_model(weights: Weights, audio: dict[str, Any]) -> onnx.ModelProto:
    """The audio encoder, attention inside windows of 104 tokens."""
    g, prefix, d_model = Graph(), "thinker.audio_tower.", audio["d_model"]
    heads = audio["encoder_attention_heads"]
    x = conv_tokens(g, weights, prefix, d_model)
    valid = valid_tokens(g)
    x = g.op("Slice", g.op("Reshape", x, g.ints(-1, d_model)), g.ints(0), valid, g.ints(0))
    missing = g.op("Sub", g.ints(WINDOW_TOKENS), g.op("Mod", valid, g.ints(WINDOW_TOKENS)))
    missing = g.op("Mod", missing, g.ints(WINDOW_TOKENS))
    x = g.op("Pad", x, g.op("Concat", g.ints(0, 0), missing, g.ints(0), axis=0), g.scalar(0.0))
    x = g.op("Reshape", x, g.ints(-1, WINDOW_TOKENS, d_model))
    mask = window_mask(g, g.op("Add", valid, missing))
    for index in range(audio["encoder_layers"]):
        name = f"{prefix}layers.{index}"
        normed = layer_norm(g, x, weights, f"{name}.self_attn_layer_norm")
        q, k, v = (
            g.op(
                "Transpose",
                g.op("Reshape", linear(g, normed, weights, f"{name}.self_attn.{part}_proj"),
                     g.ints(0, 0, heads, d_model // heads)),
                perm=[0, 2, 1, 3],
            )
            for part in "qkv"
        )  # fmt: skip
        mixed = attend(g, q, k, v, mask=mask, head_dim=d_model // heads)
        x = g.op("Add", x, linear(g, mixed, weights, f"{name}.self_attn.out_proj"))
        normed = layer_norm(g, x, weights, f"{name}.final_layer_norm")
        hidden = gelu(g, linear(g, normed, weights, f"{name}.fc1"))
        x = g.op("Add", x, linear(g, hidden, weights, f"{name}.fc2"))
    x = g.op("Slice", g.op("Reshape", x, g.ints(-1, d_model)), g.ints(0), valid, g.ints(0))
    x = layer_norm(g, g.op("Unsqueeze", x, g.ints(0)), weights, f"{prefix}ln_post")
    x = linear(g, gelu(g, linear(g, x, weights, f"{prefix}proj1")), weights, f"{prefix}proj2")
    g.op("Identity", x, out="audio_features")
    return g.model(
        [value("mel", 1, 128, "time")], [value("audio_features", 1, "enc_time", audio["output_dim"])]
    )


def value(name: str, *shape: int | str, dtype: int = TensorProto.FLOAT) -> onnx.ValueInfoProto:
    """A graph input or output."""
    return helper.make_tensor_value_info(name, dtype, shape)


def quantize(weight: np.ndarray, bits: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Round to unsigned integers in blocks, nearest, asymmetric, as MatMulNBits stores them.

    Args:
        weight: Shape (n, k) float32, k a multiple of the block size.
        bits: 4 or 8.

    Returns:
        Packed weights (n, blocks, bytes) uint8, scales (n * blocks,) float32, packed zero points uint8.
    """
    n, k = weight.shape
    blocks = weight.reshape(n, k // BLOCK, BLOCK)
    low, high = np.minimum(blocks.min(-1), 0), np.maximum(blocks.max(-1), 0)
    scale = np.maximum((high - low) / (2**bits - 1), 1e-10).astype(np.float32)
    zero = np.clip(np.round(-low / scale), 0, 2**bits - 1).astype(np.uint8)
    rounded = np.clip(np.round(blocks / scale[..., None]) + zero[..., None], 0, 2**bits - 1).astype(np.uint8)
    if bits == 8:
        return rounded, scale.reshape(-1), zero
    zero = np.pad(zero, ((0, 0), (0, zero.shape[1] % 2)))  # two to a byte, every row on its own
    return rounded[..., 0::2] | rounded[..., 1::2] << 4, scale.reshape(-1), zero[:, 0::2] | zero[:, 1::2] << 4


class Decoder:
    """The nodes that both decoder graphs share."""

    def __init__(self, weights: Weights, text: dict[str, Any], bits: int) -> None:
        self.g = Graph()
        self.weights, self.text, self.bits = weights, text, bits

    def matrix(self, x: str, name: str, bits: int) -> str:
        """A matrix product with the transposed weight, in the wanted form."""
        if bits == 32:
            return linear(self.g, x, self.weights, name)
        weight = self.weights[f"{name}.weight"]
        parts = quantize(weight, bits)
        named = [self.g.tensor(f"{name}.{kind}", part) for kind, part in zip("QSZ", parts, strict=True)]
        return self.g.op(
            "MatMulNBits",
            x,
            *named,
            domain="com.microsoft",
            K=weight.shape[1],
            N=weight.shape[0],
            bits=bits,
            block_size=BLOCK,
            accuracy_level=4,
        )

    def rms_norm(self, x: str, name: str) -> str:
        """RMSNorm over the last axis."""
        g = self.g
        mean = g.op("ReduceMean", g.op("Pow", x, g.scalar(2.0)), axes=[-1], keepdims=1)
        root = g.op("Sqrt", g.op("Add", mean, g.scalar(self.text["rms_norm_eps"])))
        return g.op("Mul", g.op("Div", x, root), g.tensor(f"{name}.weight", self.weights[f"{name}.weight"]))

    def rotary_tables(self) -> tuple[str, str]:
        """Cosine and sine of each position's angles: (1, 1, n, head_dim)."""
        g, dim = self.g, self.text["head_dim"]
        rates = (self.text["rope_theta"] ** -(np.arange(0, dim, 2) / dim)).astype(np.float32)
        position = g.op("Unsqueeze", g.op("Cast", "position_ids", to=TensorProto.FLOAT), g.ints(1, 3))
        angle = g.op("Mul", position, g.tensor("rotary_rates", rates))
        angle = g.op("Concat", angle, angle, axis=-1)
        return g.op("Cos", angle), g.op("Sin", angle)

    def rotate(self, x: str, cos: str, sin: str) -> str:
        """Turn the pairs (i, i + half) of each head by the position's angles."""
        g, half = self.g, self.text["head_dim"] // 2
        low = g.op("Slice", x, g.ints(0), g.ints(half), g.ints(3))
        high = g.op("Slice", x, g.ints(half), g.ints(2 * half), g.ints(3))
        turned = g.op("Concat", g.op("Neg", high), low, axis=3)
        return g.op("Add", g.op("Mul", x, cos), g.op("Mul", turned, sin))

    def heads(self, x: str, name: str, count: int, norm: str = "") -> str:
        """Project, split into heads, norm each if asked: (1, heads, n, head_dim)."""
        g = self.g
        y = g.op("Reshape", self.matrix(x, name, self.bits), g.ints(0, 0, count, self.text["head_dim"]))
        return g.op("Transpose", self.rms_norm(y, norm) if norm else y, perm=[0, 2, 1, 3])

    def repeat(self, x: str) -> str:
        """Give every query head its key-value head."""
        g, kv = self.g, self.text["num_key_value_heads"]
        copies = self.text["num_attention_heads"] // kv
        grown = g.op("Concat", *[g.op("Unsqueeze", x, g.ints(2))] * copies, axis=2)
        return g.op("Reshape", grown, g.ints(0, kv * copies, -1, self.text["head_dim"]))

    def layers(self, x: str, mask: str | None, *, has_past: bool) -> str:
        """All layers; the caches of all layers come out stacked."""
        g, text = self.g, self.text
        cos, sin = self.rotary_tables()
        caches: dict[str, list[str]] = {"keys": [], "values": []}
        for index in range(text["num_hidden_layers"]):
            name = f"thinker.model.layers.{index}"
            normed = self.rms_norm(x, f"{name}.input_layernorm")
            attn = f"{name}.self_attn"
            q = self.heads(normed, f"{attn}.q_proj", text["num_attention_heads"], f"{attn}.q_norm")
            k = self.heads(normed, f"{attn}.k_proj", text["num_key_value_heads"], f"{attn}.k_norm")
            v = self.heads(normed, f"{attn}.v_proj", text["num_key_value_heads"])
            q, k = self.rotate(q, cos, sin), self.rotate(k, cos, sin)
            if has_past:
                at = g.tensor(f"layer_{index}", np.array(index, np.int64))
                k = g.op("Concat", g.op("Gather", "past_keys", at, axis=0), k, axis=2)
                v = g.op("Concat", g.op("Gather", "past_values", at, axis=0), v, axis=2)
            caches["keys"].append(g.op("Unsqueeze", k, g.ints(0)))
            caches["values"].append(g.op("Unsqueeze", v, g.ints(0)))
            mixed = attend(g, q, self.repeat(k), self.repeat(v), mask=mask, head_dim=text["head_dim"])
            x = g.op("Add", x, self.matrix(mixed, f"{attn}.o_proj", self.bits))
            normed = self.rms_norm(x, f"{name}.post_attention_layernorm")
            gate = self.matrix(normed, f"{name}.mlp.gate_proj", self.bits)
            gate = g.op("Mul", gate, g.op("Sigmoid", gate))
            hidden = g.op("Mul", gate, self.matrix(normed, f"{name}.mlp.up_proj", self.bits))
            x = g.op("Add", x, self.matrix(hidden, f"{name}.mlp.down_proj", self.bits))
        for kind, parts in caches.items():
            g.op("Concat", *parts, axis=0, out=f"present_{kind}")
        return self.rms_norm(x, "thinker.model.norm")


def decoder_model(weights: Weights, text: dict[str, Any], bits: int, *, is_step: bool) -> onnx.ModelProto:
    """decoder_init, or decoder_step."""
    decoder = Decoder(weights, text, bits)
    g, hidden = decoder.g, text["hidden_size"]
    n = 1 if is_step else "seq_len"
    if is_step:
        x = decoder.layers("input_embeds", None, has_past=True)
        head = decoder.matrix(x, "thinker.model.embed_tokens", bits)
    else:
        table = g.tensor("embed_tokens", weights["thinker.model.embed_tokens.weight"])
        x = decoder.layers(scatter_audio(g, table), causal_mask(g), has_past=False)
        head = g.op("MatMul", x, g.op("Transpose", table, perm=[1, 0]))
    g.op("Identity", head, out="logits")

    def cache(name: str, length: str) -> onnx.ValueInfoProto:
        kv, dim = text["num_key_value_heads"], text["head_dim"]
        return value(name, text["num_hidden_layers"], "batch", kv, length, dim)

    positions = value("position_ids", "batch", n, dtype=TensorProto.INT64)
    if is_step:
        past = [cache("past_keys", "past_seq_len"), cache("past_values", "past_seq_len")]
        inputs = [value("input_embeds", "batch", 1, hidden), positions, *past]
    else:
        inputs = [
            value("input_ids", "batch", n, dtype=TensorProto.INT64),
            positions,
            value("audio_features", "batch", "audio_len", hidden),
            value("audio_offset", 1, dtype=TensorProto.INT64),
        ]
    length = "total_seq_len" if is_step else "seq_len"
    present = [cache("present_keys", length), cache("present_values", length)]
    return g.model(inputs, [value("logits", "batch", n, text["vocab_size"]), *present])


def scatter_audio(g: Graph, table: str) -> str:
    """Embeddings of the ids, the audio features put over those at the audio's place."""
    embeds = g.op("Gather", table, "input_ids", axis=0)
    count = g.op("Squeeze", g.op("Shape", "audio_features", start=1, end=2), g.ints(0))
    zero, one = g.tensor("zero", np.array(0, np.int64)), g.tensor("one", np.array(1, np.int64))
    places = g.op("Add", g.op("Range", zero, count, one), "audio_offset")
    places = g.op("Expand", g.op("Unsqueeze", places, g.ints(0, 2)), g.op("Shape", "audio_features"))
    return g.op("ScatterElements", embeds, places, "audio_features", axis=1)


def causal_mask(g: Graph) -> str:
    """The smallest float above the diagonal, 0 elsewhere: (n, n)."""
    n = g.op("Shape", "input_ids", start=1, end=2)
    least = helper.make_tensor("least", TensorProto.FLOAT, [1], [MASKED])
    square = g.op("ConstantOfShape", g.op("Concat", n, n, axis=0), value=least)
    return g.op("Trilu", square, g.tensor("one", np.array(1, np.int64)), upper=1)


def save_decoders(folder: Path, models: dict[str, onnx.ModelProto], shared_name: str | None) -> None:
    """Write the decoders with their large tensors outside: in one shared file, or one beside each.

    In the shared file stands what the first decoder uses; what only the second has stays in its graph.
    """
    stored: dict[bytes, int] = {}  # bytes of a tensor -> offset in the shared file
    blob = bytearray()
    for index, (name, model) in enumerate(models.items()):
        if shared_name is None:
            stored, blob = {}, bytearray()
        for tensor in model.graph.initializer:
            raw = tensor.raw_data
            if len(raw) < INLINE_BELOW_BYTES:
                continue
            if raw not in stored:
                if shared_name is not None and index > 0:
                    continue
                blob += bytes(-len(blob) % 64)
                stored[raw] = len(blob)
                blob += raw
            tensor.ClearField("raw_data")
            tensor.data_location = TensorProto.EXTERNAL
            place = {"location": shared_name or f"{name}.data", "offset": stored[raw], "length": len(raw)}
            for key, entry in place.items():
                tensor.external_data.add(key=key, value=str(entry))
        onnx.save(model, folder / name)
        if shared_name is None or index == 0:
            (folder / (shared_name or f"{name}.data")).write_bytes(blob)
