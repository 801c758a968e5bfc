"""A complete ``model install`` from a hub on this machine to a transcript: time of each stage, disk, memory.

usage: python tests/bench/install.py CHECKPOINT [--name qwen3-asr-0.6b]

CHECKPOINT is a folder in the official form (``make_checkpoint.py`` writes one of random weights and true
sizes). The program runs as a user starts it, with a home of its own beside CHECKPOINT, removed at the end.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
from pathlib import Path

import psutil

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from tests.hub.server import FakeHub  # noqa: E402  found only after the line above

STAGE = re.compile(r"(?:\s*\d+% )?(waiting|downloading|checking|converting|trying it out|unpacking)")


def main():
    """Install, transcribe, tell."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("--name", default="qwen3-asr-0.6b")
    options = parser.parse_args()
    catalogue = tomllib.loads((ROOT / "assets" / "models.toml").read_text(encoding="utf-8"))["models"]
    repository = next(entry["repository"] for entry in catalogue if entry["name"] == options.name)
    home = Path(tempfile.mkdtemp(prefix="install-", dir=options.checkpoint.parent))
    try:
        with FakeHub(options.checkpoint, repository) as hub:
            run(hub, home, options.name)
    finally:
        shutil.rmtree(home)


def run(hub, home, name):
    """The two commands."""
    environment = os.environ | {
        "HANDY_QWEN_HOME": str(home),
        "HF_HOME": str(home / "hf"),
        "HF_ENDPOINT": hub.url,
    }
    command = [sys.executable, "-m", "handy_qwen"]
    before, began, stages, peaks = shutil.disk_usage(home).used, time.perf_counter(), [], {}
    with subprocess.Popen(
        [*command, "model", "install", name], env=environment, cwd=ROOT, stderr=subprocess.PIPE, text=True
    ) as process:
        os.set_blocking(process.stderr.fileno(), False)
        watched, peak_disk = psutil.Process(process.pid), 0
        while process.poll() is None:
            for line in process.stderr.readlines():
                print(f"  {time.perf_counter() - began:6.1f} s  {line.rstrip()}")
                found = STAGE.match(line)
                if found and (not stages or stages[-1][0] != found[1]):
                    stages.append((found[1], time.perf_counter()))
            peak_disk = max(peak_disk, shutil.disk_usage(home).used - before)
            if stages and watched.is_running() and watched.status() != psutil.STATUS_ZOMBIE:
                stage = stages[-1][0]
                peaks[stage] = max(peaks.get(stage, 0), watched.memory_info().rss)
            time.sleep(0.05)
        print(process.stderr.read() or "", end="")
    ended = time.perf_counter()
    for (stage, start), (_, end) in zip(stages, [*stages[1:], ("", ended)], strict=True):
        print(f"{stage:14} {end - start:7.1f} s   most memory {peaks.get(stage, 0) / 1e6:6.0f} MB")
    print(
        f"{'all':14} {ended - began:7.1f} s   most disk {peak_disk / 1e9:.2f} GB (others write to it as well)"
    )
    print(f"sent {sum(one.sent_bytes for one in hub.requests) / 1e9:.3f} GB; status {process.returncode}")
    sound = ROOT / "assets" / "speech" / "report.flac"
    began = time.perf_counter()
    heard = subprocess.run(
        [*command, "transcribe", "--model", name, str(sound)],
        env=environment,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    print(
        f"transcript after {time.perf_counter() - began:.1f} s, status {heard.returncode}: "
        f"{heard.stdout[:120]!r}"
    )
    print(heard.stderr, end="")


if __name__ == "__main__":
    main()
