"""transcribe-cpp: a random model of 0.6B sizes in its GGUF layout, and its times.

usage: tcpp.py make FILE.gguf Q8_0|Q4_0        tcpp.py time FILE.gguf SECONDS TOKENS ROUNDS THREADS
"""

import json
import os
import re
import resource
import statistics
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np

CLOCK_S = 0.005
VOCAB, HIDDEN, LAYERS = 151_936, 1024, 28
AUDIO, AUDIO_LAYERS, AUDIO_FFN, CONV = 896, 18, 3584, 480
ENCODER = {
    "n_layers": AUDIO_LAYERS,
    "d_model": AUDIO,
    "n_heads": 14,
    "ffn_dim": AUDIO_FFN,
    "num_mel_bins": 128,
    "downsample_hidden": CONV,
    "output_dim": HIDDEN,
    "max_source_positions": 1500,
    "n_window": 50,
    "n_window_infer": 800,
    "conv_chunksize": 500,
}
DECODER = {
    "n_layers": LAYERS,
    "hidden_size": HIDDEN,
    "intermediate_size": 3072,
    "n_heads": 16,
    "n_kv_heads": 8,
    "head_dim": 128,
    "rope_mrope_section_t": 24,
    "rope_mrope_section_h": 20,
    "rope_mrope_section_w": 20,
    "max_position_embeddings": 65_536,
    "vocab_size": VOCAB,
}
MEL = {
    "num_mels": 128,
    "sample_rate": 16_000,
    "n_fft": 400,
    "win_length": 400,
    "hop_length": 160,
    "chunk_length": 30,
    "n_samples": 480_000,
    "nb_max_frames": 3000,
}
MARKERS = {
    "<|endoftext|>": 151_643,
    "<|im_start|>": 151_644,
    "<|im_end|>": 151_645,
    "<|audio_start|>": 151_669,
    "<|audio_end|>": 151_670,
    "<|audio_pad|>": 151_676,
    "<asr_text>": 151_704,
}
ENDS = (MARKERS["<|endoftext|>"], MARKERS["<|im_end|>"])
# The prompt's own words must be tokens, or the engine refuses the vocabulary.
LANGUAGES = """
Chinese English Cantonese Arabic German French Spanish Portuguese Indonesian Italian Korean Russian Thai
Vietnamese Japanese Turkish Hindi Malay Dutch Swedish Danish Finnish Polish Czech Filipino Persian Greek
Romanian Hungarian Macedonian
"""
PROMPT = ["system", "user", "assistant", "language", "Ġlanguage"]
WORDS = [*PROMPT, *("Ġ" + name for name in LANGUAGES.split())]


def vocabulary():
    """Tokens and their GGUF types (1 ordinary, 3 control, 4 user-defined): the byte letters, then fillers."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    letters = [chr(b) for b in plain] + [chr(256 + i) for i in range(256 - len(plain))]
    tokens = letters + [f"filler{i}" for i in range(len(letters), VOCAB)]
    kinds = [1] * VOCAB
    tokens[1000 : 1000 + len(WORDS)] = WORDS
    for i in range(151_643, 151_705):
        tokens[i], kinds[i] = f"<|x{i}|>", 3
    for name, i in MARKERS.items():
        tokens[i], kinds[i] = name, 4 if name == "<asr_text>" else 3
    return tokens, kinds


def mel_filters():
    """Slaney's triangles, (128, 201) float32."""

    def hz(mel):
        return np.where(mel < 15, mel * 200 / 3, 1000 * 6.4 ** ((mel - 15) / 27))

    edges = hz(np.linspace(0, 15 + 27 * np.log(8) / np.log(6.4), 130))[:, None]
    bins = np.linspace(0, 8000, 201)
    low, middle, high = edges[:-2], edges[1:-1], edges[2:]
    triangles = np.minimum((bins - low) / (middle - low), (high - bins) / (high - middle))
    return (np.maximum(triangles, 0) * 2 / (high - low)).astype(np.float32)


