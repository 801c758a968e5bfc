"""Gives the weights of a published graph their official names, by their places in the model.

    decoder layer   x --input_layernorm--> q, k, v --q_norm, k_norm--> attention --o_proj--> + x
                      --post_attention_layernorm--> gate, up --> down_proj --> + x
    encoder layer   x --self_attn_layer_norm--> q, k, v --> attention --out_proj--> + x
                      --final_layer_norm--> fc1 --> fc2 --> + x

Each place is the only one with its kind and origin. Those that are not are told apart by what they are used
for: queries stand to the left and keys to the right in the product that softmax takes, values to the right in
the one behind it, and the gate goes through the activation. Whatever is left over, or missing, is an error.

Source: Qwen3ASRForConditionalGeneration in QwenLM/Qwen3-ASR (modeling_qwen3_asr.py, 2026-01).
"""

from __future__ import annotations

from itertools import permutations
from typing import NoReturn

from handy_qwen.convert.expected import EMBEDDING
from handy_qwen.convert.onnx_flow import NO_ORIGIN, OTHER_FILES, Flow, Key, Origin
from handy_qwen.convert.stored import Stored
from handy_qwen.engine.config import TOKENS_PER_CHUNK, AudioConfig, TextConfig
from handy_qwen.errors import ModelCorruptError

HEAD = "lm_head.weight"
_CACHE: tuple[str, str] = ("past_keys", "past_values")


def name_encoder(flow: Flow, config: AudioConfig) -> dict[str, Stored]:
    """The weights of the graph of the audio encoder.

    Raises:
        ModelCorruptError: It is built in another way than the encoder that ``config`` describes.
    """
    places = _Places(flow, "audio_tower.")
    places.allow_added(_Encoder(places).walk(config), (TOKENS_PER_CHUNK, config.d_model))
    return places.finished()


def name_decoder(flow: Flow, config: TextConfig) -> dict[str, Stored]:
    """The weights of a graph of the text decoder: of a prompt, of a step, or of both.

    The embedding is there if the graph takes token ids. ``lm_head.weight`` is there if it is stored for
    itself and not the embedding.

    Raises:
        ModelCorruptError: It is built in another way than the decoder that ``config`` describes.
    """
    places = _Places(flow, "model.")
    _Decoder(places).walk(config)
    places.allow_added(NO_ORIGIN, ())
    named = places.finished()
    head = named.pop("model.lm_head.weight")
    if head != named.get(EMBEDDING):
        named[HEAD] = head
    return named


class _Places:
    """The operations of a graph by origin; each is given one name."""

    def __init__(self, flow: Flow, prefix: str) -> None:
        self.flow = flow
        self._prefix = prefix
        self._names: dict[Key, str] = {}
        self._by_origin: dict[Origin, list[int]] = {}
        for number, operation in enumerate(flow.operations):
            self._by_origin.setdefault(operation.origin, []).append(number)

    def has(self, origin: Origin) -> bool:
        """Whether any operation works on ``origin`` and nothing else."""
        return origin in self._by_origin

    def all(self, kind: str, origin: Origin, what: str, count: int) -> list[int]:
        """The ``count`` operations of that kind that work on ``origin``, and there must be no others."""
        found = self._by_origin.get(origin, [])
        kinds = [self.flow.operations[number].kind for number in found]
        if kinds != [kind] * count:
            self.refuse(
                f"where {what} should be, it has {len(found)} operations with weights ({', '.join(kinds)})"
            )
        return found

    def one(self, kind: str, origin: Origin, what: str, *, has_bias: bool) -> Origin:
        """The only operation there; it gets the name ``what``. Returned as what comes from it."""
        (number,) = self.all(kind, origin, what, 1)
        return self.name(number, what, has_bias=has_bias)

    def name(self, number: int, what: str, *, has_bias: bool) -> Origin:
        """Give an operation its name."""
        if (self.flow.operations[number].bias is not None) != has_bias:
            self.refuse(f"{what} has {'no' if has_bias else 'a'} bias")
        self._names[number] = what
        return frozenset([number])

    def attention(self, queries: list[Origin], values: list[Origin]) -> tuple[Origin, Origin, Origin]:
        """Which of ``queries`` is the query and which the key, and which of ``values`` the value.

        All three may be in both lists. What comes out of the cache is on the side of the new keys and values.
        """
        cached = self.flow.products
        keys, rows = (frozenset({name} & self.flow.inputs) for name in _CACHE)
        found = [
            (query, key, value)
            for query, key in permutations(queries, 2)
            for value in values
            if value not in {query, key}
            and (query, key | keys) in cached
            and (query | key | keys, value | rows) in cached
        ]
        if len(found) != 1:
            self.refuse("its queries, keys and values cannot be told apart")
        return found[0]

    def is_activated(self, kind: str, origin: Origin) -> bool:
        """Whether what comes from ``origin`` goes through the activation."""
        return (kind, origin) in self.flow.activations

    def allow_added(self, origin: Origin, shape: tuple[int, ...]) -> None:
        """Refuse constants that change a value, but for a table of this shape there."""
        for place, found in self.flow.added:
            if place != origin or found[-len(shape) :] != shape:
                self.refuse(f"it has numbers of shape {found} that belong to no weights known here")

    def finished(self) -> dict[str, Stored]:
        """Weights and biases by their full names; all must have one."""
        named: dict[str, Stored] = {}
        for number, operation in enumerate(self.flow.operations):
            if number not in self._names:
                self.refuse(f"it has more weights, of shape {operation.weight.shape}, than the model has")
            name = self._prefix + self._names[number]
            named[f"{name}.weight"] = operation.weight
            if operation.bias is not None:
                named[f"{name}.bias"] = operation.bias
        return named

    def refuse(self, problem: str) -> NoReturn:
        """Say that the graph is not what it should be."""
        raise ModelCorruptError(
            self.flow.path, f"it is not built as config.json says: {problem}", OTHER_FILES
        )


