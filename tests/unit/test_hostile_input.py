"""Hostile input: whatever a file, an archive or a caller says, there is an error in words and no harm.

The mass of it is in tests/bench/fuzz.py, of which a small run is done here in a process of its own: a crash
in native code must not take the other tests along. What is known to be nasty stands below, by name.
"""

import contextlib
import gzip
import io
import json
import os
import socket
import sqlite3
import struct
import subprocess
import sys
import tarfile
import threading
import tracemalloc
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from handy_qwen import paths
from handy_qwen.control import ControlServer, Endpoint, ask
from handy_qwen.convert.checkpoint import Checkpoint
from handy_qwen.convert.source import opened_source
from handy_qwen.engine.json_files import MAX_BYTES, parse_object
from handy_qwen.engine.qwen3.manifest import load_manifest
from handy_qwen.engine.qwen3.published import read_config
from handy_qwen.engine.qwen3.recognizer import open_parts
from handy_qwen.engine.qwen3.tokenizer import load_tokenizer
from handy_qwen.errors import HandyError, ModelCorruptError
from handy_qwen.history import recovery
from handy_qwen.settings import Settings, SettingsStore
from tests.conftest import CHECKPOINT
from tests.hostile.damage import nested
from tests.hostile.targets import database, small_checkpoint, use_package, use_sound, weights

ROOT = Path(__file__).parents[2]
ABYSS = nested(100_000)


def peak_mb(work):
    """What ``work`` takes at most of memory that Python and numpy know of."""
    tracemalloc.start(1)
    try:
        work()
        return tracemalloc.get_traced_memory()[1] / 1e6
    finally:
        tracemalloc.stop()


def test_a_little_of_everything_damaged_gives_our_errors_within_limits():
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench.fuzz", "--examples", "4"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.rstrip().endswith("nothing broke")


# --- JSON --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "data",
    [
        ABYSS,
        nested(100_000, b'{"a":', b"}"),
        b'{"a": 1, "a": 2}',
        b'{"a": NaN}',
        b'{"a": -Infinity}',
        b'{"a": ' + b"9" * 5000 + b"}",
        b"[]",
        b'"text"',
        b"",
        b"\xff\xfe{\x00}\x00",
        b"{" + b" " * MAX_BYTES + b"}",
    ],
    ids=lambda data: data[:12].decode("latin-1"),
)
def test_json_that_is_no_plain_object_is_one_kind_of_error(data):
    with pytest.raises(ValueError, match=r"."):
        parse_object(data)


@pytest.mark.parametrize("data", [ABYSS, b'{"format": 1, "format": 1}', b'{"a": NaN}', b"{" * MAX_BYTES])
def test_every_json_of_a_model_is_read_that_way(tmp_path, data):
    for name in ("manifest.json", "config.json", "model.safetensors.index.json", "tokenizer_config.json"):
        (tmp_path / name).write_bytes(data)
    for part in ("vocab.json", "merges.txt"):
        (tmp_path / part).write_bytes((small_checkpoint() / part).read_bytes())
    for read in (
        load_manifest,
        Checkpoint,
        load_tokenizer,
        lambda folder: read_config(folder / "config.json"),
    ):
        with pytest.raises(ModelCorruptError) as caught:
            read(tmp_path)
        assert caught.value.path.parent == tmp_path


@pytest.mark.unix("pipes in folders are POSIX's")
def test_a_pipe_in_place_of_a_file_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "manifest.json")
    with pytest.raises(ModelCorruptError):
        load_manifest(tmp_path)


# --- settings ----------------------------------------------------------------------------------------


@pytest.mark.expects_log
@pytest.mark.parametrize(
    "data",
    [
        b"hold_s = " + ABYSS,
        b"hold_s = " + b"{a = " * 20_000 + b"1" + b"}" * 20_000,
        b"a" + b".a" * 50_000 + b" = 1",
        b"hold_s = " + b"9" * 5000,
        b"version = 1\nversion = 2\n",
        b"x" * (8 << 20),
        b"custom_words = [" + b'"a",' * 270_000 + b"]",
        b"hold_s = nan\nwarm_s = inf\n",
        b"\x00" * 4096,
    ],
    ids=range(9),
)
def test_a_settings_file_that_is_a_trap_is_explained_and_left_alone(tmp_path, data):
    path, problems = tmp_path / "settings.toml", []
    path.write_bytes(data)
    store = SettingsStore(path, on_problem=problems.append)
    loaded = store.load()
    assert loaded == replace(Settings(), set_up=loaded.set_up)
    assert len(problems) == 1
    assert store.update(hold_s=0.5).hold_s == 0.5
    assert path.read_bytes() == data or SettingsStore(path).load().hold_s == 0.5


