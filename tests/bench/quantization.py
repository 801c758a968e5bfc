"""The table that the forms of the package's weights are chosen by.

usage: python tests/bench/quantization.py [--recordings FOLDER] [--rounds N] [--only TABLE]

1. A product of 1024 x 3072 in every form: bytes for a weight, error on Gaussian numbers and on trained
   weights, processor time for a row at 1 row (writing text) and at 104 (a window of the encoder).
2. The convolutions of the 0.6B model on one chunk: float32 against 8-bit products of unfolded patches.
3. The demo model with one part in one form, the others in float32: errors of features and of logits on
   real speech, how often the first choice stays, and word errors on FOLDER (recordings and refs.tsv). Last,
   all presets (tests/bench/faithful.py compares them further).

Times are of the process on one thread, medians of rounds in which all forms take turns, so that other
programs disturb all alike. Copies of the weights lie beside each other in memory, as the layers of a model
do: more than caches hold.
"""

import argparse
import csv
import os
import shutil
import statistics
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnxruntime as ort

from handy_qwen import paths
from handy_qwen.audio.files import load
from handy_qwen.bench.accuracy import Recording, Scorer, answer, compare, measure_errors, total, with_model
from handy_qwen.bench.speed import load_now, measure_machine
from handy_qwen.convert.checkpoint import Checkpoint
from handy_qwen.convert.encoder import write_frontend
from handy_qwen.convert.graph import CONTRIB, Graph, quantize_channels
from handy_qwen.convert.package import Details, convert
from handy_qwen.convert.presets import CHANNELS, PLAIN, PRESETS, Precision
from handy_qwen.convert.trial import FoldedTensors
from handy_qwen.engine.api import Cancel
from handy_qwen.engine.qwen3.features import log_mel, windows
from handy_qwen.engine.qwen3.manifest import load_manifest
from handy_qwen.engine.qwen3.model import AudioConfig
from handy_qwen.engine.qwen3.recognizer import Recognizer
from handy_qwen.engine.qwen3.sessions import open_session
from handy_qwen.errors import ConversionError

ROOT = Path(__file__).resolve().parents[2]
CHECKPOINT = ROOT / "tests" / "data" / "demo-checkpoint"
K, N, COPIES = 1024, 3072, 24
BLOCKS = (16, 32, 64, 128)


# ---- forms of a product ---------------------------------------------------------------------------------


def asymmetric(weights, bits):
    """Codes, scales, zeros: a zero point for each block."""
    top = 2**bits - 1
    low, high = (np.minimum(weights.min(-1), 0), np.maximum(weights.max(-1), 0))
    scales = np.maximum((high - low) / np.float32(top), 1e-12).astype(np.float32)
    zeros = np.clip(np.rint(-low / scales), 0, top).astype(np.uint8)
    codes = np.clip(np.rint(weights / scales[..., None]) + zeros[..., None], 0, top).astype(np.uint8)
    return codes, scales, zeros


def symmetric(weights, bits):
    """Codes around the middle and scales; the largest weight, of either sign, is the lowest code."""
    half = 2 ** (bits - 1)
    ends = np.take_along_axis(weights, np.abs(weights).argmax(-1)[..., None], -1)[..., 0]
    scales = np.where(ends == 0, 1, ends / np.float32(-half)).astype(np.float32)
    codes = np.clip(np.rint(weights / scales[..., None]) + half, 0, 2 * half - 1).astype(np.uint8)
    return codes, scales, None


def packed(values):
    """Two 4-bit codes to a byte along the last axis, low first."""
    if values.shape[-1] % 2:
        values = np.pad(values, [(0, 0)] * (values.ndim - 1) + [(0, 1)])
    return values[..., 0::2] | (values[..., 1::2] << 4)


def add_blocks(graph, name, weights, precision, form):
    """MatMulNBits; the number of bytes that its weights take."""
    rows, columns = weights.shape
    bits, block = precision.bits, precision.block
    codes, scales, zeros = form(weights.reshape(rows, -1, block), bits)
    if bits == 4:
        codes, zeros = packed(codes), None if zeros is None else packed(zeros)
    parts = [codes, scales] + ([] if zeros is None else [zeros])
    names = [graph.constant(f"{name}.{number}", part) for number, part in enumerate(parts)]
    out = graph.node("MatMulNBits", ["x", *names], f"{name}.out", CONTRIB, N=rows, K=columns, bits=bits,
                     block_size=block, accuracy_level=4)  # fmt: skip
    return out, sum(part.nbytes for part in parts)


def channels(weights, kind):
    """Codes, scales and zero points of rows with one scale each."""
    if kind == "signed, pairs within 128":
        codes, scales = quantize_channels(weights)
        return codes, scales, np.zeros(len(scales), np.int8)
    top = 63 if "7-bit" in kind else 127
    scales = (np.abs(weights).max(-1) / np.float32(top)).astype(np.float32)
    codes = np.rint(weights / scales[:, None])
    if kind == "unsigned":
        return (codes + 128).astype(np.uint8), scales, np.full(len(scales), 128, np.uint8)
    return codes.astype(np.int8), scales, np.zeros(len(scales), np.int8)


