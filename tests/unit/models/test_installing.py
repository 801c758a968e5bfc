"""From the hub to a model that runs: complete, killed, twice at once, and where it cannot be written.

HANDY_QWEN_KILLS=10 kills at ten points of the download instead of two, and in every stage.
"""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from handy_qwen import paths
from handy_qwen.cli import main
from handy_qwen.convert.check_speech import load_check_speech
from handy_qwen.convert.package import convert
from handy_qwen.core.models import InstallStage, ModelStatus
from handy_qwen.engine.qwen3.manifest import is_package, load_manifest
from handy_qwen.errors import (
    CancelledError,
    ConversionError,
    DownloadError,
    EngineError,
    InstallationError,
    ModelCorruptError,
)
from handy_qwen.models import download
from handy_qwen.models.catalogue import Catalogue, Layout, read_catalogue
from handy_qwen.models.installed import (
    discard_download,
    fidelity_of,
    find_installable,
    find_model,
    installed_models,
    load_origin,
    load_recognizer,
    model_entries,
    needed_memory,
    remove,
)
from handy_qwen.models.installing import install, is_whole
from handy_qwen.models.storage import ModelPaths, unfinished_downloads
from tests.hub.server import COMMIT, FakeHub, Fault, describe
from tests.hub.tiny import CHECKPOINT, REPOSITORY, TINY
from tests.hub.transformers import REPOSITORY as HF_REPOSITORY
from tests.hub.transformers import write_transformers_layout
from tests.published_layout import write_published_layout

pytestmark = pytest.mark.usefixtures("unchecked")
ROOT = Path(__file__).parents[3]
WEIGHTS = "model.safetensors"
KILLS = int(os.environ.get("HANDY_QWEN_KILLS", "2"))


def ignore(_progress):
    """Nobody listens."""


def start(**more):
    return subprocess.Popen(
        [sys.executable, "-m", "tests.hub.install_once"],
        cwd=ROOT,
        env=os.environ | more,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_an_installed_model_runs_and_says_where_it_comes_from(real_hub, tmp_path):
    stages = []
    made = install(TINY, lambda progress: stages.append(progress.stage), keep_source=tmp_path / "kept")
    names = [stage.name for stage in dict.fromkeys(stages)]
    assert names == ["WAITING", "DOWNLOADING", "CHECKING", "CONVERTING", "TESTING"]
    assert made.folder == find_model("tiny").folder
    origin = load_origin(made.folder)
    assert (origin.source, origin.revision, origin.commit) == (REPOSITORY, "main", COMMIT)
    assert (tmp_path / "kept" / WEIGHTS).stat().st_size == real_hub.sent_bytes(WEIGHTS)
    recognizer = load_recognizer("tiny", threads=1)
    assert recognizer.name == "tiny"
    recognizer.close()
    sent = len(real_hub.requests)
    install(TINY, ignore)  # again
    assert len(real_hub.requests) == sent
    shelf = {entry.name: entry for entry in model_entries(Catalogue((TINY,)))}
    assert shelf["tiny"].status is ModelStatus.INSTALLED
    remove("tiny")
    assert [model.name for model in installed_models()] == ["demo"]
    assert list(ModelPaths("tiny").final.parent.glob("tiny*")) == []


@pytest.mark.usefixtures("real_hub")
def test_an_installed_model_was_compared_with_full_precision_and_says_so(monkeypatch, capsys):
    monkeypatch.setitem(convert.__kwdefaults__, "speech", load_check_speech)
    monkeypatch.setattr(download, "_EVERY_S", 0.0)  # a quick machine is done between two reports
    shares = []
    made = install(TINY, lambda progress: shares.append((progress.stage, progress.share)))
    fidelity = load_manifest(made.folder).fidelity
    assert fidelity.clips == 4  # those in the languages that the demo model speaks
    assert fidelity.notes == ()
    (shelved,) = [entry for entry in model_entries(Catalogue((TINY,))) if entry.name == "tiny"]
    assert main(["model", "info", "tiny"]) == 0
    said = capsys.readouterr().out
    assert f"words as full precision on {fidelity.clips_same} of 4 check sentences" in said
    assert shelved.fidelity == fidelity_of(made.folder)
    assert shelved.fidelity[0] in said
    converted = [share for stage, share in shares if stage is InstallStage.CONVERTING and share is not None]
    assert len(set(converted)) > 5  # it is seen to go on


@pytest.mark.parametrize("is_source_kept", [False, True])
def test_a_published_model_is_used_as_it_is(hub_home, tmp_path, monkeypatch, is_source_kept):
    assert not hub_home.exists()
    folder = write_published_layout(CHECKPOINT, tmp_path / "int4", dtype="int4", suffix="int4")
    (folder / "README.md").write_text("not wanted")
    shipped = replace(read_catalogue().find("qwen3-asr-0.6b-onnx"), memory_bytes=0)
    kept = tmp_path / "kept" if is_source_kept else None
    with FakeHub(folder, shipped.repository) as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.url)
        made = install(shipped, ignore, keep_source=kept)
    assert not (made.folder / "README.md").exists()
    if kept:
        (kept / "config.json").write_text("changed by its owner")
    assert is_whole(made.folder)
    (made.folder / "embed_tokens.bin").write_bytes(b"")
    assert not is_whole(made.folder)


