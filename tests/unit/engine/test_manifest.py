"""The manifest: written, read back, and what is said of one that is not right."""

import hashlib
import json
import shutil

import pytest

from handy_qwen import paths
from handy_qwen.engine.qwen3.manifest import (
    FORMAT,
    MANIFEST_FILE,
    Fidelity,
    TableForm,
    find_damage,
    is_package,
    load_manifest,
    sha256_of,
)
from handy_qwen.errors import ModelCorruptError, ModelMissingError

MEASURED = {
    "clips": 14,
    "clips_same": 13,
    "choices": 130,
    "choices_same": 129,
    "features": 0.004,
    "logits": 0.01,
    "notes": ["One is another."],
}


@pytest.fixture
def package(tmp_path):
    return shutil.copytree(paths.asset("demo-model"), tmp_path / "package")


def changed(package, **changes):
    path = package / MANIFEST_FILE
    path.write_text(json.dumps(json.loads(path.read_text(encoding="utf-8")) | changes), encoding="utf-8")


def refusal(package):
    with pytest.raises(ModelCorruptError) as caught:
        load_manifest(package)
    assert caught.value.path == package / MANIFEST_FILE
    return str(caught.value)


def test_what_is_written_is_read_back(package, tmp_path):
    manifest = load_manifest(package)
    for name in manifest.files:
        shutil.copy(package / name, tmp_path)
    manifest.save(tmp_path)
    assert load_manifest(tmp_path) == manifest
    find_damage(tmp_path, manifest)


def test_what_was_measured_is_kept_and_an_older_package_has_nothing_of_it(package):
    path = package / MANIFEST_FILE
    raw = json.loads(path.read_text(encoding="utf-8"))
    raw.pop("fidelity", None)
    path.write_text(json.dumps(raw), encoding="utf-8")
    assert load_manifest(package).fidelity is None
    changed(package, fidelity=MEASURED)
    manifest = load_manifest(package)
    assert manifest.fidelity == Fidelity(14, 13, 130, 129, 0.004, 0.01, ("One is another.",))
    manifest.save(package)
    assert load_manifest(package) == manifest


def test_a_folder_without_a_manifest_is_named(tmp_path):
    with pytest.raises(ModelMissingError) as caught:
        load_manifest(tmp_path)
    assert caught.value.path == tmp_path / MANIFEST_FILE
    assert not is_package(tmp_path)


@pytest.mark.parametrize("content", ["", "[]", "7", "null", "{", "[" * 100_000, "\x00\x01", '{"format": 2}'])
def test_a_manifest_that_is_something_else_is_named(package, content):
    (package / MANIFEST_FILE).write_text(content, encoding="utf-8")
    assert "it is not the manifest of a package. Install or convert the model again." in refusal(package)
    assert not is_package(package)


def test_a_manifest_that_is_no_text_is_named(package):
    (package / MANIFEST_FILE).write_bytes(b"\xff\xfe\x00")
    assert "it is not the manifest of a package" in refusal(package)


@pytest.mark.parametrize("content", [{"format": FORMAT - 1}, None])
def test_a_package_of_an_older_format_is_to_be_made_again(package, content):
    if content is None:
        changed(package, format=FORMAT - 1)
    else:
        (package / MANIFEST_FILE).write_text(json.dumps(content), encoding="utf-8")
    assert "an older version of the program made the package. Install it again" in refusal(package)


def test_a_package_of_a_newer_format_asks_for_a_newer_program(package):
    changed(package, format=FORMAT + 1)
    assert refusal(package).endswith(
        f"it is of format {FORMAT + 1}, not {FORMAT}. Update the program or convert again."
    )
    assert is_package(package)  # and may be replaced


@pytest.mark.parametrize("name", ["../demo/encoder.data", "/etc/passwd", "a/b", "./encoder.data"])
def test_a_manifest_that_reaches_outside_its_folder_is_refused(package, name):
    changed(package, files={name: {"size_bytes": 1, "sha256": ""}})
    assert "it is not the manifest of a package" in refusal(package)


@pytest.mark.parametrize(
    "changes",
    [
        {"name": 7},
        {"notice": None},
        {"pass_s": "long"},
        {"pass_s": 0},
        {"pass_s": float("nan")},
        {"pass_s": 1e9},
        {"config": []},
        {"config": {}},
        {"embedding": {"bits": 8}},
        {"embedding": {"bits": 5, "block": 32}},
        {"embedding": {"bits": 8, "block": 32, "scales_offset_bytes": -1}},
        {"embedding": {"bits": "8", "block": 32}},
        {"embedding": {"rows": 1}},
        {"files": []},
        {"files": {"a": {}}},
        {"surprise": 1},
        {"fidelity": 7},
        {"fidelity": MEASURED | {"clips_same": 15}},
        {"fidelity": MEASURED | {"choices": "120"}},
        {"fidelity": MEASURED | {"features": -0.1}},
        {"fidelity": MEASURED | {"logits": float("nan")}},
        {"fidelity": MEASURED | {"notes": [1]}},
        {"fidelity": MEASURED | {"surprise": 1}},
    ],
    ids=str,
)
def test_a_field_that_cannot_be_is_refused(package, changes):
    changed(package, **changes)
    assert "it is not the manifest of a package" in refusal(package)


def test_a_missing_file_is_named(package):
    for name in load_manifest(package).files:
        content = (package / name).read_bytes()
        (package / name).unlink()
        with pytest.raises(ModelMissingError) as caught:
            load_manifest(package)
        assert caught.value.path == package / name
        (package / name).write_bytes(content)


def test_a_file_of_another_size_is_named(package):
    name = "decoder.data"
    size = (package / name).stat().st_size
    with (package / name).open("ab") as file:
        file.truncate(size - 1)
    with pytest.raises(ModelCorruptError, match=f"decoder.data .* it has {size - 1} bytes instead of {size}"):
        load_manifest(package)


def test_a_file_that_changed_is_found_by_its_hash(package):
    manifest = load_manifest(package)
    for name in manifest.files:
        content = (package / name).read_bytes()
        (package / name).write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
        load_manifest(package)  # sizes are right
        with pytest.raises(ModelCorruptError, match="its contents have changed") as caught:
            find_damage(package, manifest)
        assert caught.value.path == package / name
        (package / name).write_bytes(content)
    find_damage(package, manifest)


def test_a_manifest_of_another_program_makes_no_package(tmp_path):
    (tmp_path / MANIFEST_FILE).write_text('{"manifest_version": 3, "name": "An extension"}', encoding="utf-8")
    assert not is_package(tmp_path)


def test_a_file_larger_than_a_piece_has_the_right_hash(tmp_path):
    path = tmp_path / "zeros"
    path.write_bytes(bytes(3 << 20))
    assert sha256_of(path) == hashlib.sha256(bytes(3 << 20)).hexdigest()


def test_a_plain_table_needs_no_blocks():
    assert TableForm(32).block == 0
    with pytest.raises(ValueError, match="another form"):
        TableForm(32, block=32)