class _Encoder:
    """Walks through the audio encoder."""

    def __init__(self, places: _Places) -> None:
        self._places = places

    def walk(self, config: AudioConfig) -> Origin:
        """Name everything; return what the table of positions is added to."""
        places = self._places
        x: Origin = frozenset(["mel"])
        for number in (1, 2, 3):
            x = places.one("convolution", x, f"conv2d{number}", has_bias=True)
            self._check_activated(x, f"conv2d{number}")
        stem = x = places.one("linear", x, "conv_out", has_bias=False)
        for layer in range(config.layers):
            x = self._layer(x, f"layers.{layer}")
        x = places.one("norm", x, "ln_post", has_bias=True)
        x = places.one("linear", x, "proj1", has_bias=True)
        self._check_activated(x, "proj1")
        x = places.one("linear", x, "proj2", has_bias=True)
        if places.flow.outputs.get("audio_features") != x:
            places.refuse("its last operation does not give audio_features")
        return stem

    def _layer(self, x: Origin, name: str) -> Origin:
        places = self._places
        normed = places.one("norm", x, f"{name}.self_attn_layer_norm", has_bias=True)
        three = places.all("linear", normed, f"{name}.self_attn", 3)
        origins: list[Origin] = [frozenset([number]) for number in three]
        parts = places.attention(origins, origins)
        for part, (number,) in zip("qkv", parts, strict=True):
            assert isinstance(number, int)
            places.name(number, f"{name}.self_attn.{part}_proj", has_bias=True)
        mixed = frozenset().union(*parts)
        x |= places.one("linear", mixed, f"{name}.self_attn.out_proj", has_bias=True)
        normed = places.one("norm", x, f"{name}.final_layer_norm", has_bias=True)
        hidden = places.one("linear", normed, f"{name}.fc1", has_bias=True)
        self._check_activated(hidden, f"{name}.fc1")
        return x | places.one("linear", hidden, f"{name}.fc2", has_bias=True)

    def _check_activated(self, x: Origin, name: str) -> None:
        if not self._places.is_activated("gelu", x):
            self._places.refuse(f"there is no GELU behind {name}")


class _Decoder:
    """Walks through the text decoder."""

    def __init__(self, places: _Places) -> None:
        self._places = places
        self._keys: Origin = frozenset({_CACHE[0]} & places.flow.inputs)
        self._values: Origin = frozenset({_CACHE[1]} & places.flow.inputs)
        self._cached_keys, self._cached_values = self._keys, self._values

    def walk(self, config: TextConfig) -> None:
        """Name everything."""
        places = self._places
        x: Origin = frozenset({"input_embeds", "audio_features"} & places.flow.inputs)
        if "input_ids" in places.flow.inputs:
            x |= places.one("table", frozenset(["input_ids"]), "embed_tokens", has_bias=False)
        for layer in range(config.layers):
            x = self._layer(x, f"layers.{layer}")
        x = places.one("norm", x, "norm", has_bias=False)
        x = places.one("linear", x, "lm_head", has_bias=False)
        outputs = places.flow.outputs
        expected = {"logits": x, "present_keys": self._keys, "present_values": self._values}
        for name, origin in expected.items():
            if outputs.get(name) != origin:
                places.refuse(f"its output {name} comes from another place")

    def _layer(self, x: Origin, name: str) -> Origin:
        places = self._places
        normed = places.one("norm", x, f"{name}.input_layernorm", has_bias=False)
        mixed = self._attention(normed, f"{name}.self_attn")
        x |= places.one("linear", mixed, f"{name}.self_attn.o_proj", has_bias=False)
        normed = places.one("norm", x, f"{name}.post_attention_layernorm", has_bias=False)
        two = places.all("linear", normed, f"{name}.mlp", 2)
        gates = [number for number in two if places.is_activated("silu", frozenset([number]))]
        if len(gates) != 1:
            places.refuse(f"gate and up of {name}.mlp cannot be told apart")
        hidden: Origin = NO_ORIGIN
        for number in two:
            part = "gate" if number in gates else "up"
            hidden |= places.name(number, f"{name}.mlp.{part}_proj", has_bias=False)
        return x | places.one("linear", hidden, f"{name}.mlp.down_proj", has_bias=False)

    def _attention(self, normed: Origin, name: str) -> Origin:
        """Queries and keys have a norm for each head; values have not. Return what comes together."""
        places = self._places
        norms: dict[Origin, int] = {}
        values: list[Origin] = []
        for number in places.all("linear", normed, name, 3):
            made: Origin = frozenset([number])
            if places.has(made):
                norms[frozenset(places.all("norm", made, f"a norm of {name}", 1))] = number
            else:
                values.append(made)
        parts = places.attention(list(norms), values)
        for part, made in zip("qkv", parts, strict=True):
            (last,) = made
            assert isinstance(last, int)
            if made in norms:
                places.name(last, f"{name}.{part}_norm", has_bias=False)
            places.name(norms.get(made, last), f"{name}.{part}_proj", has_bias=False)
        self._keys |= parts[1]
        self._values |= parts[2]
        return frozenset().union(*parts, self._cached_keys, self._cached_values)