def test_a_damaged_model_is_installed_again(real_hub):
    folder = install(TINY, ignore).folder
    (folder / "encoder.data").write_bytes(b"0" * (folder / "encoder.data").stat().st_size)
    assert not is_whole(folder)
    install(TINY, ignore)
    assert is_whole(folder)
    assert real_hub.sent_bytes("config.json") > 0


def test_a_process_that_is_killed_again_and_again_fetches_nothing_twice(real_hub):
    real_hub.bytes_per_s = 6_000_000
    part = ModelPaths("tiny").source / f"{WEIGHTS}.part"
    total, rnd, expected, pause = 11_743_728, random.Random(3), [], threading.Event()
    for _ in range(KILLS):
        process = start()
        goal = real_hub.sent_bytes(WEIGHTS) + rnd.randrange(100_000, int(total / (KILLS + 1)))
        while real_hub.sent_bytes(WEIGHTS) < goal and process.poll() is None:
            pause.wait(0.02)
        process.kill()
        process.communicate()
        assert process.returncode == (1 if os.name == "nt" else -signal.SIGKILL)
        expected.append(part.stat().st_size if part.exists() else 0)
        assert not ModelPaths("tiny").final.exists()
    process = start()
    _, err = process.communicate()
    assert process.returncode == 0, err
    starts = [request.start for request in real_hub.requests if request.file == WEIGHTS]
    assert starts == [0, *expected]
    assert is_whole(ModelPaths("tiny").final)
    assert not ModelPaths("tiny").work.exists()


@pytest.mark.parametrize("stage", ["CONVERTING", "CHECKING", "TESTING"][: KILLS - 1])
def test_a_process_that_is_killed_later_leaves_no_half_model(real_hub, stage):
    process = start()
    while process.stdout.readline().strip() != stage:
        assert process.poll() is None
    process.kill()
    process.communicate()
    assert not ModelPaths("tiny").final.exists()
    made = install(TINY, ignore)
    assert is_whole(made.folder)
    assert real_hub.sent_bytes(WEIGHTS) == 11_743_728
    assert not ModelPaths("tiny").work.exists()


def test_of_two_processes_one_fetches_and_both_have_it(real_hub):
    real_hub.bytes_per_s = 20_000_000
    both = [start(), start()]
    outs = [process.communicate() for process in both]
    assert [process.returncode for process in both] == [0, 0], outs
    assert real_hub.sent_bytes(WEIGHTS) == 11_743_728
    assert sorted("CONVERTING" in out for out, _ in outs) == [False, True]


def test_what_does_not_run_is_not_put_in_place(real_hub, monkeypatch):
    def fail(_folder):
        raise EngineError("The model gives numbers that make no sense.")

    monkeypatch.setattr("handy_qwen.models.installing.self_test", fail)
    with pytest.raises(EngineError):
        install(TINY, ignore)
    assert [model.name for model in installed_models()] == ["demo"]
    assert ModelPaths("tiny").partial_bytes() >= real_hub.sent_bytes(WEIGHTS)


def test_a_conversion_that_is_given_up_keeps_what_was_fetched(real_hub):
    def give_up(progress):
        if progress.stage is InstallStage.CONVERTING:
            raise CancelledError

    with pytest.raises(CancelledError):
        install(TINY, give_up)
    assert ModelPaths("tiny").partial_bytes() >= real_hub.sent_bytes(WEIGHTS) > 0
    entry = next(one for one in model_entries(Catalogue((TINY,))) if one.name == "tiny")
    assert (entry.status, entry.partial_bytes) == (ModelStatus.PAUSED, ModelPaths("tiny").partial_bytes())
    discard_download("tiny")
    assert ModelPaths("tiny").partial_bytes() == 0
    discard_download("tiny")  # nothing to do


