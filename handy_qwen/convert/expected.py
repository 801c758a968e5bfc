"""Which tensors a checkpoint must have, and of which shape, to be what its configuration says.

Looked at before anything is written: a conversion takes minutes, and weights of another model would make a
package that cannot be told from a good one until it is run.

Source: Qwen3ASRForConditionalGeneration in QwenLM/Qwen3-ASR (modeling_qwen3_asr.py, 2026-01).
"""

from __future__ import annotations

from handy_qwen.convert.presets import Preset
from handy_qwen.convert.weights import Checkpoint
from handy_qwen.engine.config import AudioConfig, ModelConfig, TextConfig
from handy_qwen.errors import ConversionError, ModelCorruptError

Shapes = dict[str, tuple[int, ...]]

EMBEDDING = "model.embed_tokens.weight"
_HEAD = "lm_head.weight"


def check_weights(weights: Checkpoint, config: ModelConfig, preset: Preset) -> None:
    """Compare ``weights`` with what ``config`` says.

    Raises:
        ModelCorruptError: A tensor is missing or of another shape, or the output head is one of its own.
        ConversionError: The sizes do not suit the preset.
    """
    for name, shape in (audio_shapes(config.audio) | text_shapes(config.text)).items():
        found = weights.shape(name)
        if found != shape:
            raise ModelCorruptError(
                weights.files[0], f"its tensor {name} has the shape {found}, not {shape} as config.json says"
            )
    if _HEAD in weights and not weights.is_same(_HEAD, EMBEDDING):
        raise ModelCorruptError(
            weights.files[0], f"its tensor {_HEAD} is not the embedding, as in every Qwen3-ASR"
        )
    audio, text = config.audio, config.text
    widths = {
        (preset.encoder.block, width) for width in (audio.d_model, audio.ffn, _flattened_channels(audio))
    }
    widths |= {(preset.decoder.block, n) for n in (text.hidden, text.ffn, text.heads * text.head_dim)}
    widths.add((preset.head.block, text.hidden))
    for block, width in sorted(widths):
        if block and width % block:
            raise ConversionError(
                f"The preset {preset.name} needs widths that are multiples of {block}; one is {width}.",
                "Choose the preset exact.",
            )


def weights_bytes(weights: Checkpoint, config: ModelConfig) -> int:
    """How much of the checkpoint's files a conversion reads."""
    names = audio_shapes(config.audio) | text_shapes(config.text)
    return sum(weights.size_bytes(name) for name in names)


def audio_shapes(config: AudioConfig) -> Shapes:
    """The encoder's tensors."""
    width, channels = config.d_model, config.conv_channels
    shapes: Shapes = {"conv_out.weight": (width, _flattened_channels(config))}
    for number, inputs in enumerate((1, channels, channels), start=1):
        shapes[f"conv2d{number}.weight"] = (channels, inputs, 3, 3)
        shapes[f"conv2d{number}.bias"] = (channels,)
    linear = {"proj1": (width, width), "proj2": (config.output_dim, width)}
    norms = ["ln_post"]
    for layer in range(config.layers):
        name = f"layers.{layer}"
        linear |= {f"{name}.self_attn.{part}_proj": (width, width) for part in ("q", "k", "v", "out")}
        linear |= {f"{name}.fc1": (config.ffn, width), f"{name}.fc2": (width, config.ffn)}
        norms += [f"{name}.self_attn_layer_norm", f"{name}.final_layer_norm"]
    for name, shape in linear.items():
        shapes |= {f"{name}.weight": shape, f"{name}.bias": shape[:1]}
    for name in norms:
        shapes |= {f"{name}.weight": (width,), f"{name}.bias": (width,)}
    return {f"audio_tower.{name}": shape for name, shape in shapes.items()}


def text_shapes(config: TextConfig) -> Shapes:
    """The decoder's tensors, the embedding among them."""
    hidden, ffn, size = config.hidden, config.ffn, config.head_dim
    rows, kv_rows = config.heads * size, config.kv_heads * size
    shapes: Shapes = {"embed_tokens.weight": (config.vocab, hidden), "norm.weight": (hidden,)}
    for layer in range(config.layers):
        parts: Shapes = {
            "self_attn.q_proj": (rows, hidden),
            "self_attn.k_proj": (kv_rows, hidden),
            "self_attn.v_proj": (kv_rows, hidden),
            "self_attn.o_proj": (hidden, rows),
            "self_attn.q_norm": (size,),
            "self_attn.k_norm": (size,),
            "mlp.gate_proj": (ffn, hidden),
            "mlp.up_proj": (ffn, hidden),
            "mlp.down_proj": (hidden, ffn),
            "input_layernorm": (hidden,),
            "post_attention_layernorm": (hidden,),
        }
        shapes |= {f"layers.{layer}.{part}.weight": shape for part, shape in parts.items()}
    return {f"model.{name}": shape for name, shape in shapes.items()}


def _flattened_channels(config: AudioConfig) -> int:
    """What the convolutions leave of one frame: the mel bins, halved three times, in each channel."""
    bins = config.mel_bins
    for _ in range(3):
        bins = -(-bins // 2)
    return bins * config.conv_channels