def write_facts(writer):
    """The keys the engine reads before any tensor."""
    writer.add_name("random")
    writer.add_string("general.basename", "qwen3-asr")
    writer.add_array("general.languages", ["en", "zh"])
    writer.add_string("stt.variant", "qwen3-asr-0.6b")
    writer.add_bool("stt.capability.lang_detect", True)
    tokens, kinds = vocabulary()
    writer.add_string("tokenizer.ggml.model", "gpt2")
    writer.add_string("tokenizer.ggml.pre", "qwen2")
    writer.add_array("tokenizer.ggml.tokens", tokens)
    writer.add_array("tokenizer.ggml.token_type", kinds)
    writer.add_array("tokenizer.ggml.merges", ["a b"])
    writer.add_uint32("tokenizer.ggml.eos_token_id", 151_645)
    writer.add_uint32("tokenizer.ggml.padding_token_id", 151_643)
    writer.add_bool("tokenizer.ggml.add_bos_token", False)
    own, front = "stt.qwen3_asr.", "stt.frontend."
    ids = {"audio_token_id": 151_676, "audio_start_token_id": 151_669, "audio_end_token_id": 151_670}
    for prefix, facts in ((own + "encoder.", ENCODER), (own + "decoder.", DECODER), (own, ids), (front, MEL)):
        for key, value in facts.items():
            writer.add_uint32(prefix + key, value)
    writer.add_string(own + "encoder.activation", "gelu")
    writer.add_string(own + "decoder.hidden_act", "silu")
    writer.add_float32(own + "decoder.rms_norm_eps", 1e-6)
    writer.add_float32(own + "decoder.rope_theta", 1e6)
    writer.add_bool(own + "decoder.rope_mrope_interleaved", True)
    writer.add_bool(own + "decoder.tie_word_embeddings", True)
    strings = {
        "type": "mel",
        "window": "hann",
        "normalize": "whisper",
        "pad_mode": "reflect",
        "mel_norm": "slaney",
    }
    for key, text in strings.items():
        writer.add_string(front + key, text)
    for key, number in {"dither": 0.0, "pre_emphasis": 0.0, "f_min": 0.0, "f_max": 8000.0}.items():
        writer.add_float32(front + key, number)
    writer.add_bool(front + "center", True)


def make(path, kind):
    """Write the model: every matrix of the layers, the embedding and the encoder quantised to ``kind``."""
    import gguf
    from gguf.quants import quantize

    kind = gguf.GGMLQuantizationType[kind]
    writer = gguf.GGUFWriter(path, "qwen3_asr")
    write_facts(writer)
    rng = np.random.default_rng(0)

    def matrix(name, rows, columns, has_bias=False, empty=()):
        weights = rng.standard_normal((rows, columns), dtype=np.float32) / np.float32(columns**0.5)
        weights[list(empty)] = 0
        writer.add_tensor(name + ".weight", quantize(weights, kind), raw_dtype=kind)
        if has_bias:
            writer.add_tensor(name + ".bias", np.zeros(rows, np.float32))

    def norm(name, size, has_bias=False):
        writer.add_tensor(name + ".weight", np.ones(size, np.float32))
        if has_bias:
            writer.add_tensor(name + ".bias", np.zeros(size, np.float32))

    writer.add_tensor("frontend.mel_filterbank", mel_filters())
    writer.add_tensor("frontend.window", np.hanning(401)[:-1].astype(np.float32))
    for i, channels in enumerate((1, CONV, CONV)):
        kernel = rng.standard_normal((CONV, channels, 3, 3)) * (2 / (9 * channels)) ** 0.5
        writer.add_tensor(f"enc.conv.{i}.weight", kernel.astype(np.float16))
        writer.add_tensor(f"enc.conv.{i}.bias", np.zeros(CONV, np.float32))
    matrix("enc.conv_out", AUDIO, 16 * CONV)
    for i in range(AUDIO_LAYERS):
        block = f"enc.blocks.{i}."
        norm(block + "norm_attn", AUDIO, has_bias=True)
        norm(block + "norm_ffn", AUDIO, has_bias=True)
        for part in ("q", "k", "v", "out"):
            matrix(f"{block}attn.{part}", AUDIO, AUDIO, has_bias=True)
        matrix(block + "ffn.fc1", AUDIO_FFN, AUDIO, has_bias=True)
        matrix(block + "ffn.fc2", AUDIO, AUDIO_FFN, has_bias=True)
    norm("enc.ln_post", AUDIO, has_bias=True)
    matrix("enc.proj1", AUDIO, AUDIO, has_bias=True)
    matrix("enc.proj2", HIDDEN, AUDIO, has_bias=True)
    # Never the largest logit: the answer must not end before its time is taken.
    matrix("dec.token_embd", VOCAB, HIDDEN, empty=ENDS)
    shapes = {
        "attn.q": (2048, HIDDEN),
        "attn.k": (1024, HIDDEN),
        "attn.v": (1024, HIDDEN),
        "attn.o": (HIDDEN, 2048),
    }
    shapes |= {"ffn.gate": (3072, HIDDEN), "ffn.up": (3072, HIDDEN), "ffn.down": (HIDDEN, 3072)}
    for i in range(LAYERS):
        block = f"dec.blocks.{i}."
        for name, size in (
            ("norm_attn", HIDDEN),
            ("norm_ffn", HIDDEN),
            ("attn.q_norm", 128),
            ("attn.k_norm", 128),
        ):
            norm(block + name, size)
        for name, (rows, columns) in shapes.items():
            matrix(block + name, rows, columns)
    norm("dec.output_norm", HIDDEN)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


