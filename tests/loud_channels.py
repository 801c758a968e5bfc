"""Checkpoints with the loud channels that trained models have, which compute what they computed before.

A channel is made louder where it is written, and its readers' weights as much smaller. The factor is a power
of two, so that nothing is rounded.
"""

import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from tests.golden.random_checkpoint import write_safetensors

Tensors = dict[str, npt.NDArray[np.float32]]
Channels = npt.NDArray[np.int64]


def read_tensors(path: Path) -> Tensors:
    """Name -> values, float32, of a safetensors file in float32 or bfloat16."""
    raw = path.read_bytes()
    size = 8 + int.from_bytes(raw[:8], "little")
    tensors: Tensors = {}
    for name, entry in json.loads(raw[8:size]).items():
        if name == "__metadata__":
            continue
        begin, end = (size + offset for offset in entry["data_offsets"])
        if entry["dtype"] == "BF16":
            values = (np.frombuffer(raw[begin:end], "<u2").astype(np.uint32) << 16).view(np.float32)
        else:
            values = np.frombuffer(raw[begin:end], "<f4")
        tensors[name] = values.reshape(entry["shape"]).copy()
    return tensors


def change(source: Path, folder: Path, edit: Callable[[Tensors], None]) -> Path:
    """Copy the checkpoint ``source`` to ``folder``; ``edit`` changes its tensors."""
    shutil.copytree(source, folder, dirs_exist_ok=True)
    tensors = read_tensors(source / "model.safetensors")
    edit(tensors)
    write_safetensors(folder / "model.safetensors", tensors)
    return folder


def write_loud(source: Path, folder: Path, *, factor: float = 64.0, channels: int = 3, seed: int = 0) -> Path:
    """Copy ``source`` to ``folder`` with ``channels`` loud channels wherever there can be some."""
    config = json.loads((source / "config.json").read_text(encoding="utf-8"))["thinker_config"]
    text = config["text_config"]
    size, kv_heads = text["head_dim"], text["num_key_value_heads"]
    group = text["num_attention_heads"] // kv_heads
    rng = np.random.default_rng(seed)

    def edit(tensors: Tensors) -> None:
        def louder(
            written: Sequence[str],
            read: Sequence[str],
            spread: Callable[[Channels], Channels] = lambda chosen: chosen,
        ) -> None:
            chosen = rng.choice(len(tensors[written[0]]), channels, replace=False)
            for name in written:
                tensors[name][chosen] *= np.float32(factor)
            for name in read:
                tensors[name][:, spread(chosen)] /= np.float32(factor)

        def both(name: str) -> list[str]:
            return [f"{name}.weight", f"{name}.bias"]

        for layer in range(config["audio_config"]["encoder_layers"]):
            at = f"thinker.audio_tower.layers.{layer}"
            louder(both(f"{at}.self_attn_layer_norm"), [f"{at}.self_attn.{x}_proj.weight" for x in "qkv"])
            louder(both(f"{at}.final_layer_norm"), [f"{at}.fc1.weight"])
            louder(both(f"{at}.self_attn.v_proj"), [f"{at}.self_attn.out_proj.weight"])
        for layer in range(text["num_hidden_layers"]):
            at = f"thinker.model.layers.{layer}"
            readers = [f"{at}.self_attn.{x}_proj.weight" for x in "qkv"]
            louder([f"{at}.input_layernorm.weight"], readers)
            readers = [f"{at}.mlp.{x}_proj.weight" for x in ("gate", "up")]
            louder([f"{at}.post_attention_layernorm.weight"], readers)
            louder([f"{at}.mlp.up_proj.weight"], [f"{at}.mlp.down_proj.weight"])
            louder(
                [f"{at}.self_attn.v_proj.weight"],
                [f"{at}.self_attn.o_proj.weight"],
                lambda chosen: np.array(
                    [(c // size * group + g) * size + c % size for c in chosen for g in range(group)]
                ),
            )

    return change(source, folder, edit)