# --- models ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "header",
    [
        {"a": {"dtype": "F32", "shape": [2**40], "data_offsets": [0, 2**42]}},
        {"a": {"dtype": "F32", "shape": [0, 2**62], "data_offsets": [0, 0]}},
        {"a": {"dtype": "F32", "shape": [2**32, 2**32, 0], "data_offsets": [0, 0]}},
        {"a": {"dtype": "F32", "shape": [2**32, 2**32], "data_offsets": [0, 0]}},
        {"a": {"dtype": "F32", "shape": [1] * 100, "data_offsets": [0, 4]}},
        {"a": {"dtype": "F32", "shape": [-2, -3], "data_offsets": [0, 24]}},
        {"a": {"dtype": "F32", "shape": [6], "data_offsets": [-24, 0]}},
        {"a": {"dtype": "F32", "shape": [6], "data_offsets": [8, 32]}},
        {"a": {"dtype": "F32", "shape": [1.5, 4], "data_offsets": [0, 24]}},
        {"a": {"dtype": "F32", "shape": "123456", "data_offsets": [0, 24]}},
        {"a": {"dtype": ["F32"], "shape": [6], "data_offsets": [0, 24]}},
        {"a": {"dtype": "F32", "shape": [6], "data_offsets": [0, 24, 48]}},
    ],
    ids=range(12),
)
def test_a_tensor_that_cannot_be_is_refused_before_memory_is_asked_for(tmp_path, header):
    raw = json.dumps(header).encode()
    (tmp_path / "model.safetensors").write_bytes(struct.pack("<Q", len(raw)) + raw + bytes(24))

    def read():
        with pytest.raises(ModelCorruptError):
            Checkpoint(tmp_path).read("a")

    assert peak_mb(read) < 4


@pytest.mark.parametrize("length", [0, 23, 2**31, 2**63, 2**64 - 1, MAX_BYTES + 1])
def test_a_list_of_tensors_of_no_sensible_length_is_not_read(tmp_path, length):
    path = tmp_path / "model.safetensors"
    path.write_bytes(struct.pack("<Q", length))
    os.truncate(path, 64 << 20)  # takes no space

    def read():
        with pytest.raises(ModelCorruptError):
            Checkpoint(tmp_path)

    assert peak_mb(read) < 8


def test_tensors_may_not_share_bytes_with_their_list(tmp_path):
    raw = weights({"a": [2, 3]}).replace(b'"data_offsets": [0, 24]', b'"data_offsets": [-8,16]')
    (tmp_path / "model.safetensors").write_bytes(raw)
    with pytest.raises(ModelCorruptError):
        Checkpoint(tmp_path)


@pytest.mark.parametrize(
    ("part", "name", "value"),
    [
        ("text", "vocab", 2**40),
        ("text", "layers", 2**31),
        ("text", "kv_heads", 2**62),
        ("text", "head_dim", 2**62),
        ("audio", "layers", 10**9),
        ("audio", "window_frames", 10**12),
        ("audio", "conv_channels", 2**62),
    ],
)
def test_a_package_of_absurd_sizes_is_refused_before_memory_is_asked_for(tmp_path, part, name, value):
    manifest = json.loads((paths.asset("demo-model") / "manifest.json").read_text(encoding="utf-8"))
    manifest["config"][part][name] = value

    def use():
        with pytest.raises(HandyError):
            use_package("manifest.json", tmp_path, json.dumps(manifest).encode())

    assert peak_mb(use) < 16


@pytest.mark.parametrize("name", ["decoder.onnx", "encoder.data", "embedding.data", "frontend.data"])
@pytest.mark.parametrize("part", [0, 0.5, 0.999])
def test_a_part_of_a_package_that_breaks_off_is_named(tmp_path, name, part):
    data = (paths.asset("demo-model") / name).read_bytes()
    with pytest.raises(ModelCorruptError):
        use_package(name, tmp_path, data[: int(part * len(data))])


