"""A random model of 0.6B sizes in the three int8 graphs that sherpa-onnx reads.

usage: make_sherpa.py FOLDER

    conv_frontend.onnx   input_features (1, T, 128)                        -> conv_output (1, A, 896)
    encoder.int8.onnx    input_features, feature_attention_mask (1, A)     -> audio_features (1, A, 1024)
    decoder.int8.onnx    input_ids, audio_features, attention_mask, cache_position, cache_{key,value}_N
                         -> logits, {key,value}_delta_N, the new rows of the cache

Products are what ONNX Runtime's quantize_dynamic writes: activations rounded with one scale, an integer
product, a scale for each channel.

Source of the names and shapes: sherpa-onnx 2.0 (offline-qwen3-asr-model.cc).
"""

import json
import sys
from itertools import islice, product
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

VOCAB, HIDDEN, LAYERS, FFN = 151_936, 1024, 28, 3072
HEADS, KV_HEADS, HEAD = 16, 8, 128
AUDIO, AUDIO_LAYERS, AUDIO_HEADS, AUDIO_FFN, CONV = 896, 18, 14, 3584, 480
WINDOW, CHUNK, CHUNK_TOKENS = 104, 100, 13
AUDIO_PAD = 151_676
MASKED = -1e4
MARKERS = {
    151_643: "<|endoftext|>",
    151_644: "<|im_start|>",
    151_645: "<|im_end|>",
    151_669: "<|audio_start|>",
    151_670: "<|audio_end|>",
    151_676: "<|audio_pad|>",
    151_704: "<asr_text>",
}
FLOAT, INT = TensorProto.FLOAT, TensorProto.INT64


class Graph:
    """A graph under construction; every node's outputs get names of their own."""

    def __init__(self, seed):
        self.rng = np.random.default_rng(seed)
        self.nodes, self.weights = [], []

    def __call__(self, operator, *inputs, outputs=1, name="", **attributes):
        """Add a node; inputs may be names, arrays or numbers (a list is int64, a float float32)."""
        inputs = [self.constant(x) for x in inputs]
        names = [name or f"{operator}_{len(self.nodes)}_{i}" for i in range(outputs)]
        self.nodes.append(helper.make_node(operator, inputs, names, **attributes))
        return names[0] if outputs == 1 else names

    def constant(self, value):
        """The name of ``value``, which becomes a weight unless it is a name already."""
        if isinstance(value, str):
            return value
        if isinstance(value, float):
            value = np.float32(value)
        array = np.asarray(value, np.int64) if isinstance(value, (int, list)) else np.asarray(value)
        name = f"w{len(self.weights)}"
        self.weights.append(numpy_helper.from_array(array, name))
        return name

    def linear(self, x, rows, columns, *, bias=False, unsigned=False):
        """An int8 product of (…, rows) with random weights (rows, columns)."""
        low, high, dtype = (0, 256, np.uint8) if unsigned else (-127, 128, np.int8)
        codes = self.rng.integers(low, high, (rows, columns), dtype)
        zeros = np.full(columns, 128 if unsigned else 0, dtype)
        scales = np.full(columns, 1 / (73 * rows**0.5), np.float32)  # 73: the deviation of the codes
        rounded, scale, zero = self("DynamicQuantizeLinear", x, outputs=3)
        y = self("Cast", self("MatMulInteger", rounded, codes, zero, zeros), to=FLOAT)
        y = self("Mul", y, self("Mul", scale, scales))
        return self("Add", y, np.zeros(columns, np.float32)) if bias else y

    def layer_norm(self, x):
        """Layer normalization over the encoder's width."""
        return self("LayerNormalization", x, np.ones(AUDIO, np.float32), np.zeros(AUDIO, np.float32), axis=-1)

    def rms_norm(self, x, size):
        """Root-mean-square normalization, spelled out as exporters do."""
        mean = self("ReduceMean", self("Pow", x, 2.0), axes=[-1])
        inverse = self("Reciprocal", self("Sqrt", self("Add", mean, 1e-6)))
        return self("Mul", self("Mul", x, inverse), np.ones(size, np.float32))

    def gelu(self, x):
        """The exact form."""
        erf = self("Erf", self("Div", x, 2**0.5))
        return self("Mul", self("Mul", x, self("Add", erf, 1.0)), 0.5)

    def size(self, x, axis):
        """One of the sizes of ``x``. Shape (1,)."""
        return self("Gather", self("Shape", x), [axis])

    def save(self, path, inputs, outputs):
        """Write the graph; ports are (name, type, shape)."""
        ports = [[helper.make_tensor_value_info(*port) for port in side] for side in (inputs, outputs)]
        graph = helper.make_graph(self.nodes, path.stem, *ports, self.weights)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
        onnx.save(model, path)