def add_channels(graph, name, weights, kind):
    """DynamicQuantizeMatMul with a scale for each row; the number of bytes that its weights take."""
    codes, scales, zeros = channels(weights, kind)
    values = {"codes": np.ascontiguousarray(codes.T), "scales": scales, "zeros": zeros}
    names = [graph.constant(f"{name}.{part}", value) for part, value in values.items()]
    out = graph.node("DynamicQuantizeMatMul", ["x", *names], f"{name}.out", CONTRIB)
    return out, sum(value.nbytes for value in values.values())


def add_plain(graph, name, weights):
    """Float32."""
    out = graph.node("MatMul", ["x", graph.constant(f"{name}.weight", np.ascontiguousarray(weights.T))],
                     f"{name}.out")  # fmt: skip
    return out, weights.nbytes


FORMS = {"float32": add_plain}
FORMS |= {
    f"8-bit channels, {kind}": lambda *a, kind=kind: add_channels(*a, kind)
    for kind in ("unsigned", "signed", "signed, 7-bit codes", "signed, pairs within 128")
}
for _form in (symmetric, asymmetric):
    for _precision in (Precision(_bits, _block) for _bits in (8, 4) for _block in BLOCKS):
        FORMS[f"{_precision}, {_form.__name__}"] = lambda *a, precision=_precision, form=_form: add_blocks(
            *a, precision, form
        )


def session_of(folder, form, weights, copies):
    """A graph of ``copies`` products of the same input, and the bytes for each weight."""
    path = folder / f"{abs(hash((form, copies, weights.shape)))}.onnx"
    with Graph(path) as graph:
        graph.input("x", ["rows", weights.shape[1]])
        for number in range(copies):
            out, size = FORMS[form](graph, f"w{number}", weights)
            graph.output(out, ["rows", len(weights)])
        graph.save()
    return open_session(path, threads=1), size / weights.size


def error_of(folder, form, weights, x):
    """Error of a product against float64, relative."""
    session, _ = session_of(folder, form, weights, 1)
    exact = x.astype(np.float64) @ weights.T.astype(np.float64)
    return float(np.linalg.norm(session.run(None, {"x": x})[0] - exact) / np.linalg.norm(exact))


def trained_matrices():
    """Matrices of the demo model whose width every block size divides."""
    checkpoint, config = Checkpoint(CHECKPOINT), load_manifest(paths.asset("demo-model")).config
    names = [
        f"model.layers.{i}.mlp.{p}_proj.weight" for i in range(config.text.layers) for p in ("gate", "down")
    ]
    names += [f"audio_tower.layers.{i}.fc{n}.weight" for i in range(config.audio.layers) for n in (1, 2)]
    return [checkpoint.read(name) for name in names if checkpoint.shape(name)[1] % max(BLOCKS) == 0]


def cpu_times(runs, rounds):
    """Median processor time of each of ``runs`` (name -> callable); all take turns."""
    found = {name: [] for name in runs}
    for number in range(rounds + 1):
        for name, run in runs.items():
            begin = time.process_time()
            run()
            if number:  # the first round warms up
                found[name].append(time.process_time() - begin)
    return {name: statistics.median(times) for name, times in found.items()}


def products(folder, rounds):
    """Table 1."""
    rng = np.random.default_rng(1)
    weights = (rng.standard_normal((N, K)) / np.sqrt(K)).astype(np.float32)
    trained = trained_matrices()
    sessions = {form: session_of(folder, form, weights, COPIES) for form in FORMS}
    times = {}
    for rows in (1, 104):
        x = rng.standard_normal((rows, K)).astype(np.float32)
        runs = {form: lambda s=s, x=x: s.run(None, {"x": x}) for form, (s, _) in sessions.items()}
        for form, spent in cpu_times(runs, rounds).items():
            times[form, rows] = spent / COPIES / rows * 1e6
    print(
        "| form | bytes a weight | error: Gaussian | trained | µs a row at 1 | at 104 |\n" + 6 * "|---" + "|"
    )
    for form in FORMS:
        gaussian = error_of(folder, form, weights, rng.standard_normal((64, K)).astype(np.float32))
        learned = [
            error_of(folder, form, matrix, rng.standard_normal((64, matrix.shape[1])).astype(np.float32))
            for matrix in trained
        ]
        print(f"| {form} | {sessions[form][1]:.3f} | {gaussian:.2%} | {statistics.fmean(learned):.2%} |"
              f" {times[form, 1]:.0f} | {times[form, 104]:.1f} |")  # fmt: skip


# ---- convolutions ---------------------------------------------------------------------------------------