@pytest.mark.parametrize("location", ["../outside.data", "/etc/hostname", "a/../../outside.data"])
def test_a_graph_cannot_reach_for_weights_outside_of_its_folder(tmp_path, location):
    import onnx

    (tmp_path / "outside.data").write_bytes(bytes(1 << 20))
    folder = tmp_path / "package"
    folder.mkdir()
    graph = onnx.load(str(paths.asset("demo-model") / "frontend.onnx"), load_external_data=False)
    for tensor in graph.graph.initializer:
        for entry in tensor.external_data:
            if entry.key == "location":
                entry.value = location
    with pytest.raises(HandyError):
        use_package("frontend.onnx", folder, graph.SerializeToString())


def test_a_tokenizer_with_parts_missing_is_refused_when_it_is_read(tmp_path):
    whole = json.loads((CHECKPOINT / "tokenizer.json").read_text(encoding="utf-8"))
    for part in ("normalizer", "pre_tokenizer", "decoder", "model"):
        (tmp_path / "tokenizer.json").write_text(json.dumps(whole | {part: None}), encoding="utf-8")
        with pytest.raises(HandyError):
            load_tokenizer(tmp_path)


def test_models_open_as_they_are_meant_to(tmp_path):
    """The tests above would pass if nothing could ever be opened."""
    assert open_parts(paths.asset("demo-model"), 1).name == "demo"
    data = (paths.asset("demo-model") / "encoder.data").read_bytes()
    use_package("encoder.data", tmp_path, data)


# --- archives ----------------------------------------------------------------------------------------


def test_a_bomb_ends_at_what_it_may_take(tmp_path, monkeypatch):
    monkeypatch.setattr("handy_qwen.convert.source._MAX_BYTES", 8 << 20)
    bomb = tmp_path / "model.zip"
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as packed:
        for number in range(3):
            packed.writestr(f"model-{number}.safetensors", bytes(4 << 20))
    assert bomb.stat().st_size < 1 << 15
    place = tmp_path / "place"
    place.mkdir()

    def use():
        with pytest.raises(HandyError), opened_source(bomb, place / "package"):
            pytest.fail("it was unpacked")

    assert peak_mb(use) < 24
    assert not list(place.iterdir())


def test_an_archive_that_lies_about_its_sizes_gives_no_more_than_it_says(tmp_path):
    bomb = tmp_path / "model.zip"
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("model.safetensors", bytes(64 << 20))
    raw = bomb.read_bytes().replace(struct.pack("<I", 64 << 20), struct.pack("<I", 1000))
    bomb.write_bytes(raw)
    place = tmp_path / "place"
    place.mkdir()

    def use():
        with pytest.raises(HandyError), opened_source(bomb, place / "package"):
            pytest.fail("it was unpacked")

    assert peak_mb(use) < 24


def test_a_tar_whose_header_is_a_bomb_is_refused_before_it_is_read(tmp_path):
    source = tmp_path / "model.tar.gz"
    head = tarfile.TarInfo("x")
    head.type, head.size = tarfile.XHDTYPE, 128 << 20
    with gzip.open(source, "wb", compresslevel=1) as out:
        out.write(head.tobuf(tarfile.PAX_FORMAT))
        for _ in range(128):
            out.write(bytes(1 << 20))

    def use():
        with pytest.raises(HandyError), opened_source(source, tmp_path / "package"):
            pytest.fail("it was unpacked")

    assert peak_mb(use) < 24


@pytest.mark.parametrize("mode", ["w", "w:gz"])
def test_sparse_members_and_endless_headers_of_a_tar_are_refused(tmp_path, mode):
    source, out = tmp_path / ("model.tar.gz" if mode == "w:gz" else "model.tar"), io.BytesIO()
    with tarfile.open(fileobj=out, mode=mode) as tar:
        member = tarfile.TarInfo("config.json")
        member.pax_headers = {"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.name": "../../x"}
        member.pax_headers |= {"GNU.sparse.realsize": str(2**50), "path": "../" * 300 + "etc/passwd"}
        member.size = 4
        tar.addfile(member, io.BytesIO(b"{}{}"))
    source.write_bytes(out.getvalue())
    with pytest.raises(HandyError), opened_source(source, tmp_path / "package"):
        pytest.fail("it was unpacked")