def padding(g, length, multiple):
    """How many are missing from ``length`` to the next ``multiple``. Shape (1,)."""
    return g("Mod", g("Sub", [multiple], g("Mod", length, [multiple])), [multiple])


def write_frontend(path):
    """Three convolutions over chunks of a second."""
    g = Graph(1)
    missing = padding(g, g.size("input_features", 1), CHUNK)
    x = g("Pad", "input_features", g("Concat", [0, 0, 0, 0], missing, [0], axis=0))
    x = g("Transpose", g("Reshape", x, [-1, 1, CHUNK, 128]), perm=[0, 1, 3, 2])
    for channels in (1, CONV, CONV):
        kernel = g.rng.standard_normal((CONV, channels, 3, 3)) * (2 / (9 * channels)) ** 0.5
        x = g("Conv", x, kernel.astype(np.float32), strides=[2, 2], pads=[1, 1, 1, 1])
        x = g.gelu(x)
    x = g("Reshape", g("Transpose", x, perm=[0, 3, 1, 2]), [-1, CHUNK_TOKENS, 16 * CONV])
    projection = g.rng.standard_normal((16 * CONV, AUDIO)) / (16 * CONV) ** 0.5
    g("Reshape", g("MatMul", x, projection.astype(np.float32)), [1, -1, AUDIO], name="conv_output")
    g.save(path, [("input_features", FLOAT, [1, "T", 128])], [("conv_output", FLOAT, [1, "A", AUDIO])])


def write_encoder(path):
    """Layers with attention inside windows of 8 s, the last of which is filled up."""
    g = Graph(2)
    length = g.size("input_features", 1)
    missing = padding(g, length, WINDOW)
    mask = g("Cast", "feature_attention_mask", to=FLOAT)
    x = g("Mul", "input_features", g("Unsqueeze", mask, [2]))
    x = g("Reshape", g("Pad", x, g("Concat", [0, 0, 0, 0], missing, [0], axis=0)), [-1, WINDOW, AUDIO])
    seen = g("Reshape", g("Pad", mask, g("Concat", [0, 0, 0], missing, axis=0)), [-1, 1, 1, WINDOW])
    hidden = g("Mul", g("Sub", 1.0, seen), MASKED)

    def heads(y, order):
        return g("Transpose", g("Reshape", y, [-1, WINDOW, AUDIO_HEADS, 64]), perm=order)

    for _ in range(AUDIO_LAYERS):
        normed = g.layer_norm(x)
        query, key, value = (g.linear(normed, AUDIO, AUDIO, bias=True) for _ in range(3))
        scores = g("MatMul", heads(query, [0, 2, 1, 3]), heads(key, [0, 2, 3, 1]))
        weights = g("Softmax", g("Add", g("Mul", scores, 0.125), hidden), axis=-1)
        y = g("Transpose", g("MatMul", weights, heads(value, [0, 2, 1, 3])), perm=[0, 2, 1, 3])
        y = g("Reshape", y, [-1, WINDOW, AUDIO])
        x = g("Add", x, g.linear(y, AUDIO, AUDIO, bias=True))
        y = g.gelu(g.linear(g.layer_norm(x), AUDIO, AUDIO_FFN, bias=True))
        x = g("Add", x, g.linear(y, AUDIO_FFN, AUDIO, bias=True))
    x = g("Slice", g("Reshape", x, [1, -1, AUDIO]), [0], length, [1])
    x = g.gelu(g.linear(g.layer_norm(x), AUDIO, AUDIO, bias=True))
    g("Identity", g.linear(x, AUDIO, HIDDEN, bias=True), name="audio_features")
    inputs = [
        ("input_features", FLOAT, [1, "A", AUDIO]),
        ("feature_attention_mask", TensorProto.BOOL, [1, "A"]),
    ]
    g.save(path, inputs, [("audio_features", FLOAT, [1, "A", HIDDEN])])