class Clock(threading.Thread):
    """Notes the process's processor time beside the wall time, every few milliseconds."""

    def __init__(self):
        super().__init__(daemon=True)
        self._ended = threading.Event()
        self._notes = [(time.perf_counter(), time.process_time())]
        self.start()

    def run(self):
        """Until ``end``."""
        while not self._ended.wait(CLOCK_S):
            self._notes.append((time.perf_counter(), time.process_time()))

    def end(self):
        """Stop noting."""
        self._ended.set()
        self.join()

    def cpu_s(self, wall_s):
        """Processor time in the first ``wall_s`` seconds."""
        walls, times = np.transpose(np.array(self._notes) - self._notes[0])
        return float(np.interp(wall_s, walls, times))


def captured_run(session, audio):
    """What the engine's native code writes to standard error during one run, and the clock beside it."""
    import transcribe_cpp

    with tempfile.TemporaryFile() as log:
        saved = os.dup(2)
        os.dup2(log.fileno(), 2)
        clock = Clock()
        try:
            session.run(audio)
        except (transcribe_cpp.errors.OutputRepetition, transcribe_cpp.errors.OutputTruncated):
            pass  # random weights repeat themselves or never end; the stages were timed all the same
        finally:
            clock.end()
            os.dup2(saved, 2)
            os.close(saved)
        log.seek(0)
        return log.read().decode(errors="replace"), clock


def stages(log, clock):
    """Wall and processor seconds to the first token, and of a step, by the engine's own breakdown."""
    parts = {name: float(ms) / 1000 for name, ms in re.findall(r"^  (\w+) +([\d.]+) ms", log, re.MULTILINE)}
    first = (
        "mel",
        "enc_build",
        "enc_compute",
        "enc_d2h",
        "prefill_build",
        "prefill_compute",
        "prefill_logits",
    )
    steps = re.search(r"step_loop.*?\((\d+) steps", log)
    if steps is None:
        raise SystemExit(
            "transcribe-cpp printed no times; is TRANSCRIBE_PERF_DEBUG=1 set, is the version known?"
        )
    count, first_s = int(steps[1]), sum(parts[name] for name in first)
    first_cpu_s = clock.cpu_s(first_s)
    step_cpu_s = (clock.cpu_s(first_s + parts["step_loop"]) - first_cpu_s) / count
    return first_s, parts["step_loop"] / count, first_cpu_s, step_cpu_s


def measure(path, seconds, tokens, rounds, threads):
    """Times as run.py wants them; the totals are worked out, as no setting fixes the number of tokens."""
    import transcribe_cpp

    os.environ["TRANSCRIBE_PERF_DEBUG"] = "1"
    start = time.perf_counter()
    session = transcribe_cpp.Model(path, backend="cpu").session(n_threads=threads)
    load_s = time.perf_counter() - start
    audio = (np.random.default_rng(0).standard_normal(int(16_000 * seconds)) * 0.05).astype(np.float32)
    runs = [stages(*captured_run(session, audio)) for _ in range(rounds + 1)][1:]  # the first warms up
    first_s, step_s, first_cpu_s, step_cpu_s = (statistics.median(c) for c in zip(*runs, strict=True))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    others = tokens - 1  # the first token comes out of the prefill
    times = {"load_s": load_s, "first_s": first_s, "total_s": first_s + others * step_s}
    return times | {"cpu_s": first_cpu_s + others * step_cpu_s, "peak_bytes": peak}


if __name__ == "__main__":
    if sys.argv[1] == "make":
        unfinished = Path(sys.argv[2] + ".part")
        make(str(unfinished), sys.argv[3])
        unfinished.rename(sys.argv[2])
    else:
        s, n, r, t = sys.argv[3:7]
        print(json.dumps(measure(sys.argv[2], float(s), int(n), int(r), int(t))))