# --- sound -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("channels", "rate_hz", "frames_bytes"),
    [(1, 16_000, 0xFFFFFFFF), (1024, 48_000, 0xFFFFFFF0), (65_535, 1, 64), (0, 16_000, 64), (1, 0, 64)],
)
def test_a_wav_of_absurd_sizes_takes_no_memory_for_what_is_not_there(
    tmp_path, channels, rate_hz, frames_bytes
):
    block = 2 * channels % 65_536
    fmt = struct.pack("<HHIIHH", 1, channels, rate_hz, rate_hz * block % 2**32, block, 16)
    head = b"RIFF\xff\xff\xff\xffWAVEfmt " + struct.pack("<I", len(fmt)) + fmt
    data = head + b"data" + struct.pack("<I", frames_bytes) + bytes(64)

    def use():
        with contextlib.suppress(HandyError):
            use_sound(tmp_path, data)

    assert peak_mb(use) < 64


# --- socket ------------------------------------------------------------------------------------------


@pytest.fixture
def meeting(tmp_path):
    endpoint = Endpoint(tmp_path / "run")
    server = ControlServer(endpoint, lambda command: {"heard": command})
    server.start()
    yield endpoint
    server.close()


def test_many_callers_who_say_nothing_do_not_keep_out_one_who_does(meeting):
    silent = [meeting.connect(5)[0] for _ in range(40)]
    try:
        for one in silent[::8]:
            one.sendall(b'{"protocol"')
        assert ask(meeting, "status", timeout_s=20.0)["heard"] == "status"
    finally:
        for one in silent:
            one.close()


def test_a_line_without_end_is_cut_off_early(meeting):
    connection, _ = meeting.connect(5)
    sent = 0
    with connection:
        connection.settimeout(5)
        try:
            while sent < 64 << 20:
                sent += connection.send(b"x" * 65_536)
        except OSError:
            pass  # cut off
    assert sent < 4 << 20
    assert ask(meeting, "status")["heard"] == "status"


def test_many_at_once_are_all_answered(meeting):
    answers, lock = [], threading.Lock()

    def call(number):
        answer = ask(meeting, f"command {number}", timeout_s=20.0)
        with lock:
            answers.append(answer["heard"])

    callers = [threading.Thread(target=call, args=(number,)) for number in range(40)]
    for one in callers:
        one.start()
    for one in callers:
        one.join()
    assert sorted(answers) == sorted(f"command {number}" for number in range(40))


def test_a_caller_who_does_not_take_the_answer_does_not_stop_the_server(tmp_path):
    endpoint = Endpoint(tmp_path / "run")
    server = ControlServer(endpoint, lambda _command: {"text": "x" * 3_000_000})
    server.start()
    try:
        deaf = [meeting_line(endpoint) for _ in range(1)]
        assert len(ask(endpoint, "last", timeout_s=20.0)["text"]) == 3_000_000
        for one in deaf:
            one.close()
    finally:
        server.close()


def meeting_line(endpoint):
    connection, _ = endpoint.connect(5)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    connection.sendall(b'{"protocol": 1, "command": "last"}\n')
    return connection


# --- history -----------------------------------------------------------------------------------------


@pytest.mark.expects_log
def test_a_history_with_triggers_and_views_of_somebody_else_runs_nothing(tmp_path):
    path, takes = tmp_path / "history.db", tmp_path / "takes"
    takes.mkdir()
    path.write_bytes(database())
    raw = sqlite3.connect(path)
    raw.execute("CREATE TRIGGER evil AFTER UPDATE ON take BEGIN SELECT load_extension('x'); END")
    raw.execute("UPDATE sqlite_sequence SET seq = 9223372036854775807")
    raw.commit()
    raw.close()
    try:
        store, _ = recovery.open_or_renew(path, busy_s=0.1)
    except (HandyError, sqlite3.Error):
        return
    recovery.put_in_order(store, takes)
    assert list(store.newest())
    store.close()
