"""A disk that fills up, or may only be read, in each stage of an installation; wants root, for its own tmpfs.

usage: python tests/bench/full_disk.py

Each time the error is printed, no model may stand, and once there is room again the installation goes on
without fetching anything twice.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))
HOME = Path(tempfile.mkdtemp(prefix="full-disk-"))
os.environ |= {"HANDY_QWEN_HOME": str(HOME), "HF_HOME": str(HOME / "hf")}

from handy_qwen.core.models import InstallStage  # noqa: E402  the environment is read when these are imported
from handy_qwen.errors import HandyError  # noqa: E402
from handy_qwen.models.installed import remove  # noqa: E402
from handy_qwen.models.installing import install, is_whole  # noqa: E402
from handy_qwen.models.storage import ModelPaths  # noqa: E402
from tests.hub.server import FakeHub  # noqa: E402
from tests.hub.tiny import CHECKPOINT, REPOSITORY, TINY  # noqa: E402

FILLER = HOME / "filler"


def fill():
    """Take all the room there is."""
    with FILLER.open("wb", buffering=0) as out:
        for size in (1 << 20, 1 << 12, 1):
            try:
                while out.write(bytes(size)):
                    pass
            except OSError:
                continue


def remount(how):
    """Let the disk be written to, or not."""
    subprocess.run(["mount", "-o", f"remount,{how}", HOME], check=True)


def attempt(hub, stage, spoil, mend):
    """Spoil the disk when ``stage`` begins; mend it, and go on."""
    done = []

    def tell(progress):
        if (
            progress.stage is stage
            and not done
            and (stage is not InstallStage.DOWNLOADING or progress.done_bytes)
        ):
            done.append(progress)
            spoil()

    before = hub.sent_bytes("model.safetensors")
    try:
        install(TINY, tell)
        outcome = "nothing went wrong"
    except HandyError as error:
        outcome = str(error)
    stands = ModelPaths("tiny").final.exists()
    mend()
    model = install(TINY, lambda _progress: None)
    sent = hub.sent_bytes("model.safetensors") - before
    assert is_whole(model.folder)
    print(f"{stage.name:12} {spoil.__name__:8} stood: {stands!s:5} sent in all: {sent}  {outcome}")
    remove("tiny")


def read_only():
    """Let it not be written to."""
    remount("ro")


def main():
    """Each stage, both ways."""
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=330m", "tmpfs", HOME], check=True)
    try:
        with FakeHub(CHECKPOINT, REPOSITORY) as hub:
            os.environ["HF_ENDPOINT"] = hub.url
            hub.bytes_per_s = 20_000_000
            for stage in (
                InstallStage.WAITING,
                InstallStage.DOWNLOADING,
                InstallStage.CHECKING,
                InstallStage.CONVERTING,
                InstallStage.TESTING,
            ):
                attempt(hub, stage, fill, FILLER.unlink)
            remount("ro")
            try:
                install(TINY, lambda _progress: None)
            except HandyError as error:
                print(f"read-only: {error}")
            remount("rw")
    finally:
        subprocess.run(["umount", HOME], check=True)
        HOME.rmdir()


if __name__ == "__main__":
    main()
