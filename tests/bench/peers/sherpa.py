"""sherpa-onnx: the times of a random model of 0.6B sizes in its three-graph int8 layout.

usage: sherpa.py time FOLDER SECONDS TOKENS ROUNDS THREADS
"""

import json
import resource
import statistics
import sys
import time
from pathlib import Path

import numpy as np


def recognizer(folder, tokens, threads):
    """The engine, writing at most ``tokens`` tokens."""
    import sherpa_onnx

    parts = {
        "conv_frontend": "conv_frontend.onnx",
        "encoder": "encoder.int8.onnx",
        "decoder": "decoder.int8.onnx",
    }
    files = {key: str(Path(folder) / name) for key, name in (parts | {"tokenizer": "tokenizer"}).items()}
    return sherpa_onnx.OfflineRecognizer.from_qwen3_asr(
        **files, num_threads=threads, max_total_len=1200, max_new_tokens=tokens
    )


def decode(engine, audio):
    """Seconds, wall and processor, of a decode, and the tokens it wrote."""
    stream = engine.create_stream()
    stream.accept_waveform(16_000, audio)
    start = time.perf_counter(), time.process_time()
    engine.decode_stream(stream)
    return time.perf_counter() - start[0], time.process_time() - start[1], len(stream.result.tokens)


def decode_s(engine, audio, rounds):
    """Medians of ``decode`` after one that warms up, and the tokens of the last."""
    wall, cpu, written = zip(*(decode(engine, audio) for _ in range(rounds + 1)), strict=True)
    return statistics.median(wall[1:]), statistics.median(cpu[1:]), written[-1]


def measure(folder, seconds, tokens, rounds, threads):
    """Times as run.py wants them; the first token's by a second engine that may write only one."""
    audio = (np.random.default_rng(0).standard_normal(int(16_000 * seconds)) * 0.05).astype(np.float32)
    start = time.perf_counter()
    engine = recognizer(folder, tokens, threads)
    load_s = time.perf_counter() - start
    total_s, cpu_s, written = decode_s(engine, audio, rounds)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    del engine
    first_s, *_ = decode_s(recognizer(folder, 1, threads), audio, rounds)
    times = {"load_s": load_s, "first_s": first_s, "total_s": total_s, "cpu_s": cpu_s}
    return times | {"peak_bytes": peak, "tokens": written}


if __name__ == "__main__":
    s, n, r, t = sys.argv[3:7]
    print(json.dumps(measure(sys.argv[2], float(s), int(n), int(r), int(t))))