def test_weights_that_are_none_end_in_a_sentence(hub):
    with pytest.raises(EngineError) as caught:
        install(TINY, ignore)
    assert "config.json" in caught.value.title
    assert hub.sent_bytes(WEIGHTS) == 0


@pytest.fixture
def named_hub(hub_home, tmp_path, monkeypatch):
    """Serves the demo model's checkpoint as transformers names it, in a repository of no entry."""
    assert not hub_home.exists()
    write_transformers_layout(CHECKPOINT, tmp_path / "hf-repository")
    with FakeHub(tmp_path / "hf-repository", HF_REPOSITORY) as served:
        monkeypatch.setenv("HF_ENDPOINT", served.url)
        yield served


@pytest.mark.usefixtures("named_hub")
def test_a_repository_for_transformers_is_installed_by_its_name():
    model = read_catalogue().find(HF_REPOSITORY)
    assert (model.name, model.repository) == ("qwen3-asr-0.6b-hf", HF_REPOSITORY)
    assert model.memory_bytes == read_catalogue().find("qwen3-asr-0.6b").memory_bytes
    made = install(model, ignore)
    assert made == find_model("qwen3-asr-0.6b-hf")
    origin = load_origin(made.folder)
    assert (origin.source, origin.commit) == (HF_REPOSITORY, COMMIT)
    assert {"config.json", "tokenizer.json", WEIGHTS} <= origin.fetched.keys()


def test_a_repository_that_was_begun_by_its_name_is_listed_and_resumed(named_hub):
    def give_up(progress):
        if progress.stage is InstallStage.CHECKING:
            raise CancelledError

    model = read_catalogue().find(HF_REPOSITORY)
    with pytest.raises(CancelledError):
        install(model, give_up)
    (entry,) = [one for one in model_entries() if one.name == model.name]
    assert (entry.status, entry.source) == (ModelStatus.PAUSED, HF_REPOSITORY)
    assert entry.partial_bytes == named_hub.sent_bytes(WEIGHTS) + sum(
        named_hub.sent_bytes(name) for name in ("config.json", "tokenizer.json", "tokenizer_config.json")
    )
    before = named_hub.sent_bytes(WEIGHTS)
    install(find_installable(entry.name), ignore)
    assert named_hub.sent_bytes(WEIGHTS) == before
    (entry,) = [one for one in model_entries() if one.name == model.name]
    assert (entry.status, entry.title) == (ModelStatus.INSTALLED, "Qwen3-ASR-0.6B-hf")
    assert not entry.is_imported  # it can be downloaded again
    assert needed_memory(find_model(entry.name)) == entry.memory_bytes == model.memory_bytes
    with pytest.raises(InstallationError, match="can be installed"):
        find_installable("something-else")


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"architectures": ["Qwen3ASRForTokenClassification"]}, ConversionError, "is Qwen3-ForcedAligner"),
        (
            {"model_type": "whisper", "audio_config": {}},
            ModelCorruptError,
            "Qwen/Qwen3-ASR-0.6B-hf is not a Qwen3-ASR model",
        ),
    ],
)
def test_another_kind_of_model_is_refused_before_its_weights_are_fetched(named_hub, change, error, words):
    config = named_hub.folder / "config.json"
    config.write_text(json.dumps(json.loads(config.read_text(encoding="utf-8")) | change))
    named_hub.siblings, named_hub.blobs = describe(named_hub.folder)
    with pytest.raises(error, match=words):
        install(read_catalogue().find(HF_REPOSITORY), ignore)
    assert named_hub.sent_bytes("config.json") > 0
    assert named_hub.sent_bytes(WEIGHTS) == 0


def test_a_damaged_configuration_is_fetched_again_not_refused(named_hub):
    named_hub.faults = [Fault("config.json", flip_at=1)]
    install(read_catalogue().find(HF_REPOSITORY), ignore)
    assert find_model("qwen3-asr-0.6b-hf")


def test_memory_that_the_machine_does_not_have_is_said_in_numbers(hub):
    with pytest.raises(InstallationError, match=r"needs 9000\.00 GB of memory; this machine has"):
        install(replace(TINY, memory_bytes=9_000_000_000_000), ignore)
    assert hub.requests == []


