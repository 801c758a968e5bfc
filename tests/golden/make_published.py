"""Exports a checkpoint with torch's own ONNX exporters, in the published layout. See data/published.

    python -m tests.golden.make_published [--checkpoint DIR --exporter dynamo|torchscript OUT]

Without arguments, a tiny random checkpoint is exported in both ways and packed into
``data/published_dynamo.tar.gz`` and ``data/published_torchscript.tar.gz``; in
``data/published_int4.tar.gz`` is the first of them after ONNX Runtime's tools for fusing nodes and for
rounding to 4 bits. To be run from the top of the checkout with a Python that has torch, transformers (as for
make.py), onnxscript and onnxruntime; last done with torch 2.13.0, transformers 5.23.0, onnx 1.23.2,
onnxscript 0.7.2 and onnxruntime 1.32.0.

What this is for: names of nodes and weights, folded transpositions, and how norms and activations are spelled
are those of the exporters and cannot be invented. The modules below only fix what goes in and out.

Source of the files, their inputs and outputs: https://github.com/andrewleech/qwen3-asr-onnx.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import shutil
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import onnx
import torch
from onnxruntime.quantization.matmul_nbits_quantizer import MatMulNBitsQuantizer
from onnxruntime.transformers.optimizer import optimize_model
from torch import Tensor, nn
from torch.nn import functional

from tests.golden import random_checkpoint
from tests.golden.make_model import load_model
from tests.published_layout import save_decoders, write_published_layout

DECODERS = ("decoder_init", "decoder_step")
DATA = Path(__file__).parent / "data"
OPSET = {"torchscript": 17, "dynamo": 18}
TINY_AUDIO = {
    "encoder_layers": 2,
    "encoder_ffn_dim": 48,
    "d_model": 32,
    "output_dim": 16,
    "downsample_hidden_size": 3,
}
TINY_TEXT = {
    "num_hidden_layers": 2,
    "hidden_size": 16,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "intermediate_size": 32,
}


class Encoder(nn.Module):
    """mel (1, 128, time) -> audio features (1, tokens, hidden)."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.tower = model.model.audio_tower
        self.projector = model.model.multi_modal_projector

    def forward(self, mel: Tensor) -> Tensor:
        tower, frames = self.tower, mel.shape[2]
        chunks = functional.pad(mel, (0, (100 - frames % 100) % 100)).squeeze(0)
        x = chunks.reshape(128, chunks.shape[1] // 100, 100).permute(1, 0, 2).unsqueeze(1)
        for convolution in (tower.conv2d1, tower.conv2d2, tower.conv2d3):
            x = functional.gelu(convolution(x))
        count, channels, bins, tokens = x.shape
        x = tower.conv_out(x.permute(0, 3, 1, 2).reshape(count, tokens, channels * bins))
        x = x + tower.positional_embedding(tokens).unsqueeze(0)
        width = x.shape[2]
        rest = frames % 100
        for _ in range(3):
            rest = (rest + 1) // 2
        valid = frames // 100 * 13 + rest
        x = functional.pad(x.reshape(-1, width)[:valid], (0, 0, 0, (104 - valid % 104) % 104))
        filling = torch.arange(x.shape[0]).reshape(-1, 104) >= valid
        mask = (filling.to(x.dtype) * torch.finfo(x.dtype).min)[:, None, None]
        x = x.reshape(-1, 104, width)
        for layer in tower.layers:
            x = self._layer(layer, x, mask)
        x = tower.ln_post(x.reshape(-1, width)[:valid].unsqueeze(0))
        return self.projector(x)

    def _layer(self, layer: nn.Module, x: Tensor, mask: Tensor) -> Tensor:
        attention, normed = layer.self_attn, layer.self_attn_layer_norm(x)
        q, k, v = (
            project(normed).view(-1, 104, attention.num_heads, attention.head_dim).transpose(1, 2)
            for project in (attention.q_proj, attention.k_proj, attention.v_proj)
        )
        scores = torch.matmul(q, k.transpose(2, 3)) * attention.scaling + mask
        mixed = torch.matmul(functional.softmax(scores, dim=-1), v)
        x = x + attention.out_proj(mixed.transpose(1, 2).reshape(x.shape))
        return x + layer.fc2(functional.gelu(layer.fc1(layer.final_layer_norm(x))))


class Decoder(nn.Module):
    """What the forms of the decoder share. The caches of all layers are stacked: (layers, 1, kv, n, dim)."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.text = model.model.language_model
        self.lm_head = model.lm_head

    def run(
        self, x: Tensor, positions: Tensor, mask: Tensor | None, past: tuple[Tensor, Tensor] | None
    ) -> tuple[Tensor, Tensor, Tensor]:
        cos, sin = (angles.unsqueeze(1) for angles in self.text.rotary_emb(x, positions))
        keys, values = [], []
        for index, layer in enumerate(self.text.layers):
            attention, normed = layer.self_attn, layer.input_layernorm(x)
            shape = (*normed.shape[:-1], -1, attention.head_dim)
            q = attention.q_norm(attention.q_proj(normed).view(shape)).transpose(1, 2)
            k = attention.k_norm(attention.k_proj(normed).view(shape)).transpose(1, 2)
            v = attention.v_proj(normed).view(shape).transpose(1, 2)
            q, k = (t * cos + _turned(t) * sin for t in (q, k))
            if past is not None:
                k = torch.cat([past[0][index], k], dim=2)
                v = torch.cat([past[1][index], v], dim=2)
            keys.append(k)
            values.append(v)
            k, v = (_repeated(t, attention.num_key_value_groups) for t in (k, v))
            scores = torch.matmul(q, k.transpose(2, 3)) * attention.scaling
            scores = scores if mask is None else scores + mask
            weights = functional.softmax(scores, dim=-1, dtype=torch.float32).to(q.dtype)
            mixed = torch.matmul(weights, v).transpose(1, 2).contiguous()
            x = x + attention.o_proj(mixed.reshape(*normed.shape[:-1], -1).contiguous())
            x = x + layer.mlp(layer.post_attention_layernorm(x))
        return self.lm_head(self.text.norm(x)), torch.stack(keys), torch.stack(values)


class DecoderInit(Decoder):
    """The prompt, with the audio features in the place of its marks."""

    def forward(self, ids: Tensor, positions: Tensor, audio: Tensor, offset: Tensor) -> tuple[Tensor, ...]:
        x, count = self.text.embed_tokens(ids), ids.shape[1]
        places = (torch.arange(audio.shape[1]) + offset)[None, :, None].expand_as(audio)
        mask = torch.full((count, count), torch.finfo(x.dtype).min).triu(1)[None, None]
        return self.run(x.scatter(1, places, audio), positions, mask, None)


class DecoderStep(Decoder):
    """One row behind the cache."""

    def forward(self, x: Tensor, positions: Tensor, keys: Tensor, values: Tensor) -> tuple[Tensor, ...]:
        return self.run(x, positions, None, (keys, values))


class DecoderUnified(Decoder):
    """Any number of rows behind the cache, which may be empty."""

    def forward(self, x: Tensor, positions: Tensor, keys: Tensor, values: Tensor) -> tuple[Tensor, ...]:
        count = x.shape[1]
        mask = torch.full((count, count), torch.finfo(x.dtype).min).triu(1)
        mask = torch.cat([torch.zeros(count, keys.shape[3]), mask], dim=1)[None, None]
        return self.run(x, positions, mask, (keys, values))


def export(checkpoint: Path, folder: Path, exporter: str, *, unified: bool = False) -> None:
    """Export ``checkpoint`` into ``folder``: torch's graphs, otherwise as ``write_published_layout``."""
    write_published_layout(checkpoint, folder, embed_dtype="float16")
    for path in [*folder.glob("*.onnx"), *folder.glob("*.data")]:
        path.unlink()
    model = load_model(checkpoint)
    text = model.config.text_config
    _export(Encoder(model), folder / "encoder.onnx", exporter, {"mel": ((1, 128, 997), {2: "time"})})
    cache = (text.num_hidden_layers, 1, text.num_key_value_heads, 30, text.head_dim)
    past: dict[str, Any] = {
        name: (cache, {1: "batch", 3: "past_seq_len"}) for name in ("past_keys", "past_values")
    }
    rows = {0: "batch", 1: "seq_len"}
    if unified:
        inputs = {
            "input_embeds": ((1, 20, text.hidden_size), rows),
            "position_ids": (torch.arange(20)[None], rows),
        }
        _export(DecoderUnified(model), folder / "decoder.onnx", exporter, inputs | past)
        return
    inputs = {
        "input_ids": (torch.arange(40)[None], rows),
        "position_ids": (torch.arange(40)[None], rows),
        "audio_features": ((1, 13, text.hidden_size), {0: "batch", 1: "audio_len"}),
        "audio_offset": (torch.tensor([5]), {}),
    }
    _export(DecoderInit(model), folder / "decoder_init.onnx", exporter, inputs)
    inputs = {
        "input_embeds": ((1, 1, text.hidden_size), {0: "batch"}),
        "position_ids": (torch.tensor([[30]]), {0: "batch"}),
    }
    _export(DecoderStep(model), folder / "decoder_step.onnx", exporter, inputs | past)
    decoders = {name: onnx.load(folder / name) for name in (f"{stem}.onnx" for stem in DECODERS)}
    save_decoders(folder, decoders, "decoder_weights.data")


def _export(module: nn.Module, path: Path, exporter: str, inputs: dict[str, Any]) -> None:
    """``inputs``: name -> (shape or tensor, free dimensions)."""
    arguments = tuple(torch.randn(form) if isinstance(form, tuple) else form for form, _ in inputs.values())
    is_encoder = "mel" in inputs
    outputs = ["audio_features"] if is_encoder else ["logits", "present_keys", "present_values"]
    free = {name: sizes for name, (_, sizes) in inputs.items() if sizes}
    free |= {name: {1: "batch", 3: "total_seq_len"} for name in outputs[1:]}
    free[outputs[0]] = {1: "enc_time"} if is_encoder else {0: "batch", 1: "seq_len"}
    with torch.no_grad():
        torch.onnx.export(
            module.eval(),
            arguments,
            path,
            input_names=list(inputs),
            output_names=outputs,
            dynamic_axes=free,
            opset_version=OPSET[exporter],
            dynamo=exporter == "dynamo",
        )
    model = onnx.load(path)
    for part in (model, model.graph, *model.graph.node):
        part.ClearField("doc_string")  # stack traces, with the paths of this machine
        del part.metadata_props[:]
    onnx.save(model, path)  # TorchScript leaves one file for each tensor, or none: inside is simplest
    path.with_name(path.name + ".data").unlink(missing_ok=True)


def fuse_and_round(source: Path, folder: Path) -> None:
    """Fuse the nodes of an export and round its decoders to 4 bits, with the publisher's tools."""
    shutil.copytree(source, folder)
    config = json.loads((source / "config.json").read_text(encoding="utf-8"))
    decoder = config["decoder"]["num_attention_heads"], config["decoder"]["hidden_size"]
    sizes = dict.fromkeys(DECODERS, decoder)
    sizes["encoder"] = config["encoder"]["num_heads"], config["encoder"]["hidden_size"]
    decoders = {}
    for name, (heads, hidden) in sizes.items():
        path, rounded = folder / f"{name}.onnx", folder / f"{name}.int4.onnx"
        model = optimize_model(
            str(path), model_type="gpt2", num_heads=heads, hidden_size=hidden, opt_level=1
        ).model
        path.unlink()
        if name == "encoder":
            onnx.save(model, rounded)
            continue
        rounder = MatMulNBitsQuantizer(model, bits=4, block_size=16, is_symmetric=False, accuracy_level=4)
        rounder.process()
        decoders[rounded.name] = rounder.model.model
    (folder / "decoder_weights.data").unlink()
    save_decoders(folder, decoders, "decoder_weights.int4.data")


def _turned(x: Tensor) -> Tensor:
    low, high = x.chunk(2, dim=-1)
    return torch.cat((-high, low), dim=-1)


def _repeated(x: Tensor, times: int) -> Tensor:
    if times == 1:
        return x
    batch, heads, rows, size = x.shape
    x = x[:, :, None].expand(batch, heads, times, rows, size)
    return x.reshape(batch, heads * times, rows, size)


@contextlib.contextmanager
def tiny() -> Iterator[None]:
    """Random checkpoints are of the sizes of the packed exports inside."""
    with (
        mock.patch.dict(random_checkpoint.AUDIO, TINY_AUDIO),
        mock.patch.dict(random_checkpoint.TEXT, TINY_TEXT),
    ):
        yield


def main() -> None:
    parser = argparse.ArgumentParser(description="Export a checkpoint with torch in the published layout.")
    parser.add_argument("--checkpoint", type=Path)
    parser.add_argument("--exporter", choices=tuple(OPSET), default="dynamo")
    parser.add_argument("--unified", action="store_true")
    parser.add_argument("out", type=Path, nargs="?")
    arguments = parser.parse_args()
    if arguments.checkpoint:
        export(arguments.checkpoint, arguments.out, arguments.exporter, unified=arguments.unified)
        return
    with tempfile.TemporaryDirectory() as folder:
        with tiny():
            random_checkpoint.write_random_checkpoint(Path(folder) / "checkpoint")
        for exporter in OPSET:
            export(Path(folder) / "checkpoint", Path(folder) / exporter, exporter)
        fuse_and_round(Path(folder) / "dynamo", Path(folder) / "int4")
        for name in (*OPSET, "int4"):
            pack(Path(folder) / name, DATA / f"published_{name}.tar.gz")


def pack(folder: Path, archive: Path) -> None:
    """Pack what a published archive holds."""
    unwanted = {"preprocessor_config.json", "tokenizer_config.json", "vocab.json"}
    with tarfile.open(archive, "w:gz") as tar:
        for path in sorted(folder.iterdir()):
            if path.name not in unwanted:
                tar.add(path, f"published/{path.name}")


if __name__ == "__main__":
    main()