def convolutions(folder, rounds):
    """Table 2: time at the sizes of 0.6B, with random weights; the error is that of table 3."""
    config = AudioConfig(layers=18, d_model=896, heads=14, ffn=3584, conv_channels=480, output_dim=1024)
    rng = np.random.default_rng(2)
    shapes = {"conv2d1.weight": (480, 1, 3, 3), "conv_out.weight": (896, 7680)}
    shapes |= {f"conv2d{n}.weight": (480, 480, 3, 3) for n in (2, 3)}
    tensors = {
        name: (rng.standard_normal(shape) / np.sqrt(np.prod(shape[1:]))).astype(np.float32)
        for name, shape in shapes.items()
    } | {f"conv2d{n}.bias": np.zeros(480, np.float32) for n in (1, 2, 3)}

    class Weights:
        def read(self, name):
            return tensors[name.removeprefix("audio_tower.")]

    for name, form in (("plain", PLAIN), ("unfolded", CHANNELS)):
        write_frontend(
            folder / f"{name}.onnx",
            FoldedTensors(Weights()),
            config,
            replace(PRESETS["balanced"], convolutions=form),
        )
    mel = rng.standard_normal((1, 1, 128, 100)).astype(np.float32)
    sessions = {name: open_session(folder / f"{name}.onnx", threads=1) for name in ("plain", "unfolded")}
    outputs = {name: session.run(None, {"mel": mel})[0] for name, session in sessions.items()}
    off = np.linalg.norm(outputs["plain"] - outputs["unfolded"]) / np.linalg.norm(outputs["plain"])
    times = cpu_times({n: lambda s=s: s.run(None, {"mel": mel}) for n, s in sessions.items()}, 4 * rounds)
    print(f"\nconvolutions of one second: float32 {times['plain'] * 1e3:.1f} ms,"
          f" unfolded 8-bit {times['unfolded'] * 1e3:.1f} ms; random weights: {off:.2%} off")  # fmt: skip


# ---- the demo model -------------------------------------------------------------------------------------


def variants():
    """Name -> preset."""
    exact = PRESETS["exact"]
    forms = [CHANNELS] + [Precision(bits, block) for bits in (8, 4) for block in BLOCKS]
    forms += [Precision(4, block, is_symmetric=True) for block in BLOCKS]
    found = {"float32": exact, "convolutions": replace(exact, name="test", convolutions=CHANNELS)}
    for part in ("encoder", "decoder", "head"):
        for form in forms:
            if part != "head" or (form.block and not form.is_symmetric):
                found[f"{part}: {form}"] = replace(exact, name="test", **{part: form})
    return found | {f"preset {name}": preset for name, preset in PRESETS.items() if name != "exact"}


def recordings_of(folder):
    """Recordings of the folder's refs.tsv that need no context."""
    with (folder / "refs.tsv").open(encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file, delimiter="\t") if not row["context"]]
    return [Recording(folder / row["file"], row["reference"]) for row in rows]


def models(folder, recordings):
    """Table 3."""
    mels = [list(windows(log_mel(load(path)))) for path in sorted(paths.asset("speech").glob("*.flac"))]
    print("\n| demo model | MB | features | logits | same choice | word errors |\n|---|---|---|---|---|---|")
    expected, scorer = None, Scorer() if recordings else None
    for name, preset in variants().items():
        place = folder / "model"
        try:
            convert(CHECKPOINT, place, preset, Details("test", pass_s=8.0))
        except ConversionError as error:  # the demo model's widths do not divide into every block
            print(f"| {name} | {error.title} |")
            continue
        if expected is None:
            expected = with_model(place, 1, lambda model: [answer(model, mel, 24) for mel in mels])
        found = with_model(place, 1, lambda m, e=expected: compare("", "", m, mels, e))
        size = sum(path.stat().st_size for path in place.iterdir())
        row = f"| {name} | {size / 1e6:.1f} | {found.features:.2%}"
        row += f" | {found.logits:.2%} | {found.agreement:.1%} |"
        if recordings:
            recognizer = Recognizer.load(
                place, voice_model=paths.asset("vad/silero_vad_16k_op15.onnx"), threads=1
            )
            scores = measure_errors(recognizer, recordings, scorer=scorer, language="", cancel=Cancel())
            whole = total(scores)
            row += f" {whole.errors} of {whole.words} ({whole.rate:.1%}) |"
            recognizer.close()
        print(row, flush=True)
        shutil.rmtree(place)


def main():
    """Print the tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--recordings", type=Path)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", choices=("products", "convolutions", "models"))
    options = parser.parse_args()
    machine = measure_machine(1, load_now())
    print(f"{machine.processor}, {machine.physical_cores} cores, load {os.getloadavg()[0]:.1f};"
          f" ONNX Runtime {ort.__version__}, numpy {np.__version__}\n")  # fmt: skip
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if options.only in {None, "products"}:
            products(folder, options.rounds)
        if options.only in {None, "convolutions"}:
            convolutions(folder, options.rounds)
        if options.only in {None, "models"}:
            models(folder, recordings_of(options.recordings) if options.recordings else [])


if __name__ == "__main__":
    main()