def in_use(*_, **__):
    error = PermissionError(13, "Sharing violation")
    error.winerror = 32
    raise error


@pytest.fixture
def installed(hub_home):  # noqa: ARG001 (where it is installed)
    shutil.copytree(paths.asset("demo-model"), ModelPaths("tiny").final)
    return ModelPaths("tiny")


def test_a_model_that_windows_keeps_because_it_is_open_stays_whole_and_it_is_said(installed, monkeypatch):
    monkeypatch.setattr(Path, "rename", in_use)
    with pytest.raises(InstallationError, match="tiny is in use"):
        remove("tiny")
    assert is_whole(installed.final)


def test_what_is_still_open_of_a_removed_model_is_deleted_later(installed, monkeypatch):
    incoming, rmtree = installed.work.parent, shutil.rmtree
    with monkeypatch.context() as patch:
        patch.setattr(
            "shutil.rmtree", lambda path, **how: (in_use if "removed" in path.name else rmtree)(path, **how)
        )
        remove("tiny")
    assert [model.name for model in installed_models()] == ["demo"]
    assert unfinished_downloads() == {}, "what is left is no download"
    assert {path.name.partition("-")[0] for path in incoming.iterdir()} == {".removed", "tiny.lock"}
    installed.begin()
    assert {path.name for path in incoming.iterdir()} == {"tiny", "tiny.lock"}


def test_a_model_is_removed_also_if_another_process_deletes_what_is_left_of_it_first(installed, monkeypatch):
    rmtree = shutil.rmtree

    def too_late(path, **how):
        rmtree(path, **how)
        if "removed" in path.name:
            raise FileNotFoundError(2, "No such file or directory", str(path / "decoder.onnx"))

    monkeypatch.setattr("shutil.rmtree", too_late)
    remove("tiny")
    assert not installed.final.exists()
    assert not installed.work.exists()


@pytest.mark.usefixtures("hub_home")
def test_the_demo_model_needs_no_installation():
    demo = replace(TINY, name="demo", layout=Layout.SHIPPED)
    assert install(demo, ignore) == find_model("demo")
    with pytest.raises(InstallationError, match="is part of Handy Qwen"):
        remove("demo")


def test_a_home_that_may_not_be_written_is_said(hub, hub_home):
    hub_home.mkdir()
    (hub_home / "data").write_text("in the way")
    with pytest.raises(InstallationError, match="cannot be written"):
        install(TINY, ignore)
    assert hub.requests == []


def test_a_folder_of_something_else_is_not_replaced(hub):
    folder = ModelPaths("tiny").final
    folder.mkdir(parents=True)
    (folder / "notes.txt").write_text("mine")
    with pytest.raises(InstallationError, match="exists and isn't a model"):
        install(TINY, ignore)
    assert (folder / "notes.txt").read_text(encoding="utf-8") == "mine"
    assert hub.requests == []


def test_an_older_model_stays_until_the_new_one_stands(real_hub, monkeypatch):
    folder = install(TINY, ignore).folder
    (folder / "encoder.data").write_bytes(b"damaged")
    before = json.loads((folder / "origin.json").read_text(encoding="utf-8"))
    real_hub.faults = [Fault("config.json", status=403)]
    with pytest.raises(DownloadError):
        install(TINY, ignore)
    assert json.loads((folder / "origin.json").read_text(encoding="utf-8")) == before
    rename = Path.rename

    def refuse(self, target):
        if self == ModelPaths("tiny").package:
            raise PermissionError(13, "Permission denied")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", refuse)
    with pytest.raises(InstallationError, match="could not be put into"):
        install(TINY, ignore)
    assert is_package(folder)


@pytest.mark.usefixtures("hub_home")
def test_what_another_process_works_on_is_not_deleted(tmp_path):
    places = ModelPaths("tiny")
    places.begin()
    places.listing.write_text("{}")
    code = (
        "import sys\n"
        "from handy_qwen.models.storage import ModelPaths\n"
        "with ModelPaths('tiny').locked(lambda: None):\n"
        " print('held', flush=True)\n"
        " sys.stdin.read()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        assert other.stdout.readline().rstrip() == b"held"
        with pytest.raises(InstallationError, match="being installed by another process"):
            discard_download("tiny")
        other.stdin.close()
    assert tmp_path.exists()
    discard_download("tiny")
