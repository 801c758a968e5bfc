"""Loads a checkpoint in the official layout into the reference implementation. See make.py.

transformers 5 names the tensors and nests the configuration in its own way; the values are the same. Every
tensor of the file must find its place and every place its tensor, or loading stops.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file
from torch.nn import functional
from transformers import AutoTokenizer, Qwen3ASRConfig, Qwen3ASRForConditionalGeneration, Qwen3ASRProcessor
from transformers.models.qwen3_asr.feature_extraction_qwen3_asr import Qwen3ASRFeatureExtractor

RENAMED = (  # what the official checkpoint says, what transformers 5 says
    (r"^thinker\.audio_tower\.proj([12])\.", r"model.multi_modal_projector.linear_\1."),
    (r"^thinker\.audio_tower\.", "model.audio_tower."),
    (r"^thinker\.model\.", "model.language_model."),
    (r"^thinker\.lm_head\.", "lm_head."),
)
AUDIO_FIELDS = [
    "num_mel_bins",
    "encoder_layers",
    "encoder_attention_heads",
    "encoder_ffn_dim",
    "d_model",
    "activation_function",
    "n_window",
    "n_window_infer",
    "output_dim",
    "downsample_hidden_size",
]
TEXT_FIELDS = [
    "vocab_size",
    "hidden_size",
    "intermediate_size",
    "num_hidden_layers",
    "num_attention_heads",
    "num_key_value_heads",
    "head_dim",
    "hidden_act",
    "max_position_embeddings",
    "rms_norm_eps",
    "tie_word_embeddings",
    "attention_bias",
]


def load_model(checkpoint: Path) -> Qwen3ASRForConditionalGeneration:
    """The model of ``checkpoint`` in float32 on the CPU."""
    raw = json.loads((checkpoint / "config.json").read_text(encoding="utf-8"))["thinker_config"]
    audio, text = raw["audio_config"], raw["text_config"]
    config = Qwen3ASRConfig(
        audio_config={"model_type": "qwen3_asr_encoder"} | {name: audio[name] for name in AUDIO_FIELDS},
        text_config={"model_type": "qwen3"}
        | {name: text[name] for name in TEXT_FIELDS}
        | {"rope_parameters": {"rope_type": "default", "rope_theta": text["rope_theta"]}},
        audio_token_id=raw["audio_token_id"],
        pad_token_id=text["pad_token_id"],
        eos_token_id=json.loads((checkpoint / "generation_config.json").read_text())["eos_token_id"],
        tie_word_embeddings=text["tie_word_embeddings"],
    )
    model = Qwen3ASRForConditionalGeneration(config).float().eval()
    tensors = {
        _renamed(name): tensor.float() for name, tensor in load_file(checkpoint / "model.safetensors").items()
    }
    missing, unexpected = model.load_state_dict(tensors, strict=False)
    assert not unexpected, unexpected
    assert missing == (["lm_head.weight"] if config.tie_word_embeddings else []), missing
    model.tie_weights()
    assert model.lm_head.weight.data_ptr() == model.get_input_embeddings().weight.data_ptr()
    return model


def load_processor(checkpoint: Path) -> Qwen3ASRProcessor:
    template = json.loads((checkpoint / "chat_template.json").read_text(encoding="utf-8"))["chat_template"]
    tokenizer = AutoTokenizer.from_pretrained(checkpoint)
    return Qwen3ASRProcessor(Qwen3ASRFeatureExtractor(), tokenizer, chat_template=template)


def prompt_text(processor: Qwen3ASRProcessor, context: str, language: str | None) -> str:
    """The prompt as the official code builds it: the chat template, then the language, as one string."""
    messages = [
        {"role": "system", "content": context},
        {"role": "user", "content": [{"type": "audio", "audio": ""}]},
    ]
    text = processor.apply_chat_template(messages, add_generation_prompt=True, tokenize=False)
    return text + (f"language {language}<asr_text>" if language is not None else "")


def encode(model: Qwen3ASRForConditionalGeneration, features: torch.Tensor, mask: torch.Tensor) -> np.ndarray:
    """Encoder output of one clip, (tokens, output_dim) float32, checked against ``encode_by_hand``."""
    with torch.no_grad():
        rows = model.get_audio_features(features, mask).pooler_output
        by_hand = encode_by_hand(model, features[0, :, : int(mask.sum())])
    assert rows.shape == by_hand.shape
    scale = rows.abs().max()
    assert (rows - by_hand).abs().max() < 2e-5 * scale, "attention is not in windows of 8 s"
    return rows.numpy()


def encode_by_hand(model: Qwen3ASRForConditionalGeneration, features: torch.Tensor) -> torch.Tensor:
    """The same in other words: one attention over the whole clip, with a block-diagonal mask.

    Args:
        model: Loaded by ``load_model``.
        features: (128, frames), without padding.
    """
    tower, projector = model.model.audio_tower, model.model.multi_modal_projector
    chunks = functional.pad(features, (0, -features.shape[1] % 100)).split(100, dim=1)
    x = torch.stack(chunks)[:, None]  # (chunks, 1, 128, 100)
    for convolution in (tower.conv2d1, tower.conv2d2, tower.conv2d3):
        x = functional.gelu(convolution(x))
    x = tower.conv_out(x.permute(0, 3, 1, 2).flatten(2))  # (chunks, 13, d_model)
    x = x + _positions(13, x.shape[2])
    rest = features.shape[1] % 100
    for _ in range(3):
        rest = (rest + 1) // 2
    x = x.flatten(0, 1)[: features.shape[1] // 100 * 13 + rest]  # (tokens, d_model)
    window = torch.arange(len(x)) // 104
    mask = window[:, None] == window[None, :]
    for layer in tower.layers:
        attention, y = layer.self_attn, layer.self_attn_layer_norm(x)
        q, k, v = (
            project(y).unflatten(1, (attention.num_heads, -1)).transpose(0, 1)
            for project in (attention.q_proj, attention.k_proj, attention.v_proj)
        )
        y = functional.scaled_dot_product_attention(q, k, v, attn_mask=mask)
        x = x + attention.out_proj(y.transpose(0, 1).flatten(1))
        x = x + layer.fc2(functional.gelu(layer.fc1(layer.final_layer_norm(x))))
    return projector.linear_2(functional.gelu(projector.linear_1(tower.ln_post(x))))


def _positions(rows: int, width: int) -> torch.Tensor:
    step = np.log(10000) / (width // 2 - 1)
    angles = np.arange(rows)[:, None] * np.exp(-step * np.arange(width // 2))[None]
    return torch.from_numpy(np.concatenate([np.sin(angles), np.cos(angles)], axis=1)).float()


def _renamed(name: str) -> str:
    for pattern, replacement in RENAMED:
        new, count = re.subn(pattern, replacement, name)
        if count:
            return new
    raise ValueError(name)


def greedy(
    model: Qwen3ASRForConditionalGeneration, inputs: dict[str, torch.Tensor], steps: int, ends: frozenset[int]
) -> tuple[list[int], np.ndarray]:
    """Greedy decoding with the cache of the reference, one token at a time.

    Returns:
        The ids, with the one of ``ends`` that stopped it if any did, and the logits they were the largest
        of: (steps, vocabulary) float32.
    """
    ids: list[int] = []
    logits: list[np.ndarray] = []
    with torch.no_grad():
        out = model(**inputs, use_cache=True)
        while True:
            logits.append(out.logits[0, -1].numpy())
            ids.append(int(logits[-1].argmax()))
            if ids[-1] in ends or len(ids) == steps:
                return ids, np.stack(logits)
            out = model(
                input_ids=torch.tensor([[ids[-1]]]), past_key_values=out.past_key_values, use_cache=True
            )
