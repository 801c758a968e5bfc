"""A checkpoint as the ``-hf`` repositories have it, which transformers 5 reads."""

import json
import shutil
import struct
from pathlib import Path

REPOSITORY = "Qwen/Qwen3-ASR-0.6B-hf"
_KEPT = ("tokenizer.json", "tokenizer_config.json", "generation_config.json")


def rename(name: str) -> str:
    """What an official tensor is called there."""
    name = name.removeprefix("thinker.")
    if name.startswith("model."):
        return name.replace("model.", "model.language_model.", 1)
    return "model." + name.replace("audio_tower.proj", "multi_modal_projector.linear_")


def write_transformers_layout(official: Path, folder: Path) -> None:
    """Write the checkpoint ``official``, which is in one file, into the new ``folder``."""
    folder.mkdir(parents=True)
    for name in _KEPT:
        shutil.copy(official / name, folder)
    raw = json.loads((official / "config.json").read_text(encoding="utf-8"))
    inner = raw["thinker_config"]
    text = inner["text_config"]
    text["rope_parameters"] = {"rope_theta": text.pop("rope_theta"), "rope_type": "default"}
    text.pop("rope_scaling", None)
    inner |= {"model_type": "qwen3_asr", "architectures": ["Qwen3ASRForConditionalGeneration"]}
    (folder / "config.json").write_text(json.dumps(inner), encoding="utf-8")
    (folder / "processor_config.json").write_text('{"processor_class": "Qwen3ASRProcessor"}')
    (folder / "chat_template.jinja").write_text("{{ messages }}")
    data = (official / "model.safetensors").read_bytes()
    (length,) = struct.unpack_from("<Q", data)
    header = json.loads(data[8 : 8 + length])
    renamed = {
        name if name.startswith("__") else rename(name): entry
        for name, entry in header.items()
        if name != "thinker.lm_head.weight"
    }
    packed = json.dumps(renamed).encode()
    body = struct.pack("<Q", len(packed)) + packed + data[8 + length :]
    (folder / "model.safetensors").write_bytes(body)
