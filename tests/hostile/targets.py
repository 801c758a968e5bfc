"""Everything in the program that reads what somebody else may have written, as functions of bytes.

A target gets a folder of its own and the bytes, and uses what it reads as the program would. It may raise a
HandyError and nothing else; whoever calls it looks at memory and at the folders around.
"""

from __future__ import annotations

import atexit
import io
import itertools
import json
import os
import shutil
import socket
import sqlite3
import tarfile
import tempfile
import zipfile
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from hypothesis import strategies as st

from handy_qwen import paths
from handy_qwen.audio import files as audio_files
from handy_qwen.control import MAX_REQUEST_BYTES, receive_line
from handy_qwen.convert.checkpoint import Checkpoint
from handy_qwen.convert.package import Details, convert
from handy_qwen.convert.presets import PRESETS
from handy_qwen.convert.source import opened_source
from handy_qwen.core.types import EntryState, Keep
from handy_qwen.engine.qwen3.manifest import find_damage, is_package, load_manifest
from handy_qwen.engine.qwen3.published import check_files, read_config
from handy_qwen.engine.qwen3.recognizer import open_parts
from handy_qwen.engine.qwen3.sessions import open_session
from handy_qwen.engine.qwen3.tokenizer import TABLE_FILE, load_tokenizer
from handy_qwen.history import recovery, wav
from handy_qwen.settings import SettingsStore
from handy_qwen.settings.file import new_document
from tests.golden.random_checkpoint import write_random_checkpoint
from tests.hostile.damage import damaged_bytes, damaged_json

PACKAGE = paths.asset("demo-model")
MOST_BLOCKS = 20_000
PHRASE = "We need twenty-five chairs."


@dataclass(frozen=True)
class Target:
    """Something that reads.

    Attributes:
        name: For reports.
        use: Reads the bytes, in a folder that is empty before.
        inputs: What it gets.
        cost: Tried once where others are tried this often.
        most_bytes: Of memory for Python and numpy, in addition to what was there.
    """

    name: str
    use: Callable[[Path, bytes], None]
    inputs: st.SearchStrategy[bytes]
    cost: int = 1
    most_bytes: int = 32 << 20


# --- settings and socket -----------------------------------------------------------------------------


def use_settings(folder: Path, data: bytes) -> None:
    path = folder / "settings.toml"
    path.write_bytes(data)
    store = SettingsStore(path)
    store.load()
    store.update(hold_s=0.5)
    path.write_bytes(data)
    for _look in range(2):
        store.reload_if_changed()
    store.update(custom_words=("one", "two"))


def use_line(_folder: Path, data: bytes) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.setblocking(False)
        with suppress(BlockingIOError):  # more than the system holds
            theirs.sendall(data)
        theirs.shutdown(socket.SHUT_WR)
        try:
            receive_line(ours, MAX_REQUEST_BYTES, 1.0)
        except (ValueError, OSError):  # what its callers expect of it
            return


# --- sound -------------------------------------------------------------------------------------------


def use_sound(folder: Path, data: bytes) -> None:
    path = folder / "sound.wav"
    path.write_bytes(data)
    with audio_files.read(path) as file:
        for block in itertools.islice(file, MOST_BLOCKS):
            assert block.dtype == np.float32
            assert float(np.abs(block).max()) <= 1


