"""How near packages come to float32, also of checkpoints with loud channels.

usage: python tests/bench/faithful.py [--recordings FOLDER] [--presets NAME ...] [--factors N ...]
                                      [--seeds N ...]
       python tests/bench/faithful.py --checkpoint FOLDER [--presets NAME ...] [--clips N] [--factors N ...]

The demo model is converted as it is and with loud channels (tests/loud_channels.py), which change nothing in
float32. For each package: how far features and logits are off on FOLDER (refs.tsv and its recordings; by
default demo-eval, or else the speech that ships with the program), and how many texts are those of float32.

With --checkpoint, any other checkpoint instead, without texts: random weights write none. Needs room for the
model in float32. The conversion is measured on the check speech, and what is printed on FOLDER.
"""

import argparse
import csv
import shutil
import sys
import tempfile
from pathlib import Path

from handy_qwen import paths
from handy_qwen.audio.files import load
from handy_qwen.bench.accuracy import answer, compare, with_model
from handy_qwen.convert.package import Details, convert
from handy_qwen.convert.presets import DEFAULT_PRESET, PRESETS
from handy_qwen.engine.qwen3.features import log_mel, windows
from handy_qwen.engine.qwen3.recognizer import Recognizer

ROOT = Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT))
from tests.loud_channels import write_loud  # noqa: E402

CHECKPOINT = ROOT / "tests" / "data" / "demo-checkpoint"
VOICE_MODEL = paths.asset("vad/silero_vad_16k_op15.onnx")
DETAILS, TOKENS = Details("test", pass_s=8.0), 24


def clips_of(folder):
    """Samples and context of each recording."""
    refs = folder / "refs.tsv"
    if not refs.is_file():
        return [(load(path), "") for path in sorted(paths.asset("speech").glob("*.flac"))]
    with refs.open(encoding="utf-8") as file:
        rows = csv.DictReader(file, delimiter="\t")
        return [(load(folder / row["file"]), row["context"]) for row in rows]


def texts_of(folder, clips):
    """What the package in ``folder`` writes."""
    recognizer = Recognizer.load(folder, voice_model=VOICE_MODEL, threads=1)
    try:
        return [recognizer.transcribe(samples, context=context).text for samples, context in clips]
    finally:
        recognizer.close()


def answers_of(folder, clips):
    """What float32 makes of each clip, and what it read."""
    mels = [list(windows(log_mel(samples))) for samples, _context in clips]
    return mels, with_model(folder, 1, lambda model: [answer(model, mel, TOKENS) for mel in mels])


def sources(checkpoint, folder, options):
    """Name -> checkpoint, as it is and with loud channels, one at a time."""
    yield "as it is", checkpoint
    for factor in options.factors:
        for seed in options.seeds:
            yield f"{factor}, seed {seed}", write_loud(checkpoint, folder / "loud", factor=factor, seed=seed)
            shutil.rmtree(folder / "loud")


def demo(folder, options):
    """The demo model's table."""
    clips = clips_of(options.recordings)
    convert(CHECKPOINT, folder / "exact", PRESETS["exact"], DETAILS)
    mels, expected = answers_of(folder / "exact", clips)
    texts = texts_of(folder / "exact", clips)
    print(
        "| preset | loud channels | MB | features | logits | same choice | same texts |\n" + 7 * "|---" + "|"
    )
    for name, source in sources(CHECKPOINT, folder, options):
        for preset in options.presets:
            place = folder / "package"
            manifest = convert(source, place, PRESETS[preset], DETAILS)
            found = with_model(place, 1, lambda model: compare("", "", model, mels, expected))
            same = sum(a == b for a, b in zip(texts, texts_of(place, clips), strict=True))
            size = sum(path.stat().st_size for path in place.iterdir())
            print(f"| {preset} | {name} | {size / 1e6:.1f} | {found.features:.2%} | {found.logits:.2%}"
                  f" | {found.agreement:.1%} | {same} of {len(clips)} |", flush=True)  # fmt: skip
            for note in manifest.fidelity.notes:
                print(f"    {note}")


def other(folder, options):
    """One line for each source and preset of another checkpoint."""
    clips = clips_of(options.recordings)[: options.clips]
    package = folder / "package"
    convert(options.checkpoint, package, PRESETS["exact"], DETAILS)
    mels, expected = answers_of(package, clips)
    for name, source in sources(options.checkpoint, folder, options):
        for preset in options.presets:
            manifest = convert(source, package, PRESETS[preset], DETAILS)
            found = with_model(package, 1, lambda model: compare("", "", model, mels, expected))
            print(f"{name}, {preset}: features {found.features:.2%}, logits {found.logits:.2%},"
                  f" the same choice for {found.agreement:.1%} of the tokens;"
                  f" while converting: {manifest.fidelity}", flush=True)  # fmt: skip


def main():
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    evaluation = ROOT.parent / "shared" / "data" / "demo-eval"
    parser.add_argument("--recordings", type=Path, default=evaluation)
    parser.add_argument("--presets", nargs="+", choices=tuple(PRESETS), default=[DEFAULT_PRESET])
    parser.add_argument("--factors", nargs="*", type=int, help="default: 16 64 256; with --checkpoint: none")
    parser.add_argument("--seeds", nargs="+", type=int, default=[1, 2])
    parser.add_argument("--checkpoint", type=Path)
    parser.add_argument("--clips", type=int, help="how many of the recordings, with --checkpoint")
    options = parser.parse_args()
    if options.factors is None:
        options.factors = [] if options.checkpoint else [16, 64, 256]
    beside = options.checkpoint.parent if options.checkpoint else None
    with tempfile.TemporaryDirectory(dir=beside) as name:
        (other if options.checkpoint else demo)(Path(name), options)


if __name__ == "__main__":
    main()