def embedded(g):
    """Embeddings of the ids, with the audio features where the ids say so."""
    table = g.rng.integers(0, 256, (VOCAB, HIDDEN), np.uint8)
    words = g("DequantizeLinear", g("Gather", table, "input_ids"), 1 / 73, np.uint8(128))
    is_audio = g("Equal", "input_ids", AUDIO_PAD)
    rank = g("Sub", g("CumSum", g("Cast", is_audio, to=INT), 1), 1)
    last = g("Sub", g.size("audio_features", 1), 1)
    place = g("Unsqueeze", g("Min", g("Max", rank, 0), last), [2])
    audio = g("GatherElements", "audio_features", g("Expand", place, g("Shape", words)), axis=1)
    return g("Where", g("Unsqueeze", is_audio, [2]), audio, words)


def write_decoder(path):
    """Layers that read the cache and give back its new rows; logits of every row."""
    g = Graph(3)
    x, past = embedded(g), g("Gather", "cache_position", [0])
    first = g("Cast", g("Equal", past, [0]), to=FLOAT)
    read = g("Max", past, [1])  # an empty cache is read as one row that nobody sees
    nobody = g("Mul", first, MASKED)
    position = g("Unsqueeze", "cache_position", [1])
    rates = (1e6 ** -(np.arange(HEAD // 2) / (HEAD // 2))).astype(np.float32)[None]
    angles = g("MatMul", g("Cast", position, to=FLOAT), rates)
    angles = g("Concat", angles, angles, axis=-1)
    cosine, sine = g("Cos", angles), g("Sin", angles)
    later = g("Greater", g("Unsqueeze", "cache_position", [0]), position)
    causal = g("Mul", g("Cast", later, to=FLOAT), MASKED)
    # The mask's sum times zero: an input that no node reads would be refused.
    x = g("Add", x, g("Mul", g("ReduceSum", g("Cast", "attention_mask", to=FLOAT), keepdims=0), 0.0))

    def heads(y, count, order=(0, 2, 1, 3)):
        return g("Transpose", g("Reshape", y, [1, -1, count, HEAD]), perm=list(order))

    def turned(y):
        low, high = g("Split", y, [HEAD // 2, HEAD // 2], outputs=2, axis=-1)
        return g("Add", g("Mul", y, cosine), g("Mul", g("Concat", g("Neg", high), low, axis=-1), sine))

    def repeated(y):
        shape = g("Concat", [1, KV_HEADS, HEADS // KV_HEADS], g.size(y, 2), [HEAD], axis=0)
        return g("Reshape", g("Expand", g("Unsqueeze", y, [2]), shape), [1, HEADS, -1, HEAD])

    ports = ([], [])
    for layer in range(LAYERS):
        normed = g.rms_norm(x, HIDDEN)
        query, key, value = (
            heads(g.linear(normed, HIDDEN, count * HEAD, unsigned=True), count)
            for count in (HEADS, KV_HEADS, KV_HEADS)
        )
        query, key = turned(g.rms_norm(query, HEAD)), turned(g.rms_norm(key, HEAD))
        scores, values = [], []
        for part, mask in (("cache", nobody), ("new", causal)):
            keys, rows = key, value
            if part == "cache":
                keys, rows = (
                    g("Transpose", g("Slice", f"cache_{kind}_{layer}", [0], read, [1]), perm=[0, 2, 1, 3])
                    for kind in ("key", "value")
                )
            found = g("MatMul", query, g("Transpose", repeated(keys), perm=[0, 1, 3, 2]))
            scores.append(g("Add", g("Mul", found, HEAD**-0.5), mask))
            values.append(repeated(rows))
        weights = g("Softmax", g("Concat", *scores, axis=-1), axis=-1)
        y = g("Transpose", g("MatMul", weights, g("Concat", *values, axis=2)), perm=[0, 2, 1, 3])
        x = g("Add", x, g.linear(g("Reshape", y, [1, -1, HEADS * HEAD]), HEADS * HEAD, HIDDEN, unsigned=True))
        normed = g.rms_norm(x, HIDDEN)
        gate, up = (g.linear(normed, HIDDEN, FFN, unsigned=True) for _ in range(2))
        y = g("Mul", g("Mul", gate, g("Sigmoid", gate)), up)
        x = g("Add", x, g.linear(y, FFN, HIDDEN, unsigned=True))
        for kind, rows in (("key", key), ("value", value)):
            g("Transpose", rows, perm=[0, 2, 1, 3], name=f"{kind}_delta_{layer}")
            ports[0].append((f"cache_{kind}_{layer}", FLOAT, [1, "L", KV_HEADS, HEAD]))
            ports[1].append((f"{kind}_delta_{layer}", FLOAT, [1, "S", KV_HEADS, HEAD]))
    logits = g.linear(g.rms_norm(x, HIDDEN), HIDDEN, VOCAB, unsigned=True)
    g("Identity", logits, name="logits")
    inputs = [("input_ids", INT, [1, "S"]), ("audio_features", FLOAT, [1, "A", HIDDEN])]
    inputs += [("attention_mask", INT, [1, "S"]), ("cache_position", INT, ["S"])]
    g.save(path, inputs + ports[0], [("logits", FLOAT, [1, "S", VOCAB]), *ports[1]])


def write_tokenizer(folder):
    """Byte letters, made-up words and the markers."""
    folder.mkdir(exist_ok=True)
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    letters = [chr(b) for b in plain] + [chr(256 + i) for i in range(256 - len(plain))]
    first = min(MARKERS)
    words = ("".join(w) for w in product("abcdefghijklmnopqrstuvwxyz", repeat=4))
    tokens = [*letters, *islice(words, first - len(letters))]
    vocabulary = {token: i for i, token in enumerate(tokens)}
    (folder / "vocab.json").write_text(json.dumps(vocabulary, ensure_ascii=False), encoding="utf-8")
    (folder / "merges.txt").write_text("#version: 0.2\n", encoding="utf-8")
    flags = {"lstrip": False, "rstrip": False, "normalized": False, "single_word": False}
    added = {
        str(i): {"content": MARKERS.get(i, f"<|x{i}|>"), "special": MARKERS.get(i) != "<asr_text>", **flags}
        for i in range(first, max(MARKERS) + 1)
    }
    settings = {"added_tokens_decoder": added, "eos_token": "<|im_end|>", "pad_token": "<|endoftext|>"}
    settings["tokenizer_class"] = "Qwen2Tokenizer"
    (folder / "tokenizer_config.json").write_text(json.dumps(settings), encoding="utf-8")


if __name__ == "__main__":
    whole = Path(sys.argv[1])
    part = whole.with_name(whole.name + ".part")
    part.mkdir(parents=True, exist_ok=True)
    write_frontend(part / "conv_frontend.onnx")
    write_encoder(part / "encoder.int8.onnx")
    write_decoder(part / "decoder.int8.onnx")
    write_tokenizer(part / "tokenizer")
    part.rename(whole)