@cache
def sound(kind: str, subtype: str | None) -> bytes:
    out = io.BytesIO()
    rate_hz = 48_000 if subtype == "OPUS" else 22_050
    t = np.arange(rate_hz // 3) / rate_hz
    both = np.stack([np.sin(2000 * t), np.sin(3000 * t)], axis=1).astype(np.float32) * 0.5
    soundfile.write(out, both, rate_hz, format=kind, subtype=subtype)
    return out.getvalue()


def sound_target(kind: str, subtype: str | None = None) -> Target:
    inputs = st.deferred(lambda: damaged_bytes(sound(kind, subtype), head=256))
    return Target(f"sound {kind} {subtype or ''}".strip(), use_sound, inputs, most_bytes=128 << 20)


# --- models ------------------------------------------------------------------------------------------


def place(path: Path, folder: Path) -> None:
    """Have ``path`` in ``folder``, too: as a link, which costs nothing, where links may be made."""
    if os.name == "nt":
        shutil.copyfile(path, folder / path.name)
    else:
        (folder / path.name).symlink_to(path)


def use_manifest(folder: Path, data: bytes) -> None:
    for path in PACKAGE.iterdir():
        if path.name != "manifest.json":
            place(path, folder)
    (folder / "manifest.json").write_bytes(data)
    is_package(folder)
    find_damage(folder, load_manifest(folder))


def use_package(name: str, folder: Path, data: bytes) -> None:
    """Open a package of which one file is damaged; its manifest says the size that it has."""
    for path in PACKAGE.iterdir():
        if path.name not in {name, "manifest.json"}:
            place(path, folder)
    (folder / name).write_bytes(data)
    if name != "manifest.json":
        manifest = json.loads((PACKAGE / "manifest.json").read_text(encoding="utf-8"))
        manifest["files"][name]["size_bytes"] = len(data)
        (folder / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    model = open_parts(folder, 1)
    model.tokenizer.check_fits(model.config.text.vocab)


def use_published_config(folder: Path, data: bytes) -> None:
    (folder / "config.json").write_bytes(data)
    read_config(folder / "config.json")


def use_graph(folder: Path, data: bytes) -> None:
    path = folder / "frontend.onnx"
    path.write_bytes(data)
    place(PACKAGE / "frontend.data", folder)
    check_files(path)
    open_session(path, threads=1)


def use_tokenizer(name: str, folder: Path, data: bytes) -> None:
    checkpoint = small_checkpoint()
    parts = ("vocab.json", "merges.txt", "tokenizer_config.json") if name != "tokenizer.json" else ()
    for part in parts:
        (folder / part).write_bytes((checkpoint / part).read_bytes())
    (folder / name).write_bytes(data)
    tokenizer = load_tokenizer(folder)
    tokenizer.check_fits(640)
    tokenizer.decode(tokenizer.encode(PHRASE))


@cache
def small_checkpoint() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="hostile-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    write_random_checkpoint(folder / "checkpoint")
    return folder / "checkpoint"


def use_checkpoint_config(folder: Path, data: bytes) -> None:
    for path in small_checkpoint().iterdir():
        if path.name != "config.json":
            place(path, folder)
    (folder / "config.json").write_bytes(data)
    convert(folder, folder / "package", PRESETS["exact"], Details("hostile"))


def use_weights(folder: Path, data: bytes) -> None:
    (folder / "model.safetensors").write_bytes(data)
    checkpoint = Checkpoint(folder)
    for name in itertools.islice(checkpoint._tensors, 20):
        checkpoint.read(name)
        list(checkpoint.read_rows(name))


def use_index(folder: Path, data: bytes) -> None:
    (folder / "model.safetensors.index.json").write_bytes(data)
    (folder / "a.safetensors").write_bytes(weights({"a": [2, 3]}))
    Checkpoint(folder)


def weights(shapes: dict[str, list[int]]) -> bytes:
    """A safetensors file with those tensors in float32."""
    header, at = {}, 0
    for name, shape in shapes.items():
        size = 4 * int(np.prod(shape))
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [at, at + size]}
        at += size
    raw = json.dumps(header).encode()
    return len(raw).to_bytes(8, "little") + raw + bytes(at)


@st.composite
def damaged_weights(draw: st.DrawFn) -> bytes:
    """The list of tensors damaged as JSON, behind its right length; or bytes anywhere."""
    whole = weights({"a": [2, 3], "b": [4], "model.c": [2, 2, 2]})
    if draw(st.booleans()):
        return draw(damaged_bytes(whole, head=200))
    length = int.from_bytes(whole[:8], "little")
    raw = draw(damaged_json(json.loads(whole[8 : 8 + length])))
    return len(raw).to_bytes(8, "little") + raw + whole[8 + length :]


# --- archives ----------------------------------------------------------------------------------------


def use_archive(suffix: str, folder: Path, data: bytes) -> None:
    source = folder / f"model{suffix}"
    source.write_bytes(data)
    place = folder / "place"
    place.mkdir()
    with opened_source(source, place / "package") as unpacked:
        assert unpacked.parent == place
        assert all(path.is_file() and not path.is_symlink() for path in unpacked.iterdir())
    assert not list(place.iterdir()), "something is left of the archive"


@cache
def archive(suffix: str) -> bytes:
    out = io.BytesIO()
    names = ("Qwen/config.json", "Qwen/model.safetensors", "Qwen/merges.txt")
    if suffix == ".zip":
        with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as packed:
            for name in names:
                packed.writestr(name, name * 50)
        return out.getvalue()
    with tarfile.open(fileobj=out, mode="w:gz" if suffix == ".tar.gz" else "w") as tar:
        for name in names:
            member = tarfile.TarInfo(name)
            member.size = 50 * len(name)
            tar.addfile(member, io.BytesIO(name.encode() * 50))
    return out.getvalue()


# --- history -----------------------------------------------------------------------------------------


def use_take(folder: Path, data: bytes) -> None:
    path = folder / "take.wav"
    path.write_bytes(data)
    try:
        wav.look(path)
    finally:
        with wav.blocks(path) as blocks:
            for block in blocks:
                assert np.isfinite(block).all()
    wav.repair(path, wav.Stage.COMPLETE)


def take() -> bytes:
    return wav.header(1_700_000_000_000, wav.Stage.OPEN, None) + np.ones(500, "<f4").tobytes()


def use_database(folder: Path, data: bytes) -> None:
    """Open a damaged history; begin anew where that is needed; and use it."""
    path, takes = folder / "history.db", folder / "takes"
    takes.mkdir()
    path.write_bytes(data)
    store, _ = recovery.open_or_renew(path, busy_s=0.1)
    with closing(store):
        recovery.put_in_order(store, takes)
        list(store.newest())
        list(store.matching(["chairs"]))
        number = store.add({"created_ms": 1, "state": EntryState.RECORDING, "keep": Keep.AUDIO_AND_TEXT})
        assert store.row(number) is not None


@cache
def database() -> bytes:
    import tempfile

    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "history.db"
        store, _ = recovery.open_or_renew(path, busy_s=1.0)
        for number in range(40):
            store.add(
                {
                    "created_ms": number,
                    "state": EntryState.DONE,
                    "keep": Keep.TEXT,
                    "text": f"{PHRASE} {number}" * 9,
                }
            )
        store.checkpoint()
        store.close()
        return path.read_bytes()


def use_rows(folder: Path, data: bytes) -> None:
    """Rows with any values in them: SQLite does not keep to the types of its columns."""
    path, takes = folder / "history.db", folder / "takes"
    takes.mkdir()
    path.write_bytes(database())
    with closing(sqlite3.connect(path)) as raw:
        columns = [row[1] for row in raw.execute("PRAGMA table_info(take)")]
        for number, value in enumerate(json.loads(data)):
            changes = value if isinstance(value, dict) else {columns[number % len(columns)]: value}
            for name, one in changes.items():
                if name in columns[1:] and one is not None:
                    raw.execute(
                        f'UPDATE take SET "{name}" = ? WHERE id = ?', (_storable(one), number % 40 + 1)
                    )
        raw.commit()
    store, _ = recovery.open_or_renew(path, busy_s=0.1)
    with closing(store):
        recovery.put_in_order(store, takes)
        for row in store.newest():
            assert row.entry is not None
        list(store.matching(["chairs"]))


def _storable(value: object) -> Any:
    if isinstance(value, str):
        return value.encode("utf-8", "surrogatepass")  # as a blob, and not always UTF-8
    return (
        value if isinstance(value, float) or (isinstance(value, int) and abs(value) < 2**63) else str(value)
    )


def rows() -> st.SearchStrategy[bytes]:
    names: tuple[str, ...] = (
        "created_ms",
        "state",
        "keep",
        "file",
        "duration_s",
        "size_bytes",
        "text",
        "whereabouts",
    )
    names += ("settled_ms", "replays", "is_starred", "is_deleting", "application", "language")
    values = st.one_of(
        st.sampled_from(
            ("../../etc/passwd", "/etc/passwd", "recording", "waiting", "done", "", "\0", "take")
        ),
        st.integers(-(2**62), 2**62),
        st.floats(allow_nan=False),
        st.text(max_size=9),
    )
    row = st.dictionaries(st.sampled_from(names), values, max_size=5)
    return st.lists(row, max_size=12).map(lambda found: json.dumps(found).encode())


# --- all of them -------------------------------------------------------------------------------------


def _json_of(path: Path) -> st.SearchStrategy[bytes]:
    return st.deferred(lambda: damaged_json(json.loads(path.read_text(encoding="utf-8"))))


def _bytes_of(path: Path, head: int = 0) -> st.SearchStrategy[bytes]:
    return st.deferred(lambda: damaged_bytes(path.read_bytes(), head))


def _damaged_archive(suffix: str) -> st.SearchStrategy[bytes]:
    return st.deferred(lambda: damaged_bytes(archive(suffix), head=600))


def _checkpoint_file(name: str) -> st.SearchStrategy[bytes]:
    return st.deferred(lambda: _json_of(small_checkpoint() / name))


def _settings() -> bytes:
    return new_document().text.encode()


LINE = json.dumps({"protocol": 1, "command": "status", "secret": ""}).encode() + b"\n"
INDEX = {"metadata": {"total_size": 24}, "weight_map": {"a": "a.safetensors"}}
PUBLISHED = {
    "encoder": dict.fromkeys(
        ("num_layers", "hidden_size", "num_heads", "ffn_dim", "conv_channels", "output_dim"), 8
    )
    | {"num_mel_bins": 128},
    "decoder": dict.fromkeys(
        ("num_layers", "hidden_size", "num_attention_heads", "num_key_value_heads", "head_dim"), 8
    )
    | {"intermediate_size": 8, "vocab_size": 9, "rope_theta": 1e6, "rms_norm_eps": 1e-6},
    "embed_tokens_dtype": "float32",
    "mel": {"sample_rate": 16_000},
}

TARGETS = (
    Target("settings", use_settings, st.deferred(lambda: damaged_bytes(_settings())), cost=3),
    Target(
        "socket", use_line, damaged_bytes(LINE) | damaged_json(json.loads(LINE)) | st.binary(max_size=9000)
    ),
    *(sound_target(*kind) for kind in (("WAV", "PCM_16"), ("WAV", "FLOAT"), ("WAV", "MS_ADPCM"), ("FLAC",))),
    *(sound_target(*kind) for kind in (("OGG", "VORBIS"), ("OGG", "OPUS"), ("MP3",), ("AIFF",), ("CAF",))),
    *(sound_target(*kind) for kind in (("AU",), ("W64",), ("RF64",))),
    Target("manifest", use_manifest, _json_of(PACKAGE / "manifest.json")),
    Target("package manifest", partial(use_package, "manifest.json"), _json_of(PACKAGE / "manifest.json"), 4),
    Target("package graph", partial(use_package, "decoder.onnx"), _bytes_of(PACKAGE / "decoder.onnx"), 8),
    Target("package weights", partial(use_package, "encoder.data"), _bytes_of(PACKAGE / "encoder.data"), 8),
    Target("package table", partial(use_package, "embedding.data"), _bytes_of(PACKAGE / "embedding.data"), 8),
    Target("package tokens", partial(use_package, TABLE_FILE), _bytes_of(PACKAGE / TABLE_FILE), 8),
    Target("graph", use_graph, _bytes_of(PACKAGE / "frontend.onnx"), 2),
    Target("published config", use_published_config, damaged_json(PUBLISHED)),
    Target("checkpoint config", use_checkpoint_config, _checkpoint_file("config.json"), 8, 256 << 20),
    Target("safetensors", use_weights, damaged_weights()),
    Target("index", use_index, damaged_json(INDEX)),
    Target("tokenizer", partial(use_tokenizer, "tokenizer.json"), _checkpoint_file("tokenizer.json"), 2),
    Target("vocabulary", partial(use_tokenizer, "vocab.json"), _checkpoint_file("vocab.json"), 2),
    Target(
        "added tokens",
        partial(use_tokenizer, "tokenizer_config.json"),
        _checkpoint_file("tokenizer_config.json"),
        2,
    ),
    *(
        Target(
            f"archive {suffix}",
            partial(use_archive, suffix),
            _damaged_archive(suffix),
        )
        for suffix in (".tar", ".tar.gz", ".zip")
    ),
    Target("take", use_take, st.deferred(lambda: damaged_bytes(take(), head=128))),
    Target("history", use_database, st.deferred(lambda: damaged_bytes(database(), head=4096)), 2),
    Target("history rows", use_rows, rows(), 2),
)
