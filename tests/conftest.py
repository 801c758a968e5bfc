"""Fixtures for all tests."""

import gc
import logging
import os
import stat
import sys
import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import hypothesis
import pytest

from handy_qwen import paths
from handy_qwen.convert.package import Details, convert
from handy_qwen.convert.presets import PRESETS
from handy_qwen.engine.qwen3.recognizer import Recognizer
from tests.golden.random_checkpoint import write_random_checkpoint
from tests.signals import ignore_for_this_process_only

ROOT = Path(__file__).parents[1]
CHECKPOINT = ROOT / "tests" / "data" / "demo-checkpoint"
VOICE_MODEL = paths.asset("vad/silero_vad_16k_op15.onnx")


# Tests assert no time, and the same examples each time: what turns red was turned so by a change.
hypothesis.settings.register_profile("same examples", deadline=None, derandomize=True)
hypothesis.settings.register_profile("new examples", deadline=None)
hypothesis.settings.load_profile("same examples")


@pytest.hookimpl(trylast=True)  # pytest has put its own hook for threads in place
def pytest_configure() -> None:
    """What tests start hears signals, also where the tests run in the background."""
    ignore_for_this_process_only()
    threading.excepthook = partial(hear_of_thread, tell=threading.excepthook)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what is marked as not of this system."""
    lacking = {"unix": os.name == "nt", "linux": not sys.platform.startswith("linux")}
    for name in (name for name, is_lacking in lacking.items() if is_lacking):
        for item in items:
            if mark := item.get_closest_marker(name):
                item.add_marker(pytest.mark.skip(reason=mark.args[0]))


def pytest_collection_finish() -> None:
    """Thousands of tests are no garbage, and are not searched for it each time that a model is closed."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="module", autouse=True)
def _what_a_module_leaves() -> Iterator[None]:
    """Nor is what is left of the modules that are through, a million objects in the end."""
    yield
    gc.collect()
    gc.freeze()


def hear_of_thread(
    args: threading.ExceptHookArgs, tell: Callable[[threading.ExceptHookArgs], object]
) -> None:
    """SystemExit ends a thread without a word, as in Python itself.

    Told, it would fail whichever test happens to run when the thread has ended.
    """
    if not issubclass(args.exc_type, SystemExit):
        tell(args)


@pytest.fixture(autouse=True)
def no_unexpected_warnings(
    request: pytest.FixtureRequest, caplog: pytest.LogCaptureFixture
) -> Iterator[None]:
    """A test that logs a warning or worse fails, unless it says it expects one."""
    yield
    if request.node.get_closest_marker("expects_log"):
        return
    loud = [r.getMessage() for r in caplog.get_records("call") if r.levelno >= logging.WARNING]
    assert not loud, f"unexpected log: {loud}"


def is_private(path: Path) -> bool:
    """Whether only the user may read ``path``; on Windows, the folder of the user's profile sees to that."""
    return os.name == "nt" or stat.S_IMODE(path.stat().st_mode) & 0o077 == 0


@pytest.fixture
def symbolic_links(tmp_path_factory: pytest.TempPathFactory) -> None:
    """The test makes symbolic links, and is skipped where they may not be made.

    On Windows that takes a privilege or the developer mode (and Wine says yes and makes none).
    """
    link = tmp_path_factory.mktemp("links") / "link"
    try:
        link.symlink_to(link.parent)
    except OSError as exc:
        pytest.skip(f"symbolic links may not be made here: {exc.strerror}")
    if not link.is_symlink():
        pytest.skip("symbolic links are not made here")


@pytest.fixture
def app_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home of its own for the program under test: settings, models, logs, socket."""
    monkeypatch.setenv("HANDY_QWEN_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture(scope="session")
def recordings() -> Path:
    """The folder with recordings of real speech, which are not part of the project."""
    folder = Path(os.environ.get("HANDY_QWEN_TEST_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no recordings in {folder}; HANDY_QWEN_TEST_DATA can name another folder")
    return folder


@pytest.fixture
def unchecked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Conversions listen to no check speech, which takes seconds: for tests of something else."""
    assert convert.__kwdefaults__
    monkeypatch.setitem(convert.__kwdefaults__, "speech", None)


@pytest.fixture(scope="session")
def exact_package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo model in float32."""
    folder = tmp_path_factory.mktemp("models") / "demo-exact"
    convert(CHECKPOINT, folder, PRESETS["exact"], Details("demo-exact", pass_s=8.0))
    return folder


@pytest.fixture(scope="session")
def random_package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small model of random weights whose answers vary, in float32."""
    folder = tmp_path_factory.mktemp("models")
    write_random_checkpoint(folder / "checkpoint")
    convert(folder / "checkpoint", folder / "random", PRESETS["exact"], Details("random"))
    return folder / "random"


@pytest.fixture(scope="session")
def exact_recognizer(exact_package: Path) -> Iterator[Recognizer]:
    """The demo model in float32, loaded."""
    recognizer = Recognizer.load(exact_package, voice_model=VOICE_MODEL, threads=2)
    yield recognizer
    recognizer.close()


@pytest.fixture(scope="session")
def random_recognizer(random_package: Path) -> Iterator[Recognizer]:
    """The random model, loaded."""
    recognizer = Recognizer.load(random_package, voice_model=VOICE_MODEL, threads=2)
    yield recognizer
    recognizer.close()


@pytest.fixture(scope="session")
def demo_recognizer() -> Iterator[Recognizer]:
    """The demo model as it ships."""
    recognizer = Recognizer.load(paths.asset("demo-model"), voice_model=VOICE_MODEL, threads=2)
    yield recognizer
    recognizer.close()
